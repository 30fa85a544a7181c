"""Hooks that the triggers of an event loop share: looked up once, renewed when they change, closed when unused."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import Context
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_fabric.exceptions import FabricError

if TYPE_CHECKING:
    from airflow_provider_fabric.api.connection.settings import FabricSettings
    from airflow_provider_fabric.api.http.flow import Flow
    from airflow_provider_fabric.hooks.fabric import FabricHook

T = TypeVar("T")

CONNECTION_SECONDS = 300.0
"""For how long a connection is not looked up again; after that, new triggers see its changes."""

RENEWAL_SECONDS = 5.0
"""A connection whose sign-in fails is looked up again at once, unless that has just been done."""

IDLE_SECONDS = 600.0
"""A client that nobody has used for so long is closed, whatever becomes of its connection."""

PAUSES = (2.0, 10.0, 30.0)
"""Seconds between attempts at a look-up while Airflow does not answer."""

_log = logging.getLogger(__name__)


class Client:
    """A hook, and how many use it.

    :param hook: the hook.
    :param settings: its connection, read.
    """

    def __init__(self, hook: FabricHook, settings: FabricSettings) -> None:
        self.hook = hook
        self.settings = settings
        self.users = 0
        self.idle: asyncio.TimerHandle | None = None

    async def arun(self, flow: Flow[T]) -> T:
        """Run a flow on the hook's HTTP client."""
        return await self.hook.arun(flow)


@dataclass
class _Connection:
    """A connection, and when it was looked up.

    :param client: what the last look-up brought.
    :param look_up: the look-up under way, or the last one.
    :param at: seconds on the loop's clock.
    """

    look_up: asyncio.Task[Client]
    at: float
    client: Client | None = None

    def is_stale(self, now: float) -> bool:
        """Whether it is to be looked up again."""
        if not self.look_up.done():
            return False
        failed = self.look_up.cancelled() or self.look_up.exception() is not None
        return failed or now - self.at > CONNECTION_SECONDS

    def invalidate(self) -> None:
        """Have it looked up again by whoever asks next."""
        self.at = -CONNECTION_SECONDS - 1.0


class Clients:
    """The clients of one event loop.

    :param new_hook: makes a hook of a connection's id; ``None`` for the provider's own class.
    :param forgotten: called with a client that is closed.
    """

    def __init__(self, new_hook: Callable[[str], Any] | None, forgotten: Callable[[Client], None]) -> None:
        self._new_hook = new_hook
        self._forgotten = forgotten
        self._connections: dict[str, _Connection] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self.open: dict[str, Client] = {}
        """By identity: connections that are alike share a client."""

    async def get(self, conn_id: str) -> Client:
        """Return the client of a connection.

        :raises FabricConnectionError: a field of the connection is missing or wrong.
        """
        loop = asyncio.get_running_loop()
        known = self._connections.get(conn_id)
        if known is None or known.is_stale(loop.time()):
            work = self._look_up(conn_id)
            task: asyncio.Task[Client] = Context().run(loop.create_task, work)
            known = self._connections[conn_id] = _Connection(task, loop.time(), known.client if known else None)
        return await asyncio.shield(known.look_up)

    @asynccontextmanager
    async def use(self, conn_id: str) -> AsyncIterator[Client]:
        """Return the client of a connection, which stays open meanwhile."""
        client = await self.get(conn_id)
        while self.open.get(client.settings.identity) is not client:  # it was closed just now
            known = self._connections.get(conn_id)
            if known is not None and known.look_up.done():
                known.invalidate()  # or the same client would be returned for ever
            client = await self.get(conn_id)
        client.users += 1
        if client.idle is not None:
            client.idle.cancel()
            client.idle = None
        try:
            yield client
        finally:
            client.users -= 1
            self._release(client)

    def refused(self, conn_id: str, client: Client) -> None:
        """Take in that the sign-in of a client failed: its connection may have changed since it was looked up."""
        known = self._connections.get(conn_id)
        fresh = asyncio.get_running_loop().time() - RENEWAL_SECONDS
        if known is not None and known.client is client and known.at < fresh:
            known.invalidate()

    async def _look_up(self, conn_id: str) -> Client:
        """Look a connection up. One that has not changed keeps its client, and thereby its HTTP connections."""
        old = self._connections[conn_id].client
        hook = await self._hook(conn_id)
        for pause in (*PAUSES, None):
            try:
                settings = await hook.aget_conn()
            except FabricError:
                raise
            except Exception as error:
                if old is not None:
                    _log.warning(
                        "Could not read connection %r again, going on with its last settings: %r", conn_id, error
                    )
                    return old
                if pause is None:
                    raise
                await asyncio.sleep(pause)
            else:
                return self._take(conn_id, hook, settings)
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _hook(self, conn_id: str) -> Any:
        if self._new_hook is not None:
            return self._new_hook(conn_id)
        if "airflow_provider_fabric.hooks.fabric" not in sys.modules:
            await asyncio.to_thread(import_module, "airflow_provider_fabric.hooks.fabric")  # too long for an event loop
        from airflow_provider_fabric.hooks.fabric import FabricHook

        return FabricHook(conn_id)

    def _take(self, conn_id: str, hook: FabricHook, settings: FabricSettings) -> Client:
        known = self._connections[conn_id]
        client = self.open.get(settings.identity)
        if client is None:
            client = self.open[settings.identity] = Client(hook, settings)
        old, known.client = known.client, client
        if old is not None and old is not client:
            self._release(old)
        return client

    def _release(self, client: Client) -> None:
        """Close a client that nobody uses: at once if its connection has changed, after a while otherwise."""
        if client.users or self.open.get(client.settings.identity) is not client:
            return
        if any(connection.client is client for connection in self._connections.values()):
            if client.idle is None:
                loop = asyncio.get_running_loop()
                client.idle = loop.call_later(IDLE_SECONDS, self._close, client, context=Context())
            return
        self._close(client)

    def _close(self, client: Client) -> None:
        if client.idle is not None:
            client.idle.cancel()  # it may be closed before its time, and must not be a second time
            client.idle = None
        if client.users or self.open.get(client.settings.identity) is not client:
            return
        if any(known.client is client and not known.look_up.done() for known in self._connections.values()):
            self._release(client)  # it may be wanted again: later
            return
        del self.open[client.settings.identity]
        for conn_id in [conn_id for conn_id, known in self._connections.items() if known.client is client]:
            del self._connections[conn_id]
        self._forgotten(client)
        closing = Context().run(asyncio.get_running_loop().create_task, client.hook.aclose())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def aclose(self) -> None:
        """Close every client, and wait for those that are being closed: their sockets end with the event loop."""
        for client in self.open.values():
            if client.idle is not None:
                client.idle.cancel()
            await client.hook.aclose()
        self.open.clear()
        self._connections.clear()
        await asyncio.gather(*self._closing)
