"""A service that gives prepared answers to the letter: for those that are printed somewhere and no emulator gives.

Only a socket: nothing here knows Fabric. The connection is that of somebody who pasted an access token.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Printed:
    """One answer, sent as it stands.

    :param body: text, or anything that is sent as JSON.
    :param headers: names and values; spaces around a value are sent too.
    """

    status: int = 200
    body: Any = ""
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def content(self) -> bytes:
        """The body's bytes."""
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


@dataclass
class PrintedService:
    """What the service says next, and what it has heard."""

    url: str = ""
    script: list[Printed] = field(default_factory=list)
    heard: list[dict[str, Any]] = field(default_factory=list)

    @property
    def connection(self) -> str:
        """An Airflow connection to it."""
        return json.dumps(
            {
                "conn_type": "fabric",
                "host": self.url,
                "password": "pasted-token",
                "extra": {"auth_type": "access_token", "tenant_id": "contoso.example"},
            }
        )

    @property
    def lines(self) -> list[str]:
        """Method and address of every request."""
        return [request["line"] for request in self.heard]

    def take(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Printed:
        """Note a request, and return the next answer; the last one is given for ever."""
        self.heard.append({"line": f"{method} {path}", "headers": headers, "body": json.loads(body or b"null")})
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]


@contextmanager
def printed_service() -> Iterator[PrintedService]:
    """Run the service on a free port."""
    service = PrintedService(script=[Printed(404)])

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            printed = service.take(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            self.send_response(printed.status)
            for name, value in (*printed.headers, ("Content-Length", str(len(printed.content)))):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(printed.content)

        do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815 - http.server's names

        def log_message(self, *words: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        service.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield service
        server.shutdown()
        thread.join()
