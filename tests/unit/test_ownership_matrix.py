"""The ownership table of docs/reliability-matrix.md is what was recorded, and its judge sees what must not be."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chaos import ownership_report, report
from tests.chaos.ownership import Case
from tests.chaos.ownership_cases import CASES
from tests.chaos.ownership_judge import errors_of

CASE = Case("task cleared", "synchronous", group="Cleared")
BOTH = (CASE, Case("task cleared", "deferrable", group="Cleared"))


def row(case: Case = CASE, **changes: Any) -> dict[str, Any]:
    usual = {"id": case.id, "name": case.name, "mode": case.mode, "good": True, "green": 1, "red_by_design": 0}
    return {**usual, "date": "2026-11-26", "commit": "abc1234", **changes}


def part(*rows: dict[str, Any], version: str = "3.3.2") -> dict[str, Any]:
    return {"version": version, "machine": "2 cores", "rows": list(rows)}


def line(*rows: dict[str, Any]) -> str:
    return ownership_report.table([part(*rows)], BOTH).splitlines()[2]


def test_the_page_is_made_of_what_was_recorded() -> None:
    page = report.PAGE.read_text()
    made = report.replaced(page, "ownership", ownership_report.table(ownership_report.recorded()))
    assert made == page, "stale: python -m tests.chaos.ownership_report"


@pytest.mark.parametrize(
    ("rows", "cell"),
    [
        ([row(BOTH[0]), row(BOTH[1])], "✓"),
        ([row(BOTH[0]), row(BOTH[1], good=False)], "1 ✓, 1 ✗"),
        ([row(BOTH[0])], "1 ✓, 1 not run"),
        ([row(BOTH[0], green=2, red_by_design=1), row(BOTH[1], green=3)], "✓, 1 of 6 red"),
        ([], "not run"),
    ],
)
def test_a_cell_says_what_was_not_as_expected_and_what_was_not_run(rows: list[dict[str, Any]], cell: str) -> None:
    assert line(*rows) == f"| Cleared | 2 | {cell} |"


def test_the_summary_counts_what_was_as_expected() -> None:
    text = ownership_report.table([part(row(good=False))], BOTH).splitlines()[-1]
    assert "0 of 2 as expected (2026-11-26, commit abc1234)." in text


def test_every_case_has_a_name_of_its_own() -> None:
    assert len({case.id for case in CASES}) == len(CASES)


def test_the_task_s_error_is_told_from_its_causes() -> None:
    red = "FabricJobMayBeRunning"
    printed = (
        f"airflow_provider_fabric.exceptions.FabricServerError: 503\n\nairflow_provider_fabric.lifecycle.final.{red}: x"
    )
    assert errors_of(printed, causes_first=True) == [red, "FabricServerError"]
    structured = f"{red}: x\nFabricServerError: 503\n"
    assert errors_of(structured, causes_first=False) == [red, "FabricServerError"]
