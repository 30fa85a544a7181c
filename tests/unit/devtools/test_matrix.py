"""The cells of ``make test-all``, and how they are shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from devtools.release import matrix
from devtools.release.matrix import Cell, Row


def test_every_supported_airflow_meets_every_python_it_supports():
    found = {(cell.airflow, cell.python) for cell in matrix.cells() if not cell.lowest}
    assert {airflow for airflow, _ in found} == {"2.10.5", "2.11.2", "3.1.8", "3.3.2"}
    assert {python for airflow, python in found if airflow == "3.3.2"} == {"3.10", "3.11", "3.12", "3.13"}
    assert ("2.10.5", "3.13") not in found


def test_the_lowest_libraries_are_tried_once_and_a_real_airflow_once_each():
    cells = list(matrix.cells())
    assert [cell.name for cell in cells if cell.lowest] == ["2.10.5/3.10/lowest"]
    assert [cell.name for cell in cells if cell.end_to_end] == [
        "2.10.5/3.12",
        "2.11.2/3.12",
        "3.1.8/3.13",
        "3.3.2/3.13",
    ]
    assert len({cell.folder for cell in cells}) == len(cells)


def test_the_lowest_libraries_are_those_that_are_declared():
    lowest = matrix.lowest_requirements()
    assert "msal==1.31.1" in lowest
    assert all("==" in text for text in lowest)
    assert not any(text.startswith("apache-airflow") for text in lowest)


@pytest.mark.parametrize(
    ("result", "good"),
    [
        ("2460 passed, 1 skipped", True),
        ("22 failed, 2460 passed", False),
        ("1 error", False),
        ("error: nothing was printed", False),
        ("left out: no Python 3.13 here", False),
    ],
)
def test_a_row_is_good_only_if_all_passed(result: str, good: bool):
    assert Row(Cell("3.3.2", "3.13"), result, 1).good is good


def test_the_table_goes_between_its_markers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    page = tmp_path / "compatibility.md"
    page.write_text("before\n<!-- matrix -->\nold\n<!-- end matrix -->\nafter\n")
    monkeypatch.setattr(matrix, "PAGE", page)
    matrix.write([Row(Cell("2.10.5", "3.10", lowest=True), "9 passed", 90, "2026-11-25")])
    text = page.read_text()
    assert "| 2.10.5 | 3.10, the lowest libraries | 9 passed | 2026-11-25 |" in text
    assert text.startswith("before\n<!-- matrix -->\n")
    assert text.endswith("<!-- end matrix -->\nafter\n")
    assert "old" not in text


def test_what_came_of_a_cell_is_kept_until_it_is_run_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(matrix, "RESULTS", tmp_path / "build" / "results.json")
    newest, oldest = Cell("3.3.2", "3.13", end_to_end=True), Cell("2.10.5", "3.10")
    for row in (Row(newest, "1 failed", 5), Row(oldest, "8 passed", 6), Row(newest, "9 passed", 7)):
        matrix.keep(row)
    assert [(row.cell, row.result, row.seconds) for row in matrix.kept()] == [
        (oldest, "8 passed", 6),
        (newest, "9 passed", 7),
    ]
