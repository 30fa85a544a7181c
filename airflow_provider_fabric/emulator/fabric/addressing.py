"""What the path of a request names: its workspace, and its item."""

from __future__ import annotations

from airflow_provider_fabric.emulator.http.request import ApiRequest
from airflow_provider_fabric.emulator.state.items import Item
from airflow_provider_fabric.emulator.state.workspaces import Workspace
from airflow_provider_fabric.emulator.state.world import World


def workspace_of(world: World, request: ApiRequest) -> Workspace:
    """Return the workspace that a request names.

    :raises ServiceError: 400 for an id that is no GUID, 404 ``WorkspaceNotFound``, 403 when hidden from the caller.
    """
    return world.workspaces.visible_to(request.caller, request.params["workspaceId"])


def item_of(world: World, request: ApiRequest) -> Item:
    """Return the item that a request names, of the type that its collection stands for.

    :raises ServiceError: as :func:`workspace_of`; 400 for an id that is no GUID, 404 ``ItemNotFound``.
    """
    return world.items.find(workspace_of(world, request).id, request.params["itemId"], request.item_type)
