"""Why a pipeline run failed: from the runs of its activities to the few that matter.

The service lists activity runs flat: a failed Copy inside a ForEach shows up once per iteration and per attempt, and
beside it the ForEach, which failed because of it. An activity that calls another pipeline carries the whole chain in
its message (``Operation on target A failed: Operation on target B failed: …``).
https://learn.microsoft.com/fabric/data-factory/pipeline-rest-api-capabilities#query-activity-runs
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from airflow_provider_fabric.api.error_detail import ErrorDetail
from airflow_provider_fabric.api.plain_text import MAX_CODE, one_line, shorten

MAX_ACTIVITIES = 5
MAX_MESSAGE = 300
"""Characters of an activity's message in an exception; XCom has :data:`MAX_STORED_MESSAGE`."""
MAX_STORED_MESSAGE = 2000
MAX_NAME = 80
MAX_INSIDE = 20
"""Characters of the name of an activity of a called pipeline, and how many are named."""

CONTAINERS = frozenset({"ForEach", "IfCondition", "Switch", "Until", "ExecutePipeline", "InvokePipeline"})
"""Kinds that fail because something inside them did."""

_CALLERS = frozenset({"ExecutePipeline", "InvokePipeline"})
_FAILED = frozenset({"failed", "timedout"})
_TARGET = re.compile(r"\s*Operation on target (?P<name>.+?) failed:\s*", re.DOTALL)
_INVOKED = re.compile(r"[^'\"]{0,200}?error message received from failing pipeline\s*[-:]?\s*(?P<quote>['\"]?)")


@dataclass(frozen=True)
class FailedActivity:
    """One activity that failed.

    :param name: its name in the pipeline.
    :param type: its kind, such as ``Copy``.
    :param error_code: the activity's own code.
    :param message: text for people.
    :param inside: names of the activities of a called pipeline that the failure came through.
    :param times: how many of its iterations failed alike.
    """

    name: str
    type: str
    error_code: str
    message: str
    inside: tuple[str, ...] = ()
    times: int = 1

    @classmethod
    def from_wire(cls, run: Mapping[str, Any]) -> FailedActivity:
        """Read one activity run."""
        error = run.get("error")
        error = error if isinstance(error, Mapping) else {"message": error}
        inside, message = _unfold(error.get("message"))
        detail = ErrorDetail.from_wire({**error, "message": message}) if message or error else None
        detail = detail or ErrorDetail()
        return cls(
            name=one_line(str(run.get("activityName") or "unnamed"), MAX_CODE),
            type=one_line(str(run.get("activityType") or "unknown"), MAX_CODE),
            error_code=detail.error_code or "",
            message=shorten(_text_of(detail), MAX_STORED_MESSAGE),
            inside=inside,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for XCom."""
        return {**asdict(self), "inside": list(self.inside)}

    def __str__(self) -> str:
        """Return name, kind, cause and message, as one line of bounded length."""
        where = "".join(f" > {name!r}" for name in self.inside)
        often = f", {self.times} times" if self.times > 1 else ""
        why = ": ".join(part for part in (self.error_code, shorten(self.message, MAX_MESSAGE)) if part)
        return f"{self.name!r} ({self.type}{often}){where}: {why or 'no reason given'}"


def failed_activities(runs: Iterable[Mapping[str, Any]]) -> list[FailedActivity]:
    """Return the activities that failed, causes before the containers they are in, alike iterations as one.

    Only an activity's last attempt counts: one that succeeded after a retry did not fail.

    :param runs: the service's activity runs, in any order.
    """
    failed: dict[tuple[str, str], FailedActivity] = {}
    for run in _last_attempts(runs):
        if str(run.get("status")).casefold() not in _FAILED:
            continue
        activity = FailedActivity.from_wire(run)
        known = failed.get((activity.name, activity.error_code))
        failed[activity.name, activity.error_code] = replace(known, times=known.times + 1) if known else activity
    return sorted(failed.values(), key=lambda activity: activity.type in CONTAINERS - _CALLERS)


def count_rows(runs: Iterable[Mapping[str, Any]]) -> dict[str, int] | None:
    """Return how many rows the copy activities read and wrote, or ``None`` if none says.

    ``rowsRead`` and ``rowsCopied`` are left out by the service when files are copied as they are
    (https://learn.microsoft.com/azure/data-factory/copy-activity-monitoring#monitor-programmatically).

    :param runs: the service's activity runs, in any order.
    :returns: ``read``, ``written``, or one of them.
    """
    counts: dict[str, int] = {}
    for run in _last_attempts(runs):
        output = run.get("output")
        for name, key in (("read", "rowsRead"), ("written", "rowsCopied")):
            count = output.get(key) if isinstance(output, Mapping) else None
            if isinstance(count, int) and not isinstance(count, bool):
                counts[name] = counts.get(name, 0) + count
    return counts or None


def _last_attempts(runs: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the activity runs without those that were retried."""
    last: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for run in sorted(runs, key=lambda run: str(run.get("activityRunStart") or "")):
        attempts = last.setdefault((str(run.get("activityName")), str(run.get("iterationHash") or "")), [])
        if run.get("retryAttempt") and attempts:
            attempts.pop()
        attempts.append(run)
    return [run for attempts in last.values() for run in attempts]


def summary(activities: list[FailedActivity]) -> str:
    """Return one sentence of bounded length, or nothing.

    A container is named only if it is all there is: what failed in it says more.
    """
    causes = [a for a in activities if a.type not in CONTAINERS - _CALLERS] or activities
    if not causes:
        return ""
    more = f"; and {len(causes) - MAX_ACTIVITIES} more" if len(causes) > MAX_ACTIVITIES else ""
    label = "Failed activity" if len(causes) == 1 else "Failed activities"
    text = f"{label}: {'; '.join(map(str, causes[:MAX_ACTIVITIES]))}{more}"
    return text if text.endswith((".", "…")) else f"{text}."


class ActivityProgress:
    """What was said of a run's activities, so that only changes are said."""

    def __init__(self) -> None:
        self._said: dict[str, str] = {}

    def changes(self, runs: Iterable[Mapping[str, Any]]) -> list[str]:
        """Return a line for each activity run whose status has changed, in the order of their starts."""
        lines = []
        for run in sorted(runs, key=lambda run: str(run.get("activityRunStart") or "")):
            name = one_line(str(run.get("activityName") or "unnamed"), MAX_CODE)
            status = one_line(str(run.get("status") or "unknown"), MAX_CODE)
            key = f"{name} {run.get('activityRunStart')}"
            if self._said.get(key) != status:
                self._said[key] = status
                kind = one_line(str(run.get("activityType") or "unknown"), MAX_CODE)
                lines.append(f"{name!r} ({kind}): {status}{_duration(run)}")
        return lines


def _duration(run: Mapping[str, Any]) -> str:
    milliseconds = run.get("durationInMs")
    if not run.get("activityRunEnd") or not isinstance(milliseconds, int | float):
        return ""
    return f" after {milliseconds / 1000:.1f} s"


def _unfold(message: object) -> tuple[tuple[str, ...], object]:
    """Take ``Operation on target A failed: …`` apart, into the names and what is left.

    An *Invoke pipeline* activity wraps what it heard from the pipeline that it called, in quotes.
    """
    names: list[str] = []
    while isinstance(message, str) and len(names) < MAX_INSIDE:
        if match := _TARGET.match(message):
            names.append(one_line(match["name"], MAX_NAME))
            message = message[match.end() :]
        elif match := _INVOKED.match(message):
            message = message[match.end() :].strip().removesuffix(".").removesuffix(match["quote"])
        else:
            break
    return tuple(names), message


def _text_of(detail: ErrorDetail) -> str:
    """Return an error's message and those of its details."""
    inner = [": ".join(str(d[key]) for key in ("errorCode", "message") if key in d) for d in detail.more_details]
    return "; ".join(text for text in (detail.message, *inner) if text)
