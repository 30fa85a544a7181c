"""A few telling cases of the chaos matrix, in the Airflow of the other end-to-end tests; all by ``make chaos``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from devtools.airflow.stack import AirflowStack
from tests.chaos import task_failures
from tests.chaos.cases import HELD_BACK, SUBMIT, case
from tests.chaos.component_failures import all_wait
from tests.chaos.runner import CaseRun, Harness

pytestmark = pytest.mark.e2e

KILLED_EARLY = "worker killed -9 after the submit, before the id is stored"
HOLD = {**SUBMIT, **HELD_BACK}

CASES = (
    case(KILLED_EARLY, "synchronous", accident=task_failures.kill_task_process_in_fault, faults=(HOLD,)),
    case(KILLED_EARLY, "deferrable", accident=task_failures.kill_task_process_in_fault, faults=(HOLD,)),
    case("worker killed -9 while waiting", "synchronous", accident=task_failures.kill_task_process_once_published),
    case("task cleared", "deferrable"),
    case("task marked failed", "deferrable"),
    case("task marked failed", "synchronous"),
    case("503 after acceptance", "deferrable"),
)
TRIGGERER = case("triggerer killed -9", "deferrable")


@pytest.fixture(scope="module")
def played(airflow_stack: AirflowStack, emulator: FabricEmulator) -> Iterator[dict[str, CaseRun]]:
    """The cases, played together; then the one that takes the triggerer away."""
    folder = Path(airflow_stack.env["AIRFLOW__CORE__DAGS_FOLDER"]) / "chaos"
    folder.mkdir()
    harness = Harness([*CASES, TRIGGERER], emulator, folder, prefix="subset-", check_interval=3)
    harness.airflow = airflow_stack
    harness.play(harness.case_runs[:-1])
    harness.play(harness.case_runs[-1:], kill_and_restart)
    yield {case_run.case.id: case_run for case_run in harness.case_runs}
    harness.close()


def kill_and_restart(airflow: AirflowStack, case_runs: list[CaseRun]) -> None:
    """SIGKILL the only triggerer, and start it again."""
    all_wait(airflow, case_runs)
    airflow.component("triggerer-1").kill()
    airflow.component("triggerer-1").start()


@pytest.mark.parametrize("case", [*CASES, TRIGGERER], ids=lambda case: case.id)
def test_one_run_once(case, played: dict[str, CaseRun]):
    case_run = played[case.id]
    assert case_run.verdict().good, case_run.tell()
