"""Processes that belong to one throw-away home: started, signalled, killed, and none left behind.

Airflow's components fork supervisors, runners and tasks, some into process groups or sessions of their own, so a
process group says too little. What all of them keep is the environment they were started with: every process of a stack
carries ``AIRFLOW_HOME=<its throw-away directory>``, and :func:`sweep` ends exactly those.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # Airflow depends on it; no stubs are needed for this little

MARK = "AIRFLOW_HOME"
LOOPBACK = "127.0.0.1"


class PortInUse(RuntimeError):
    """Somebody else listens on the port asked for."""


def free_port() -> int:
    """Return a loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def claim_port(port: int) -> int:
    """Return ``port`` if it can be bound (any free one for 0).

    :raises PortInUse: naming the port.
    """
    if not port:
        return free_port()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            raise PortInUse(f"port {port} on {LOOPBACK} is not free ({error.strerror})") from error
    return port


class Component:
    """One long-running process, its log file, and the ways to end it."""

    def __init__(self, name: str, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, log: Path) -> None:
        self.name = name
        self.argv = list(argv)
        self.env = dict(env)
        self.cwd = cwd
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None
        self._wanted = False

    def __repr__(self) -> str:
        return f"<{self.name} pid={self.pid} {'running' if self.running else 'stopped'}>"

    @property
    def pid(self) -> int | None:
        """Process id of the component itself, of the last start."""
        return self.process.pid if self.process else None

    @property
    def running(self) -> bool:
        """Whether the component itself lives."""
        return self.process is not None and self.process.poll() is None

    @property
    def died(self) -> bool:
        """Whether it has ended, and by none of the methods of this class."""
        return self._wanted and not self.running

    def start(self) -> None:
        """Start it in a session of its own, so that a Ctrl-C in the terminal reaches the harness only."""
        if self.running:
            raise RuntimeError(f"{self.name} is running already (pid {self.pid})")
        self._wanted = True
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.argv,
                env=self.env,
                cwd=self.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def family(self) -> list[psutil.Process]:
        """Return the component and all its descendants, the component first."""
        if not self.running or self.pid is None:
            return []
        with contextlib.suppress(psutil.NoSuchProcess):
            parent = psutil.Process(self.pid)
            return [parent, *parent.children(recursive=True)]
        return []

    def signal(self, number: int) -> None:
        """Send a signal to the component itself (``SIGSTOP`` and ``SIGCONT`` freeze and thaw it)."""
        if self.process is not None:
            self.process.send_signal(number)

    def kill(self, *, tree: bool = True) -> None:
        """SIGKILL, as a machine that dies (``tree``) or as the kernel's out-of-memory killer (the one process)."""
        self._wanted = False
        family = self.family() if tree else self.family()[:1]
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.wait(10)

    def terminate(self) -> None:
        """SIGTERM to the component itself, without waiting: a polite stop, as a deployment's."""
        self._wanted = False
        if self.running:
            self.signal(signal.SIGTERM)

    def wait(self, timeout: float) -> bool:
        """Wait until it has ended; return whether it has."""
        if self.process is None:
            return True
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self, timeout: float = 30.0) -> None:
        """Stop politely; after ``timeout`` seconds, kill it and its descendants."""
        family = self.family()
        self.terminate()
        if not self.wait(timeout):
            self.kill()
        end(family)

    def restart(self, timeout: float = 30.0) -> None:
        """Stop politely, then start again."""
        self.stop(timeout)
        self.start()

    def tail(self, lines: int = 20) -> str:
        """Return the end of its log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def end(processes: Sequence[psutil.Process]) -> None:
    """SIGKILL whichever of the processes still lives, and wait for it."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=5)


def marked(home: Path) -> list[psutil.Process]:
    """Return the processes that were started with ``AIRFLOW_HOME=home``."""
    found = []
    for process in psutil.process_iter():
        # Zombies and other users' processes do not show their environment; they are not ours to end.
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(MARK) == str(home):
                found.append(process)
    return found


def sweep(home: Path, *, rounds: int = 5) -> int:
    """Kill every process marked with ``home``, forks made meanwhile included; return how many there were."""
    count = 0
    for _ in range(rounds):
        processes = marked(home)
        if not processes:
            break
        count += len(processes)
        end(processes)
        time.sleep(0.05)
    return count


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C and SIGTERM back while cleaning up; a second Ctrl-C must not leave half of it running."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    try:
        before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    except ValueError:  # not the main thread: signals do not interrupt us
        before = {}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
