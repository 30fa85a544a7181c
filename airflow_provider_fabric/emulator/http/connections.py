"""TCP connections: counting those that carry API or token calls, and cutting one on demand.

The server is uvicorn's httptools protocol; it is extended to report when a connection begins and when it
ends. Connections of control clients do not count.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

Peer = tuple[str, int]


class Connections:
    """The connections of one emulator."""

    def __init__(self) -> None:
        self._transports: dict[Peer, asyncio.Transport] = {}
        self._used: set[Peer] = set()
        self._opened = 0

    def made(self, peer: Peer, transport: asyncio.Transport) -> None:
        """A client has connected."""
        self._transports[peer] = transport

    def lost(self, peer: Peer) -> None:
        """A connection is gone."""
        self._transports.pop(peer, None)
        self._used.discard(peer)

    def use(self, peer: Peer | None) -> None:
        """A connection has carried a call that counts."""
        if peer is not None and peer not in self._used:
            self._used.add(peer)
            self._opened += 1

    def cut(self, peer: Peer | None) -> bool:
        """Cut a connection without another byte; say whether it was there."""
        transport = self._transports.get(peer) if peer is not None else None
        if transport is None:
            return False
        transport.abort()
        return True

    def cut_all(self) -> None:
        """Cut every connection; the emulator stops."""
        for transport in list(self._transports.values()):
            transport.abort()

    def counts(self) -> dict[str, int]:
        """Return how many were opened and how many are open."""
        return {"opened": self._opened, "open": len(self._used)}

    def restart(self) -> None:
        """Count from zero; connections that are open count again when they are used."""
        self._used.clear()
        self._opened = 0


def protocol_class(connections: Connections) -> type[asyncio.Protocol]:
    """Return uvicorn's protocol, reporting to ``connections``."""

    class CountingProtocol(HttpToolsProtocol):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            if self.client is not None:
                connections.made(self.client, transport)

        def connection_lost(self, exc: Exception | None) -> None:
            if self.client is not None:
                connections.lost(self.client)
            super().connection_lost(exc)
            self.transport.close()  # uvicorn leaves it open after an error, and Python 3.10 warns about that

    return CountingProtocol
