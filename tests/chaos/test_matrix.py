"""The chaos matrix: every case a real Airflow run, with the emulator's log as the judge."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.cases import CASES, Case
from tests.chaos.component_failures import WAVES
from tests.chaos.environment import run_cases
from tests.chaos.runner import CaseRun

pytestmark = pytest.mark.chaos


@pytest.fixture(scope="module")
def case_runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, CaseRun]]:
    """All chosen cases, run."""
    words = request.config.getoption("--case", default=[])
    cases = [case for case in CASES if not words or any(word in case.id for word in words)]
    with run_cases(cases, WAVES, tmp_path_factory.mktemp("dags"), docs=not words) as case_runs:
        yield case_runs


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_case(case: Case, case_runs: dict[str, CaseRun]) -> None:
    if case.id not in case_runs:
        pytest.skip("not chosen")
    case_run = case_runs[case.id]
    assert case_run.verdict().good, case_run.tell()
