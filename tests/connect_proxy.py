"""An HTTP proxy for tests."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading


class ConnectProxy:
    """An HTTP proxy that knows CONNECT and notes whom it connected to."""

    def __init__(self) -> None:
        self.connected: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._pipes: list[threading.Thread] = []
        self._clients: list[socket.socket] = []

    def _serve(self) -> None:
        while True:
            client, _ = self._listener.accept()
            line = client.recv(65536).split(b"\r\n")[0].decode()
            if not line.startswith("CONNECT"):
                client.close()
                return
            target = line.split()[1]
            self.connected.append(target)
            host, port = target.rsplit(":", 1)
            upstream = socket.create_connection((host, int(port)))
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            pipe = threading.Thread(target=self._pipe, args=(client, upstream))
            pipe.start()
            self._pipes.append(pipe)
            self._clients.append(client)

    @staticmethod
    def _pipe(client: socket.socket, upstream: socket.socket) -> None:
        with selectors.DefaultSelector() as ready, client, upstream:
            ready.register(client, selectors.EVENT_READ, upstream)
            ready.register(upstream, selectors.EVENT_READ, client)
            while True:
                for key, _ in ready.select():
                    data = key.fileobj.recv(65536)
                    if not data:
                        return
                    key.data.sendall(data)

    def __enter__(self) -> ConnectProxy:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        with socket.create_connection(self._listener.getsockname()) as stop:
            stop.sendall(b"STOP\r\n\r\n")
        self._thread.join()
        for client in self._clients:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        for pipe in self._pipes:
            pipe.join()
        self._listener.close()
