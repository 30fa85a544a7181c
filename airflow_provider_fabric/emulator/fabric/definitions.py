"""Definitions over HTTP: written by create and update, read back in the format that is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from airflow_provider_fabric.emulator.errors import ServiceError, invalid_input
from airflow_provider_fabric.emulator.fabric.addressing import item_of, workspace_of
from airflow_provider_fabric.emulator.fabric.operations import accepted_response
from airflow_provider_fabric.emulator.http.request import ApiRequest
from airflow_provider_fabric.emulator.http.responses import empty_response, json_response
from airflow_provider_fabric.emulator.state.definition_formats import (
    check_contents,
    check_format,
    check_parts,
    converted,
)
from airflow_provider_fabric.emulator.state.definitions import (
    PLATFORM_PART,
    Parts,
    as_stored,
    platform_metadata,
    platform_part,
    read_definition,
    without_keys,
)
from airflow_provider_fabric.emulator.state.item_types import ITEM_TYPES, READ_BY_OPERATION, ItemType
from airflow_provider_fabric.emulator.state.items import Item
from airflow_provider_fabric.emulator.state.mashup import in_two_parts
from airflow_provider_fabric.emulator.state.names import read_description, read_name
from airflow_provider_fabric.emulator.state.schedule_parts import read_schedules, schedules_part, split_schedules
from airflow_provider_fabric.emulator.state.schedules import Schedule
from airflow_provider_fabric.emulator.state.times import service_time
from airflow_provider_fabric.emulator.state.world import World


@dataclass(frozen=True)
class WrittenDefinition:
    """A definition that a request brought, checked.

    :param parts: its parts without ``.schedules``.
    :param format: the format they are in.
    :param schedules: what ``.schedules`` holds; ``None`` without that part.
    :param metadata: ``metadata`` of ``.platform``.
    """

    parts: Parts
    format: str | None
    schedules: list[Schedule] | None
    metadata: dict[str, Any]


def read_written(world: World, request: ApiRequest, item_type: ItemType, definition: Any) -> WrittenDefinition:
    """Decode and check the ``definition`` of a request.

    :raises ServiceError: 400 for what the service refuses.
    """
    _check_definable(item_type)
    given = read_definition(item_type, definition)
    format_name = check_format(item_type.name, definition.get("format"))
    check_parts(item_type.name, format_name, given)
    types = {item.id: item.type for item in world.items.of_workspace(workspace_of(world, request).id)}
    check_contents(item_type.name, given, types)
    metadata = platform_metadata(given)
    if metadata.get("type") not in (None, item_type.name):
        raise invalid_input(f"The .platform part is of type {metadata['type']}, the item is a {item_type.name}")
    parts, part = split_schedules(given)
    schedules = None
    if part is not None:
        caller = request.caller
        owner_type = "ServicePrincipal" if caller.is_app else "User"
        schedules = read_schedules(item_type, part, request.now, caller.object_id, owner_type)
    return WrittenDefinition(parts, format_name, schedules, metadata)


def keep_written(world: World, item: Item, written: WrittenDefinition) -> None:
    """Let a definition be an item's own."""
    item.parts, item.definition_format = written.parts, written.format
    if written.schedules is not None:
        world.schedules.replace(item.id, written.schedules)


def stamp(item: Item, request: ApiRequest) -> None:
    """Note who changed an item, and when."""
    item.modified_at, item.modified_by = request.now, request.caller.object_id


def get_definition(world: World, request: ApiRequest) -> Response:
    """``POST …/items/{itemId}/getDefinition``: 200 with the definition, or 202 with an operation."""
    item = item_of(world, request)
    _check_definable(ITEM_TYPES[item.type])
    wanted = check_format(item.type, request.query.get("format"))
    definition: dict[str, Any] = {"parts": [part.to_wire() for part in _stored_parts(world, item, wanted)]}
    if request.query.get("format"):
        definition["format"] = wanted
    body = {"definition": definition}
    if world.config.is_long_running("get_definition", by_default=item.type in READ_BY_OPERATION):
        return accepted_response(world, request, body)
    return json_response(body)


def _stored_parts(world: World, item: Item, wanted: str | None) -> Parts:
    """Return the definition as the service gives it back; it always writes ``.platform`` itself."""
    parts = tuple(part for part in item.parts if part.path != PLATFORM_PART)
    parts = converted(item.type, parts, item.definition_format or check_format(item.type, None), wanted)
    if world.config.dataflow_content_converted and item.type == "Dataflow":
        parts = in_two_parts(parts)
    parts = tuple(without_keys(part, world.config.dropped_keys) for part in parts)
    if world.config.service_additions:
        modified_at = service_time(item.modified_at)[:-4] + "Z"
        parts = tuple(as_stored(part, item.modified_by, modified_at) for part in parts)
    schedules = schedules_part(world.schedules.all_of_item(item.id))
    return (*parts, *schedules, platform_part(item.type, item.display_name, item.description, item.logical_id))


def update_definition(world: World, request: ApiRequest) -> Response:
    """``POST …/items/{itemId}/updateDefinition``: replaces the definition as a whole."""
    item = item_of(world, request)
    item_type = ITEM_TYPES[item.type]
    written = read_written(world, request, item_type, request.json_object().get("definition"))
    if request.query.get("updateMetadata", "false").lower() == "true":
        _update_metadata(world, request, item, written.metadata)
    keep_written(world, item, written)
    item.revision += 1
    stamp(item, request)
    if world.config.is_long_running("update_definition", by_default=False):
        return accepted_response(world, request)
    shows_item = item_type.update_shows_item and request.item_type is not None
    return json_response(item.to_wire()) if shows_item else empty_response()


def _update_metadata(world: World, request: ApiRequest, item: Item, metadata: dict[str, Any]) -> None:
    """Take name and description from ``.platform``."""
    if metadata.get("displayName") is not None:
        rename_item(world, request, item, read_name(metadata["displayName"]))
    if metadata.get("description") is not None:
        item.description = read_description(metadata["description"])


def rename_item(world: World, request: ApiRequest, item: Item, name: str) -> None:
    """Give an item another name, if that is free."""
    if name.casefold() != item.display_name.casefold():
        world.items.check_name(world.config, request.now, item.workspace_id, item.type, item.folder_id, name)
    world.items.rename(item, name)


def _check_definable(item_type: ItemType) -> None:
    if not item_type.definable:
        raise ServiceError(
            400, "OperationNotSupportedForItem", f"Operation not supported for items of type {item_type.name}"
        )
