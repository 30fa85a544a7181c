"""The provider runs unchanged on Celery: two workers, a queue between them and the scheduler, and one of them dies."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import psutil
import pytest

from devtools.airflow.stack import AirflowStack
from tests.chaos import task_failures
from tests.chaos.cases import LONG, MODES, Cell, cell
from tests.chaos.component_failures import WAIT_SECONDS, all_wait
from tests.chaos.environment import played
from tests.chaos.runner import Scene

pytestmark = pytest.mark.chaos

WORKERS = ("celery-worker-1", "celery-worker-2")
DEATH = "one of two Celery workers killed -9"
TASKS = 3
"""In each mode. Which worker takes which is Celery's choice."""

HELD = "worker killed -9 after the submit, before the id is stored"
PROCESS_DIES = {"accident": task_failures.kill_task_process_in_fault}

CELLS: tuple[Cell, ...] = (
    *(cell(HELD, mode, **PROCESS_DIES) for mode in MODES),
    *(cell(name, mode) for name in ("task cleared", "task marked failed", "our timeout") for mode in MODES),
    *(cell(name, mode) for name in ("503 after acceptance", "token revoked while waiting") for mode in MODES),
    *(
        replace(one, name=f"{DEATH}, task {number}", note="")
        for number in range(1, TASKS + 1)
        for one in (Cell(DEATH, mode, wave=DEATH, rules=({"duration_seconds": LONG},)) for mode in MODES)
    ),
)


def kill_a_worker(airflow: AirflowStack, scenes: Sequence[Scene]) -> None:
    """SIGKILL the worker that runs the first synchronous task, with all its processes; the other takes over."""
    all_wait(airflow, scenes)
    waiting = [scene for scene in scenes if scene.cell.mode == "synchronous"]
    homes = {scene.dag_id: _worker_of(airflow, scene) for scene in waiting}
    dead = homes[waiting[0].dag_id]
    airflow.component(dead).kill()
    orphans = [scene for scene in waiting if homes[scene.dag_id] == dead]

    def resumed() -> bool:
        tasks = [scene.task() for scene in orphans]
        return all(task.try_number == 2 and task.state == "running" for task in tasks)

    airflow.wait_until(resumed, WAIT_SECONDS, f"the tasks of {dead} run on the other worker", 0.5)
    time.sleep(5)
    assert all(_worker_of(airflow, scene) != dead for scene in orphans)


def _worker_of(airflow: AirflowStack, scene: Scene) -> str:
    """Return the Celery worker among whose processes a task's is."""
    pid = scene.task().pid
    assert pid is not None
    ancestors = {process.pid for process in psutil.Process(pid).parents()}
    return next(name for name in WORKERS if airflow.component(name).pid in ancestors)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Scene]]:
    """All cells, played."""
    waves = {"each its own": None, DEATH: kill_a_worker}
    with played(CELLS, waves, tmp_path_factory.mktemp("dags"), celery_workers=len(WORKERS)) as scenes:
        yield scenes


@pytest.mark.parametrize("played_cell", CELLS, ids=lambda played_cell: played_cell.id)
def test_on_celery(played_cell: Cell, scenes: dict[str, Scene]) -> None:
    scene = scenes[played_cell.id]
    assert scene.verdict().good, scene.tell()
