"""OneLake's DFS endpoint: an Azure Data Lake Gen2 whose file systems are workspaces.

https://learn.microsoft.com/fabric/onelake/onelake-access-api.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from airflow_provider_fabric.emulator.errors import ServiceError, new_request_id
from airflow_provider_fabric.emulator.http.request import ApiRequest
from airflow_provider_fabric.emulator.http.responses import empty_response, json_response
from airflow_provider_fabric.emulator.onelake.places import (
    Missing,
    check_version,
    find_item,
    find_place,
    find_workspace,
    http_date,
)
from airflow_provider_fabric.emulator.onelake.ranges import content_response
from airflow_provider_fabric.emulator.state.files import File
from airflow_provider_fabric.emulator.state.items import Item
from airflow_provider_fabric.emulator.state.world import World

_MISSING = Missing(
    workspace=("FilesystemNotFound", "The specified filesystem does not exist."),
    path=("PathNotFound", "The specified path does not exist."),
)


def list_paths(world: World, request: ApiRequest) -> Response:
    """``GET /{workspace}?resource=filesystem&directory=…&recursive=…``."""
    check_version(request)
    if request.query.get("resource") != "filesystem":
        raise ServiceError(400, "InvalidQueryParameterValue", "resource must be filesystem")
    if request.query.get("recursive") not in ("true", "false"):
        raise ServiceError(400, "MissingRequiredQueryParameter", "recursive must be true or false")
    workspace = find_workspace(world, request, _MISSING)
    directory = request.query.get("directory", "").strip("/")
    item, inside = find_item(world, request, workspace, directory, _MISSING)
    if inside and inside not in world.files.directories(item.id):
        raise _MISSING.no_path()
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
            modified = http_date(file.modified_at)
            length = str(len(file.content))
            found.append({"name": path, "contentLength": length, "lastModified": modified, "etag": file.etag})
    return [entry for entry in found if recursive or "/" not in entry["name"].removeprefix(prefix)]


def get_properties(world: World, request: ApiRequest) -> Response:
    """``HEAD /{workspace}/{path}``."""
    item, path = find_place(world, request, _MISSING)
    if not path or path in world.files.directories(item.id):
        return empty_response(200, {"x-ms-resource-type": "directory", "Last-Modified": http_date(request.now)})
    file = _file(world, request)
    return empty_response(200, {**_headers(file), "Content-Length": str(len(file.content))})


def read(world: World, request: ApiRequest) -> Response:
    """``GET /{workspace}/{path}``."""
    file = _file(world, request)
    return content_response(file.content, request, _headers(file))


def create(world: World, request: ApiRequest) -> Response:
    """``PUT /{workspace}/{path}?resource=file``."""
    item, path = find_place(world, request, _MISSING)
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
    item, path = find_place(world, request, _MISSING)
    del world.files.of_item(item.id)[path]
    return empty_response()


def _file(world: World, request: ApiRequest) -> File:
    item, path = find_place(world, request, _MISSING)
    found = world.files.of_item(item.id).get(path)
    if found is None:
        raise _MISSING.no_path()
    return found


def _headers(file: File) -> dict[str, str]:
    return {"ETag": file.etag, "Last-Modified": http_date(file.modified_at), "x-ms-resource-type": "file"}


def onelake_error(error: ServiceError) -> Response:
    """Answer in the storage service's envelope."""
    headers = {"x-ms-error-code": error.code, "x-ms-request-id": new_request_id(), **error.headers}
    return json_response({"error": {"code": error.code, "message": error.message}}, error.status, headers)
