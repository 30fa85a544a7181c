"""``make demo`` when something is in its way, and when somebody stops it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

REPOSITORY = Path(__file__).resolve().parent.parent.parent
DEMO = [sys.executable, "-m", "devtools.demo"]


@pytest.mark.parametrize("option", ["--airflow-port", "--emulator-port"])
def test_a_busy_port_is_said_in_one_line(option: str):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        answer = subprocess.run([*DEMO, option, str(port)], cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    assert answer.returncode == 2
    assert answer.stdout == ""
    assert answer.stderr.count("\n") == 1
    assert f"port {port} on 127.0.0.1 is not free" in answer.stderr


@pytest.mark.parametrize(
    ("script", "line"),
    [
        ('case "$2" in *version_info*sys.exit*|*exit*) exit 1;; *) echo 3.8;; esac', "Python 3.10 or newer is needed"),
        ("exit 127", "does not run"),
    ],
)
def test_an_unfit_python_is_said_in_one_line(tmp_path: Path, script: str, line: str):
    python = tmp_path / "python-of-yore"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    command = ["sh", "devtools/environment.sh", str(python), "3.3.2"]
    answer = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    assert answer.returncode == 2
    assert answer.stdout == ""
    assert answer.stderr.count("\n") == 1
    assert line in answer.stderr


@pytest.mark.e2e
def test_ctrl_c_leaves_no_process_behind():
    with subprocess.Popen(
        DEMO, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as demo:
        try:
            assert demo.stdout is not None
            lines = []
            for line in demo.stdout:
                lines.append(line)
                if line.endswith(" running\n"):  # the first task has a process
                    break
            assert lines[-1].endswith(" running\n"), "".join(lines)
            assert _left_of(demo.pid)
            os.killpg(demo.pid, signal.SIGINT)
            rest = demo.stdout.read()
            assert demo.wait(30) == 130, rest
            assert "Stopped; nothing is left running." in rest
        finally:
            demo.kill()
    time.sleep(0.2)
    assert _left_of(demo.pid) == []


def _left_of(pid: int) -> list[psutil.Process]:
    """Return the processes of a demo: its home's name ends with its process id."""
    found = []
    for process in psutil.process_iter():
        try:
            home = process.environ().get("AIRFLOW_HOME", "")
        except (psutil.Error, OSError):
            continue
        if home.startswith(str(REPOSITORY / ".demo")) and home.endswith(f"-{pid}"):
            found.append(process)
    return found
