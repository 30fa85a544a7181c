"""Where readers of eventstreams connect to: AMQP 1.0 in a WebSocket, as Event Hubs offers it on port 443."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from starlette.types import Receive, Scope, Send

from airflow_provider_fabric.emulator.amqp.codec import DecodeError
from airflow_provider_fabric.emulator.amqp.connection import AmqpConnection
from airflow_provider_fabric.emulator.amqp.messages import EMPTY_FRAME
from airflow_provider_fabric.emulator.errors import ServiceError
from airflow_provider_fabric.emulator.state.eventstreams import Entry
from airflow_provider_fabric.emulator.state.tokens import EVENT_HUBS
from airflow_provider_fabric.emulator.state.world import World

PATH = "/$servicebus/websocket"
SUBPROTOCOL = "AMQPWSB10"

TICK = 0.05
"""Seconds between looks for new events."""

KEEP_ALIVE = 20.0
"""Seconds between empty frames."""


class WorldHubs:
    """The hubs of an emulator's eventstreams.

    :param world: the emulator's state.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    def authorize(self, token: str) -> str | None:
        """Return why a token is refused, ``None`` if it is not."""
        try:
            self._world.tokens.check(token, (EVENT_HUBS,), self._world.identities, self._world.clock())
        except ServiceError as error:
            return error.message
        return None

    def created_at(self, hub: str) -> float | None:
        """Return when a hub was made, ``None`` if there is none of that name."""
        item = self._world.eventstreams.by_hub(hub)
        return None if item is None else item.modified_at

    def entries(self, hub: str) -> list[Entry]:
        """Return the events of a hub that are there by now, in order."""
        item = self._world.eventstreams.by_hub(hub)
        return [] if item is None else self._world.eventstreams.entries(item, self._world.clock())


async def serve_websocket(world: World, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one reader."""
    await receive()  # websocket.connect
    path = scope["path"].rstrip("/").lower()
    if path != PATH or SUBPROTOCOL not in scope["subprotocols"] or world.eventstreams.faults.line == "down":
        await send({"type": "websocket.close"})
        return
    await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL})
    connection = AmqpConnection(WorldHubs(world))
    arriving: asyncio.Future[Any] = asyncio.ensure_future(receive())
    last_sent = time.monotonic()
    try:
        while not connection.is_closed and world.eventstreams.faults.line != "down":
            done, _ = await asyncio.wait([arriving], timeout=TICK)
            if world.eventstreams.faults.line == "hanging":
                continue
            out = b""
            if done:
                message = arriving.result()
                if message["type"] == "websocket.disconnect":
                    return
                arriving = asyncio.ensure_future(receive())
                out = connection.feed(message.get("bytes") or b"")
            out += connection.deliver()
            if not out and time.monotonic() - last_sent > KEEP_ALIVE:
                out = EMPTY_FRAME
            if out:
                last_sent = time.monotonic()
                await send({"type": "websocket.send", "bytes": out})
        await send({"type": "websocket.close", "code": 1000})
    except DecodeError:
        await send({"type": "websocket.close", "code": 1002})
    finally:
        arriving.cancel()
