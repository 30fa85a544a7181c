"""What all operations of OneLake's Blob endpoint have in common: what they refuse, their conditions, their errors.

https://learn.microsoft.com/fabric/onelake/onelake-api-parity: a query parameter that is not supported refuses the whole
call; headers that manage what Fabric manages are ignored, and named in ``x-ms-rejected-headers``. Error codes are those
of https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes and ``blob-service-error-codes``.
What this emulator does not have is refused as well, never ignored: copies, leases, snapshots, versions, tags,
checksums, append and page blobs, conditions other than ``If-Match`` and ``If-None-Match: *``.
"""

from __future__ import annotations

from html import escape

from starlette.responses import Response

from airflow_provider_fabric.emulator.errors import ServiceError, new_request_id
from airflow_provider_fabric.emulator.http.request import ApiRequest
from airflow_provider_fabric.emulator.onelake.places import Missing
from airflow_provider_fabric.emulator.state.files import File

XML_TYPE = "application/xml"
DECLARATION = '<?xml version="1.0" encoding="utf-8"?>'

MISSING = Missing(
    workspace=("ContainerNotFound", "The specified container does not exist."),
    path=("BlobNotFound", "The specified blob does not exist."),
)
REJECTED_HEADERS = (
    "x-ms-owner",
    "x-ms-group",
    "x-ms-permissions",
    "x-ms-acls",
    "x-ms-encryption-key",
    "x-ms-encryption-algorithm",
    "x-ms-access-tier",
)
"""Ignored, and named in the answer, as the parity page has it."""
REFUSED_HEADERS = (
    "content-md5",
    "if-modified-since",
    "if-unmodified-since",
    "x-ms-blob-cache-control",
    "x-ms-blob-content-disposition",
    "x-ms-blob-content-encoding",
    "x-ms-blob-content-language",
    "x-ms-blob-content-md5",
    "x-ms-content-crc64",
    "x-ms-copy-source",
    "x-ms-if-tags",
    "x-ms-lease-id",
    "x-ms-meta-hdi_isfolder",
    "x-ms-range-get-content-crc64",
    "x-ms-range-get-content-md5",
    "x-ms-structured-body",
    "x-ms-tags",
)
"""They would change what a call does, and this emulator does not have that."""


def check_request(request: ApiRequest, *parameters: str) -> None:
    """Refuse what would be ignored.

    :param parameters: query parameters that the operation has, besides ``timeout``.
    """
    for name in request.query:
        if name not in (*parameters, "timeout"):
            raise ServiceError(400, "UnsupportedQueryParameter", f"The query parameter {name} is not supported.")
    for name in REFUSED_HEADERS:
        if request.header(name) is not None:
            raise ServiceError(400, "UnsupportedHeader", f"The header {name} is not supported.")


def check_conditions(request: ApiRequest, file: File | None) -> None:
    """Refuse a call whose ``If-Match`` or ``If-None-Match`` does not hold.

    :param file: what is there.
    """
    match, none_match = request.header("if-match"), request.header("if-none-match")
    if none_match not in (None, "*"):
        raise ServiceError(400, "UnsupportedHeader", "The header If-None-Match is supported with * only.")
    if none_match == "*" and file is not None:
        raise ServiceError(409, "BlobAlreadyExists", "The specified blob already exists.")
    if match is not None and (file is None or match not in ("*", quoted(file))):
        raise ServiceError(
            412, "ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met."
        )


def check_body(request: ApiRequest) -> None:
    """Refuse a body that is longer than what this emulator keeps of it."""
    length = request.header("content-length")
    if length is not None and length != str(len(request.body)):
        raise ServiceError(413, "RequestBodyTooLarge", "The request body exceeds the maximum permissible limit.")


def answer_headers(request: ApiRequest) -> dict[str, str]:
    """Return the headers of every answer."""
    headers = {"x-ms-request-id": new_request_id(), "x-ms-version": request.header("x-ms-version") or ""}
    rejected = [name for name in REJECTED_HEADERS if request.header(name) is not None]
    return {**headers, "x-ms-rejected-headers": ",".join(rejected)} if rejected else headers


def quoted(file: File) -> str:
    """Return a file's entity tag as headers have it."""
    return f'"{file.etag}"'


def blob_error(error: ServiceError) -> Response:
    """Answer in the Blob service's envelope."""
    headers = {"x-ms-error-code": error.code, "x-ms-request-id": new_request_id(), **error.headers}
    code, message = escape(error.code), escape(error.message)
    body = f"{DECLARATION}<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Response(body, error.status, headers, XML_TYPE)
