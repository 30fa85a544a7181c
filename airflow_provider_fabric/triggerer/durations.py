"""How likely a run is to end soon, by what the item's other runs took: when to look more often than usual."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from airflow_provider_fabric.api.models import parse_time
from airflow_provider_fabric.api.status import JobStatus

ENOUGH = 3
"""Durations that must be known before they count."""

EARLY, LATE = 0.8, 1.5
"""A run may end between these shares of an earlier run's duration."""


def usual_seconds(entries: Iterable[Mapping[str, Any]]) -> list[float]:
    """Return how long completed runs took, the shortest first.

    :param entries: job instances in the service's form; reading all of each would cost five times as much.
    """
    spans = []
    for entry in entries:
        if entry.get("status") == JobStatus.COMPLETED.value:
            start, end = parse_time(entry.get("startTimeUtc")), parse_time(entry.get("endTimeUtc"))
            if start is not None and end is not None:
                spans.append((end - start).total_seconds())
    return sorted(spans)


def chance_of_ending(age: float, within: float, usual: Sequence[float]) -> float:
    """Return how likely a run ends soon, between 0 and 1.

    Where earlier runs tell nothing, a run is taken to go on for about as long as it has gone on already.

    :param age: seconds it has been running.
    :param within: how soon, in seconds.
    :param usual: what other runs took: see :func:`usual_seconds`.
    """
    shortest = bisect_left(usual, age / LATE)
    possible = len(usual) - shortest
    if len(usual) < ENOUGH or possible == 0:
        return within / (age + within)
    return (bisect_right(usual, (age + within) / EARLY) - shortest) / possible
