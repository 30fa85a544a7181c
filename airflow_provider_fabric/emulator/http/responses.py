"""The few shapes of responses that handlers give.

Empty responses carry a ``Content-Type`` that is not JSON, because Microsoft's deployment client parses any JSON-typed
body and breaks on a response without the header.
"""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import Response

from airflow_provider_fabric.emulator.errors import CODE_BY_STATUS, ServiceError, new_request_id
from airflow_provider_fabric.emulator.state.faults import Fault

JSON_TYPE = "application/json; charset=utf-8"
EMPTY_TYPE = "text/plain; charset=utf-8"
GARBAGE = "<html><head><title>502 Bad Gateway</title></head><body>upstream</body></html>"


def json_response(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a response with a JSON body."""
    return Response(json.dumps(body), status, headers, JSON_TYPE)


def empty_response(status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a response without a body."""
    return Response(b"", status, headers, EMPTY_TYPE)


def error_response(error: ServiceError) -> Response:
    """Return an error in the service's envelope."""
    request_id = new_request_id()
    headers = {"x-ms-public-api-error-code": error.code, "requestid": request_id, **error.headers}
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    return json_response(error.envelope(request_id), error.status, headers)


def fault_response(fault: Fault, *, for_token: bool) -> Response:
    """Return the response that an injected fault puts in the place of the real one.

    :param for_token: whether a token endpoint answers, whose errors have Entra's envelope.
    """
    response = _fault_body(fault, for_token=for_token)
    if fault.retry_after is not None:
        response.headers["Retry-After"] = str(fault.retry_after)
    for name, value in (fault.headers or {}).items():
        response.headers[name] = str(value)
    return response


def _fault_body(fault: Fault, *, for_token: bool) -> Response:
    if fault.action == "garbage":
        text = fault.body if isinstance(fault.body, str) else GARBAGE
        return Response(text, fault.status if fault.status != 503 else 200, None, "text/html")
    if fault.body is not None:
        text = fault.body if isinstance(fault.body, str) else json.dumps(fault.body)
        return Response(text, fault.status, None, JSON_TYPE)
    if for_token:
        error = fault.error_code or "temporarily_unavailable"
        return json_response({"error": error, "error_description": "An injected fault"}, fault.status)
    code = fault.error_code or CODE_BY_STATUS.get(fault.status, "UnknownError")
    return error_response(ServiceError(fault.status, code, "An injected fault", is_retriable=fault.is_retriable))
