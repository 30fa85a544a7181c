"""Create or update an item so that it matches a definition, even while others change the same item.

Races: another process creates the item first (``ItemDisplayNameAlreadyInUse``), or has just deleted it
(``ItemDisplayNameNotAvailableYet``, for seconds to minutes; seen as 409 and as 400, so the code decides).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from airflow_provider_fabric.api.http.flow import Flow, Sleep
from airflow_provider_fabric.api.items.comparison import find_differences, same_definition
from airflow_provider_fabric.api.items.dataflow_forms import MASHUP, QUERY_METADATA, not_comparable
from airflow_provider_fabric.api.items.definitions import Definition, ItemDefinition, platform_metadata
from airflow_provider_fabric.api.items.folders import resolve_folder
from airflow_provider_fabric.api.items.formats import PLATFORM, has_definition
from airflow_provider_fabric.api.items.items import (
    create_item,
    get_item_definition,
    update_item,
    update_item_definition,
)
from airflow_provider_fabric.api.items.names import find_named_item
from airflow_provider_fabric.api.items.preparation import prepare_definition
from airflow_provider_fabric.api.models import Item
from airflow_provider_fabric.exceptions import (
    FabricAmbiguousError,
    FabricApiError,
    FabricError,
    FabricInputError,
    FabricNameError,
    FabricOperationError,
)

log = logging.getLogger(__name__)

NAME_TAKEN = "ItemDisplayNameAlreadyInUse"
NAME_RESERVED = "ItemDisplayNameNotAvailableYet"
RESERVED_PAUSE = 10.0
RESERVED_ATTEMPTS = 30
AMBIGUOUS_PAUSE = 5.0
SHOWN_DIFFERENCES = 5
ROOT = "/"


@dataclass(frozen=True)
class Wanted:
    """What the item shall be; the parts are read once, before anything is sent.

    :param anywhere: look for it in the whole workspace, not in ``folder_id`` only.
    """

    workspace_id: str
    display_name: str
    definition: ItemDefinition
    description: str | None
    update_metadata: bool
    folder_id: str | None = None
    anywhere: bool = True

    @property
    def item_type(self) -> str:
        return self.definition.item_type


def upsert_item_definition(
    workspace_id: str,
    item_type: str,
    display_name: str,
    definition: Definition | ItemDefinition,
    *,
    description: str | None = None,
    update_metadata: bool = False,
    format: str | None = None,
    folder: str | None = None,
    create_folder: bool = True,
    replace: Mapping[str, str] | None = None,
    replace_missing: str = "fail",
    schedules: str = "deploy",
) -> Flow[dict[str, str]]:
    """Create the item, or replace its definition whole if it differs.

    Contents are sent as given. After a replacement the definition is read back: what the service did not keep is named
    in a warning, and the outcome is ``updated``.

    :param workspace_id: GUID.
    :param item_type: kind, such as ``DataPipeline``.
    :param display_name: name to find or create it by; spaces around it do not count.
    :param definition: see :func:`~airflow_provider_fabric.api.items.definitions.load_definition`. Kinds without a
        definition, such as ``Warehouse``, are created from ``.platform``.
    :param description: free text; ``None`` leaves it as it is.
    :param update_metadata: also take name and description from the ``.platform`` part.
    :param format: ``format`` of the definition; ``None`` names the one that the kind and its parts need.
    :param folder: GUID or path (``Sales/Daily``, ``/`` for the root) of the folder to find and create it in. ``None``
        finds it anywhere in the workspace, and creates it in the root.
    :param create_folder: make ``folder`` if it is not there.
    :param replace: ``{text: value}``: put values into the text parts, literally.
    :param replace_missing: ``fail`` raises if a text to replace is nowhere, ``ignore`` does not.
    :param schedules: ``deploy`` the part ``.schedules`` if there is one, or ``leave`` the service's schedules alone.
    :returns: ``{"item_id", "workspace_id", "item_type", "display_name", "outcome"}``, the outcome being
        ``created``, ``updated`` or ``unchanged``.
    :raises FabricInputError: an argument or a part is malformed. Nothing was sent.
    :raises FabricNameError: several items of the kind have that name, or one whose name differs only in case.
    """
    name = display_name.strip()
    if not name:
        raise FabricInputError("display_name must not be blank.")
    prepared = prepare_definition(
        definition, item_type, format=format, replace=replace, replace_missing=replace_missing, schedules=schedules
    )
    _check_platform(prepared, name, update_metadata)
    in_root = folder is not None and folder.strip() == ROOT
    folder_id = None
    if folder is not None and not in_root:
        folder_id = yield from resolve_folder(workspace_id, folder, create=create_folder)
    wanted = Wanted(workspace_id, name, prepared, description, update_metadata, folder_id, anywhere=folder is None)
    item, outcome = yield from _upsert(wanted)
    return {
        "item_id": item.id,
        "workspace_id": workspace_id,
        "item_type": item_type,
        "display_name": name,
        "outcome": outcome,
    }


def _check_platform(definition: ItemDefinition, display_name: str, update_metadata: bool) -> None:
    if not update_metadata:
        return
    if PLATFORM not in definition.parts:
        raise FabricInputError("update_metadata=True needs the part '.platform', which holds name and description.")
    named = platform_metadata(definition.parts).get("displayName")
    if isinstance(named, str) and named.strip() != display_name:
        raise FabricInputError(
            f"display_name is {display_name!r}, but the part .platform says {named!r}, and update_metadata=True "
            "would rename it, so that the next upsert would create another. Make the two names equal."
        )


def _upsert(wanted: Wanted) -> Flow[tuple[Item, str]]:
    item = yield from _find(wanted)
    return (yield from put_item(wanted, item))


def put_item(wanted: Wanted, item: Item | None) -> Flow[tuple[Item, str]]:
    """Create an item, or replace its definition if it differs.

    :param wanted: what it shall be.
    :param item: what is there of it, ``None`` for nothing.
    :returns: the item, and ``created``, ``updated`` or ``unchanged``.
    """
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


def _find(wanted: Wanted) -> Flow[Item | None]:
    return (
        yield from find_named_item(
            wanted.workspace_id,
            wanted.item_type,
            wanted.display_name,
            folder_id=wanted.folder_id,
            anywhere=wanted.anywhere,
        )
    )


def _create(wanted: Wanted) -> Flow[Item | None]:
    """Create the item; ``None`` if someone else did."""
    attempts = 0
    while True:
        attempts += 1
        try:
            return (
                yield from create_item(
                    wanted.workspace_id,
                    wanted.display_name,
                    wanted.item_type,
                    folder_id=wanted.folder_id,
                    **_contents(wanted),
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
            if error.error_code != NAME_RESERVED or attempts >= RESERVED_ATTEMPTS:
                raise
            yield Sleep(getattr(error, "retry_after", None) or RESERVED_PAUSE, jitter=0.2)


def _contents(wanted: Wanted) -> dict[str, Any]:
    """Return what a create sends besides name, kind and place."""
    if has_definition(wanted.item_type):
        return {
            "description": wanted.description,
            "definition": wanted.definition.parts,
            "format": wanted.definition.format,
        }
    metadata = platform_metadata(wanted.definition.parts)
    description = metadata.get("description") if wanted.description is None else wanted.description
    payload = metadata.get("creationPayload")
    return {
        "description": description if isinstance(description, str) else None,
        "creation_payload": payload if isinstance(payload, dict) else None,
    }


def _update(wanted: Wanted, item: Item) -> Flow[str]:
    changes: dict[str, Any] = {}
    description = wanted.description
    if description is None and wanted.update_metadata and not has_definition(wanted.item_type):
        description = platform_metadata(wanted.definition.parts).get("description")
    if isinstance(description, str) and description != item.description:
        changes["description"] = description
    replaced = has_definition(wanted.item_type) and (yield from _replace_definition(wanted, item))
    if changes:
        yield from update_item(wanted.workspace_id, item.id, **changes)
    return "updated" if replaced or changes else "unchanged"


def _replace_definition(wanted: Wanted, item: Item) -> Flow[bool]:
    """Replace the definition if it differs, and say so."""
    ours = wanted.definition
    held = yield from get_item_definition(wanted.workspace_id, item.id, format=ours.format)
    beyond = not_comparable(ours.parts, held)
    if beyond:
        log.warning(
            "The service holds %s %r in another form than it is given in, so these keys could not be compared: %s. "
            "Give it as %s and %s to have all of it compared.",
            wanted.item_type,
            wanted.display_name,
            ", ".join(beyond),
            MASHUP,
            QUERY_METADATA,
        )
    if same_definition(ours.parts, held, item_type=ours.item_type, metadata=wanted.update_metadata):
        return False
    yield from update_item_definition(
        wanted.workspace_id,
        item.id,
        wanted.item_type,
        ours.parts,
        format=ours.format,
        update_metadata=wanted.update_metadata,
    )
    yield from _read_back(wanted, item)
    return True


def _read_back(wanted: Wanted, item: Item) -> Flow[None]:
    """Name in the log what the service did not keep; the replacement itself has succeeded."""
    ours = wanted.definition
    try:
        held = yield from get_item_definition(wanted.workspace_id, item.id, format=ours.format)
    except FabricError as error:
        log.warning("The definition of %s %r was replaced, but not read back: %s", item.type, item.display_name, error)
        return
    found = find_differences(ours.parts, held, item_type=ours.item_type, metadata=wanted.update_metadata)
    left = list(islice(found, SHOWN_DIFFERENCES + 1))
    if left:
        log.warning(
            "The service did not keep all of the definition of %s %r (%s): %s%s. The definition was replaced as given, "
            "and will be again by every run, until it holds only what the service keeps.",
            wanted.item_type,
            wanted.display_name,
            item.id,
            "; ".join(map(str, left[:SHOWN_DIFFERENCES])),
            "; and more" if len(left) > SHOWN_DIFFERENCES else "",
        )
