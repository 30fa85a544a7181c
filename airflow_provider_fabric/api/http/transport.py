"""Two drivers for flows, and the only module with sockets: ``requests`` for workers, ``httpx`` for the triggerer.

What both do alike is written once, in :mod:`.runner`. Both

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
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from airflow_provider_fabric.api.connection.settings import FabricSettings
from airflow_provider_fabric.api.http.client_options import proxy_mounts, requests_options, ssl_context
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
"""For how long a connection is kept that nothing uses. httpx's own 5 s would mean a TLS handshake for every look."""


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
    import requests

    options = {**requests_options(settings), "timeout": timeout}
    if direct:
        options["proxies"] = {"http": "", "https": ""}

    class SignInSession(requests.Session):
        last: requests.Response | None = None

        def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> requests.Response:
            self.last = None
            self.last = super().request(method, url, *args, **{**kwargs, **options})
            return self.last

    return SignInSession()


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
        try:
            token = self._tokens.token(request.service, refused=runner.refused(request))
        except FabricError as error:
            runner.throw(error)
        else:
            runner.answer(self._send(runner, request, token))

    def _send(self, runner: FlowRunner[T], request: Request, token: str) -> Response | TransportFailure:
        import requests

        call = runner.call(request, token)
        options = requests_options(self._settings)
        self._session = self._session or requests.Session()
        try:
            answer = self._session.request(
                call.method, call.url, headers=dict(call.headers), data=call.content, **options
            )
        except (requests.RequestException, OSError, ValueError) as error:
            return runner.failed(request, error)
        return Response(answer.status_code, {k.lower(): v.strip() for k, v in answer.headers.items()}, answer.content)

    def close(self) -> None:
        """Close the connections. The driver can be used again."""
        if self._session is not None:
            self._session.close()
            self._session = None


class HttpxDriver:
    """Runs flows with ``httpx``, on one event loop. Any number of flows at once.

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
        self._client: asyncio.Future[httpx.AsyncClient] | None = None
        self._slots = asyncio.Semaphore(MAX_CONNECTIONS)

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
        try:
            token = await self._tokens.atoken(request.service, refused=runner.refused(request))
        except FabricError as error:
            runner.throw(error)
        else:
            runner.answer(await self._send(runner, request, token))

    async def _send(self, runner: FlowRunner[T], request: Request, token: str) -> Response | TransportFailure:
        call = runner.call(request, token)
        client = await self._ready()
        import httpx

        try:
            async with self._slots:
                answer = await client.request(call.method, call.url, headers=call.headers, content=call.content)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            return runner.failed(request, error)
        return Response(answer.status_code, {k.lower(): v.strip() for k, v in answer.headers.items()}, answer.content)

    async def _ready(self) -> httpx.AsyncClient:
        """Return the client; importing httpx and reading the CA bundle happen once, in a thread."""
        made = self._client
        if made is None or (made.done() and (made.cancelled() or made.exception() is not None)):
            made = self._client = asyncio.ensure_future(asyncio.to_thread(self._new_client))
        return await asyncio.shield(made)

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
        """Close the connections. The driver can be used again."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(FabricError):  # it was never made
                await (await client).aclose()
