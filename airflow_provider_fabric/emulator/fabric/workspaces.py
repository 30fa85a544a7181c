"""Workspaces and folders over HTTP (platform file: ``Workspaces_*``, ``Folders_*``, ``Capacities_*``)."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from airflow_provider_fabric.emulator.errors import ServiceError, not_found
from airflow_provider_fabric.emulator.fabric.addressing import workspace_of
from airflow_provider_fabric.emulator.http.pages import paged_response
from airflow_provider_fabric.emulator.http.request import ApiRequest
from airflow_provider_fabric.emulator.http.responses import empty_response, json_response
from airflow_provider_fabric.emulator.state.identities import Identity
from airflow_provider_fabric.emulator.state.ids import read_guid
from airflow_provider_fabric.emulator.state.names import read_description, read_name
from airflow_provider_fabric.emulator.state.workspaces import Folder, Workspace
from airflow_provider_fabric.emulator.state.world import World


def list_workspaces(world: World, request: ApiRequest) -> Response:
    """``GET /v1/workspaces``."""
    return paged_response(request, world.workspaces.all(request.caller), world.config.page_size, Workspace.to_wire)


def create_workspace(world: World, request: ApiRequest) -> Response:
    """``POST /v1/workspaces``."""
    body = request.json_object()
    name = read_name(body.get("displayName"))
    created = world.workspaces.create(name, read_description(body.get("description")))
    return json_response(created.to_wire(), 201, {"Location": request.url(f"/v1/workspaces/{created.id}")})


def get_workspace(world: World, request: ApiRequest) -> Response:
    """``GET /v1/workspaces/{workspaceId}``: the OpenAPI ``WorkspaceInfo``."""
    workspace = workspace_of(world, request)
    endpoints = {
        "blobEndpoint": "https://onelake.blob.fabric.microsoft.com",
        "dfsEndpoint": "https://onelake.dfs.fabric.microsoft.com",
    }
    extra = {"capacityAssignmentProgress": "Completed", "oneLakeEndpoints": endpoints}
    return json_response({**workspace.to_wire(), **extra})


def update_workspace(world: World, request: ApiRequest) -> Response:
    """``PATCH /v1/workspaces/{workspaceId}``."""
    workspace = workspace_of(world, request)
    body = request.json_object()
    if "displayName" in body:
        workspace.display_name = read_name(body["displayName"])
    if "description" in body:
        workspace.description = read_description(body["description"])
    return json_response(workspace.to_wire())


def assign_to_capacity(world: World, request: ApiRequest) -> Response:
    """``POST /v1/workspaces/{workspaceId}/assignToCapacity``: accepted, with nothing to follow; here it is done."""
    workspace = workspace_of(world, request)
    wanted = read_guid(request.json_object().get("capacityId"), "capacityId")
    if world.capacities.get(wanted) is None:
        raise not_found("CapacityNotFound", "capacity", wanted)
    workspace.capacity_id = wanted
    return empty_response(202)


def delete_workspace(world: World, request: ApiRequest) -> Response:
    """``DELETE /v1/workspaces/{workspaceId}``."""
    workspace = workspace_of(world, request)
    world.items.remove_workspace(workspace.id)
    world.workspaces.remove(workspace.id)
    return empty_response()


def list_role_assignments(world: World, request: ApiRequest) -> Response:
    """``GET /v1/workspaces/{workspaceId}/roleAssignments``; takes the role Member or more."""
    workspace = workspace_of(world, request)
    if request.caller.role not in ("Admin", "Member"):
        raise ServiceError(403, "InsufficientPrivileges", "The caller does not have sufficient permissions")
    return json_response({"value": [_role_assignment(i) for i in world.identities.in_workspace(workspace.id)]})


def _role_assignment(identity: Identity) -> dict[str, Any]:
    """Return the OpenAPI ``WorkspaceRoleAssignment``."""
    kind = "ServicePrincipal" if identity.is_app else "User"
    name = identity.user_principal_name or identity.client_id
    principal = {"id": identity.object_id, "displayName": name, "type": kind}
    return {"id": identity.object_id, "principal": principal, "role": identity.role}


def list_capacities(world: World, request: ApiRequest) -> Response:
    """``GET /v1/capacities``."""
    capacities = world.capacities.all()
    return paged_response(request, capacities, world.config.page_size, lambda c: c.to_wire(request.now))


def get_capacity(world: World, request: ApiRequest) -> Response:
    """``GET /v1/capacities/{capacityId}``."""
    capacity_id = read_guid(request.params["capacityId"], "capacityId")
    found = world.capacities.get(capacity_id)
    if found is None:
        raise not_found("EntityNotFound", "capacity", capacity_id)
    return json_response(found.to_wire(request.now))


def list_folders(world: World, request: ApiRequest) -> Response:
    """``GET /v1/workspaces/{workspaceId}/folders``; recursive unless the caller says otherwise."""
    workspace = workspace_of(world, request)
    root = request.query.get("rootFolderId")
    if root is not None:
        workspace.folder(root)
    recursive = request.query.get("recursive", "true").lower() != "false"
    parents = workspace.folders_below(root, recursive=recursive)
    folders = [entry for entry in workspace.folders.values() if entry.parent_id in parents]
    return paged_response(request, folders, world.config.page_size, Folder.to_wire)


def create_folder(world: World, request: ApiRequest) -> Response:
    """``POST /v1/workspaces/{workspaceId}/folders``."""
    workspace = workspace_of(world, request)
    body = request.json_object()
    name = read_name(body.get("displayName"), "InvalidFolderDisplayName")
    parent_id = body.get("parentFolderId")
    if parent_id is not None:
        parent_id = read_guid(parent_id, "parentFolderId")
    return json_response(world.workspaces.add_folder(workspace, name, parent_id).to_wire(), 201)


def get_folder(world: World, request: ApiRequest) -> Response:
    """``GET /v1/workspaces/{workspaceId}/folders/{folderId}``."""
    return json_response(_folder(world, request)[1].to_wire())


def update_folder(world: World, request: ApiRequest) -> Response:
    """``PATCH /v1/workspaces/{workspaceId}/folders/{folderId}``."""
    _, folder = _folder(world, request)
    folder.display_name = read_name(request.json_object().get("displayName"), "InvalidFolderDisplayName")
    return json_response(folder.to_wire())


def delete_folder(world: World, request: ApiRequest) -> Response:
    """``DELETE /v1/workspaces/{workspaceId}/folders/{folderId}``."""
    workspace, folder = _folder(world, request)
    has_items = any(item.folder_id == folder.id for item in world.items.of_workspace(workspace.id))
    if has_items or any(entry.parent_id == folder.id for entry in workspace.folders.values()):
        raise ServiceError(400, "FolderNotEmpty", "The requested folder was not empty")
    del workspace.folders[folder.id]
    return empty_response()


def _folder(world: World, request: ApiRequest) -> tuple[Workspace, Folder]:
    workspace = workspace_of(world, request)
    return workspace, workspace.folder(read_guid(request.params["folderId"], "folderId"))
