"""Writing a blob of OneLake in blocks, as clients do with what is large.

https://learn.microsoft.com/rest/api/storageservices/put-block and ``put-block-list``: blocks are put under ids that are
as long as each other, and are no part of the blob, nor in any list, until a list of blocks commits them.
"""

from __future__ import annotations

import base64
import binascii
import re

from starlette.responses import Response

from airflow_provider_fabric.emulator.errors import ServiceError
from airflow_provider_fabric.emulator.http.request import ApiRequest
from airflow_provider_fabric.emulator.http.responses import empty_response
from airflow_provider_fabric.emulator.onelake.blob_requests import (
    answer_headers,
    check_body,
    check_conditions,
    check_request,
)
from airflow_provider_fabric.emulator.onelake.blobs import put_blob, store, writable_place
from airflow_provider_fabric.emulator.state.world import World

_ENTRY = r"<(?P<kind>Latest|Uncommitted|Committed)>([^<]*)</(?P=kind)>"
_BLOCK_LIST = re.compile(
    rf"\s*(?:<\?xml[^>]*\?>)?\s*<BlockList\s*(?:/>|>(?P<entries>(?:\s*{_ENTRY})*)\s*</BlockList>)\s*"
)
MAX_ID = 64
"""Bytes of a block's id, decoded."""


def put(world: World, request: ApiRequest) -> Response:
    """``PUT /{workspace}/{path}``: which operation, ``comp`` says."""
    operations = {None: put_blob, "block": put_block, "blocklist": put_block_list}
    operation = operations.get(request.query.get("comp"))
    if operation is None:
        raise ServiceError(400, "UnsupportedQueryParameter", f"comp={request.query['comp']} is not supported.")
    return operation(world, request)


def put_block(world: World, request: ApiRequest) -> Response:
    """``PUT /{workspace}/{path}?comp=block&blockid=``."""
    check_request(request, "comp", "blockid")
    item, path = writable_place(world, request)
    block_id = request.query.get("blockid", "")
    length = _decoded_length(block_id)
    blocks = world.files.uncommitted(item.id, path)
    if any(_decoded_length(other) != length for other in blocks):
        raise ServiceError(400, "InvalidBlobOrBlock", "The specified blob or block content is invalid.")
    if not request.body:
        raise ServiceError(400, "InvalidHeaderValue", "The value for the header Content-Length must not be 0.")
    check_body(request)
    blocks[block_id] = request.body
    return empty_response(201, {**answer_headers(request), "x-ms-request-server-encrypted": "true"})


def put_block_list(world: World, request: ApiRequest) -> Response:
    """``PUT /{workspace}/{path}?comp=blocklist``."""
    check_request(request, "comp")
    item, path = writable_place(world, request)
    there = world.files.of_item(item.id).get(path)
    check_conditions(request, there)
    uncommitted = world.files.uncommitted(item.id, path)
    committed = {} if there is None else there.blocks
    lists = {"Latest": {**committed, **uncommitted}, "Uncommitted": uncommitted, "Committed": committed}
    parsed = _BLOCK_LIST.fullmatch(request.body.decode("utf-8", "replace"))
    if parsed is None:
        raise ServiceError(400, "InvalidXmlDocument", "XML specified is not syntactically valid.")
    content: list[bytes] = []
    kept: dict[str, bytes] = {}
    for kind, block_id in re.findall(_ENTRY, parsed["entries"] or ""):
        block = lists[kind].get(block_id)
        if block is None:
            raise ServiceError(400, "InvalidBlockList", "The specified block list is invalid.")
        content.append(block)
        kept[block_id] = block
    return store(world, request, item, path, b"".join(content), kept)


def _decoded_length(block_id: str) -> int:
    try:
        length = len(base64.b64decode(block_id, validate=True))
    except binascii.Error:
        length = 0
    if not 0 < length <= MAX_ID:
        raise ServiceError(400, "InvalidQueryParameterValue", "blockid must be Base64 of 1 to 64 bytes.")
    return length
