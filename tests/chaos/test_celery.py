"""The provider runs unchanged on Celery: two workers, a queue between them and the scheduler, and one of them dies."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import psutil
import pytest

from devtools.airflow.stack import AirflowStack
from tests.chaos import task_failures
from tests.chaos.cases import LONG, MODES, Case, case
from tests.chaos.component_failures import WAIT_SECONDS, all_wait
from tests.chaos.environment import run_cases
from tests.chaos.runner import CaseRun

pytestmark = pytest.mark.chaos

WORKERS = ("celery-worker-1", "celery-worker-2")
DEATH = "one of two Celery workers killed -9"
TASKS = 3
"""In each mode. Which worker takes which is Celery's choice."""

HELD = "worker killed -9 after the submit, before the id is stored"
PROCESS_DIES = {"accident": task_failures.kill_task_process_in_fault}

CASES: tuple[Case, ...] = (
    *(case(HELD, mode, **PROCESS_DIES) for mode in MODES),
    *(case(name, mode) for name in ("task cleared", "task marked failed", "our timeout") for mode in MODES),
    *(case(name, mode) for name in ("503 after acceptance", "token revoked while waiting") for mode in MODES),
    *(
        replace(one, name=f"{DEATH}, task {number}", note="")
        for number in range(1, TASKS + 1)
        for one in (Case(DEATH, mode, wave=DEATH, rules=({"duration_seconds": LONG},)) for mode in MODES)
    ),
)


def kill_a_worker(airflow: AirflowStack, case_runs: Sequence[CaseRun]) -> None:
    """SIGKILL the worker that runs the first synchronous task, with all its processes; the other takes over."""
    all_wait(airflow, case_runs)
    waiting = [case_run for case_run in case_runs if case_run.case.mode == "synchronous"]
    homes = {case_run.dag_id: _worker_of(airflow, case_run) for case_run in waiting}
    dead = homes[waiting[0].dag_id]
    airflow.component(dead).kill()
    orphans = [case_run for case_run in waiting if homes[case_run.dag_id] == dead]

    def resumed() -> bool:
        tasks = [case_run.task() for case_run in orphans]
        return all(task.try_number == 2 and task.state == "running" for task in tasks)

    airflow.wait_until(resumed, WAIT_SECONDS, f"the tasks of {dead} run on the other worker", 0.5)
    time.sleep(5)
    assert all(_worker_of(airflow, case_run) != dead for case_run in orphans)


def _worker_of(airflow: AirflowStack, case_run: CaseRun) -> str:
    """Return the Celery worker among whose processes a task's is."""
    pid = case_run.task().pid
    assert pid is not None
    ancestors = {process.pid for process in psutil.Process(pid).parents()}
    return next(name for name in WORKERS if airflow.component(name).pid in ancestors)


@pytest.fixture(scope="module")
def case_runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, CaseRun]]:
    """All cases, run."""
    waves = {"each its own": None, DEATH: kill_a_worker}
    with run_cases(CASES, waves, tmp_path_factory.mktemp("dags"), celery_workers=len(WORKERS)) as case_runs:
        yield case_runs


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_on_celery(case: Case, case_runs: dict[str, CaseRun]) -> None:
    case_run = case_runs[case.id]
    assert case_run.verdict().good, case_run.tell()
