"""The table of docs/reliability-matrix.md is what the recorded matrices say."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chaos import report


def row(**changes: Any) -> dict[str, Any]:
    usual = {"name": "task cleared", "mode": "deferrable", "seconds": 3, "note": ""}
    return {**usual, "got": [2, 1, "success", 0], "expected": [2, 1, "success", 0], "good": True, **changes}


def result(title: str, *rows: dict[str, Any]) -> dict[str, Any]:
    return {"title": title, "machine": "(today)", "minutes": 4, "remark": "", "rows": list(rows)}


@pytest.mark.parametrize("section", report.SECTIONS)
def test_the_page_is_made_of_the_recorded_matrices(section: str) -> None:
    page = report.PAGE.read_text()
    made = report.replaced(page, section, report.text_of(section))
    assert made == page, "stale: python -m tests.chaos.report"


def test_each_airflow_has_a_column_the_newest_first() -> None:
    titles = [one["title"] for one in report.results()]
    assert "Airflow 3.3.2" in titles
    assert titles == sorted(titles, key=lambda title: report._version(title), reverse=True)


def test_a_deviation_is_shown_as_one() -> None:
    bad = row(got=[1, 0, "failed", 1], good=False)
    line = report.table([result("Airflow 3.3.2", row()), result("Airflow 2.11.2", bad)]).splitlines()[2]
    assert line == "| task cleared | 2 · 1 · success | ✓ | ✗ deferrable: 1 · 0 · failed · 1 goes on |"


def test_what_an_airflow_does_otherwise_is_not_hidden_behind_a_sign() -> None:
    other = row(got=[1, 0, "failed", 1], expected=[1, 0, "failed", 1])
    line = report.table([result("Airflow 3.3.2", row()), result("Airflow 2.11.2", other)]).splitlines()[2]
    assert line.endswith("| ✓ | ✓ deferrable: 1 · 0 · failed · 1 goes on |")


def test_a_row_that_an_airflow_did_not_play_is_empty() -> None:
    line = report.table([result("Airflow 3.3.2", row()), result("Airflow 2.11.2", row(name="x"))]).splitlines()[2]
    assert line == "| task cleared | 2 · 1 · success | ✓ |  |"


def test_an_unknown_kind_of_section_has_no_place() -> None:
    with pytest.raises(ValueError, match="no <!-- more soak -->"):
        report.replaced(report.PAGE.read_text(), "soak 3.3.2", "text")
