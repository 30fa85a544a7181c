"""A StatsD server: a UDP socket that keeps what it is sent."""

from __future__ import annotations

import socket
import threading
from types import TracebackType


class StatsdServer:
    """Takes in metrics, as long as it is entered."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.2)
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._received: list[tuple[str, str, float]] = []
        self._thread = threading.Thread(target=self._receive, name="statsd", daemon=True)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._socket.getsockname()[1])

    def received(self, prefix: str) -> dict[str, tuple[str, list[float]]]:
        """Return name → kind (``g``, ``c`` or ``ms``) and all values, of the metrics whose names begin so."""
        found: dict[str, tuple[str, list[float]]] = {}
        with self._lock:
            for name, kind, value in self._received:
                if name.startswith(prefix):
                    found.setdefault(name, (kind, []))[1].append(value)
        return found

    def _receive(self) -> None:
        while not self._stop.is_set():
            try:
                packet = self._socket.recv(65_535).decode()
            except TimeoutError:
                continue
            for line in packet.splitlines():
                name, _, rest = line.partition(":")
                value, kind = rest.split("|")[:2]
                with self._lock:
                    self._received.append((name, kind, float(value)))

    def __enter__(self) -> StatsdServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(5)
        self._socket.close()
