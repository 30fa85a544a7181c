"""Green means done: every green task has a completed run of its own, in a real Airflow, whatever goes wrong.

It needs no PostgreSQL: ``pytest -m chaos tests/chaos/test_ownership.py [--cell WORD]``.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from devtools.airflow.stack import AirflowStack
from tests.chaos.ownership import CASES, Case, Play, Stage

pytestmark = pytest.mark.chaos


@pytest.fixture(scope="module")
def plays(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Play]]:
    """All chosen cases, played."""
    words = request.config.getoption("--cell", default=[])
    cases = [case for case in CASES if not words or any(word in case.id for word in words)]
    folder = tmp_path_factory.mktemp("dags")
    with FabricEmulator(retry_after_seconds=2, cancel_seconds=2) as emulator:
        emulator.control.configure(quotas={"job_scheduler": None, "platform": None})
        stage = Stage(cases, emulator, folder)
        connection = emulator.connection
        connection["extra"]["timeout_seconds"] = 20
        environment = {"AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "5"}
        with AirflowStack(dags=folder, connections={"fabric_default": connection}, env=environment) as airflow:
            stage.airflow = airflow
            stage.play()
            yield {play.case.id: play for play in stage.plays}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_every_green_task_has_a_run_of_its_own(case: Case, plays: dict[str, Play]) -> None:
    if case.id not in plays:
        pytest.skip("not chosen")
    wrong = plays[case.id].complaints()
    assert not wrong, "\n".join(wrong)
