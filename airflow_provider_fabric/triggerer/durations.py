"""How likely a run has ended, by what the item's other runs took: which run to poll, and how often.

Durations are taken as lognormal, which fits most batch jobs, but for a few of any length: hung, waiting for capacity,
or given ten times the data. Median and spread are those of the middle, so that such runs do not blur the picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import erfc, exp, log, sqrt
from statistics import median
from typing import Any

from airflow_provider_fabric.api.models import parse_time
from airflow_provider_fabric.api.status import JobStatus

ENOUGH = 3
"""Durations that must be known before they count."""

OUTLIERS = 0.05
"""Share of runs that take as long as they like."""

DOUBT, DOUBTED = 0.5, 2.0
"""A spread that is not known is taken to be this; it weighs as much as so many durations."""

NARROWEST = 0.05
MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True)
class Durations:
    """How long the runs of an item take.

    :param middle: median, in seconds.
    :param spread: standard deviation of the logarithm.
    """

    middle: float
    spread: float

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Durations | None:
        """Return what these durations say, or ``None`` if they are too few."""
        logs = [log(max(1.0, each)) for each in seconds]
        if len(logs) < ENOUGH:
            return None
        centre = median(logs)
        found = MAD_TO_SIGMA * median([abs(each - centre) for each in logs])
        spread = sqrt((len(logs) * found**2 + DOUBTED * DOUBT**2) / (len(logs) + DOUBTED))
        return cls(exp(centre), max(NARROWEST, spread))

    def longer_than(self, age: float) -> float:
        """Return the share of runs that take longer than so many seconds."""
        if age <= 0:
            return 1.0
        usual = 0.5 * erfc(log(age / self.middle) / (self.spread * sqrt(2)))
        return (1 - OUTLIERS) * usual + OUTLIERS / (1 + age / self.middle)


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


def chance_of_ending(age: float, within: float, usual: Durations | None) -> float:
    """Return how likely a run ends soon, between 0 and 1.

    Where earlier runs say nothing, a run is taken to go on for about as long as it has gone on already.

    :param age: seconds it has been running.
    :param within: how soon, in seconds.
    :param usual: what other runs took.
    """
    if within <= 0:
        return 0.0
    if usual is None:
        return within / (age + within)
    return 1.0 - usual.longer_than(age + within) / usual.longer_than(age)
