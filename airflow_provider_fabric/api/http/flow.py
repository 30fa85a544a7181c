"""A flow: one REST conversation, as a generator that yields requests and does no I/O itself.

A *flow* yields what it wants done and is sent what came of it::

    def get_item(...) -> Flow[Item]:
        answer = yield from send(Request("GET", "/v1/..."), replay=Replay.SAFE)
        return Item.from_wire(answer.json())

====================  =======================================================
it yields             it is sent
====================  =======================================================
:class:`Request`      a :class:`Response`, or a :class:`TransportFailure`
:class:`Sleep`        ``None``, after that much time
====================  =======================================================

``yield from`` composes flows: retry, pages, long-running operations, waiting. Two drivers in
``transport.py`` give a flow its colour: ``requests`` in a worker, ``httpx`` on the event loop of a
triggerer. A test is a third driver: it calls ``next()`` and ``.send()``, with no socket and no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeVar
from urllib.parse import quote

from airflow_provider_fabric.api.http.headers import parse_retry_after
from airflow_provider_fabric.api.json_text import TooDeepError, parse_json
from airflow_provider_fabric.api.plain_text import one_line
from airflow_provider_fabric.exceptions import FabricInputError, FabricProtocolError

T = TypeVar("T")

JSON = "application/json"

Clock = Callable[[], float]
"""Returns the time: epoch seconds, unless it says otherwise."""


class Service(Enum):
    """Which of Microsoft's services a request is for; it decides the host and the token's audience."""

    FABRIC = "fabric"
    POWER_BI = "power_bi"
    ONELAKE = "onelake"
    ARM = "arm"


@dataclass(frozen=True)
class Request:
    """One HTTP request, without host and without credentials: the driver adds both.

    :param method: HTTP method.
    :param path: path below the service's root, its variable parts quoted (see :func:`quote_segment`).
    :param action: what the request is for, in words; it becomes part of error messages.
    :param params: query parameters, unquoted.
    :param json: JSON-able body, or ``None``.
    :param content: body as it is, or ``None``; not together with ``json``.
    :param content_type: of ``content``.
    :param accept: media type that is asked for.
    :param service: which service's host and token to use.
    :param fresh_token: ask for a new token first, because the last one was refused.
    """

    method: str
    path: str
    action: str
    params: Mapping[str, str] = field(default_factory=dict)
    json: Any = field(default=None, repr=False)
    content: bytes | None = field(default=None, repr=False)
    content_type: str = "application/octet-stream"
    accept: str = JSON
    service: Service = Service.FABRIC
    fresh_token: bool = False


@dataclass(frozen=True)
class Response:
    """One HTTP answer.

    :param status: HTTP status code.
    :param headers: header names in lower case.
    :param body: the body's bytes.
    :param unread: why the body was not read, as the end of a sentence; empty if it was.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    unread: str = ""

    def json(self) -> Any:
        """Return the body as JSON.

        :raises FabricProtocolError: the body is not JSON: a proxy's page, cut short, nested too deeply, or too large.
        """
        if self.unread:
            raise FabricProtocolError(f"The answer ({self._about}) {self.unread}. It was not read.")
        try:
            return parse_json(self.body)
        except TooDeepError:
            raise FabricProtocolError(f"The answer ({self._about}) is JSON that is nested too deeply.") from None
        except ValueError:
            raise FabricProtocolError(
                f"The answer ({self._about}, {len(self.body)} bytes) is not JSON. A proxy or gateway between here and "
                "Fabric may have answered in its place, or the answer was cut short."
            ) from None

    @property
    def _about(self) -> str:
        kind = one_line(self.headers.get("content-type", ""), 80) or "not given"
        return f"{self.status}, content type {kind}"

    def json_object(self) -> dict[str, Any]:
        """Return the body as a JSON object.

        :raises FabricProtocolError: the body is not a JSON object.
        """
        content = self.json()
        if not isinstance(content, dict):
            raise FabricProtocolError(f"Expected a JSON object, got {type(content).__name__}.")
        return content

    @property
    def retry_after(self) -> float | None:
        """Seconds the service asked us to wait, or ``None``; see :func:`..headers.parse_retry_after`."""
        return parse_retry_after(self.headers.get("retry-after"), self.headers.get("date"))


@dataclass(frozen=True)
class TransportFailure:
    """No answer came.

    :param reason: what happened, in words, without any secret.
    :param unsent: the request surely did not reach the service (connection refused, name not found,
        TLS refused); otherwise it may have been received and acted on.
    :param permanent: repeating cannot help (the name does not resolve, the certificate is not trusted).
    """

    reason: str
    unsent: bool
    permanent: bool = False


@dataclass(frozen=True)
class Sleep:
    """Wait.

    :param seconds: how long.
    :param jitter: share of ``seconds`` that the driver may add at random, so that many waiters spread.
    """

    seconds: float
    jitter: float = 0.0


Flow = Generator["Request | Sleep", "Response | TransportFailure | None", T]


def quote_segment(value: str, name: str) -> str:
    """Quote one variable part of a URL path.

    :param value: an id, or a job type.
    :param name: what to call it in the error.
    :raises FabricInputError: it is empty, or would leave its place in the path.
    """
    if not value or value in {".", ".."}:
        raise FabricInputError(f"{name} must not be empty, '.' or '..', got {value!r}.")
    return quote(value, safe="")
