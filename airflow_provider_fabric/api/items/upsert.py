"""Make an item be what a definition says, whoever else is at it.

Races: another process creates the item first (``ItemDisplayNameAlreadyInUse``), or has just deleted it
(``ItemDisplayNameNotAvailableYet``, for seconds to minutes; seen as 409 and as 400, so the code decides).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_provider_fabric.api.http.flow import Flow, Sleep
from airflow_provider_fabric.api.items import definitions
from airflow_provider_fabric.api.items.items import (
    create_item,
    get_item_definition,
    list_items,
    update_item,
    update_item_definition,
)
from airflow_provider_fabric.api.models import Item
from airflow_provider_fabric.exceptions import (
    FabricAmbiguousError,
    FabricApiError,
    FabricInputError,
    FabricNameError,
    FabricOperationError,
)

NAME_TAKEN = "ItemDisplayNameAlreadyInUse"
NAME_RESERVED = "ItemDisplayNameNotAvailableYet"
RESERVED_PAUSE = 10.0
RESERVED_TRIES = 30
AMBIGUOUS_PAUSE = 5.0


@dataclass(frozen=True)
class _Wanted:
    """What the item shall be; the parts are read once, before anything is sent."""

    workspace_id: str
    item_type: str
    display_name: str
    parts: dict[str, bytes]
    description: str | None
    update_metadata: bool


def upsert_item_definition(
    workspace_id: str,
    item_type: str,
    display_name: str,
    definition: definitions.Definition,
    *,
    description: str | None = None,
    update_metadata: bool = False,
) -> Flow[dict[str, str]]:
    """Create the item, or replace its definition whole if it differs.

    :param workspace_id: GUID.
    :param item_type: kind, such as ``DataPipeline``.
    :param display_name: name to find or create it by.
    :param definition: see :func:`~airflow_provider_fabric.api.items.definitions.read_definition`.
    :param description: free text; ``None`` leaves it as it is.
    :param update_metadata: also take name and description from the ``.platform`` part.
    :returns: ``{"item_id", "workspace_id", "item_type", "display_name", "outcome"}``, the outcome being
        ``created``, ``updated`` or ``unchanged``.
    :raises FabricNameError: several items of the kind have that name.
    """
    if not display_name.strip():
        raise FabricInputError("display_name must not be blank.")
    parts = definitions.read_definition(definition, item_type)
    named = definitions.platform_name(parts) if update_metadata else None
    if named not in (None, display_name):
        raise FabricInputError(
            f"display_name is {display_name!r}, but the part .platform says {named!r}, and update_metadata=True "
            "would rename it, so that the next upsert would create another. Make the two names equal."
        )
    wanted = _Wanted(workspace_id, item_type, display_name, parts, description, update_metadata)
    item, outcome = yield from _upsert(wanted)
    return {
        "item_id": item.id,
        "workspace_id": workspace_id,
        "item_type": item_type,
        "display_name": display_name,
        "outcome": outcome,
    }


def _upsert(wanted: _Wanted) -> Flow[tuple[Item, str]]:
    item = yield from _find(wanted)
    if item is None:
        created = yield from _create(wanted)
        if created is not None:
            return created, "created"
        item = yield from _find(wanted)
        if item is None:
            raise FabricNameError(
                f"The name {wanted.display_name!r} is in use in workspace {wanted.workspace_id}, but no "
                f"{wanted.item_type} of that name is visible to this identity. Choose another name."
            )
    return item, (yield from _update(wanted, item))


def _find(wanted: _Wanted) -> Flow[Item | None]:
    items = yield from list_items(wanted.workspace_id, wanted.item_type)
    found = [item for item in items if item.display_name == wanted.display_name]
    if len(found) > 1:
        raise FabricNameError(
            f"{len(found)} items of type {wanted.item_type} are named {wanted.display_name!r} in workspace "
            f"{wanted.workspace_id}: {', '.join(item.id for item in found)}. Rename or delete all but one."
        )
    return found[0] if found else None


def _create(wanted: _Wanted) -> Flow[Item | None]:
    """Create the item; ``None`` if someone else did."""
    tries = 0
    while True:
        tries += 1
        try:
            return (
                yield from create_item(
                    wanted.workspace_id,
                    wanted.display_name,
                    wanted.item_type,
                    description=wanted.description,
                    definition=wanted.parts,
                )
            )
        except FabricAmbiguousError:
            yield Sleep(AMBIGUOUS_PAUSE)
            if (yield from _find(wanted)) is None:
                raise
            return None
        except (FabricApiError, FabricOperationError) as error:  # the latter when the create was answered with 202
            if error.error_code == NAME_TAKEN:
                return None
            if error.error_code != NAME_RESERVED or tries >= RESERVED_TRIES:
                raise
            yield Sleep(getattr(error, "retry_after", None) or RESERVED_PAUSE, jitter=0.2)


def _update(wanted: _Wanted, item: Item) -> Flow[str]:
    changes: dict[str, Any] = {}
    if wanted.description is not None and wanted.description != item.description:
        changes["description"] = wanted.description
    held = yield from get_item_definition(wanted.workspace_id, item.id)
    same = definitions.same_definition(wanted.parts, held, metadata=wanted.update_metadata)
    if not same:
        yield from update_item_definition(
            wanted.workspace_id, item.id, wanted.item_type, wanted.parts, update_metadata=wanted.update_metadata
        )
    if changes:
        yield from update_item(wanted.workspace_id, item.id, **changes)
    return "unchanged" if same and not changes else "updated"
