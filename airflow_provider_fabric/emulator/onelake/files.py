"""OneLake's DFS endpoint: an Azure Data Lake Gen2 whose file systems are workspaces.

https://learn.microsoft.com/fabric/onelake/onelake-access-api. A path begins with an item: its GUID in a workspace that
is addressed by GUID, or ``Name.Type`` in one that is addressed by name; mixed, it is refused.
"""

from __future__ import annotations

import re
from email.utils import formatdate
from typing import Any

from starlette.responses import Response

from airflow_provider_fabric.emulator.errors import ServiceError, new_request_id
from airflow_provider_fabric.emulator.http.request import ApiRequest
from airflow_provider_fabric.emulator.http.responses import empty_response, json_response
from airflow_provider_fabric.emulator.state.files import File
from airflow_provider_fabric.emulator.state.items import Item
from airflow_provider_fabric.emulator.state.workspaces import Workspace
from airflow_provider_fabric.emulator.state.world import World

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def list_paths(world: World, request: ApiRequest) -> Response:
    """``GET /{workspace}?resource=filesystem&directory=…&recursive=…``."""
    _check_version(request)
    if request.query.get("resource") != "filesystem":
        raise ServiceError(400, "InvalidQueryParameterValue", "resource must be filesystem")
    if request.query.get("recursive") not in ("true", "false"):
        raise ServiceError(400, "MissingRequiredQueryParameter", "recursive must be true or false")
    workspace = _workspace(world, request)
    directory = request.query.get("directory", "").strip("/")
    item, inside = _item(world, request, workspace, directory)
    if inside and inside not in world.files.directories(item.id):
        raise ServiceError(404, "PathNotFound", "The specified path does not exist.")
    root = directory.split("/")[0]
    entries = _entries(world, item, inside, recursive=request.query["recursive"] == "true")
    start = request.query.get("continuation", "0")
    first, size = int(start) if start.isdigit() else 0, world.config.page_size
    page = [{**entry, "name": f"{root}/{entry['name']}"} for entry in entries[first : first + size]]
    headers = {"x-ms-continuation": str(first + size)} if len(entries) > first + size else None
    return json_response({"paths": page}, headers=headers)


def _entries(world: World, item: Item, inside: str, *, recursive: bool) -> list[dict[str, Any]]:
    prefix = f"{inside}/" if inside else ""
    found: list[dict[str, Any]] = []
    for path in sorted(world.files.directories(item.id)):
        if path.startswith(prefix) and path != inside:
            found.append({"name": path, "isDirectory": "true", "contentLength": "0"})
    for path, file in sorted(world.files.of_item(item.id).items()):
        if path.startswith(prefix):
            modified = formatdate(file.modified_at, usegmt=True)
            length = str(len(file.content))
            found.append({"name": path, "contentLength": length, "lastModified": modified, "etag": file.etag})
    return [entry for entry in found if recursive or "/" not in entry["name"].removeprefix(prefix)]


def get_properties(world: World, request: ApiRequest) -> Response:
    """``HEAD /{workspace}/{path}``."""
    item, path = _place(world, request)
    if not path or path in world.files.directories(item.id):
        return empty_response(200, {"x-ms-resource-type": "directory", "Last-Modified": _date(request.now)})
    file = _file(world, request)
    return empty_response(200, {**_headers(file), "Content-Length": str(len(file.content))})


def read(world: World, request: ApiRequest) -> Response:
    """``GET /{workspace}/{path}``."""
    file = _file(world, request)
    headers, size = _headers(file), len(file.content)
    wanted = _RANGE.fullmatch(request.header("x-ms-range") or request.header("range") or "")
    if wanted is None:
        return Response(file.content, 200, headers, "application/octet-stream")
    first, last = int(wanted[1]), min(int(wanted[2] or size), size - 1)
    if first >= size:
        raise ServiceError(
            416, "InvalidRange", "The range is beyond the end", headers={"Content-Range": f"bytes */{size}"}
        )
    headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    return Response(file.content[first : last + 1], 206, headers, "application/octet-stream")


def create(world: World, request: ApiRequest) -> Response:
    """``PUT /{workspace}/{path}?resource=file``."""
    item, path = _place(world, request)
    if request.query.get("resource") != "file" or not path.startswith(("Files/", "Tables/")):
        raise ServiceError(400, "InvalidQueryParameterValue", "Only files below Files and Tables can be created")
    world.files.of_item(item.id)[path] = File(modified_at=request.now)
    return empty_response(201)


def update(world: World, request: ApiRequest) -> Response:
    """``PATCH /{workspace}/{path}?action=append|flush&position=``."""
    file = _file(world, request)
    action, position = request.query.get("action"), request.query.get("position")
    wanted = len(file.content) + len(file.staged)
    if action not in ("append", "flush") or position != str(wanted):
        raise ServiceError(400, "InvalidFlushPosition", f"The position is {wanted}")
    if action == "append":
        file.staged += request.body
        return empty_response(202)
    file.flush(request.now)
    return empty_response(200)


def delete(world: World, request: ApiRequest) -> Response:
    """``DELETE /{workspace}/{path}``."""
    _file(world, request)
    item, path = _place(world, request)
    del world.files.of_item(item.id)[path]
    return empty_response()


def _file(world: World, request: ApiRequest) -> File:
    item, path = _place(world, request)
    found = world.files.of_item(item.id).get(path)
    if found is None:
        raise ServiceError(404, "PathNotFound", "The specified path does not exist.")
    return found


def _place(world: World, request: ApiRequest) -> tuple[Item, str]:
    _check_version(request)
    return _item(world, request, _workspace(world, request), request.params["path"].strip("/"))


def _workspace(world: World, request: ApiRequest) -> Workspace:
    name = request.params["workspace"]
    for workspace in world.workspaces.all(request.caller):
        if name.lower() == workspace.id or name == workspace.display_name:
            return workspace
    raise ServiceError(404, "FilesystemNotFound", "The specified filesystem does not exist.")


def _item(world: World, request: ApiRequest, workspace: Workspace, path: str) -> tuple[Item, str]:
    first, _, inside = path.partition("/")
    if (_GUID.fullmatch(first) is None) != (_GUID.fullmatch(request.params["workspace"]) is None):
        raise ServiceError(400, "FriendlyNameSupportDisabled", "Workspace and item are both names, or both GUIDs")
    for item in world.items.of_workspace(workspace.id):
        if first.lower() == item.id or first == f"{item.display_name}.{item.type}":
            return item, inside
    raise ServiceError(404, "PathNotFound", "The specified path does not exist.")


def _check_version(request: ApiRequest) -> None:
    if request.header("x-ms-version") is None:
        raise ServiceError(400, "MissingRequiredHeader", "A bearer token needs x-ms-version 2017-11-09 or later")


def _headers(file: File) -> dict[str, str]:
    return {"ETag": file.etag, "Last-Modified": _date(file.modified_at), "x-ms-resource-type": "file"}


def _date(epoch_seconds: float) -> str:
    return formatdate(epoch_seconds, usegmt=True)


def onelake_error(error: ServiceError) -> Response:
    """Answer in the storage service's envelope."""
    headers = {"x-ms-error-code": error.code, "x-ms-request-id": new_request_id(), **error.headers}
    return json_response({"error": {"code": error.code, "message": error.message}}, error.status, headers)
