"""Parts of a file: the headers ``Range`` and ``x-ms-range``, of which the latter counts.

https://learn.microsoft.com/rest/api/storageservices/specifying-the-range-header-for-blob-service-operations.
"""

from __future__ import annotations

import re

from starlette.responses import Response

from airflow_provider_fabric.emulator.errors import ServiceError
from airflow_provider_fabric.emulator.http.request import ApiRequest

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


def content_response(
    content: bytes, request: ApiRequest, headers: dict[str, str], media_type: str = "application/octet-stream"
) -> Response:
    """Return a file, or the part of it that is asked for."""
    wanted = _RANGE.fullmatch(request.header("x-ms-range") or request.header("range") or "")
    if wanted is None:
        return Response(content, 200, headers, media_type)
    size = len(content)
    first, last = int(wanted[1]), min(int(wanted[2] or size), size - 1)
    if first >= size:
        raise ServiceError(
            416, "InvalidRange", "The range is beyond the end", headers={"Content-Range": f"bytes */{size}"}
        )
    headers = {**headers, "Content-Range": f"bytes {first}-{last}/{size}"}
    return Response(content[first : last + 1], 206, headers, media_type)
