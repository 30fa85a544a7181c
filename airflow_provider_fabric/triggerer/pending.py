"""The waiting triggers, grouped by item, because one List poll serves all of an item's runs.

All times are seconds on a clock that nobody sets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from math import inf
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from airflow_provider_fabric.api.jobs.polling import JobPoll
from airflow_provider_fabric.api.models import JobInstance
from airflow_provider_fabric.triggerer.durations import Durations, gain_of_poll
from airflow_provider_fabric.triggerer.turns import PATIENCE, Waiter

if TYPE_CHECKING:
    from airflow_provider_fabric.api.http.flow import Flow

Arun: TypeAlias = "Callable[[Flow[Any]], Awaitable[Any]]"
"""Runs a flow on the event loop: a hook's ``arun``."""

SAMPLE = 16
"""Runs of an item whose gains stand for those of all."""

LIST_RETRY = 15.0
"""Seconds after which a List that failed once is read again, or a quarter of the interval if that is less."""

ANNOUNCED = 100.0
"""What a poll of a run is worth whose end an event has announced: more than any likelihood."""

LONGEST_WITHOUT_LISTS = 32
"""Intervals at most between attempts to read a list that keeps failing."""


@dataclass(eq=False)
class PendingRun:
    """One trigger's wait.

    :param poll: what is known of the run.
    :param future: what the trigger awaits.
    :param polled_at: when the run was polled last; when the wait began, before the first poll.
    :param started_at: when the run started.
    :param singly: the run was not in its item's list, so it needs a Get.
    """

    poll: JobPoll
    future: asyncio.Future[JobInstance]
    polled_at: float
    started_at: float
    singly: bool = False

    @property
    def run(self) -> str:
        """Id of the run."""
        return self.poll.job.job_instance_id.lower()

    @property
    def due(self) -> float:
        """When it is to be polled."""
        return max(self.poll.next_poll_at, self.poll.first_poll_at)

    def end(self, outcome: JobInstance | Exception) -> None:
        """End the wait: with the run, which is over, or with an error."""
        if self.future.done():
            return
        if isinstance(outcome, Exception):
            self.future.set_exception(outcome)
        else:
            self.future.set_result(outcome)


@dataclass(frozen=True)
class StreamStatus:
    """How a stream of job events is doing, for the metrics.

    :param is_up: it is read, and nothing speaks against it.
    :param covered: runs that are polled rarely, because their ends will be announced.
    :param hints: ends of runs that were waited for, announced so far.
    """

    is_up: bool
    covered: int
    hints: int


class PollObserver(Protocol):
    """Whoever learns from an item's polls, and may change when its runs are polled next."""

    def polled(self, active: Iterable[PendingRun]) -> None:
        """Take in that runs were polled and are not over; their next polls are planned."""

    def found_over(self, waiting: PendingRun) -> None:
        """Take in that a run was found over."""

    def stream_status(self) -> StreamStatus:
        """Return how the stream is doing."""


class ItemQueue(Waiter):
    """The runs of one item that are waited for.

    :param arun: makes the calls.
    :param workspace_id: GUID.
    :param item_id: GUID.
    :param poll: starts a poll; see :meth:`grant`.
    """

    def __init__(self, arun: Arun, workspace_id: str, item_id: str, poll: Callable[[ItemQueue, float], bool]) -> None:
        self.arun = arun
        self.workspace_id = workspace_id
        self.item_id = item_id
        self.waiting: set[PendingRun] = set()
        self.pages = 1
        """What a List cost last."""
        self.usual: Durations | None = None
        self.listed = False
        """Whether a List has been read at all."""
        self.list_failures = 0
        self.lists_from = -inf
        """No List before this, after some that failed."""
        self.rest_until = -inf
        """No List before this: polls that are due soon after one another become one."""
        self.under_way = False
        self.announced: set[PendingRun] = set()
        """Runs that are over by an event, and not yet by a poll (:mod:`.hints`)."""
        self.observer: PollObserver | None = None
        self._poll = poll

    @property
    def key(self) -> tuple[str, str]:
        """Which item it is, whoever asks."""
        return self.workspace_id, self.item_id

    @property
    def cost(self) -> float:
        """Calls that serve every run once."""
        singles = len(self.waiting)
        return float(singles if self.list_failures > 1 else min(singles, self.pages))

    @property
    def patience(self) -> float:
        """After how many even shares it must have had its turn: one, if its runs may end at any time."""
        if self.announced:
            return 0.0
        return PATIENCE if self.usual is not None and self.usual.tell else 1.0

    def gain(self, now: float, share: float) -> float:
        """Return what a poll would be worth now, for each call it costs."""
        if self.announced:
            return ANNOUNCED / self.cost
        sample = list(islice(self.waiting, SAMPLE))
        if not sample:
            return 0.0
        gains = (
            gain_of_poll(waiting.polled_at - waiting.started_at, now - waiting.polled_at, self.usual, share)
            for waiting in sample
        )
        return sum(gains) * len(self.waiting) / len(sample) / self.cost

    def grant(self, now: float) -> bool:
        """Start a poll, unless whoever was due has left."""
        return self._poll(self, now)

    def due_for(self, waiting: PendingRun, now: float) -> float:
        """Return when to poll on behalf of one wait."""
        alone = waiting.singly or waiting.poll.is_last or now < self.lists_from or waiting in self.announced
        return waiting.due if alone else max(waiting.due, self.rest_until)

    def plan(self, now: float) -> float:
        """Return when to poll next, and take in for how long has been waited for that."""
        first = min(self.waiting, key=lambda waiting: self.due_for(waiting, now))
        self.since = first.polled_at
        self.urgent = first.poll.is_last
        return self.due_for(first, now)

    def list_failed(self, now: float, interval: float) -> None:
        """Take in that a List failed: after the second in a row single Gets serve the item until the next attempt."""
        self.list_failures += 1
        if self.list_failures > 1:
            self.lists_from = now + interval * min(2 ** (self.list_failures - 2), LONGEST_WITHOUT_LISTS)

    def choose(self, now: float) -> tuple[list[PendingRun], bool]:
        """Return for whom to poll now, and whether with a List: where that costs no more than single Gets.

        The first poll is always a List: for the price of a Get it says how long the item's runs usually take.
        """
        ready = [w for w in self.waiting if w.poll.first_poll_at <= now and (not w.singly or w.due <= now)]
        if now >= self.lists_from and not any(w.singly for w in ready):
            runs = len({w.run for w in ready})
            if not self.listed or (runs > 1 and runs >= self.pages):
                return ready, True
        most_overdue = min(ready, key=lambda w: (w not in self.announced, not w.singly, w.due))
        return [w for w in ready if w.run == most_overdue.run], False
