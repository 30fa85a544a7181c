"""A Redis of our own, Celery's broker: in a temporary directory, on a free loopback port, stopped by its process id."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from types import TracebackType

from devtools.processes import LOOPBACK, free_port

START_SECONDS = 30.0


def redis_program() -> str | None:
    """Return the path of ``redis-server``, ``None`` if Redis is not installed."""
    return shutil.which("redis-server")


class Redis:
    """A running server that keeps nothing.

    :param program: path of ``redis-server``.
    """

    def __init__(self, program: str) -> None:
        self._program = program
        self._home = tempfile.mkdtemp(prefix="redis-")
        self.port = free_port()
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Address for Celery."""
        return f"redis://{LOOPBACK}:{self.port}/0"

    def __enter__(self) -> Redis:
        settings = ["--port", str(self.port), "--bind", LOOPBACK, "--dir", self._home, "--save", ""]
        self._server = subprocess.Popen([self._program, *settings], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop the server and remove its files."""
        if self._server is not None:
            self._server.kill()
            self._server.wait(5)
        shutil.rmtree(self._home, ignore_errors=True)

    def _wait(self) -> None:
        """Wait until it answers.

        :raises TimeoutError: it does not.
        """
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                with socket.create_connection((LOOPBACK, self.port), timeout=1) as probe:
                    probe.sendall(b"PING\r\n")
                    if probe.recv(16).startswith(b"+PONG"):
                        return
            except OSError:
                pass
            if time.monotonic() > deadline:
                raise TimeoutError(f"Redis does not answer on port {self.port}")
            time.sleep(0.1)
