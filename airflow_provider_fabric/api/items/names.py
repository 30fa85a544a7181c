"""From a display name to an id.

Names are unique per kind and folder for most items, and reported not to be for dataflows: no match or several are
errors, never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches

from airflow_provider_fabric.api.http.flow import Flow
from airflow_provider_fabric.api.items.items import list_items, list_workspaces
from airflow_provider_fabric.api.models import Item, Workspace, is_guid
from airflow_provider_fabric.exceptions import FabricInputError, FabricNameError

_NEARLY_GUID = re.compile(r"[0-9a-fA-F-]{30,40}")


def resolve_workspace(workspace: str) -> Flow[str]:
    """Return a workspace's id.

    :param workspace: GUID, returned as it is with no call, or display name.
    :raises FabricNameError: no workspace of that name is visible, or several are.
    """
    if is_guid(_named(workspace, "workspace")):
        return workspace.lower()
    return _one(workspace, "workspace", (yield from list_workspaces()), "that this identity can see")


def resolve_item(workspace_id: str, item: str, item_type: str | None = None) -> Flow[str]:
    """Return an item's id.

    :param workspace_id: GUID.
    :param item: GUID, returned as it is with no call, or display name.
    :param item_type: kind; names are only unique within it.
    :raises FabricNameError: no item of that name is there, or several are.
    """
    if is_guid(_named(item, "item")):
        return item.lower()
    kind = item_type or "item"
    return _one(item, kind, (yield from list_items(workspace_id, item_type)), f"in workspace {workspace_id}")


def _named(name: object, field: str) -> object:
    if not isinstance(name, str) or not name.strip():
        raise FabricInputError(f"{field} must be a GUID or a display name, got {name!r}.")
    if _NEARLY_GUID.fullmatch(name) and name.count("-") == 4 and not is_guid(name):
        raise FabricInputError(f"{field}: {name!r} looks like a GUID but is not one (8-4-4-4-12 hexadecimal digits).")
    return name


def _one(name: str, kind: str, candidates: Sequence[Workspace | Item], where: str) -> str:
    found = [candidate for candidate in candidates if candidate.display_name == name]
    if len(found) == 1:
        return found[0].id
    if found:
        ids = ", ".join(candidate.id for candidate in found)
        raise FabricNameError(
            f"{len(found)} {kind}s are named {name!r} {where}: {ids}. Give the id of the one you mean."
        )
    names = sorted({candidate.display_name for candidate in candidates})
    near = get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(map(repr, near))}?" if near else f"There are {len(names)} others."
    raise FabricNameError(f"No {kind} is named {name!r} {where}. {hint}")
