"""One blob of OneLake's Blob endpoint: its properties, its content, writing it at once, deleting it.

https://learn.microsoft.com/rest/api/storageservices/operations-on-blobs: ``get-blob-properties``, ``get-blob``,
``put-blob``, ``delete-blob``. OneLake is an account with a hierarchical namespace: a directory is there by itself, as a
blob without content whose metadata say ``hdi_isfolder``. Items and the folders right below them are Fabric's, and
cannot be written here (https://learn.microsoft.com/fabric/onelake/onelake-api-parity).
"""

from __future__ import annotations

from starlette.responses import Response

from airflow_provider_fabric.emulator.errors import ServiceError
from airflow_provider_fabric.emulator.http.request import ApiRequest
from airflow_provider_fabric.emulator.http.responses import empty_response
from airflow_provider_fabric.emulator.onelake.blob_requests import (
    MISSING,
    answer_headers,
    check_body,
    check_conditions,
    check_request,
    quoted,
)
from airflow_provider_fabric.emulator.onelake.places import find_place, http_date
from airflow_provider_fabric.emulator.onelake.ranges import content_response
from airflow_provider_fabric.emulator.state.files import File
from airflow_provider_fabric.emulator.state.items import Item
from airflow_provider_fabric.emulator.state.world import World

METADATA = "x-ms-meta-"


def get_blob_properties(world: World, request: ApiRequest) -> Response:
    """``HEAD /{workspace}/{path}``."""
    check_request(request)
    item, path = find_place(world, request, MISSING)
    headers = {**answer_headers(request), "x-ms-blob-type": "BlockBlob"}
    if not path or path in world.files.directories(item.id):
        folder = {f"{METADATA}hdi_isfolder": "true", "x-ms-resource-type": "directory", "Content-Length": "0"}
        return empty_response(200, {**headers, **folder, "Last-Modified": http_date(request.now)})
    file = _existing(world, item, path)
    check_conditions(request, file)
    length = str(len(file.content))
    return Response(b"", 200, {**headers, **_properties(file), "Content-Length": length}, file.content_type)


def get_blob(world: World, request: ApiRequest) -> Response:
    """``GET /{workspace}/{path}``."""
    check_request(request)
    item, path = find_place(world, request, MISSING)
    file = _existing(world, item, path)
    check_conditions(request, file)
    headers = {**answer_headers(request), **_properties(file), "x-ms-blob-type": "BlockBlob"}
    return content_response(file.content, request, headers, file.content_type)


def put_blob(world: World, request: ApiRequest) -> Response:
    """``PUT /{workspace}/{path}`` with ``x-ms-blob-type: BlockBlob``."""
    check_request(request)
    item, path = writable_place(world, request)
    kind = request.header("x-ms-blob-type")
    if kind is None:
        raise ServiceError(400, "MissingRequiredHeader", "The header x-ms-blob-type is missing.")
    if kind != "BlockBlob":
        raise ServiceError(400, "UnsupportedHeader", f"The header x-ms-blob-type is not supported with {kind}.")
    check_conditions(request, world.files.of_item(item.id).get(path))
    check_body(request)
    return store(world, request, item, path, request.body, {})


def delete_blob(world: World, request: ApiRequest) -> Response:
    """``DELETE /{workspace}/{path}``."""
    check_request(request)
    item, path = writable_place(world, request, deletes=True)
    file = _existing(world, item, path)
    check_conditions(request, file)
    world.files.replace(item.id, path, None)
    return empty_response(202, answer_headers(request))


def writable_place(world: World, request: ApiRequest, *, deletes: bool = False) -> tuple[Item, str]:
    """Return the item and the path of a file that may be written.

    :param deletes: whether it is to go.
    """
    item, path = find_place(world, request, MISSING)
    parts = path.split("/")
    if len(parts) < 2 or parts[0] not in ("Files", "Tables"):
        raise ServiceError(405, "UnsupportedHttpVerb", "Only files below Files and Tables can be written and deleted.")
    if any(part in ("", ".", "..") for part in parts):
        raise ServiceError(400, "InvalidUri", "The requested URI does not represent any resource on the server.")
    if path in world.files.directories(item.id):
        if deletes:
            raise ServiceError(409, "DirectoryIsNotEmpty", "This operation is not permitted on a non-empty directory.")
        text = "The specified resource type doesn't match the type of the existing resource."
        raise ServiceError(409, "ResourceTypeMismatch", text)
    return item, path


def store(
    world: World, request: ApiRequest, item: Item, path: str, content: bytes, blocks: dict[str, bytes]
) -> Response:
    """Write a file with the properties that the request names, and answer so."""
    file = File(content=content, modified_at=request.now, blocks=blocks)
    file.content_type = request.header("x-ms-blob-content-type") or file.content_type
    for raw in request.headers:
        name = raw.decode("latin-1")
        if name.startswith(METADATA):
            file.metadata[name.removeprefix(METADATA)] = request.header(name) or ""
    world.files.replace(item.id, path, file)
    headers = {"ETag": quoted(file), "Last-Modified": http_date(file.modified_at)}
    return empty_response(201, {**answer_headers(request), **headers, "x-ms-request-server-encrypted": "true"})


def _existing(world: World, item: Item, path: str) -> File:
    found = world.files.of_item(item.id).get(path)
    if found is None:
        raise MISSING.no_path()
    return found


def _properties(file: File) -> dict[str, str]:
    headers = {
        "ETag": quoted(file),
        "Last-Modified": http_date(file.modified_at),
        "Accept-Ranges": "bytes",
        "x-ms-resource-type": "file",
    }
    return headers | {f"{METADATA}{name}": value for name, value in file.metadata.items()}
