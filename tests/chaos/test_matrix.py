"""The chaos matrix: every cell a real Airflow run, with the emulator's log as the judge."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.cases import CELLS, Cell
from tests.chaos.component_failures import WAVES
from tests.chaos.environment import played
from tests.chaos.runner import Scene

pytestmark = pytest.mark.chaos


@pytest.fixture(scope="module")
def scenes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Scene]]:
    """All chosen cells, played."""
    words = request.config.getoption("--cell", default=[])
    cells = [cell for cell in CELLS if not words or any(word in cell.id for word in words)]
    with played(cells, WAVES, tmp_path_factory.mktemp("dags"), docs=not words) as scenes:
        yield scenes


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.id)
def test_cell(cell: Cell, scenes: dict[str, Scene]) -> None:
    if cell.id not in scenes:
        pytest.skip("not chosen")
    scene = scenes[cell.id]
    assert scene.verdict().good, scene.tell()
