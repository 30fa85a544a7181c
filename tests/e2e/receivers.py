"""Where alerts arrive: a server for webhooks and one for mail, on loopback, which keep what they get."""

from __future__ import annotations

import email
import email.policy
import json
import socketserver
import threading
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

LOOPBACK = "127.0.0.1"


class Receivers:
    """Both servers, while they run."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, Any]] = []
        self.mails: list[EmailMessage] = []
        receivers = self

        class Webhook(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receivers.posts.append((self.path, json.loads(body)))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        class Mail(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.wfile.write(b"220 ready\r\n")
                for line in iter(self.rfile.readline, b""):
                    verb = line[:4].upper().strip()
                    self.wfile.write({b"DATA": b"354 go on\r\n", b"QUIT": b"221 bye\r\n"}.get(verb, b"250 ok\r\n"))
                    if verb == b"DATA":
                        text = b"".join(iter(self.rfile.readline, b".\r\n"))
                        receivers.mails.append(email.message_from_bytes(text, policy=email.policy.default))
                        self.wfile.write(b"250 ok\r\n")
                    if verb == b"QUIT":
                        return

        self._servers = (
            ThreadingHTTPServer((LOOPBACK, 0), Webhook),
            socketserver.ThreadingTCPServer((LOOPBACK, 0), Mail),
        )

    def connections(self) -> dict[str, dict[str, Any]]:
        """Return what the example on alerts needs."""
        webhooks, mail = (server.server_address[1] for server in self._servers)
        root = f"http://{LOOPBACK}:{webhooks}"
        return {
            "alerts_slack": {"conn_type": "http", "password": f"{root}/slack"},
            "alerts_teams": {"conn_type": "http", "password": f"{root}/teams"},
            "alerts_mail": {"conn_type": "smtp", "host": LOOPBACK, "port": mail},
        }

    def __enter__(self) -> Receivers:
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=[0.1], daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()
