"""Where a path of OneLake leads: its workspace, its item, and what lies below that.

https://learn.microsoft.com/fabric/onelake/onelake-access-api, for both of OneLake's endpoints: a path begins with an
item: its GUID in a workspace that is addressed by GUID, or ``Name.Type`` in one that is addressed by name; mixed, it is
refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import formatdate

from airflow_provider_fabric.emulator.errors import ServiceError
from airflow_provider_fabric.emulator.http.request import ApiRequest
from airflow_provider_fabric.emulator.state.items import Item
from airflow_provider_fabric.emulator.state.workspaces import Workspace
from airflow_provider_fabric.emulator.state.world import World

_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True)
class Missing:
    """What an endpoint calls that which is not there.

    :param workspace: code and message of the error.
    :param path: code and message of the error.
    """

    workspace: tuple[str, str]
    path: tuple[str, str]

    def no_workspace(self) -> ServiceError:
        """404 for a workspace that is not there, or is not visible to the caller."""
        return ServiceError(404, *self.workspace)

    def no_path(self) -> ServiceError:
        """404 for an item, a directory or a file."""
        return ServiceError(404, *self.path)


def find_workspace(world: World, request: ApiRequest, missing: Missing) -> Workspace:
    """Return the workspace of a request."""
    name = request.params["workspace"]
    for workspace in world.workspaces.all(request.caller):
        if name.lower() == workspace.id or name == workspace.display_name:
            return workspace
    raise missing.no_workspace()


def find_item(world: World, request: ApiRequest, workspace: Workspace, path: str, missing: Missing) -> tuple[Item, str]:
    """Return the item that a path begins with, and the rest of the path."""
    first, _, inside = path.partition("/")
    if is_guid(first) != is_guid(request.params["workspace"]):
        raise ServiceError(400, "FriendlyNameSupportDisabled", "Workspace and item are both names, or both GUIDs")
    for item in world.items.of_workspace(workspace.id):
        if first.lower() == item.id or first == f"{item.display_name}.{item.type}":
            return item, inside
    raise missing.no_path()


def find_place(world: World, request: ApiRequest, missing: Missing) -> tuple[Item, str]:
    """Return the item that a request is about, and the path below it."""
    check_version(request)
    workspace = find_workspace(world, request, missing)
    return find_item(world, request, workspace, request.params["path"].strip("/"), missing)


def is_guid(text: str) -> bool:
    """Say whether a text is a GUID."""
    return _GUID.fullmatch(text) is not None


def check_version(request: ApiRequest) -> None:
    """Refuse a request without ``x-ms-version``."""
    if request.header("x-ms-version") is None:
        raise ServiceError(400, "MissingRequiredHeader", "A bearer token needs x-ms-version 2017-11-09 or later")


def http_date(epoch_seconds: float) -> str:
    """Return a point in time as HTTP headers have it."""
    return formatdate(epoch_seconds, usegmt=True)
