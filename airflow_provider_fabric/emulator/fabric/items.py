"""Items over HTTP, through ``/items`` and through the typed collections (``Items_*`` of the OpenAPI files)."""

from __future__ import annotations

from functools import partial
from typing import Any

from starlette.responses import Response

from airflow_provider_fabric.emulator.errors import ServiceError, invalid_input
from airflow_provider_fabric.emulator.fabric.addressing import item_of, workspace_of
from airflow_provider_fabric.emulator.fabric.definitions import (
    WrittenDefinition,
    keep_written,
    read_written,
    rename_item,
    stamp,
)
from airflow_provider_fabric.emulator.fabric.item_properties import typed_item, update_properties
from airflow_provider_fabric.emulator.fabric.operations import accepted_response
from airflow_provider_fabric.emulator.http.pages import paged_response
from airflow_provider_fabric.emulator.http.request import ApiRequest
from airflow_provider_fabric.emulator.http.responses import empty_response, json_response
from airflow_provider_fabric.emulator.state.definitions import initial_parts
from airflow_provider_fabric.emulator.state.ids import read_guid
from airflow_provider_fabric.emulator.state.item_types import (
    CREATED_BY_OPERATION,
    ITEM_TYPES,
    ItemType,
    find_item_type,
)
from airflow_provider_fabric.emulator.state.items import Item
from airflow_provider_fabric.emulator.state.names import read_description, read_name
from airflow_provider_fabric.emulator.state.workspaces import Workspace
from airflow_provider_fabric.emulator.state.world import World


def list_items(world: World, request: ApiRequest) -> Response:
    """``GET …/items?type=&rootFolderId=&recursive=`` and ``GET …/{collection}``."""
    workspace = workspace_of(world, request)
    wanted = request.item_type
    left_out: list[str] = []
    if wanted is None and "type" in request.query:
        wanted, left_out = _item_type(request.query["type"]).name, world.config.unlisted_when_filtered
    folders = _folders(workspace, request)
    items = (
        item
        for item in world.items.of_workspace(workspace.id)
        if wanted in (None, item.type) and item.type not in left_out and (folders is None or item.folder_id in folders)
    )
    if request.item_type is None:
        return paged_response(request, items, world.config.page_size, Item.to_wire)
    show = partial(typed_item, world, now=request.now)
    return paged_response(request, items, world.config.page_size, show)


def _folders(workspace: Workspace, request: ApiRequest) -> set[str | None] | None:
    """Return the folders whose items are asked for, ``None`` for all."""
    root = request.query.get("rootFolderId")
    if root is not None:
        workspace.folder(root)
    recursive = request.query.get("recursive", "true").lower() != "false"
    return None if root is None and recursive else workspace.folders_below(root, recursive=recursive)


def create_item(world: World, request: ApiRequest) -> Response:
    """``POST …/items`` and ``POST …/{collection}``: 201 with the item, or 202 with an operation."""
    workspace = workspace_of(world, request)
    body = request.json_object()
    item_type = ITEM_TYPES[request.item_type] if request.item_type else _item_type(body.get("type"))
    if not item_type.creatable:
        raise ServiceError(400, "UnsupportedItemType", f"Items of type {item_type.name} cannot be created")
    name, description = read_name(body.get("displayName")), read_description(body.get("description"))
    folder_id = _folder_id(workspace, body.get("folderId"))
    written = _initial_definition(world, request, item_type, body)
    if written is not None and not description:
        description = read_description(written.metadata.get("description"))
    world.items.check_name(world.config, request.now, workspace.id, item_type.name, folder_id, name)
    item = world.items.create(
        workspace.id,
        item_type.name,
        name,
        description=description,
        folder_id=folder_id,
        parts=initial_parts(item_type.name, body.get("creationPayload")) if written is None else written.parts,
    )
    if written is not None:
        keep_written(world, item, written)
    stamp(item, request)
    by_default = written is not None or item_type.name in CREATED_BY_OPERATION
    if world.config.is_long_running("create_item", by_default=by_default):
        return accepted_response(world, request, item.to_wire())
    return json_response(item.to_wire(), 201)


def _folder_id(workspace: Workspace, folder_id: Any) -> str | None:
    """Return the folder that is named; fabric-cicd sends the empty string for none."""
    return None if folder_id in (None, "") else workspace.folder(read_guid(folder_id, "folderId")).id


def _initial_definition(
    world: World, request: ApiRequest, item_type: ItemType, body: dict[str, Any]
) -> WrittenDefinition | None:
    definition, payload = body.get("definition"), body.get("creationPayload")
    if definition is not None and payload is not None:
        raise invalid_input("Use either creationPayload or definition, but not both")
    if not isinstance(payload, (dict, type(None))):
        raise invalid_input("creationPayload must be an object")
    return None if definition is None else read_written(world, request, item_type, definition)


def get_item(world: World, request: ApiRequest) -> Response:
    """``GET …/items/{itemId}``."""
    item = item_of(world, request)
    return json_response(item.to_wire() if request.item_type is None else typed_item(world, item, request.now))


def update_item(world: World, request: ApiRequest) -> Response:
    """``PATCH …/items/{itemId}``: name and description; by the typed collection also the properties of some kinds."""
    item = item_of(world, request)
    body = request.json_object()
    properties = body.get("properties") if request.item_type else None
    if body.get("displayName") is None and body.get("description") is None and properties is None:
        raise invalid_input("Nothing to update: give displayName or description", code="InvalidRequest")
    if properties is not None:
        update_properties(item, properties)
    description = read_description(body.get("description"))
    if body.get("displayName") is not None:
        rename_item(world, request, item, read_name(body["displayName"]))
    if body.get("description") is not None:
        item.description = description
    return json_response(item.to_wire() if request.item_type is None else typed_item(world, item, request.now))


def list_connections(world: World, request: ApiRequest) -> Response:
    """``GET …/items/{itemId}/connections``: items here are connected to nothing."""
    item_of(world, request)
    return json_response({"value": []})


def move_item(world: World, request: ApiRequest) -> Response:
    """``POST …/items/{itemId}/move``: into a folder, or to the top when none is named."""
    item = item_of(world, request)
    workspace = workspace_of(world, request)
    folder_id = _folder_id(workspace, request.json_object(optional=True).get("targetFolderId"))
    if folder_id != item.folder_id:
        world.items.check_name(world.config, request.now, workspace.id, item.type, folder_id, item.display_name)
    world.items.move(item, folder_id)
    return json_response({"value": [item.to_wire()]})


def delete_item(world: World, request: ApiRequest) -> Response:
    """``DELETE …/items/{itemId}``; the name may stay taken for a while."""
    item = item_of(world, request)
    hold = world.config.name_reservation_seconds
    world.items.remove(item, request.now + world.config.scaled(hold) if hold else None)
    return empty_response()


def _item_type(name: Any) -> ItemType:
    found = find_item_type(name)
    if found is None:
        raise ServiceError(400, "InvalidItemType", f"Item type '{name}' is invalid")
    return found
