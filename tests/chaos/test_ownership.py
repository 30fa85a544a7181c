"""Green means done: every green task has a completed run of its own, in a real Airflow, whatever goes wrong.

``pytest -m chaos tests/chaos/test_ownership.py [--case WORD] [--missing]``. With PostgreSQL, if it is installed.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from devtools.airflow.servers import Postgres, postgres_folder
from devtools.airflow.stack import AirflowStack
from devtools.airflow.versions import installed_airflow
from tests.chaos import clocks
from tests.chaos.component_failures import SERVICE_AHEAD, SETTINGS
from tests.chaos.ownership import Case, CaseRun, Harness
from tests.chaos.ownership_cases import CASES
from tests.chaos.ownership_judge import judge, tell
from tests.chaos.ownership_report import Results, write

pytestmark = pytest.mark.chaos

MORE_SETTINGS = {
    # The scheduler lives; on a busy machine its loop takes longer than the matrix of dead schedulers allows.
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "180",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "300",
    "AIRFLOW__CORE__PARALLELISM": "40",
    "AIRFLOW__CORE__MIN_SERIALIZED_DAG_FETCH_INTERVAL": "1",
    # A DAG file is parsed when it has changed; in between, a busy machine has better things to do.
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "900",
    "AIRFLOW__DAG_PROCESSOR__STALE_DAG_THRESHOLD": "900",
    "AIRFLOW__SCHEDULER__MIN_FILE_PROCESS_INTERVAL": "900",
    "AIRFLOW__SCHEDULER__STALE_DAG_THRESHOLD": "900",
    # Airflow 2 reports a dead task again until a parser has had the time to fail it: a retry may have begun by then.
    "AIRFLOW__SCHEDULER__ZOMBIE_DETECTION_INTERVAL": "60",
}


@pytest.fixture(scope="module")
def wrong(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What is wrong with each case that was run, by its id: nothing, as a rule."""
    words, only_missing = request.config.getoption("--case"), request.config.getoption("--missing")
    results = Results(installed_airflow())
    chosen = [case for case in CASES if not words or any(word in case.id for word in words)]
    cases = [case for case in chosen if not (only_missing and results.is_good(case))]
    found = _run(cases, results, tmp_path_factory) if cases else {}
    write()
    return found


def _run(cases: list[Case], results: Results, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    wrong: dict[str, str] = {}
    folder, programs = tmp_path_factory.mktemp("dags"), tmp_path_factory.mktemp("programs")
    with ExitStack() as servers:
        emulator = servers.enter_context(
            FabricEmulator(clock=lambda: time.time() + SERVICE_AHEAD, retry_after_seconds=2, cancel_seconds=2)
        )
        emulator.control.configure(quotas={"job_scheduler": None, "platform": None})
        harness = Harness(_possible(cases, library := clocks.build(programs)), emulator, folder)
        installed = postgres_folder()
        database = servers.enter_context(Postgres(installed)).url if installed else None
        harness.airflow = servers.enter_context(
            AirflowStack(
                dags=folder,
                connections={
                    "fabric_default": _connection(emulator, 20),
                    "fabric_patient": _connection(emulator, 200),
                },
                env={**SETTINGS, **MORE_SETTINGS, **clocks.environment(library)},
                database=database,
            )
        )

        def judged(case_run: CaseRun) -> None:
            case, found = case_run.case, judge(case_run)
            good = not found.wrong
            counts = {"green": found.green, "red_by_design": found.red}
            counts |= {"runs_started": found.started, "runs_cancelled": found.cancelled}
            results.add(case, counts=counts, seconds=case_run.seconds, good=good)
            wrong[case.id] = "" if good else tell(case_run, found)
            print("good" if good else "BAD ", f"{case_run.seconds:4.0f} s", case.id, counts, wrong[case.id], flush=True)

        harness.run(judged)
    return wrong


def _connection(emulator: FabricEmulator, timeout_seconds: float) -> dict[str, Any]:
    connection = emulator.connection
    more = {"timeout_seconds": timeout_seconds, "job_calls_per_minute": 6000}
    return {**connection, "extra": {**connection["extra"], **more}}


def _possible(cases: list[Case], library: Path | None) -> list[Case]:
    """Return the cases without those that need a C compiler, if there is none."""
    return [case for case in cases if library is not None or not case.clock]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_every_green_task_has_a_run_of_its_own(case: Case, wrong: dict[str, str]) -> None:
    if case.id not in wrong:
        pytest.skip("not chosen, good already, or no C compiler")
    assert not wrong[case.id], wrong[case.id]
