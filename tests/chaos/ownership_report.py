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
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from tests.chaos import report
from tests.chaos.ownership import Case
from tests.chaos.ownership_cases import CASES

FOLDER = report.RESULTS / "ownership"


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

    def add(self, case: Case, *, counts: Mapping[str, int], seconds: float, good: bool) -> None:
        """Take in what came of a case, now.

        :param counts: of tasks and runs.
        """
        row = {
            "id": case.id,
            "name": case.name,
            "mode": case.mode,
            "expected": case.red,
            "good": good,
            **counts,
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
    """Return one table for every Airflow: what goes wrong, and in how many of its cases all was as it must be."""
    lines = [
        f"| What goes wrong | Cases | {' | '.join(part['version'] for part in parts)} |",
        f"| --- | --- |{' --- |' * len(parts)}",
    ]
    for group in dict.fromkeys(case.group for case in cases):
        same = [case for case in cases if case.group == group]
        cells = (_cell(part, same) for part in parts)
        lines.append(f"| {group} | {len(same)} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", *(_summary(part, cases) for part in parts)])


def _rows(part: Mapping[str, Any], cases: Sequence[Case]) -> list[Mapping[str, Any]]:
    wanted = {case.id for case in cases}
    return [row for row in part["rows"] if row["id"] in wanted]


def _cell(part: Mapping[str, Any], cases: Sequence[Case]) -> str:
    """Return ✓, or how many were as they must be; how many were not run; and the tasks that were red by design."""
    rows = _rows(part, cases)
    good = sum(row["good"] for row in rows)
    if not rows:
        return "not run"
    texts = ["✓" if good == len(cases) else f"{good} ✓"]
    texts += [f"{len(rows) - good} ✗"] if good < len(rows) else []
    texts += [f"{len(cases) - len(rows)} not run"] if len(rows) < len(cases) else []
    red = sum(row["red_by_design"] for row in rows)
    texts += [f"{red} of {red + sum(row['green'] for row in rows)} red"] if red else []
    return ", ".join(texts)


def _summary(part: Mapping[str, Any], cases: Sequence[Case]) -> str:
    rows = _rows(part, cases)
    days, commits = sorted({row["date"] for row in rows}), dict.fromkeys(row["commit"] for row in rows)
    code = f"{', '.join(days)}, commit {', '.join(commits)}"
    file = f"matrices/ownership/airflow-{part['version']}.json"
    counts = f"{sum(row['good'] for row in rows)} of {len(cases)} as expected"
    return f"* [Airflow {part['version']}]({file}): {counts} ({code})."


def write() -> None:
    """Write the page's table anew."""
    report.write("ownership", table(recorded()))


if __name__ == "__main__":
    write()
