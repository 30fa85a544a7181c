"""Two drivers for flows, and the only module with sockets: ``requests`` for workers, ``httpx`` for the triggerer.

What both do alike is written once, in :mod:`.flow_runner`. Both

* send the token to the configured host only, and follow no redirect (CWE-918);
* use the connection's proxies, CA bundle and timeout, and without them those of the environment;
* return a :class:`.TransportFailure` where no answer came, and throw a failed sign-in into the flow, so that
  a flow that waits can be patient with it.

The libraries are imported when the first request is made; importing this module costs nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from airflow_provider_fabric.api.connection.settings import FabricSettings
from airflow_provider_fabric.api.http.body import CHUNK, MAX_BODY, MAX_SIGN_IN_BODY, BodyReader, BodyTooLargeError
from airflow_provider_fabric.api.http.client_options import DIRECT, proxy_mounts, requests_options, ssl_context
from airflow_provider_fabric.api.http.flow import Flow, Request, Response, Service, Sleep, TransportFailure
from airflow_provider_fabric.api.http.flow_runner import FlowRunner, seconds_of
from airflow_provider_fabric.exceptions import FabricError

if TYPE_CHECKING:
    import httpx
    import requests

T = TypeVar("T")

MAX_CONNECTIONS = 20
"""Connections of one triggerer. More cost more: about 1 ms of processor a call with 20, 3 ms with 100 (measured)."""

IDLE_SECONDS = 60.0
"""For how long a connection is kept that nothing uses. httpx's own 5 s would mean a TLS handshake for every poll."""


LONGEST_BODY = 10
"""A body that drips in slowly is given up after so many times the timeout of one part."""


class TokenSource(Protocol):
    """What hands out tokens; see :class:`~airflow_provider_fabric.api.auth.tokens.SharedTokens`."""

    def token(self, service: Service, /, *, refused: str | None = None) -> str:
        """Return a token, waiting for it if need be."""

    async def atoken(self, service: Service, /, *, refused: str | None = None) -> str:
        """Return a token without blocking the event loop."""


def sign_in_session(settings: FabricSettings, *, timeout: float, direct: bool = False) -> Any:
    """Return a ``requests`` session for a token request, with the connection's options whatever msal asks for.

    No redirect is followed: a 307 would carry the secret along. ``last`` is the last answer, for error messages.

    :param settings: the connection.
    :param timeout: seconds.
    :param direct: past any proxy: the metadata endpoint of a managed identity is on this machine.
    """
    options = {**requests_options(settings, settings.authority), "timeout": timeout, "stream": True}
    if direct:
        options["proxies"] = dict(DIRECT)

    class SignInSession(_session_class()):  # type: ignore[misc]  # made when it is needed
        last: requests.Response | None = None

        def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> requests.Response:
            self.last = None
            with super().request(method, url, *args, **{**kwargs, **options}) as answer:
                body, unread = _read_body(answer, timeout, MAX_SIGN_IN_BODY)
                if unread:
                    raise OSError(f"the answer {unread}")
            answer.encoding = answer.encoding or "utf-8"  # or its text would be guessed from all of it
            vars(answer).update(_content=body, _content_consumed=True)  # what msal reads, within bounds
            self.last = answer
            return answer  # type: ignore[no-any-return]

    return SignInSession()


def _session_class() -> type[requests.Session]:
    """Return a session that does not look where a redirect leads: it would read the whole answer, without a limit."""
    import requests

    class Session(requests.Session):
        def get_redirect_target(self, resp: requests.Response) -> None:
            """Name none."""

    return Session


def _read_body(answer: requests.Response, timeout: float, limit: int = MAX_BODY) -> tuple[bytes, str]:
    """Return a body, and why it was not read if it was not.

    :param timeout: seconds for each part of it; the whole may take :data:`LONGEST_BODY` times as long.
    :raises OSError: it took too long.
    """
    end = time.monotonic() + timeout * LONGEST_BODY
    read = getattr(answer.raw, "read1", answer.raw.read)  # urllib3 1.26 has no read1
    try:
        reader = BodyReader(answer.headers.get("content-encoding"), limit)
        while data := read(CHUNK, decode_content=False):
            reader.feed(data)
            if time.monotonic() > end:
                raise TimeoutError("the answer took too long")
        return reader.finish(), ""
    except BodyTooLargeError as error:
        return b"", str(error)


async def _aread_body(answer: httpx.Response, timeout: float) -> tuple[bytes, str]:
    """Do the same without blocking the event loop."""
    end = time.monotonic() + timeout * LONGEST_BODY
    try:
        reader = BodyReader(answer.headers.get("content-encoding"))
        async for data in answer.aiter_raw():
            reader.feed(data)
            if time.monotonic() > end:
                raise TimeoutError("the answer took too long")
        return reader.finish(), ""
    except BodyTooLargeError as error:
        return b"", str(error)


class RequestsDriver:
    """Runs flows with ``requests``, for workers. One flow at a time.

    :param settings: the connection.
    :param tokens: hands out its tokens.
    :param sleep: waits that many seconds.
    """

    def __init__(
        self, settings: FabricSettings, tokens: TokenSource, *, sleep: Callable[[float], object] = time.sleep
    ) -> None:
        self._settings = settings
        self._tokens = tokens
        self._sleep = sleep
        self._session: requests.Session | None = None

    def run(self, flow: Flow[T]) -> T:
        """Run a flow to its end.

        :param flow: the flow.
        :returns: what it returns.
        :raises FabricError: what it raises.
        """
        runner = FlowRunner(flow, self._settings)
        try:
            while not runner.done:
                if isinstance(runner.pending, Sleep):
                    self._sleep(seconds_of(runner.pending))
                    runner.answer(None)
                else:
                    self._ask(runner, runner.pending)
            return runner.result
        finally:
            runner.close()

    def _ask(self, runner: FlowRunner[T], request: Request) -> None:
        runner.check(request)
        try:
            token = self._tokens.token(request.service, refused=runner.refused(request))
        except FabricError as error:
            runner.throw(error)
        else:
            runner.answer(self._send(runner, request, token))

    def _send(self, runner: FlowRunner[T], request: Request, token: str) -> Response | TransportFailure:
        import requests
        import urllib3

        call = runner.call(request, token)
        options = requests_options(self._settings, call.url)
        self._session = self._session or _session_class()()
        try:
            with self._session.request(
                call.method, call.url, headers=dict(call.headers), data=call.content, stream=True, **options
            ) as answer:
                body, unread = _read_body(answer, self._settings.timeout_seconds)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            return runner.failed(request, error)
        return runner.answered(answer.status_code, answer.headers.items(), body, unread)

    def close(self) -> None:
        """Close the connections. The driver can be used again."""
        if self._session is not None:
            self._session.close()
            self._session = None


@dataclass
class _LoopConnections:
    """The connections of one event loop."""

    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_CONNECTIONS))
    client: asyncio.Future[httpx.AsyncClient] | None = None

    async def ready(self, new_client: Callable[[], httpx.AsyncClient]) -> httpx.AsyncClient:
        """Return the client; importing httpx and reading the CA bundle happen once, in a thread."""
        made = self.client
        if made is None or (made.done() and (made.cancelled() or made.exception() is not None)):
            made = self.client = asyncio.ensure_future(asyncio.to_thread(new_client))
        return await asyncio.shield(made)


class HttpxDriver:
    """Runs flows with ``httpx``, on any event loop, any number of flows at once. Each loop has its own connections.

    :param settings: the connection.
    :param tokens: hands out its tokens.
    :param sleep: waits that many seconds.
    """

    def __init__(
        self, settings: FabricSettings, tokens: TokenSource, *, sleep: Callable[[float], Any] = asyncio.sleep
    ) -> None:
        self._settings = settings
        self._tokens = tokens
        self._sleep = sleep
        self._loops: dict[asyncio.AbstractEventLoop, _LoopConnections] = {}

    async def run(self, flow: Flow[T]) -> T:
        """Run a flow to its end.

        :param flow: the flow.
        :returns: what it returns.
        :raises FabricError: what it raises.
        """
        runner = FlowRunner(flow, self._settings)
        try:
            while not runner.done:
                if isinstance(runner.pending, Sleep):
                    await self._sleep(seconds_of(runner.pending))
                    runner.answer(None)
                else:
                    await self._ask(runner, runner.pending)
            return runner.result
        finally:
            runner.close()

    async def _ask(self, runner: FlowRunner[T], request: Request) -> None:
        runner.check(request)
        try:
            token = await self._tokens.atoken(request.service, refused=runner.refused(request))
        except FabricError as error:
            runner.throw(error)
        else:
            runner.answer(await self._send(runner, request, token))

    async def _send(self, runner: FlowRunner[T], request: Request, token: str) -> Response | TransportFailure:
        call = runner.call(request, token)
        connections = self._of_this_loop()
        client = await connections.ready(self._new_client)
        import httpx

        try:
            async with (
                connections.slots,
                client.stream(call.method, call.url, headers=call.headers, content=call.content) as answer,
            ):
                body, unread = await _aread_body(answer, self._settings.timeout_seconds)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            return runner.failed(request, error)
        return runner.answered(answer.status_code, answer.headers.items(), body, unread)

    def _of_this_loop(self) -> _LoopConnections:
        """Return the running event loop's connections: none can be used by another loop, or after its loop closed."""
        loop = asyncio.get_running_loop()
        if loop not in self._loops:
            for closed in [other for other in self._loops if other.is_closed()]:
                del self._loops[closed]
            self._loops[loop] = _LoopConnections()
        return self._loops[loop]

    def _new_client(self) -> httpx.AsyncClient:
        import httpx

        context = ssl_context(self._settings)
        limits = httpx.Limits(
            max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS, keepalive_expiry=IDLE_SECONDS
        )
        return httpx.AsyncClient(
            verify=context,
            timeout=httpx.Timeout(self._settings.timeout_seconds, pool=None),
            limits=limits,
            trust_env=not self._settings.proxies,
            mounts=proxy_mounts(self._settings, context, limits),
            follow_redirects=False,
        )

    async def aclose(self) -> None:
        """Close the connections of the running event loop. The driver can be used again."""
        connections = self._loops.pop(asyncio.get_running_loop(), None)
        if connections is not None and connections.client is not None:
            with suppress(FabricError):  # it was never made
                await (await connections.client).aclose()
