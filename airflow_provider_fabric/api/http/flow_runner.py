"""What both drivers share, without I/O: turn a flow's request into an HTTP call, and hand the flow its result."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from urllib.parse import quote, urlencode, urlsplit

from airflow_provider_fabric import __version__
from airflow_provider_fabric.api.connection.clouds import check_clouds
from airflow_provider_fabric.api.connection.settings import FabricSettings
from airflow_provider_fabric.api.http.body import ACCEPT_ENCODING
from airflow_provider_fabric.api.http.failures import failure_of
from airflow_provider_fabric.api.http.flow import Flow, Request, Response, Service, Sleep, TransportFailure
from airflow_provider_fabric.api.http.redaction import redact_body, redact_text
from airflow_provider_fabric.exceptions import FabricConnectionError, FabricError, FabricInputError

T = TypeVar("T")

HOST_FIELDS: Mapping[Service, str] = {
    Service.FABRIC: "host",
    Service.POWER_BI: "power_bi_host",
    Service.ONELAKE: "onelake_host",
    Service.ARM: "arm_host",
}
"""Service → the connection's field that names its root."""

SCOPE_FIELDS: Mapping[Service, str] = {Service.POWER_BI: "power_bi_scope", Service.ARM: "arm_scope"}
"""Service → the field with what its token is for, where that differs from cloud to cloud as documented."""

STORAGE_VERSION = "2021-06-08"
"""https://learn.microsoft.com/rest/api/storageservices/versioning-for-the-azure-storage-services"""

USER_AGENT = f"airflow-provider-fabric/{__version__}"


@dataclass(frozen=True)
class Call:
    """A request with host and credentials, ready for any HTTP library. Its repr shows no token."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    content: bytes | None = field(repr=False)


class FlowRunner(Generic[T]):
    """One flow on its way: what it wants next, and which token it used last.

    :param flow: the flow; it is started at once.
    :param settings: for hosts.
    """

    def __init__(self, flow: Flow[T], settings: FabricSettings) -> None:
        self._flow = flow
        self._settings = settings
        self._used: dict[Service, str] = {}
        self._tokens: list[str] = []
        self._before: BaseException | None = None
        self._outcome: tuple[T] | None = None
        self.pending: Request | Sleep = Sleep(0.0)
        self._advance(lambda: next(flow))

    @property
    def done(self) -> bool:
        """Whether the flow has returned."""
        return self._outcome is not None

    @property
    def result(self) -> T:
        """What the flow returned."""
        if self._outcome is None:
            raise FabricInputError("The flow has not ended.")
        return self._outcome[0]

    def answer(self, answer: Response | TransportFailure | None) -> None:
        """Send the flow what came of its wish."""
        self._advance(lambda: self._flow.send(answer))

    def throw(self, error: FabricError) -> None:
        """Tell the flow that it could not even be asked: sign-in failed."""
        self._advance(lambda: self._flow.throw(error))

    def close(self) -> None:
        """End the flow, wherever it is."""
        self._flow.close()

    def _advance(self, step: Callable[[], Request | Sleep]) -> None:
        try:
            self.pending = step()
        except StopIteration as end:
            self._outcome = (end.value,)

    def refused(self, request: Request) -> str | None:
        """Return the token that the service refused when this flow used it last, if a fresh one is asked for."""
        return self._used.get(request.service) if request.fresh_token else None

    def check(self, request: Request) -> None:
        """Refuse a request that this connection cannot make, before it signs in.

        :raises FabricConnectionError: it does not say the service's host, or the audience is of another cloud.
        """
        self.root(request)
        if request.service in SCOPE_FIELDS:
            check_clouds(self._settings, HOST_FIELDS[request.service], SCOPE_FIELDS[request.service])

    def call(self, request: Request, token: str) -> Call:
        """Return the request with its host and credentials.

        :raises FabricInputError: its path would leave the host.
        """
        if not request.path.startswith("/") or request.path.startswith("//"):
            raise FabricInputError(f"A path must begin with one slash, got {request.path[:80]!r}.")
        self._before = sys.exc_info()[1]
        self._used[request.service] = token
        if token not in self._tokens:
            self._tokens.append(token)
        url = self.root(request) + request.path
        if request.params:
            url += "?" + urlencode(request.params, quote_via=quote)
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept": request.accept,
            "Accept-Encoding": ACCEPT_ENCODING,
            "User-Agent": USER_AGENT,
        }
        if request.service is Service.ONELAKE:  # storage takes a bearer token only with a version
            headers["x-ms-version"] = STORAGE_VERSION
        content = request.content
        if request.json is not None:
            content = json.dumps(request.json).encode()
        if content is not None:
            headers["Content-Type"] = request.content_type if request.json is None else "application/json"
        return Call(request.method, url, headers, content)

    def answered(self, status: int, headers: Iterable[tuple[str, str]], body: bytes, unread: str = "") -> Response:
        """Return an answer for the flow: header names in lower case, and no token of this flow anywhere in it.

        :param unread: why there is no body, as the end of a sentence.
        """
        named = {name.lower(): value.strip() for name, value in headers}
        for token in self._tokens:
            body = redact_body(body, token)
            named = {name: redact_text(value, token) for name, value in named.items()}
        return Response(status, named, body, unread)

    def failed(self, request: Request, error: BaseException) -> TransportFailure:
        """Return what an exception of the HTTP library means for this request."""
        name = HOST_FIELDS[request.service]
        host = urlsplit(self.root(request)).netloc
        proxied = bool(self._settings.proxies)
        return failure_of(error, host, proxied=proxied, field=name, before=self._before)

    def root(self, request: Request) -> str:
        """Return the root of the service that a request is for.

        :raises FabricConnectionError: the connection does not say it.
        """
        name = HOST_FIELDS[request.service]
        root: str | None = getattr(self._settings, name)
        if root is None:
            raise FabricConnectionError(
                f"Connection {self._settings.conn_id!r}: the extra field {name!r} is missing. Outside Microsoft's "
                f"public cloud nothing is assumed about that host; name it to {request.action}."
            )
        return root


def seconds_of(pause: Sleep) -> float:
    """Return how long to wait: the pause, and up to its jitter's share more."""
    return pause.seconds * (1 + random.uniform(0, pause.jitter))  # noqa: S311 - it only spreads callers
