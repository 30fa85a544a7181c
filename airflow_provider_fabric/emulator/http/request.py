"""One request to the emulator, as handlers see it.

Handlers are plain functions ``(world, request) -> Response``: everything is in memory, so nothing has to be awaited
inside them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from airflow_provider_fabric.emulator.errors import ServiceError, invalid_input
from airflow_provider_fabric.emulator.state.identities import Identity
from airflow_provider_fabric.emulator.state.tokens import unauthorized


@dataclass
class ApiRequest:
    """A request, read once.

    :param base_url: scheme and host as the caller wrote them, so that links stay valid under every host name.
    :param now: epoch seconds of the request; handlers never read the clock again.
    :param params: the values of the parameters in the path.
    :param item_type: the item type that a typed collection path stands for.
    :param identity: who calls, once that is known.
    :param authorized: whether a bearer token was accepted.
    :param job_instance_id: the instance that this request started or named, for the request log.
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
    item_type: str | None = None
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
    def caller(self) -> Identity:
        """Who calls. Only routes that need a bearer token may ask."""
        if self.identity is None:
            raise ServiceError(401, "Unauthorized", "The caller is not authenticated")
        return self.identity

    def header(self, name: str) -> str | None:
        """Return a header by its lower-case name."""
        value = self.headers.get(name.encode("ascii"))
        return None if value is None else value.decode("latin-1")

    def bearer_token(self) -> str:
        """Return the access token of the header ``Authorization``.

        The scheme ``Bearer`` is required, although the oldest pages on Learn print the header without it.

        :raises ServiceError: 401 ``Unauthorized`` when there is no bearer token.
        """
        scheme, _, token = (self.header("authorization") or "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise unauthorized("Unauthorized", "The request needs an Authorization header with a bearer token")
        return token.strip()

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
