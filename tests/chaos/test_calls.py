"""The chaos matrix of what is no run of a job: every case in a real Airflow, with the emulator's log as the judge."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.call_cases import CALL_CASES, OPERATION_SECONDS
from tests.chaos.cases import Case
from tests.chaos.environment import run_cases
from tests.chaos.runner import CaseRun

pytestmark = pytest.mark.chaos

SLOW = {"lro_seconds": OPERATION_SECONDS, "capacity_seconds": OPERATION_SECONDS, "force_lro": True}


@pytest.fixture(scope="module")
def case_runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, CaseRun]]:
    """All chosen cases, run."""
    words = request.config.getoption("--case", default=[])
    cases = [case for case in CALL_CASES if not words or any(word in case.id for word in words)]
    folder, waves = tmp_path_factory.mktemp("dags"), {"each its own": None}
    with run_cases(cases, waves, folder, docs=not words, section="calls", service=SLOW) as case_runs:
        yield case_runs


@pytest.mark.parametrize("case", CALL_CASES, ids=lambda case: case.id)
def test_case(case: Case, case_runs: dict[str, CaseRun]) -> None:
    if case.id not in case_runs:
        pytest.skip("not chosen")
    case_run = case_runs[case.id]
    assert case_run.verdict().good, case_run.tell()
