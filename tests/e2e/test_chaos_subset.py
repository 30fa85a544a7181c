"""A few telling cells of the chaos matrix, in the Airflow of the other end-to-end tests; all by ``make chaos``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from devtools.airflow.stack import AirflowStack
from tests.chaos import task_failures
from tests.chaos.cases import HELD_BACK, SUBMIT, cell
from tests.chaos.component_failures import all_wait
from tests.chaos.runner import Scene, Stage

pytestmark = pytest.mark.e2e

KILLED_EARLY = "worker killed -9 after the submit, before the id is stored"
HOLD = {**SUBMIT, **HELD_BACK}

CELLS = (
    cell(KILLED_EARLY, "synchronous", accident=task_failures.kill_task_process_in_fault, faults=(HOLD,)),
    cell(KILLED_EARLY, "deferrable", accident=task_failures.kill_task_process_in_fault, faults=(HOLD,)),
    cell("worker killed -9 while waiting", "synchronous", accident=task_failures.kill_task_process_once_published),
    cell("task cleared", "deferrable"),
    cell("task marked failed", "deferrable"),
    cell("task marked failed", "synchronous"),
    cell("503 after acceptance", "deferrable"),
)
TRIGGERER = cell("triggerer killed -9", "deferrable")


@pytest.fixture(scope="module")
def played(airflow_stack: AirflowStack, emulator: FabricEmulator) -> Iterator[dict[str, Scene]]:
    """The cells, played together; then the one that takes the triggerer away."""
    folder = Path(airflow_stack.env["AIRFLOW__CORE__DAGS_FOLDER"]) / "chaos"
    folder.mkdir()
    stage = Stage([*CELLS, TRIGGERER], emulator, folder, prefix="subset-", check_interval=3)
    stage.airflow = airflow_stack
    stage.play(stage.scenes[:-1])
    stage.play(stage.scenes[-1:], kill_and_restart)
    yield {scene.cell.id: scene for scene in stage.scenes}
    stage.close()


def kill_and_restart(airflow: AirflowStack, scenes: list[Scene]) -> None:
    """SIGKILL the only triggerer, and start it again."""
    all_wait(airflow, scenes)
    airflow.component("triggerer-1").kill()
    airflow.component("triggerer-1").start()


@pytest.mark.parametrize("played_cell", [*CELLS, TRIGGERER], ids=lambda played_cell: played_cell.id)
def test_one_run_once(played_cell, played: dict[str, Scene]):
    scene = played[played_cell.id]
    assert scene.verdict().good, scene.tell()
