"""docs/getting-started.md, followed command by command from an empty directory, in two Airflows.

The page's blocks are run as they stand; only the version of Airflow changes. pip finds the wheel of this checkout in a
folder, and the versions of everything else in ``constraints/``.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent.parent
PAGE = REPOSITORY / "docs" / "getting-started.md"
FENCE = re.compile(r'^```(?P<language>\w+)(?: title="(?P<title>[^"]*)")?\n(?P<text>.*?)^```', re.M | re.S)
SNIPPET = re.compile(r'^--8<-- "(?P<path>[^"]+)"$', re.M)
SHOWN = "3.3.2"
VERSIONS = [SHOWN, "2.10.5"] if sys.version_info < (3, 13) else [SHOWN]  # Airflow 2.10 ends at Python 3.12
TEN_MINUTES = 600

pytestmark = pytest.mark.docs


@dataclass
class Reader:
    """Somebody who does what the page says.

    :param home: an empty directory.
    :param airflow: which Airflow they want.
    :param environment: what their shell starts with.
    """

    home: Path
    airflow: str
    environment: dict[str, str]
    said: str = ""
    background: list[subprocess.Popen[str]] = field(default_factory=list)
    exports: str = ""

    def follow(self) -> None:
        """Do every step, in order."""
        for block in FENCE.finditer(PAGE.read_text()):
            text = SNIPPET.sub(lambda s: (REPOSITORY / s["path"]).read_text(), block["text"])
            title = block["title"] or ""
            if block["language"] == "python":
                file = self.home / title
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
            elif block["language"] == "text":
                for line in text.splitlines():
                    assert line in self.said, f"{line!r} is not in:\n{self.said[-8000:]}"
            elif title.startswith("second terminal"):
                self.start(text)
                self.wait_for(self.home / "emulator" / "connection.json")
            elif title.startswith("until Ctrl-C"):
                self.stay_a_while(text)
            else:
                self.type(text)

    def type(self, text: str) -> str:
        """Type commands into the first terminal, whose variables stay."""
        text = text.replace(f"apache-airflow=={SHOWN}", f"apache-airflow=={self.airflow}")
        script = f"set -e\n{self.exports}\n{text}"
        answer = subprocess.run(
            ["bash", "-c", script],
            cwd=self.home,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TEN_MINUTES,
        )
        self.said += answer.stdout
        assert answer.returncode == 0, f"{text}\n{answer.stdout[-8000:]}"
        self.exports += "".join(f"{line}\n" for line in text.splitlines() if line.startswith((". ", "export ")))
        return answer.stdout

    def start(self, text: str) -> subprocess.Popen[str]:
        """Type commands into a terminal of their own, and leave it running."""
        process = subprocess.Popen(
            ["bash", "-c", f"set -e\n{text}"],
            cwd=self.home,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        self.background.append(process)
        return process

    def wait_for(self, file: Path) -> None:
        """Wait until a file is there."""
        deadline = time.monotonic() + 60
        while not file.exists():
            assert time.monotonic() < deadline, f"{file} did not appear"
            time.sleep(0.2)

    def stay_a_while(self, text: str) -> None:
        """Start Airflow, wait until its UI answers, start the DAG, and watch it succeed."""
        self.start(f"{self.exports}\n{text}")
        deadline = time.monotonic() + 300
        while not self.ui_answers():
            assert time.monotonic() < deadline, "Airflow's UI did not come up"
            time.sleep(1)
        self.type("airflow dags unpause load_sales || true")
        self.type("airflow dags trigger load_sales --run-id watched")
        while (state := self.state_of("watched")) != "success":
            assert state != "failed", self.said[-4000:]
            assert time.monotonic() < deadline, f"the run is {state}"
            time.sleep(1)

    def state_of(self, run_id: str) -> str:
        """Return a DAG run's state, from Airflow's database: a command would take a core from Airflow for seconds."""
        with contextlib.closing(
            sqlite3.connect(f"file:{self.home / 'airflow' / 'airflow.db'}?mode=ro", uri=True)
        ) as db:
            (state,) = db.execute("select state from dag_run where run_id = ?", [run_id]).fetchone()
        return str(state)

    def ui_answers(self) -> bool:
        """Say whether somebody who opens the UI sees it."""
        try:
            with urllib.request.urlopen(self.environment["AIRFLOW__API__BASE_URL"], timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def leave(self) -> None:
        """Close all terminals."""
        for process in self.background:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
                try:
                    os.killpg(process.pid, number)
                    process.wait(15)
                except (ProcessLookupError, subprocess.TimeoutExpired):
                    continue


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheels")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        str(folder),
        str(REPOSITORY),
    ]
    subprocess.run(command, check=True, cwd=tempfile.gettempdir())
    return folder


def ports_of_its_own() -> dict[str, str]:
    """Return settings that keep Airflow's servers apart from whatever else runs on this machine."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(3)]
        for held in sockets:
            held.bind(("127.0.0.1", 0))
        ui, worker, triggerer = (str(held.getsockname()[1]) for held in sockets)
    return {
        "AIRFLOW__API__PORT": ui,
        "AIRFLOW__API__BASE_URL": f"http://localhost:{ui}/",
        "AIRFLOW__WEBSERVER__WEB_SERVER_PORT": ui,
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": worker,
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": triggerer,
    }


@pytest.fixture(params=VERSIONS)
def reader(request: pytest.FixtureRequest, wheels: Path, tmp_path: Path) -> Iterator[Reader]:
    """Somebody in an empty directory."""
    inherited = {
        k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "PYTHON", "PYTEST", "VIRTUAL_ENV"))
    }
    inherited["PATH"] = f"{Path(sys.executable).parent}:{inherited['PATH']}"
    somebody = Reader(
        tmp_path,
        request.param,
        inherited
        | {
            "PIP_FIND_LINKS": str(wheels),
            "PIP_CONSTRAINT": str(REPOSITORY / "constraints" / f"airflow-{request.param}.txt"),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            **ports_of_its_own(),
        },
    )
    yield somebody
    somebody.leave()


def test_from_an_empty_directory_to_a_dag_of_ones_own(reader: Reader) -> None:
    begin = time.monotonic()
    reader.follow()
    minutes = (time.monotonic() - begin) / 60
    print(f"Airflow {reader.airflow}: {minutes:.1f} minutes")
    assert minutes < 10
    # And pytest finds the plugin of the installed wheel by itself, without a warning, Airflow imported or not.
    reader.type("pip install --quiet pytest")
    (reader.home / "test_it.py").write_text(
        "def test_it(fabric_emulator):\n    assert fabric_emulator.control.jobs() == []\n"
    )
    reader.type("PYTEST_ADDOPTS= python -m pytest -q -W error -p no:anyio test_it.py")
    provider = "from airflow_provider_fabric.get_provider_info import get_provider_info"
    reader.type(f'python -c \'{provider}; import pytest, sys; sys.exit(pytest.main(["-qWerror", "test_it.py"]))\'')
