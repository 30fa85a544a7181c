"""Servers of our own for Airflow: in a temporary directory, on a free loopback port, stopped by their process id."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from devtools.airflow.processes import LOOPBACK, free_port

S = TypeVar("S", bound="Server")

INSTALLED = "/usr/lib/postgresql"
START_SECONDS = 60.0
POSTGRES_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "listen_addresses": LOOPBACK,
    "max_connections": "300",
    "synchronous_commit": "off",
    "unix_socket_directories": "",
}


def postgres_folder() -> Path | None:
    """Return the folder of ``initdb`` and ``postgres``, ``None`` if PostgreSQL is not installed."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    versions = sorted(Path(INSTALLED).glob("*/bin/initdb"), key=lambda path: int(path.parts[-3].split(".")[0]))
    return versions[-1].parent if versions else None


def redis_program() -> Path | None:
    """Return the path of ``redis-server``, ``None`` if Redis is not installed."""
    found = shutil.which("redis-server")
    return Path(found) if found else None


class Server(ABC):
    """A running server, as long as the ``with`` lasts."""

    def __init__(self) -> None:
        self.port = free_port()
        self.home = Path(tempfile.mkdtemp(prefix=f"{type(self).__name__.lower()}-"))
        self.process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def start(self) -> None:
        """Start :attr:`process`."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it can be used."""

    def __enter__(self: S) -> S:
        try:
            self.start()
            deadline = time.monotonic() + START_SECONDS
            while not self.answers():
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{type(self).__name__} does not answer on port {self.port}")
                time.sleep(0.2)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop the server, clients or not, and remove its files."""
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)  # PostgreSQL's "fast shutdown"; Redis ends as well
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(5)
        shutil.rmtree(self.home, ignore_errors=True)


class Postgres(Server):
    """PostgreSQL with an empty database ``airflow``. It refuses to run as root; then it runs as ``nobody``.

    :param folder: of ``initdb`` and ``postgres``.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._data = self.home / "data"

    @property
    def url(self) -> str:
        """SQLAlchemy URL of the database."""
        return f"postgresql+psycopg2://postgres@{LOOPBACK}:{self.port}/airflow"

    def start(self) -> None:
        """Create the files, then start."""
        if os.geteuid() == 0:
            os.chown(self.home, *_nobody())
        self._run("initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C")
        with (self._data / "postgresql.auto.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in POSTGRES_SETTINGS.items())
        with (self.home / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [self._folder / "postgres", "-D", self._data, "-p", str(self.port)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.home,
                preexec_fn=_become(),
            )

    def answers(self) -> bool:
        """Whether it has let us create the database."""
        try:
            self._run("createdb", "-h", LOOPBACK, "-p", str(self.port), "-U", "postgres", "airflow")
        except RuntimeError:
            return False
        return True

    def _run(self, program: str, *arguments: str | Path) -> None:
        answer = subprocess.run(
            [self._folder / program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.home,
            preexec_fn=_become(),
        )
        if answer.returncode:
            raise RuntimeError(f"{program} ended {answer.returncode}:\n{answer.stdout}")


class Redis(Server):
    """Redis that keeps nothing: Celery's broker.

    :param program: path of ``redis-server``.
    """

    def __init__(self, program: Path) -> None:
        super().__init__()
        self._program = program

    @property
    def url(self) -> str:
        """Address for Celery."""
        return f"redis://{LOOPBACK}:{self.port}/0"

    def start(self) -> None:
        """Start."""
        settings = ["--port", str(self.port), "--bind", LOOPBACK, "--dir", str(self.home), "--save", ""]
        self.process = subprocess.Popen([self._program, *settings], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def answers(self) -> bool:
        """Whether it answers a ping."""
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=1) as probe:
                probe.sendall(b"PING\r\n")
                return probe.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def _nobody() -> tuple[int, int]:
    user = pwd.getpwnam("nobody")
    return user.pw_uid, user.pw_gid


def _become() -> Callable[[], None] | None:
    """Return what a child does to be no longer root."""
    if os.geteuid() != 0:
        return None
    uid, gid = _nobody()

    def drop() -> None:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)

    return drop
