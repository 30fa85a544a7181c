"""What a matrix did, as JSON in ``docs/matrices/``, and the table of ``docs/reliability-matrix.md``, made of it.

::

    python -m tests.chaos.report    write the table anew
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.chaos.runner import Verdict

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
PAGE = DOCS / "reliability-matrix.md"
RESULTS = DOCS / "matrices"
SECTIONS = {"matrix": "", "calls": "calls"}
"""Section of the page → folder of its results."""


def record(
    title: str,
    verdicts: Sequence[Verdict],
    seconds: float,
    executor: str = "LocalExecutor",
    section: str = "matrix",
) -> None:
    """Keep what a matrix did, and write the page's table anew.

    :param title: ``Airflow 3.3.2``, with the executor if it is not Airflow's default.
    :param seconds: how long all of it took.
    :param section: of the page.
    """
    result = {
        "title": title,
        "machine": machine(executor),
        "minutes": round(seconds / 60),
        "remark": "",  # for whoever has to explain a deviation
        "rows": [_result_row(verdict) for verdict in verdicts],
    }
    folder = RESULTS / SECTIONS[section]
    folder.mkdir(exist_ok=True)
    name = re.sub(r"[^a-z0-9.]+", "-", title.lower())
    (folder / f"{name}.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    write(section, text_of(section))


def write(section: str, text: str) -> None:
    """Replace what stands between the markers of a section; a new section goes to the end of its kind.

    :raises ValueError: the page has no place for such a section.
    """
    PAGE.write_text(replaced(PAGE.read_text(), section, text))


def replaced(page: str, section: str, text: str) -> str:
    """Return the page with a section's text.

    :raises ValueError: the page has no place for such a section.
    """
    begin, end = f"<!-- begin {section} -->", f"<!-- end {section} -->"
    block = f"{begin}\n{text.strip()}\n{end}"
    if begin in page:
        return re.sub(f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: block, page, flags=re.DOTALL)
    place = f"<!-- more {section.split()[0]} -->"
    if place not in page:
        raise ValueError(f"{PAGE.name} has no {place}")
    return page.replace(place, f"{block}\n\n{place}")


def results(section: str = "matrix") -> list[dict[str, Any]]:
    """Return what has been recorded for a section, the newest Airflow first."""
    recorded = [json.loads(path.read_text()) for path in (RESULTS / SECTIONS[section]).glob("*.json")]
    return sorted(recorded, key=lambda one: (*_version(one["title"]), -len(one["title"])), reverse=True)


def text_of(section: str) -> str:
    """Return what the page shows of a section: the table of the matrix, and for others how many were as expected."""
    recorded = results(section)
    return table(recorded) if section == "matrix" else "\n".join(_summary(one, section) for one in recorded)


def table(recorded: Sequence[Mapping[str, Any]]) -> str:
    """Return one table for every Airflow: what goes wrong, what must come of it, and where it did."""
    heads = [one["title"].removeprefix("Airflow ").replace("Executor", "") for one in recorded]
    lines = [
        f"| What goes wrong | Runs, cancels, task | {' | '.join(heads)} |",
        f"| --- | --- |{' --- |' * len(heads)}",
    ]
    names = dict.fromkeys(_kind(row) for one in recorded for row in one["rows"])
    notes: dict[str, list[str]] = {}
    for name in names:
        rows = [[row for row in one["rows"] if _kind(row) == name] for one in recorded]
        wanted = next(row["expected"] for of_one in rows for row in of_one)
        cells = " | ".join(_cell(of_one, wanted) for of_one in rows)
        lines.append(f"| {name} | {_outcome(wanted)} | {cells} |")
        if note := next((row["note"] for of_one in rows for row in of_one if row["note"]), ""):
            notes.setdefault(note, []).append(f"*{name}*")
    remarks = [f"* {', '.join(of)}: {note}" for note, of in notes.items()]
    return "\n".join([*lines, "", *remarks, *(_summary(one, "matrix") for one in recorded)])


def matrix(title: str, verdicts: Sequence[Verdict], seconds: float, executor: str = "LocalExecutor") -> str:
    """Return one matrix in full, for whoever watches it."""
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
    """Say when, where and with which code, for numbers that depend on it."""
    today = datetime.now(timezone.utc).date().isoformat()
    where = f"Python {platform.python_version()}, {os.cpu_count()} cores, PostgreSQL, {executor}"
    return f"({today}, commit {commit()}, {where})"


def commit() -> str:
    """Return the short hash of the code, with a ``+`` if the package or the tests were changed since."""

    def git(*arguments: str) -> str:
        here = Path(__file__).parent
        return subprocess.run(["git", *arguments], cwd=here, capture_output=True, text=True).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "..", "../../airflow_provider_fabric")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + ("+" if changed else "")


def _result_row(verdict: Verdict) -> dict[str, Any]:
    wanted = verdict.expected
    return {
        "name": verdict.case.name,
        "mode": verdict.case.mode,
        "got": [verdict.started, verdict.cancelled, verdict.state, verdict.left_running],
        "expected": [wanted.started, wanted.cancelled, wanted.state, wanted.left_running],
        "good": verdict.good,
        "seconds": round(verdict.seconds),
        "note": verdict.case.note,
    }


def _kind(row: Mapping[str, Any]) -> str:
    """Return what a row is about: ``…, task 2`` is one of several that suffered the same."""
    return re.sub(r", task \d+$", "", row["name"])


def _version(title: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", title)[:3])


def _outcome(got: Sequence[Any]) -> str:
    started, cancelled, state, left_running = got
    return f"{started} · {cancelled} · {state}" + (" · 1 goes on" if left_running else "")


def _cell(rows: Sequence[Mapping[str, Any]], wanted: Sequence[Any]) -> str:
    """Return how one accident went in both modes: ✓, what this Airflow does otherwise, or what is wrong."""
    if not rows:
        return ""
    signs = {True: "✓", False: "✗"}
    other = [f"{signs[row['good']]} {row['mode']}: {_outcome(row['got'])}" for row in rows if row["got"] != wanted]
    return "; ".join(other) or "✓"


def _summary(one: Mapping[str, Any], section: str) -> str:
    good = sum(row["good"] for row in one["rows"])
    file = "/".join(filter(None, (SECTIONS[section], re.sub(r"[^a-z0-9.]+", "-", one["title"].lower()))))
    when = ", ".join(re.findall(r"[\d-]{10}|commit [0-9a-f+]+", one["machine"]))
    came = f"{good} of {len(one['rows'])} as expected ({when})."
    return f"* [{one['title']}](matrices/{file}.json): {came} {one['remark']}".rstrip()


def _row(verdict: Verdict) -> str:
    wanted = verdict.expected
    expected = f"{wanted.started} · {wanted.cancelled} · {wanted.state}"
    if wanted.left_running:
        expected += f" · {wanted.left_running} goes on"
    state = verdict.state + (f" · {verdict.left_running} goes on" if verdict.left_running else "")
    sign = "" if verdict.good else " ✗"
    columns = (verdict.case.name, verdict.case.mode, verdict.started, verdict.cancelled, state, expected + sign)
    return "| " + " | ".join(map(str, columns)) + f" | {verdict.seconds:.0f} |"


def _notes(verdicts: Sequence[Verdict]) -> Iterator[str]:
    notes = dict.fromkeys((verdict.case.name, verdict.case.note) for verdict in verdicts if verdict.case.note)
    return (f"* *{name}*: {note}" for name, note in notes)


if __name__ == "__main__":
    for each in SECTIONS:
        write(each, text_of(each))
