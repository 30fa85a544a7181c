"""``make demo`` and ``make demo-up``: a real Airflow drives Fabric jobs against the emulator.

::

    python -m devtools.demo [--airflow-port N] [--emulator-port N]      run the example DAG, report, exit 0 or 1
    python -m devtools.demo --up                                        leave both running until Ctrl-C
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from types import FrameType

from airflow_provider_fabric.emulator import FabricEmulator
from devtools.airflow.metadata_db import TERMINAL_RUN_STATES
from devtools.airflow.processes import PortInUse, claim_port
from devtools.airflow.stack import AirflowStack
from devtools.demo.report import Progress, table, task_reports, verdicts
from devtools.demo.request_judge import judge

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLE_DAGS = REPOSITORY / "example_dags"
RUNS = REPOSITORY / ".demo"
RUNS_KEPT = 3
DAG_ID = "fabric_data_factory"
TIMEOUT_SECONDS = 240.0


class Stopped(KeyboardInterrupt):
    """Somebody asked the demo to end: Ctrl-C, SIGTERM, a closed terminal."""


@dataclass(frozen=True)
class Demo:
    """A running Airflow and a running emulator."""

    airflow: AirflowStack
    emulator: FabricEmulator


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo; 0 if every task succeeded and the emulator saw nothing it should not."""
    parser = argparse.ArgumentParser(prog="python -m devtools.demo")
    parser.add_argument("--airflow-port", type=int, help="default: a free one; with --up 8080")
    parser.add_argument("--emulator-port", type=int, help="default: a free one; with --up 8443")
    parser.add_argument("--up", action="store_true", help="leave Airflow and the emulator running until Ctrl-C")
    arguments = parser.parse_args(argv)
    standard = (8080, 8443) if arguments.up else (0, 0)
    airflow_port = standard[0] if arguments.airflow_port is None else arguments.airflow_port
    emulator_port = standard[1] if arguments.emulator_port is None else arguments.emulator_port
    # Also when started in the background, where a shell has SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    try:
        with running(airflow_port, emulator_port) as demo:
            return stay(demo) if arguments.up else run_example(demo)
    except PortInUse as error:
        up = "-up" if arguments.up else ""
        print(f"make demo{up}: {error}; choose: make demo{up} AIRFLOW_PORT=… EMULATOR_PORT=…", file=sys.stderr)
        return 2
    except Stopped:
        print("\nStopped; nothing is left running.")
        return 0 if arguments.up else 130
    except (RuntimeError, TimeoutError) as error:
        print(f"make demo: {error}", file=sys.stderr)
        return 1


@contextlib.contextmanager
def running(airflow_port: int, emulator_port: int) -> Iterator[Demo]:
    """Start the emulator, then an Airflow that is connected to it."""
    airflow_port, emulator_port = claim_port(airflow_port), claim_port(emulator_port)
    home = _new_home()
    print("Starting the Fabric emulator and Airflow (about half a minute) …", flush=True)
    with FabricEmulator(port=emulator_port) as emulator:
        stack = AirflowStack(
            dags=EXAMPLE_DAGS,
            connections={"fabric_default": emulator.connection},
            port=airflow_port,
            home=home,
        )
        with stack as airflow:
            print(f"Airflow {airflow.dialect.version} at {airflow.base_url}, emulator at {emulator.url}.", flush=True)
            yield Demo(airflow, emulator)


def run_example(demo: Demo) -> int:
    """Run the example DAG, follow it, and report."""
    airflow = demo.airflow
    run_id = airflow.trigger(DAG_ID)
    print(f"DAG {DAG_ID}, run {run_id}:", flush=True)
    state = follow(airflow, run_id)
    reports = task_reports(airflow, DAG_ID, run_id)
    print(f"\n{table(reports)}\n")
    fabric = [report for report in reports if report.job_instance_id != "-"]
    seen = judge(demo.emulator.control.request_log(), demo.emulator.control.jobs())
    # A job's task and the upsert before it each run in a worker of their own; all triggers share one triggerer.
    processes = len(reports) + 1
    good = state == "success"
    print("The emulator's request log:")
    for as_it_should, sentence in verdicts(seen, jobs=len(fabric), processes=processes):
        print(f"  {'ok ' if as_it_should else 'BAD'} {sentence}")
        good = good and as_it_should
    print(f"Task logs:       {_shown(airflow.logs)}\nAirflow's logs:  {_shown(airflow.component_logs)}")
    print(f"Run {state}.", flush=True)
    return 0 if good else 1


def follow(airflow: AirflowStack, run_id: str) -> str:
    """Show the run until it has ended, and return its state."""
    progress = Progress()
    begin = time.monotonic()
    while True:
        state = airflow.run_state(DAG_ID, run_id)
        elapsed = time.monotonic() - begin
        progress.show(airflow.task_instances(DAG_ID, run_id), elapsed)
        if state in TERMINAL_RUN_STATES:
            return str(state)
        if elapsed > TIMEOUT_SECONDS:
            return f"still {state} after {elapsed:.0f} s"
        time.sleep(0.3)


def stay(demo: Demo) -> int:
    """Say where everything is, and wait for the end."""
    print(
        f"\n  Airflow   {demo.airflow.base_url}  (no sign-in; start the DAG {DAG_ID} there)"
        f"\n  Emulator  {demo.emulator.url}  (certificate authority: {demo.emulator.ca_bundle})"
        f"\n  Logs      {_shown(demo.airflow.logs)}"
        f"\n  Stop      Ctrl-C here, or: kill {os.getpid()}\n",
        flush=True,
    )
    while True:
        for component in demo.airflow.components.values():
            if not component.running:
                raise RuntimeError(f"{component.name} ended; see {_shown(component.log)}")
        time.sleep(1)


def _new_home() -> Path:
    """Return a fresh home under ``.demo/``; a few earlier ones stay, for their logs."""
    RUNS.mkdir(exist_ok=True)
    for old in sorted(path for path in RUNS.iterdir() if path.is_dir())[: -RUNS_KEPT or None]:
        shutil.rmtree(old, ignore_errors=True)
    return RUNS / f"{datetime.now(timezone.utc):%Y%m%d-%H%M%S}-{os.getpid()}"


def _shown(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped


if __name__ == "__main__":
    sys.exit(main())
