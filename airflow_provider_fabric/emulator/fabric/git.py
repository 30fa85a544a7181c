"""A workspace's connection to Git over HTTP (platform file: ``Git_*``): its status, and both ways to settle it."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from airflow_provider_fabric.emulator.errors import ServiceError, invalid_input
from airflow_provider_fabric.emulator.fabric.addressing import workspace_of
from airflow_provider_fabric.emulator.fabric.operations import accepted_response
from airflow_provider_fabric.emulator.http.request import ApiRequest
from airflow_provider_fabric.emulator.http.responses import empty_response, json_response
from airflow_provider_fabric.emulator.state.git import GitConnection
from airflow_provider_fabric.emulator.state.workspaces import Workspace
from airflow_provider_fabric.emulator.state.world import World

MODES = ("All", "Selective")


def get_status(world: World, request: ApiRequest) -> Response:
    """``GET …/git/status``."""
    status = _connection(workspace_of(world, request)).to_wire()
    if world.config.is_long_running("git_status", by_default=False):
        return accepted_response(world, request, status)
    return json_response(status)


def update_from_git(world: World, request: ApiRequest) -> Response:
    """``POST …/git/updateFromGit``: what was added in Git comes into the workspace, and what was deleted goes."""
    workspace = workspace_of(world, request)
    connection, body = _connection(workspace), request.json_object()
    connection.check_head(body.get("workspaceHead"))
    if body.get("remoteCommitHash") != connection.remote_commit:
        raise invalid_input("remoteCommitHash is not the latest commit of the branch")
    conflict = any(change["conflictType"] == "Conflict" for change in connection.changes)
    if conflict and not isinstance(body.get("conflictResolution"), dict):
        raise invalid_input("There are conflicts: conflictResolution is required")
    for change in connection.take("remoteChange"):
        _apply(world, workspace, change)
    connection.workspace_head = connection.remote_commit
    return _done(world, request, "update_from_git")


def commit_to_git(world: World, request: ApiRequest) -> Response:
    """``POST …/git/commitToGit``: all changes of the workspace, or those of chosen items."""
    connection, body = _connection(workspace_of(world, request)), request.json_object()
    if body.get("mode") not in MODES:
        raise invalid_input(f"mode must be one of {', '.join(MODES)}")
    connection.check_head(body.get("workspaceHead", connection.workspace_head))
    chosen = None
    if body["mode"] == "Selective":
        entries = body.get("items")
        if not isinstance(entries, list) or not entries or not all(isinstance(e, dict) for e in entries):
            raise invalid_input("The mode Selective needs items")
        chosen = {str(id_) for entry in entries for id_ in entry.values()}
    connection.take("workspaceChange", chosen)
    connection.commit(str(body.get("comment", "")))
    return _done(world, request, "commit_to_git")


def _done(world: World, request: ApiRequest, call: str) -> Response:
    if world.config.is_long_running(call, by_default=True):
        return accepted_response(world, request)
    return empty_response()


def _connection(workspace: Workspace) -> GitConnection:
    if workspace.git is None:
        raise ServiceError(400, "WorkspaceNotConnectedToGit", "The workspace is not connected to Git")
    return workspace.git


def _apply(world: World, workspace: Workspace, change: dict[str, Any]) -> None:
    about = change["itemMetadata"]
    same = [
        item
        for item in world.items.of_workspace(workspace.id)
        if (item.type, item.display_name) == (about["itemType"], about["displayName"])
    ]
    match change["remoteChange"]:
        case "Added" if not same:
            world.items.create(workspace.id, about["itemType"], about["displayName"])
        case "Modified" if same:
            same[0].revision += 1
        case "Deleted" if same:
            world.items.remove(same[0], None)
