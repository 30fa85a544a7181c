"""The two sides of a measurement: an emulator process on one core, triggerer processes on another."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPSConnection
from pathlib import Path
from ssl import create_default_context
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 1800.0
IDLE = 30.0
"""Seconds after which a connection is not used again: the emulator hangs up on idle ones."""


def cores() -> tuple[int, int]:
    """Return the emulator's core and the triggerers'."""
    available = sorted(os.sched_getaffinity(0))
    return available[0], available[-1]


class Emulator:
    """An emulator in a process of its own.

    :param process: the process.
    :param directory: where it keeps its files.
    """

    def __init__(self, process: subprocess.Popen[str], directory: str) -> None:
        self.process = process
        lines: dict[str, str] = {}
        assert process.stdout is not None
        for line in process.stdout:
            name, _, value = line.strip().partition(": ")
            lines[name] = value
            if line.startswith("Press"):
                break
        if "connection" not in lines:
            raise RuntimeError("the emulator did not start")
        self.connection: dict[str, Any] = json.loads(lines["connection"])
        self.ca_bundle = lines["ca_bundle"]
        self.directory = directory
        address = urlsplit(lines["url"])
        context = create_default_context(cafile=self.ca_bundle)
        self._used = time.monotonic()
        self._http = HTTPSConnection(address.hostname or "", address.port, context=context, timeout=60)

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Make a control call; the connection is kept while in use, since thousands of runs are started so."""
        if time.monotonic() - self._used > IDLE:
            self._http.close()
        self._http.request(method, f"/_emulator/{path}", None if body is None else json.dumps(body))
        answer = self._http.getresponse()
        self._used = time.monotonic()
        content = json.loads(answer.read() or b"null")
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {content}")
        return content

    def start_runs(self, count: int, items: int, seconds: list[float], **rule: Any) -> list[list[str]]:
        """Start runs, in turn on each of the items; return the ids of workspace, item and run of each."""
        seeded = self.control("POST", "seed", {"copies": {"type": "DataPipeline", "count": items}})["workspaces"][-1]
        self.control("POST", "jobs", {"duration_seconds": seconds, **rule})
        ids = [item["id"] for item in seeded["items"]]
        starts = ((ids[n % items], {"item_id": ids[n % items]}) for n in range(count))
        return [[seeded["id"], item, self.control("POST", "jobs/start", body)["id"]] for item, body in starts]

    def ends(self) -> dict[str, float]:
        """Return when each run ends, in epoch seconds."""
        return {job["id"]: job["ends_at"] for job in self.control("GET", "jobs")["value"]}

    def processor(self) -> float:
        """Return the emulator's processor time, in seconds."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident(self) -> int:
        """Return the emulator's memory, in bytes."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def emulator(**config: Any) -> Iterator[Emulator]:
    """Run an emulator on its core."""
    core = cores()[0]
    with tempfile.TemporaryDirectory(prefix="fabric-benchmark-") as directory:
        command = [sys.executable, "-m", "airflow_provider_fabric.emulator", "--port", "0", "--data-dir", directory]
        process = subprocess.Popen(
            [*command, "--config", json.dumps(config)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )
        try:
            yield Emulator(process, directory)
        finally:
            process.terminate()
            process.wait(30)


class Triggerers:
    """Triggerer processes that have imported Airflow and wait for their triggers, all on their core.

    :param server: the emulator.
    :param count: how many.
    :param connection: what ``AIRFLOW_CONN_FABRIC_BENCHMARK`` is to be.
    :param python: interpreter to run them with.
    """

    def __init__(self, server: Emulator, count: int, connection: dict[str, Any], python: str) -> None:
        self._directory = Path(server.directory)
        self._processes = [self._start(server, number, connection, python) for number in range(count)]
        while not all(self._file("result", number).exists() for number in range(count)):
            self._check()
            time.sleep(0.05)

    def _file(self, kind: str, number: int) -> Path:
        return self._directory / f"client-{number}.{kind}"

    def _start(self, server: Emulator, number: int, connection: dict[str, Any], python: str) -> subprocess.Popen[bytes]:
        files = [str(self._file(kind, number)) for kind in ("specification", "result")]
        with self._file("log", number).open("w") as log:
            return subprocess.Popen(
                [python, "-W", "ignore", "-m", "benchmarks.client", str(cores()[1]), *files],
                env={**os.environ, **_environment(server, connection, self._directory)},
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _check(self) -> None:
        for number, process in enumerate(self._processes):
            if process.poll():
                log = self._file("log", number).read_text()[-3000:]
                raise RuntimeError(f"a triggerer failed ({process.returncode}):\n{log}")

    def run(self, specs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Let them wait for their runs, and return their figures; see :mod:`benchmarks.client`."""
        for number, spec in enumerate(specs):
            draft = self._file("draft", number)
            draft.write_text(json.dumps(spec))
            draft.rename(self._file("specification", number))
        deadline = time.monotonic() + PATIENCE
        for process in self._processes:
            process.wait(max(1.0, deadline - time.monotonic()))
        self._check()
        return [json.loads(self._file("result", number).read_text()) for number in range(len(specs))]

    def stop(self) -> None:
        """End those that still run."""
        for process in self._processes:
            if process.poll() is None:
                process.kill()
                process.wait()


def _environment(server: Emulator, connection: dict[str, Any], directory: Path) -> dict[str, str]:
    theirs = connection["conn_type"] == "microsoft-fabric"
    return {
        **({"AIRFLOW__SECRETS__BACKEND": "benchmarks.kept_connection.KeptConnection"} if theirs else {}),
        "AIRFLOW_HOME": str(directory / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW_CONN_FABRIC_BENCHMARK": json.dumps(connection),
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
        "SSL_CERT_FILE": server.ca_bundle,
        "REQUESTS_CA_BUNDLE": server.ca_bundle,
    }
