"""Workspaces and folders over HTTP (platform file: ``Workspaces_*``, ``Folders_*``, ``Capacities_*``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from airflow_provider_fabric.emulator.errors import ServiceError
from airflow_provider_fabric.emulator.http.pages import paged
from airflow_provider_fabric.emulator.http.request import Call, empty_answer, json_answer
from airflow_provider_fabric.emulator.state.workspaces import (
    CAPACITY_ID,
    Folder,
    Workspace,
    read_description,
    read_guid,
    read_name,
)

if TYPE_CHECKING:
    from airflow_provider_fabric.emulator.state.world import World


def list_workspaces(world: World, call: Call) -> Response:
    """``GET /v1/workspaces``."""
    return paged(call, world.workspaces.all(call.caller), world.config.page_size, Workspace.to_wire)


def create_workspace(world: World, call: Call) -> Response:
    """``POST /v1/workspaces``."""
    body = call.json_object()
    name = read_name(body.get("displayName"))
    created = world.workspaces.create(name, read_description(body.get("description")))
    return json_answer(created.to_wire(), 201, {"Location": call.url(f"/v1/workspaces/{created.id}")})


def get_workspace(world: World, call: Call) -> Response:
    """``GET /v1/workspaces/{workspaceId}``: the OpenAPI ``WorkspaceInfo``."""
    workspace = world.workspaces.visible(call)
    endpoints = {
        "blobEndpoint": "https://onelake.blob.fabric.microsoft.com",
        "dfsEndpoint": "https://onelake.dfs.fabric.microsoft.com",
    }
    extra = {"capacityAssignmentProgress": "Completed", "oneLakeEndpoints": endpoints}
    return json_answer({**workspace.to_wire(), **extra})


def update_workspace(world: World, call: Call) -> Response:
    """``PATCH /v1/workspaces/{workspaceId}``."""
    workspace = world.workspaces.visible(call)
    body = call.json_object()
    if "displayName" in body:
        workspace.display_name = read_name(body["displayName"])
    if "description" in body:
        workspace.description = read_description(body["description"])
    return json_answer(workspace.to_wire())


def delete_workspace(world: World, call: Call) -> Response:
    """``DELETE /v1/workspaces/{workspaceId}``."""
    workspace = world.workspaces.visible(call)
    world.items.remove_workspace(workspace.id)
    world.workspaces.remove(workspace.id)
    return empty_answer()


def list_capacities(world: World, call: Call) -> Response:
    """``GET /v1/capacities``: the one capacity that every workspace is on."""
    capacity = {"id": CAPACITY_ID, "displayName": "Emulator capacity", "sku": "F2", "region": "East US"}
    return json_answer({"value": [{**capacity, "state": "Active"}]})


def list_folders(world: World, call: Call) -> Response:
    """``GET /v1/workspaces/{workspaceId}/folders``; recursive unless the caller says otherwise."""
    workspace = world.workspaces.visible(call)
    root = call.query.get("rootFolderId")
    if root is not None:
        workspace.folder(root)
    recursive = call.query.get("recursive", "true").lower() != "false"
    parents = workspace.folders_below(root, recursive=recursive)
    folders = [entry for entry in workspace.folders.values() if entry.parent_id in parents]
    return paged(call, folders, world.config.page_size, Folder.to_wire)


def create_folder(world: World, call: Call) -> Response:
    """``POST /v1/workspaces/{workspaceId}/folders``."""
    workspace = world.workspaces.visible(call)
    body = call.json_object()
    name = read_name(body.get("displayName"), "InvalidFolderDisplayName")
    parent_id = body.get("parentFolderId")
    if parent_id is not None:
        parent_id = read_guid(parent_id, "parentFolderId")
    return json_answer(world.workspaces.add_folder(workspace, name, parent_id).to_wire(), 201)


def get_folder(world: World, call: Call) -> Response:
    """``GET /v1/workspaces/{workspaceId}/folders/{folderId}``."""
    return json_answer(_folder(world, call)[1].to_wire())


def update_folder(world: World, call: Call) -> Response:
    """``PATCH /v1/workspaces/{workspaceId}/folders/{folderId}``."""
    _, folder = _folder(world, call)
    folder.display_name = read_name(call.json_object().get("displayName"), "InvalidFolderDisplayName")
    return json_answer(folder.to_wire())


def delete_folder(world: World, call: Call) -> Response:
    """``DELETE /v1/workspaces/{workspaceId}/folders/{folderId}``."""
    workspace, folder = _folder(world, call)
    has_items = any(item.folder_id == folder.id for item in world.items.of_workspace(workspace.id))
    if has_items or any(entry.parent_id == folder.id for entry in workspace.folders.values()):
        raise ServiceError(400, "FolderNotEmpty", "The requested folder was not empty")
    del workspace.folders[folder.id]
    return empty_answer()


def _folder(world: World, call: Call) -> tuple[Workspace, Folder]:
    workspace = world.workspaces.visible(call)
    return workspace, workspace.folder(read_guid(call.params["folderId"], "folderId"))
