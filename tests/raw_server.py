"""A server of plain HTTP that answers byte by byte as a test says: what no HTTP library would send.

::

    with RawServer(lambda request: [b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\n{}"]) as server:
        settings = FabricSettings("raw", host=server.url)
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from airflow_provider_fabric.api.http.flow import Service

Piece = bytes | float | None
"""Bytes to send, seconds to wait, or ``None``: reset the connection."""


@dataclass(frozen=True)
class Heard:
    """A request as it came.

    :param method: HTTP method.
    :param path: path and query.
    :param headers: header names in lower case.
    :param body: its bytes.
    """

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class RawServer:
    """Serves on a loopback port of its own until the block ends.

    :param answer: what to send for a request; the connection is closed after it unless ``keep_alive`` is set.
    """

    def __init__(self, answer: Callable[[Heard], Iterable[Piece]], *, keep_alive: bool = False) -> None:
        self.answer = answer
        self.heard: list[Heard] = []
        self._keep_alive = keep_alive
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._clients: set[socket.socket] = set()
        self._closing = False
        self._threads: list[threading.Thread] = []

    @property
    def posts(self) -> int:
        """How many requests might have started something."""
        return sum(request.method == "POST" for request in self.heard)

    def __enter__(self) -> RawServer:
        self._start(self._accept)
        return self

    def __exit__(self, *error: object) -> None:
        self._closing = True
        with contextlib.suppress(OSError), socket.create_connection(self._listener.getsockname()):
            pass
        for client in list(self._clients):
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join(5)
        self._listener.close()

    def _start(self, target: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads = [t for t in self._threads if t.is_alive()] + [thread]
        thread.start()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            if self._closing:
                client.close()
                return
            self._clients.add(client)
            self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            reader = client.makefile("rb")
            with reader:
                while (request := _read(reader)) is not None:
                    self.heard.append(request)
                    for piece in self.answer(request):
                        if isinstance(piece, float):
                            time.sleep(piece)
                        elif piece is None:
                            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                            return
                        else:
                            client.sendall(piece)
                    if not self._keep_alive:
                        break
        self._clients.discard(client)


def _read(reader: Any) -> Heard | None:
    line = reader.readline().decode("latin-1").split()
    if len(line) < 2:
        return None
    headers = {}
    while (header := reader.readline().decode("latin-1").strip()) != "":
        name, _, value = header.partition(":")
        headers[name.strip().lower()] = value.strip()
    return Heard(line[0], line[1], headers, reader.read(int(headers.get("content-length", 0))))


def http(body: bytes = b"", status: int = 200, **headers: str) -> bytes:
    """Return a whole answer; header names are written with underscores."""
    lines = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} Said\r\n{head}\r\n".encode("latin-1") + body


@dataclass
class FixedTokens:
    """Hands out one token, which nobody else knows."""

    value: str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJyYXcifQ.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"

    def token(self, service: Service, /, *, refused: str | None = None) -> str:
        """Return it."""
        return self.value

    async def atoken(self, service: Service, /, *, refused: str | None = None) -> str:
        """Return it."""
        return self.value
