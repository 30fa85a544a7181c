"""Everything an emulator is asked and answers, seen from inside: an ASGI application around its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from airflow_provider_fabric.emulator import FabricEmulator


@dataclass(frozen=True)
class Exchange:
    """One request and its answer.

    :param path: as it was sent, percent-encoded.
    :param headers: the answer's, names in lower case.
    """

    method: str
    path: str
    query: str
    request_body: bytes = field(repr=False)
    status: int
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class Recorder:
    """Passes requests on and keeps a copy.

    :param inner: the application that answers.
    """

    def __init__(self, inner: ASGIApp) -> None:
        self._inner = inner
        self.exchanges: list[Exchange] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        received: list[bytes] = []
        sent: list[Message] = []

        async def receive_and_keep() -> Message:
            message = await receive()
            received.append(message.get("body", b""))
            return message

        async def keep_and_send(message: Message) -> None:
            """Hold the answer's beginning back until all is kept: without a body, a client would be done with it."""
            sent.append(message)
            if message.get("more_body") or message["type"] == "http.response.start":
                return
            self._keep(scope, received, sent)
            for held in sent:
                await send(held)

        await self._inner(scope, receive_and_keep, keep_and_send)

    def _keep(self, scope: Scope, received: list[bytes], sent: list[Message]) -> None:
        if scope["path"].startswith("/_emulator"):
            return
        headers: list[tuple[bytes, bytes]] = sent[0].get("headers", [])
        self.exchanges.append(
            Exchange(
                method=scope["method"],
                path=scope["raw_path"].decode(),
                query=scope["query_string"].decode(),
                request_body=b"".join(received),
                status=sent[0]["status"],
                headers={name.decode().lower(): value.decode() for name, value in headers},
                body=b"".join(message.get("body", b"") for message in sent[1:]),
            )
        )

    def take(self) -> list[Exchange]:
        """Return what was kept since the last time."""
        kept, self.exchanges = self.exchanges, []
        return kept


@contextmanager
def recorded_emulator(**config: Any) -> Iterator[tuple[FabricEmulator, Recorder]]:
    """Run an emulator that is recorded."""
    emulator = FabricEmulator(port=0, **config)
    recorder = Recorder(emulator.app)
    emulator.app = recorder  # type: ignore[assignment]
    with emulator:
        yield emulator, recorder
