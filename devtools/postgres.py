"""A PostgreSQL of our own: in a temporary directory, on a free loopback port, stopped by its process id.

PostgreSQL refuses to run as root; then it runs as ``nobody``.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from devtools.processes import LOOPBACK, free_port

INSTALLED = "/usr/lib/postgresql"
START_SECONDS = 60.0
SETTINGS = {
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


class Postgres:
    """A running server with an empty database ``airflow``.

    :param folder: of ``initdb`` and ``postgres``.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._home = Path(tempfile.mkdtemp(prefix="postgres-"))
        self._data = self._home / "data"
        self.port = free_port()
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """SQLAlchemy URL of the database."""
        return f"postgresql+psycopg2://postgres@{LOOPBACK}:{self.port}/airflow"

    def __enter__(self) -> Postgres:
        try:
            if os.geteuid() == 0:
                os.chown(self._home, *_nobody())
            self._run("initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C")
            with (self._data / "postgresql.auto.conf").open("a") as file:
                file.writelines(f"{name} = '{value}'\n" for name, value in SETTINGS.items())
            with (self._home / "log").open("wb") as log:
                self._server = subprocess.Popen(
                    [self._folder / "postgres", "-D", self._data, "-p", str(self.port)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=self._home,
                    preexec_fn=_become(),
                )
            self._create_database()
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
        if self._server is not None:
            self._server.send_signal(signal.SIGINT)  # "fast shutdown"
            try:
                self._server.wait(15)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait(5)
        shutil.rmtree(self._home, ignore_errors=True)

    def _create_database(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        create = ("createdb", "-h", LOOPBACK, "-p", str(self.port), "-U", "postgres", "airflow")
        while True:
            try:
                self._run(*create)
            except RuntimeError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
            else:
                return

    def _run(self, program: str, *arguments: str | Path) -> None:
        answer = subprocess.run(
            [self._folder / program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self._home,
            preexec_fn=_become(),
        )
        if answer.returncode:
            raise RuntimeError(f"{program} ended {answer.returncode}:\n{answer.stdout}")


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
