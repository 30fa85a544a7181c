"""How likely a run has ended, by what the item's other runs took: which run to poll, and how often.

Durations are taken as lognormal, which fits most batch jobs, but for a few of any length: hung, waiting for capacity,
or given ten times the data. Those far from the median are left out, so that they do not blur the picture.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import erfc, exp, log, sqrt
from statistics import fmean, median, pstdev
from typing import Any

from airflow_provider_fabric.api.models import JobInstance, parse_time
from airflow_provider_fabric.api.status import JobStatus

ENOUGH = 3
"""Durations that must be known before they count."""

LATEST = 30
"""Runs of an item that are remembered: what it takes changes with its data."""

OUTLIERS = 0.02
"""Share of runs that take as long as they like."""

DOUBT, DOUBTED = 0.4, 1.0
"""A spread that is not known is taken to be this; it weighs as much as so many durations."""

TELLING, PREDICTABLE = 10, 0.6
"""So many durations, and a spread that is not larger, say when a run will end."""

FRESH = 0.2
"""Share of an even share within which an end is worth finding quickly."""

LATE, LIKELY, INSISTENCE = 0.95, 0.115, 20.0
"""Of an even share, a chance, and what a poll is worth beyond both."""

NARROWEST = 0.05
FAR, MAD_TO_SIGMA, CUT_TO_SIGMA = 2.5, 1.4826, 1.05


@dataclass(frozen=True)
class Durations:
    """How long the runs of an item take.

    :param middle: median, in seconds.
    :param spread: standard deviation of the logarithm.
    :param count: so many durations say so.
    """

    middle: float
    spread: float
    count: int

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Durations | None:
        """Return what these durations say, or ``None`` if they are too few."""
        logs = [log(max(1.0, each)) for each in seconds]
        if len(logs) < ENOUGH:
            return None
        centre = median(logs)
        far = FAR * MAD_TO_SIGMA * median([abs(each - centre) for each in logs])
        usual = [each for each in logs if abs(each - centre) <= far]
        found = CUT_TO_SIGMA * pstdev(usual)
        spread = sqrt((len(logs) * found**2 + DOUBTED * DOUBT**2) / (len(logs) + DOUBTED))
        return cls(exp(fmean(usual)), max(NARROWEST, spread), len(logs))

    @property
    def tell(self) -> bool:
        """Whether they say when a run will end. Otherwise it may end at any time, however long it has been running."""
        return self.count >= TELLING and self.spread <= PREDICTABLE

    def longer_than(self, age: float) -> float:
        """Return the share of runs that take longer than so many seconds."""
        if age <= 0:
            return 1.0
        usual = 0.5 * erfc(log(age / self.middle) / (self.spread * sqrt(2)))
        return (1 - OUTLIERS) * usual + OUTLIERS / (1 + age / self.middle) ** 3


class History:
    """How long the latest runs of each item took, kept while nobody waits for one.

    :param items: of so many items.
    """

    def __init__(self, items: int = 2000) -> None:
        self._items = items
        self._spans: OrderedDict[tuple[str, str], tuple[list[float], Durations | None]] = OrderedDict()

    def of(self, item: tuple[str, str]) -> Durations | None:
        """Return how long an item's runs take, as far as it is known."""
        return self._spans[item][1] if item in self._spans else None

    def knows(self, item: tuple[str, str]) -> bool:
        """Whether an item's list has been read."""
        return item in self._spans

    def listed(self, item: tuple[str, str], spans: Iterable[float]) -> None:
        """Take in the durations that a list holds."""
        self._keep(item, list(spans)[:LATEST])

    def ended(self, item: tuple[str, str], instance: JobInstance) -> None:
        """Take in that a run has ended."""
        start, end = instance.start_time_utc, instance.end_time_utc
        if item in self._spans and instance.status is JobStatus.COMPLETED and start is not None and end is not None:
            self._keep(item, [(end - start).total_seconds(), *self._spans[item][0]][:LATEST])

    def _keep(self, item: tuple[str, str], spans: list[float]) -> None:
        self._spans[item] = spans, Durations.of(spans)
        self._spans.move_to_end(item)
        while len(self._spans) > self._items:
            self._spans.popitem(last=False)


def usual_seconds(entries: Iterable[Mapping[str, Any]]) -> list[float]:
    """Return how long completed runs took, in the list's order.

    :param entries: job instances in the service's form; reading all of each would cost five times as much.
    """
    spans = []
    for entry in entries:
        if entry.get("status") == JobStatus.COMPLETED.value:
            start, end = parse_time(entry.get("startTimeUtc")), parse_time(entry.get("endTimeUtc"))
            if start is not None and end is not None:
                spans.append((end - start).total_seconds())
    return spans


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


def gain_of_poll(age: float, unseen: float, usual: Durations | None, share: float) -> float:
    """Return what a poll is worth: how likely it finds an end that is still fresh.

    A likely end that has waited for its even share comes first: it would be among the longest lags. (Of the rules that
    a simulation compared, this one halves the median lag while the 99th percentile stays.)

    :param age: seconds the run had been running at its last poll.
    :param unseen: seconds since then.
    :param usual: what other runs took.
    :param share: seconds of an even share.
    """
    age = max(0.0, age)
    chance = chance_of_ending(age, unseen, usual)
    if usual is None:
        return chance
    if unseen > LATE * share and chance > LIKELY:
        return INSISTENCE + chance
    return chance - chance_of_ending(age, unseen - FRESH * share, usual)
