"""The chaos matrix: every cell a real Airflow run, with the emulator's log as the judge."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from devtools.airflow_stack import AirflowStack
from devtools.postgres import Postgres, postgres_folder
from tests.chaos import report
from tests.chaos.cells import CELLS, Cell
from tests.chaos.stage import Scene, Stage, Verdict
from tests.chaos.waves import CLOCK_ZONES, SERVICE_AHEAD, SETTINGS, WAVES

pytestmark = pytest.mark.chaos


@pytest.fixture(scope="module")
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Scene]]:
    """All chosen cells, played."""
    words = request.config.getoption("--cell", default=[])
    cells = [cell for cell in CELLS if not words or any(word in cell.id for word in words)]
    folder = tmp_path_factory.mktemp("dags")
    installed = postgres_folder()
    if installed is None:
        pytest.skip("PostgreSQL is not installed (Debian, Ubuntu: apt-get install postgresql)")
    settings = {"job_seconds": 5, "retry_after_seconds": 6, "cancel_seconds": 2}
    with (
        Postgres(installed) as database,
        FabricEmulator(clock=lambda: time.time() + SERVICE_AHEAD, **settings) as emulator,
    ):
        emulator.control.configure(quotas={"job_scheduler": None, "platform": None})
        stage = Stage(cells, emulator, folder)
        shared = emulator.connection
        shared["extra"]["job_calls_per_minute"] = 6000
        airflow = AirflowStack(
            dags=folder,
            connections={"fabric_default": shared, **stage.connections},
            env=SETTINGS,
            database=database.url,
            triggerers=2,
        )
        for component, zone in CLOCK_ZONES.items():
            airflow.component(component).env["TZ"] = zone
        started = time.monotonic()
        with airflow:
            stage.airflow = airflow
            for wave, disturb in WAVES.items():
                if scenes := [scene for scene in stage.scenes if scene.cell.wave == wave]:
                    stage.play(scenes, disturb)
            tell(stage, [scene.verdict() for scene in stage.scenes], time.monotonic() - started, full=not words)
            yield {scene.cell.id: scene for scene in stage.scenes}
            stage.close()


def tell(stage: Stage, verdicts: list[Verdict], seconds: float, *, full: bool) -> None:
    """Print the table, and write it into the docs if it is complete."""
    table = report.matrix(stage.airflow.dialect.version, verdicts, seconds)
    print(f"\n{table}")
    if full:
        report.write(f"matrix {stage.airflow.dialect.version}", table)


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.id)
def test_cell(cell: Cell, played: dict[str, Scene]) -> None:
    if cell.id not in played:
        pytest.skip("not chosen")
    scene = played[cell.id]
    assert scene.verdict().good, scene.tell()
