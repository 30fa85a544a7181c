"""One request as handlers see it, and the few shapes of answers they give.

Handlers are plain functions ``(world, call) -> Response``: everything is in memory, so nothing has to be awaited
inside them. Empty answers carry a ``Content-Type`` that is not JSON, because Microsoft's deployment client parses any
JSON-typed body and breaks on an answer without the header.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlencode

from starlette.responses import Response

from airflow_provider_fabric.emulator.errors import ServiceError, invalid_input, new_request_id

if TYPE_CHECKING:
    from airflow_provider_fabric.emulator.http.routing import Route
    from airflow_provider_fabric.emulator.state.identities import Identity

JSON_TYPE = "application/json; charset=utf-8"
EMPTY_TYPE = "text/plain; charset=utf-8"


@dataclass
class Call:
    """A request, read once.

    :param base_url: scheme and host as the caller addressed us, so that links stay valid under every host name.
    :param now: epoch seconds of the request; handlers never read the clock again.
    :param job_instance_id: the instance this call started or addressed, for the request log.
    """

    method: str
    path: str
    query_string: str
    headers: dict[bytes, bytes]
    base_url: str
    now: float
    body: bytes = b""
    client_port: int | None = None
    params: dict[str, str] = field(default_factory=dict)
    route: Route | None = None
    identity: Identity | None = None
    authorized: bool = False
    job_instance_id: str | None = None
    _query: dict[str, str] | None = None

    @property
    def query(self) -> dict[str, str]:
        """The query parameters; the last of a repeated name counts."""
        if self._query is None:
            self._query = dict(parse_qsl(self.query_string, keep_blank_values=True))
        return self._query

    @property
    def item_type(self) -> str | None:
        """The item type that a typed collection path stands for."""
        return self.route.item_type if self.route else None

    @property
    def caller(self) -> Identity:
        """Who calls. Only routes that need a bearer token may ask."""
        if self.identity is None:
            raise ServiceError(401, "Unauthorized", "The caller is not authenticated")
        return self.identity

    def header(self, name: str) -> str | None:
        """Return a header by its lower-case name."""
        value = self.headers.get(name.encode("ascii"))
        return None if value is None else value.decode("latin-1")

    def json(self) -> Any:
        """Parse the body.

        :raises ServiceError: 400 when it is not JSON.
        """
        try:
            return json.loads(self.body)
        except ValueError as problem:
            raise invalid_input(f"The request body is not valid JSON: {problem}") from problem

    def json_object(self, *, optional: bool = False) -> dict[str, Any]:
        """Parse the body as an object; an absent one is ``{}`` when ``optional``."""
        if optional and not self.body.strip():
            return {}
        value = self.json()
        if not isinstance(value, dict):
            raise invalid_input("The request body must be a JSON object")
        return value

    def form(self) -> dict[str, str]:
        """Parse an ``application/x-www-form-urlencoded`` body."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    def url(self, path: str, query: dict[str, str] | None = None) -> str:
        """Return an absolute link to this emulator."""
        link = self.base_url + quote(path, safe="/$")
        return f"{link}?{urlencode(query)}" if query else link


def json_answer(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Answer with a JSON body."""
    return Response(json.dumps(body), status, headers, JSON_TYPE)


def empty_answer(status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Answer without a body."""
    return Response(b"", status, headers, EMPTY_TYPE)


def error_answer(error: ServiceError) -> Response:
    """Answer with the service's error envelope."""
    request_id = new_request_id()
    headers = {"x-ms-public-api-error-code": error.code, "requestid": request_id, **error.headers}
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    return json_answer(error.envelope(request_id), error.status, headers)
