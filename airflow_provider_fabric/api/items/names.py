"""From a display name to an id.

Names are unique per kind and folder for most items, and reported not to be for dataflows: no match or several are
errors, never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from typing import TypeVar

from airflow_provider_fabric.api.http.flow import Flow
from airflow_provider_fabric.api.items.items import list_candidates, list_items, list_workspaces
from airflow_provider_fabric.api.models import Item, Workspace, is_guid
from airflow_provider_fabric.exceptions import FabricError, FabricInputError, FabricNameError

Named = TypeVar("Named", Workspace, Item)

_NEARLY_GUID = re.compile(r"[0-9a-fA-F-]{30,40}")


def resolve_workspace(workspace: str) -> Flow[str]:
    """Return a workspace's id.

    :param workspace: GUID, returned as it is with no call, or display name.
    :raises FabricNameError: no workspace of that name is visible, or several are.
    """
    workspace = checked_name(workspace, "workspace")
    if is_guid(workspace):
        return workspace.lower()
    return only_one(workspace, "workspace", (yield from list_workspaces()), "that this identity can see")


def resolve_item(workspace_id: str, item: str, item_type: str | None = None) -> Flow[str]:
    """Return an item's id.

    :param workspace_id: GUID.
    :param item: GUID, returned as it is with no call, or display name.
    :param item_type: kind; names are only unique within it.
    :raises FabricNameError: no item of that name is there, or several are.
    """
    item = checked_name(item, "item")
    if is_guid(item):
        return item.lower()
    kind = item_type or "item"
    listed = yield from list_with(workspace_id, item, item_type)
    return only_one(item, kind, listed, f"in workspace {workspace_id}")


def resolve_items(workspace: str, item_names: Iterable[str], item_type: str | None = None) -> Flow[list[str]]:
    """Return the ids of many items, for the price of one list: to map tasks over ids, which cost nothing.

    :param workspace: GUID or display name.
    :param item_names: GUIDs or display names.
    :param item_type: kind; names are only unique within it.
    :returns: the ids, in the order of the names.
    :raises FabricNameError: one is not there, or several items have its name.
    """
    if isinstance(item_names, str):
        raise FabricInputError(f"item_names must be a list of names, got the text {item_names!r}.")
    wanted = [checked_name(name, "item_names") for name in item_names]
    workspace_id = yield from resolve_workspace(workspace)
    if all(map(is_guid, wanted)):
        return [name.lower() for name in wanted]

    def all_found(listed: Sequence[Item]) -> bool:
        return all(is_guid(name) or _with_name(name, listed) for name in wanted)

    listed = yield from list_items(workspace_id, item_type)
    if item_type is not None and not all_found(listed):  # some kinds are missing from a list by kind
        everything = yield from list_items(workspace_id)
        listed = [item for item in everything if item.type.casefold() == item_type.casefold()]
    kind, where = item_type or "item", f"in workspace {workspace_id}"
    with naming_workspaces({workspace_id: workspace}):
        return [name.lower() if is_guid(name) else only_one(name, kind, listed, where) for name in wanted]


def find_item(workspace_id: str, item: str, item_type: str | None = None) -> Flow[str | None]:
    """Return an item's id, or ``None`` if no item has that name.

    :param workspace_id: GUID.
    :param item: GUID, returned as it is with no call, or display name.
    :param item_type: kind; names are only unique within it.
    :raises FabricNameError: several items have that name.
    """
    item = checked_name(item, "item")
    if is_guid(item):
        return item.lower()
    listed = yield from list_with(workspace_id, item, item_type)
    if not _with_name(item, listed):
        return None
    return only_one(item, item_type or "item", listed, f"in workspace {workspace_id}")


def find_named_item(
    workspace_id: str, item_type: str, display_name: str, *, folder_id: str | None = None, anywhere: bool = True
) -> Flow[Item | None]:
    """Return the item of a kind and name, ``None`` if there is none.

    :param workspace_id: GUID.
    :param item_type: kind.
    :param display_name: name; spaces around it do not count, case does.
    :param folder_id: GUID of the folder in which to look; ``None`` for the root.
    :param anywhere: look in the whole workspace instead.
    :raises FabricNameError: several items have that name, or one has it but for case: the service takes such names for
        the same one.
    """

    def is_here(item: Item) -> bool:
        return anywhere or item.folder_id == folder_id

    listed = yield from list_candidates(
        workspace_id, item_type, lambda item: is_here(item) and bool(_with_name(display_name, [item]))
    )
    candidates = [item for item in listed if is_here(item)]
    found = _with_name(display_name, candidates)
    if len(found) > 1:
        places = {item.folder_id for item in found}
        remedy = "Say which one with folder=" if len(places) > 1 else "Rename or delete all but one"
        raise FabricNameError(
            f"{len(found)} items of type {item_type} are named {display_name!r} in workspace {workspace_id}: "
            f"{', '.join(map(_placed, found))}. {remedy}."
        )
    if found:
        return found[0]
    wanted = display_name.strip().casefold()
    near = next((item for item in candidates if item.display_name.strip().casefold() == wanted), None)
    if near is not None:
        raise FabricNameError(
            f"There is a {item_type} named {near.display_name!r} ({near.id}), which differs from {display_name!r} only "
            "in case; to Fabric these are the same name. Write it as it is there, or rename that item."
        )
    return None


def list_with(workspace_id: str, name: str, item_type: str | None) -> Flow[list[Item]]:
    """Return the items among which one of that name and kind is looked for."""
    return list_candidates(workspace_id, item_type, lambda item: bool(_with_name(name, [item])))


@contextmanager
def naming_workspaces(known: Mapping[str, str]) -> Iterator[None]:
    """Have errors show a workspace's name beside its id.

    :param known: id → name; a GUID in its place is none.
    """
    try:
        yield
    except FabricError as error:
        if error.args and isinstance(error.args[0], str):
            error.args = (with_workspace_names(error.args[0], known), *error.args[1:])
        raise


def with_workspace_names(text: str, known: Mapping[str, str]) -> str:
    """Return a message in which ``workspace <id>`` is ``workspace '<name>' (<id>)``, where the name is known."""
    for id_, name in known.items():
        if not is_guid(name.strip()):
            parts = re.split(rf"\bworkspace {re.escape(id_)}(?![\w-])", text)
            text = f"workspace {name.strip()!r} ({id_})".join(parts)
    return text


def _placed(item: Item) -> str:
    return f"{item.id} in folder {item.folder_id}" if item.folder_id else item.id


def _with_name(name: str, candidates: Sequence[Named]) -> list[Named]:
    wanted = name.strip()
    return [candidate for candidate in candidates if candidate.display_name.strip() == wanted]


def checked_name(name: object, field: str) -> str:
    """Return a GUID or a display name without spaces around it.

    :param field: what to call it in the error.
    :raises FabricInputError: it is neither.
    """
    if not isinstance(name, str) or not name.strip():
        raise FabricInputError(f"{field} must be a GUID or a display name, got {name!r}.")
    name = name.strip()
    if _NEARLY_GUID.fullmatch(name) and name.count("-") == 4 and not is_guid(name):
        raise FabricInputError(f"{field}: {name!r} looks like a GUID but is not one (8-4-4-4-12 hexadecimal digits).")
    return name


def only_one(name: str, kind: str, candidates: Sequence[Named], where: str) -> str:
    """Return the id of the one candidate of that name.

    :param kind: what to call it in the error.
    :param where: where the candidates are, as the end of a sentence.
    :raises FabricNameError: none has that name, or several have it.
    """
    found = _with_name(name, candidates)
    if len(found) == 1:
        return found[0].id
    if found:
        ids = ", ".join(candidate.id for candidate in found)
        raise FabricNameError(
            f"{len(found)} {kind}s are named {name!r} {where}: {ids}. Give the id of the one you mean."
        )
    names = sorted({candidate.display_name for candidate in candidates})
    same = [other for other in names if other.strip().casefold() == name.strip().casefold()]
    near = same or get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(map(repr, near))}?" if near else f"There are {len(names)} others."
    hint += " It differs only in case." if same else ""
    raise FabricNameError(f"No {kind} is named {name!r} {where}. {hint}")
