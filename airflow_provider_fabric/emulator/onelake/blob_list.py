"""A workspace of OneLake's Blob endpoint, which is a container there: that it exists, and what is in it.

https://learn.microsoft.com/rest/api/storageservices/list-blobs, and OneLake's own example of it
(https://learn.microsoft.com/fabric/onelake/onelake-api-parity): ``prefix`` begins with the item; with ``delimiter=/`` a
directory is a ``BlobPrefix``; without, a blob of its own. Of the other calls for a container OneLake has HEAD only:
``GET ?restype=container``, which Azure's clients read its properties by, is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape

from starlette.responses import Response

from airflow_provider_fabric.emulator.errors import ServiceError
from airflow_provider_fabric.emulator.http.request import ApiRequest
from airflow_provider_fabric.emulator.http.responses import empty_response
from airflow_provider_fabric.emulator.onelake.blob_requests import (
    DECLARATION,
    MISSING,
    XML_TYPE,
    answer_headers,
    check_request,
)
from airflow_provider_fabric.emulator.onelake.places import check_version, find_workspace, http_date, is_guid
from airflow_provider_fabric.emulator.state.items import Item
from airflow_provider_fabric.emulator.state.workspaces import Workspace
from airflow_provider_fabric.emulator.state.world import World

MAX_RESULTS = 5000


@dataclass(frozen=True)
class _Entry:
    """What a list shows: a blob, a directory (``hdi_isfolder``), or a prefix, which has no properties."""

    name: str
    properties: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)

    def to_xml(self, *, with_metadata: bool) -> str:
        name = f"<Name>{escape(self.name)}</Name>"
        if not self.properties:
            return f"<BlobPrefix>{name}</BlobPrefix>"
        inner = name + _element("Properties", self.properties)
        return f"<Blob>{inner}{_element('Metadata', self.metadata) if with_metadata else ''}</Blob>"


def container_exists(world: World, request: ApiRequest) -> Response:
    """``HEAD /{workspace}?restype=container``."""
    check_version(request)
    check_request(request, "restype")
    find_workspace(world, request, MISSING)
    return empty_response(200, {**answer_headers(request), "Last-Modified": http_date(request.now)})


def list_blobs(world: World, request: ApiRequest) -> Response:
    """``GET /{workspace}?restype=container&comp=list&prefix=&delimiter=/&marker=&maxresults=&include=metadata``."""
    check_version(request)
    if (request.query.get("restype"), request.query.get("comp")) != ("container", "list"):
        raise ServiceError(405, "UnsupportedHttpVerb", "OneLake has only HEAD for a workspace, and its list.")
    check_request(request, "restype", "comp", "prefix", "delimiter", "marker", "maxresults", "include")
    query = request.query
    if query.get("delimiter", "/") != "/" or query.get("include", "metadata") != "metadata":
        raise ServiceError(400, "InvalidQueryParameterValue", "delimiter can be /, include can be metadata.")
    workspace = find_workspace(world, request, MISSING)
    prefix = query.get("prefix", "")
    found = sorted(_blobs(world, request, workspace, prefix), key=lambda entry: entry.name)
    entries = _folded(found, prefix) if "delimiter" in query else found
    first = _number(query.get("marker") or "0", at_least=0)
    size = min(_number(query.get("maxresults", str(MAX_RESULTS)), at_least=1), MAX_RESULTS, world.config.page_size)
    shown = "".join(entry.to_xml(with_metadata="include" in query) for entry in entries[first : first + size])
    asked = "".join(
        f"<{tag}>{escape(query[name])}</{tag}>"
        for tag, name in (
            ("Prefix", "prefix"),
            ("Marker", "marker"),
            ("MaxResults", "maxresults"),
            ("Delimiter", "delimiter"),
        )
        if name in query
    )
    marker = f"<NextMarker>{first + size}</NextMarker>" if len(entries) > first + size else "<NextMarker />"
    service, container = escape(request.url("/onelake/blob/")), escape(request.params["workspace"])
    root = f'<EnumerationResults ServiceEndpoint="{service}" ContainerName="{container}">'
    body = f"{DECLARATION}{root}{asked}<Blobs>{shown}</Blobs>{marker}</EnumerationResults>"
    return Response(body, 200, answer_headers(request), XML_TYPE)


def _blobs(world: World, request: ApiRequest, workspace: Workspace, prefix: str) -> Iterator[_Entry]:
    """Yield all files and directories whose names begin so, the items themselves included."""
    by_guid = is_guid(request.params["workspace"])
    item_name, separator, _ = prefix.partition("/")
    if separator and is_guid(item_name) != by_guid:
        raise ServiceError(400, "FriendlyNameSupportDisabled", "Workspace and item are both names, or both GUIDs")
    for item in world.items.of_workspace(workspace.id):
        root = item.id if by_guid else f"{item.display_name}.{item.type}"
        if item.type == "Lakehouse" or world.files.of_item(item.id):
            yield from (entry for entry in _of_item(world, request, item, root) if entry.name.startswith(prefix))


def _of_item(world: World, request: ApiRequest, item: Item, root: str) -> Iterator[_Entry]:
    folder = {"Last-Modified": http_date(request.now), "ResourceType": "directory", "Content-Length": "0"}
    for path in ("", *world.files.directories(item.id)):
        yield _Entry(f"{root}/{path}".rstrip("/"), {**folder, "BlobType": "BlockBlob"}, {"hdi_isfolder": "true"})
    for path, file in world.files.of_item(item.id).items():
        properties = {
            "Last-Modified": http_date(file.modified_at),
            "Etag": file.etag,
            "ResourceType": "file",
            "Content-Length": str(len(file.content)),
            "Content-Type": file.content_type,
            "BlobType": "BlockBlob",
        }
        yield _Entry(f"{root}/{path}", properties, file.metadata)


def _folded(entries: list[_Entry], prefix: str) -> list[_Entry]:
    """Return the entries of one level: what lies deeper is one prefix."""
    found: dict[str, _Entry] = {}
    for entry in entries:
        name = f"{entry.name}/" if "hdi_isfolder" in entry.metadata else entry.name
        first, separator, _ = name.removeprefix(prefix).partition("/")
        if separator:
            name = f"{prefix}{first}/"
        found.setdefault(name, _Entry(name) if separator else entry)
    return sorted(found.values(), key=lambda entry: entry.name)


def _number(text: str, *, at_least: int) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) < at_least:
        raise ServiceError(400, "OutOfRangeQueryParameterValue", f"marker or maxresults cannot be {text}.")
    return int(text)


def _element(tag: str, values: dict[str, str]) -> str:
    inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in values.items())
    return f"<{tag}>{inner}</{tag}>"
