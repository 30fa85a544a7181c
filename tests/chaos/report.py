"""The tables of ``docs/reliability.md``: written by the runs, between markers, one per Airflow version."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

from tests.chaos.runner import Verdict

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "reliability.md"


def write(section: str, text: str) -> None:
    """Replace what stands between the markers of a section; a new section goes to the end of its kind.

    :raises ValueError: the page has no place for such a section.
    """
    begin, end = f"<!-- begin {section} -->", f"<!-- end {section} -->"
    block = f"{begin}\n{text.strip()}\n{end}"
    page = PAGE.read_text()
    if begin in page:
        page = re.sub(f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: block, page, flags=re.DOTALL)
    else:
        place = f"<!-- more {section.split()[0]} -->"
        if place not in page:
            raise ValueError(f"{PAGE.name} has no {place}")
        page = page.replace(place, f"{block}\n\n{place}")
    PAGE.write_text(page)


def matrix(title: str, verdicts: Sequence[Verdict], seconds: float, executor: str = "LocalExecutor") -> str:
    """Return the matrix as Markdown."""
    good = sum(verdict.good for verdict in verdicts)
    lines = [
        f"### {title}",
        "",
        f"{good} of {len(verdicts)} cells as expected, in {seconds / 60:.0f} minutes {machine(executor)}.",
        "",
        "| what goes wrong | mode | runs started | cancelled | task | expected | seconds |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    return "\n".join([*lines, *map(_row, verdicts), "", *_notes(verdicts)])


def machine(executor: str = "LocalExecutor") -> str:
    """Say when and where, for numbers that depend on it."""
    today = datetime.now(timezone.utc).date().isoformat()
    return f"({today}, Python {platform.python_version()}, {os.cpu_count()} cores, PostgreSQL, {executor})"


def _row(verdict: Verdict) -> str:
    wanted = verdict.expected
    expected = f"{wanted.started} · {wanted.cancelled} · {wanted.state}"
    if wanted.left_running:
        expected += f" · {wanted.left_running} goes on"
    state = verdict.state + (f" · {verdict.left_running} goes on" if verdict.left_running else "")
    sign = "" if verdict.good else " ✗"
    columns = (verdict.cell.name, verdict.cell.mode, verdict.started, verdict.cancelled, state, expected + sign)
    return "| " + " | ".join(map(str, columns)) + f" | {verdict.seconds:.0f} |"


def _notes(verdicts: Sequence[Verdict]) -> list[str]:
    notes = dict.fromkeys((verdict.cell.name, verdict.cell.note) for verdict in verdicts if verdict.cell.note)
    return [f"* *{name}*: {note}" for name, note in notes]
