"""What came of the ownership part: JSON in ``docs/matrices/ownership/``, one file for each Airflow, and a table of it.

A case's result replaces its last one, so the part need not run in one piece.

::

    python -m tests.chaos.ownership_report    write the table anew
"""

from __future__ import annotations

import json
import os
import platform
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from tests.chaos import report
from tests.chaos.ownership import Case
from tests.chaos.ownership_cases import CASES

FOLDER = report.RESULTS / "ownership"
EXPECTED = {
    "never": "green",
    "perhaps": "green, or red by design",
    "always": "red by design",
}


class Results:
    """The results in one Airflow.

    :param version: Airflow's.
    :param folder: of the files.
    """

    def __init__(self, version: str, folder: Path = FOLDER) -> None:
        self.version = version
        self._path = folder / f"airflow-{version}.json"
        self._lock = threading.Lock()
        rows = json.loads(self._path.read_text())["rows"] if self._path.exists() else []
        self.rows: dict[str, dict[str, Any]] = {row["id"]: row for row in rows}

    def is_good(self, case: Case) -> bool:
        """Whether a case has come out as expected before."""
        return bool(self.rows.get(case.id, {}).get("good"))

    def add(
        self, case: Case, *, green: int, red: int, started: int, cancelled: int, seconds: float, good: bool
    ) -> None:
        """Take in what came of a case, now."""
        row = {
            "id": case.id,
            "name": case.name,
            "mode": case.mode,
            "expected": case.red,
            "good": good,
            "green": green,
            "red_by_design": red,
            "runs_started": started,
            "runs_cancelled": cancelled,
            "seconds": round(seconds),
            "date": datetime.now(timezone.utc).date().isoformat(),
            "commit": report.commit(),
        }
        with self._lock:
            self.rows[case.id] = row
            order = {case.id: number for number, case in enumerate(CASES)}
            rows = sorted(self.rows.values(), key=lambda row: order.get(row["id"], len(order)))
            machine = f"Python {platform.python_version()}, {os.cpu_count()} cores, LocalExecutor"
            self._path.parent.mkdir(parents=True, exist_ok=True)
            text = json.dumps({"version": self.version, "machine": machine, "rows": rows}, indent=1)
            self._path.write_text(text + "\n")


def recorded(folder: Path = FOLDER) -> list[dict[str, Any]]:
    """Return what has been recorded, the newest Airflow first."""
    found = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    return sorted(found, key=lambda one: tuple(map(int, one["version"].split("."))), reverse=True)


def table(parts: Sequence[Mapping[str, Any]], cases: Sequence[Case] = CASES) -> str:
    """Return one table for every Airflow: what goes wrong, how tasks may end, and whether they did."""
    lines = [
        f"| What goes wrong | Tasks end | {' | '.join(part['version'] for part in parts)} |",
        f"| --- | --- |{' --- |' * len(parts)}",
    ]
    for name in dict.fromkeys(case.name for case in cases):
        same = [case for case in cases if case.name == name]
        cells = (_cell([_row_of(part, case) for case in same]) for part in parts)
        lines.append(f"| {name} | {EXPECTED[same[0].red]} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", *(_summary(part, cases) for part in parts)])


def _row_of(part: Mapping[str, Any], case: Case) -> Mapping[str, Any] | None:
    return next((row for row in part["rows"] if row["id"] == case.id), None)


def _cell(rows: Sequence[Mapping[str, Any] | None]) -> str:
    """Return how it went in both modes: ✓, with the tasks that were red by design, ✗, or that it was not run."""
    run = [row for row in rows if row is not None]
    if not run:
        return "not run"
    parts = [f"✗ {row['mode']}" for row in run if not row["good"]] or ["✓"]
    parts += [f"{row['mode']} not run" for row in _other_modes(run)] if len(run) < len(rows) else []
    if red := sum(row["red_by_design"] for row in run):
        parts.append(f"{red} of {red + sum(row['green'] for row in run)} red")
    return "; ".join(parts)


def _other_modes(run: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, str]]:
    for mode in ("synchronous", "deferrable"):
        if all(row["mode"] != mode for row in run):
            yield {"mode": mode}


def _summary(part: Mapping[str, Any], cases: Sequence[Case]) -> str:
    rows = [row for case in cases if (row := _row_of(part, case)) is not None]
    days, commits = sorted({row["date"] for row in rows}), dict.fromkeys(row["commit"] for row in rows)
    counts = f"{sum(row['good'] for row in rows)} of {len(cases)} cases as expected, {len(cases) - len(rows)} not run"
    where = f"{', '.join(days)}, commit {', '.join(commits)}, {part['machine']}"
    return f"* [Airflow {part['version']}](matrices/ownership/airflow-{part['version']}.json): {counts} ({where})."


def write() -> None:
    """Write the page's table anew."""
    report.write("ownership", table(recorded()))


if __name__ == "__main__":
    write()
