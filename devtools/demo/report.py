"""How the demo tells what happens: one line for each change while it runs, a table and a judgement at the end."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TextIO

from devtools.airflow.metadata_db import TaskInstance
from devtools.airflow.stack import AirflowStack
from devtools.demo.request_judge import Judgement

SIGNS = {"success": "✔", "failed": "✘", "upstream_failed": "✘", "running": "▶", "deferred": "…", "skipped": "-"}


class Progress:
    """A block that is redrawn in a terminal; elsewhere a line whenever a task changes."""

    def __init__(self, out: TextIO = sys.stdout) -> None:
        self._out = out
        self._live = out.isatty()
        self._drawn = 0
        self._last: dict[str, str] = {}

    def show(self, rows: Sequence[TaskInstance], seconds: float) -> None:
        """Show where the tasks stand."""
        states = {_name(row): row.state or "waiting" for row in rows}
        if self._live:
            self._redraw(states, seconds)
        else:
            for name, state in states.items():
                if state != "waiting" and self._last.get(name) != state:
                    print(f"{seconds:6.1f} s  {name:<24} {state}", file=self._out, flush=True)
        self._last = states

    def _redraw(self, states: dict[str, str], seconds: float) -> None:
        up = f"\x1b[{self._drawn}F" if self._drawn else ""
        lines = [f"  {SIGNS.get(state, ' ')} {name:<24} {state:<16}" for name, state in states.items()]
        print(up + "\n".join([*lines, f"  {seconds:.0f} s"]), file=self._out, flush=True)
        self._drawn = len(lines) + 1


@dataclass(frozen=True)
class TaskReport:
    """One row of the final table."""

    task: str
    state: str
    tries: int
    deferred: bool
    job_instance_id: str
    seconds: str
    run_link: str


def task_reports(airflow: AirflowStack, dag_id: str, run_id: str) -> list[TaskReport]:
    """Return what became of each task of a run."""
    reports = []
    for row in airflow.task_instances(dag_id, run_id):
        pushed = airflow.xcoms(dag_id, run_id, row.task_id, row.map_index)
        files = airflow.task_log_files(dag_id, run_id, row.task_id, row.try_number, row.map_index)
        reports.append(
            TaskReport(
                task=_name(row),
                state=row.state or "none",
                tries=row.try_number,
                deferred=any(".trigger." in path.name for path in files),
                job_instance_id=str(pushed.get("job_instance_id", "-")),
                seconds=f"{(row.end - row.start).total_seconds():.1f}" if row.start and row.end else "-",
                run_link=str(pushed.get("run_url", "-")),
            )
        )
    return reports


def table(reports: Sequence[TaskReport]) -> str:
    """Return the rows under their headings, in columns."""
    head = ("task", "state", "tries", "deferred", "job instance id", "seconds", "run link")
    rows = [
        (r.task, r.state, str(r.tries), "yes" if r.deferred else "-", r.job_instance_id, r.seconds, r.run_link)
        for r in reports
    ]
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in [head, *rows]
    )


def verdicts(seen: Judgement, *, jobs: int, processes: int) -> Iterator[tuple[bool, str]]:
    """Yield (as it should be, sentence) for what the emulator saw.

    :param jobs: how many job instances the tasks name.
    :param processes: how many processes called Fabric at most: the tasks' workers and the triggerers.
    """
    accepted = sum(seen.submits.values())
    yield (
        accepted == seen.attempts == jobs == len(seen.submits),
        f"one submit per job: {accepted} accepted of {seen.attempts} sent, for {jobs} jobs",
    )
    early = f": {'; '.join(seen.early)}" if seen.early else ""
    yield not seen.early, f"no poll earlier than its Retry-After: {seen.polls} polls, {len(seen.early)} early{early}"
    without = f": {'; '.join(seen.unauthorised)}" if seen.unauthorised else ""
    yield not seen.unauthorised, f"no call without a token: {len(seen.unauthorised)}{without}"
    yield (
        0 < seen.token_requests <= processes,
        f"no token request per poll: {seen.token_requests} token requests of at most {processes} processes",
    )
    yield seen.throttled == 0, f"inside the quota: {seen.throttled} answers 429 or 430"


def _name(row: TaskInstance) -> str:
    return row.task_id if row.map_index < 0 else f"{row.task_id}[{row.map_index}]"
