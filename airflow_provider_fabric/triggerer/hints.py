"""Brings the events of a stream to the waits of an event loop: what an event announces is polled now, what a stream
covers is polled rarely.

A hint never ends a wait: the poll that it causes does, within the same budget and in the same queue as any other. The
one exception has to be asked for: with ``trust_succeeded`` an event of success ends the wait for its run.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from contextvars import Context
from dataclasses import dataclass
from math import inf
from typing import Protocol

from airflow_provider_fabric.api.jobs.events import EventKind, JobEvent
from airflow_provider_fabric.api.models import JobInstance
from airflow_provider_fabric.api.status import JobStatus
from airflow_provider_fabric.triggerer.clocks import Clocks
from airflow_provider_fabric.triggerer.coverage import Coverage, ItemKey, RunKey
from airflow_provider_fabric.triggerer.item_hints import ItemHints
from airflow_provider_fabric.triggerer.pending import ItemQueue, PendingRun, StreamStatus
from airflow_provider_fabric.triggerer.turns import TurnQueue

RARER = 10.0
"""A covered run is polled so many times less often..."""

RAREST = 900.0
"""...and not more often than this, in seconds."""

RETRY = 2.0
"""Seconds until the next poll of a run that was announced to be over and is not yet, by the service; then twice that,
and so on, up to its interval: an event that is not true causes a handful of polls."""

JITTER = 0.1


class Polls(Protocol):
    """The poller, as far as hints need it."""

    turns: TurnQueue

    def replan(self, item: ItemQueue) -> None:
        """Take in that the schedule of some of an item's runs was changed."""

    def conclude(self, item: ItemQueue, waiting: PendingRun, instance: JobInstance) -> None:
        """End a wait without a poll."""


@dataclass(eq=False)
class _Wait:
    """One wait for a run.

    :param covered: its polls are spread, because its end will be announced.
    :param retries: polls since its end was announced.
    """

    key: RunKey
    waiting: PendingRun
    item: ItemQueue
    polls: Polls
    covered: bool = False
    retries: int = 0


class Hints:
    """What one stream says, for all waits of an event loop that read it.

    :param clocks: the event loop's.
    :param trust_succeeded: an event of success ends the wait for its run, with no poll.
    """

    def __init__(self, clocks: Clocks, *, trust_succeeded: bool = False) -> None:
        self.coverage = Coverage()
        self.hints = 0
        """Ends of runs that were waited for, announced."""
        self._clocks = clocks
        self._trusts = trust_succeeded
        self._waits: dict[RunKey, list[_Wait]] = {}
        self._of: dict[PendingRun, _Wait] = {}
        self.items = ItemHints(self)
        self._state = self.coverage.state(clocks.steady())
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """Runs that are waited for."""
        return len(self._of)

    @property
    def covered(self) -> int:
        """Runs that are waited for and polled rarely."""
        return sum(wait.covered for wait in self._of.values())

    # From the poller

    def joined(self, polls: Polls, item: ItemQueue, waiting: PendingRun) -> None:
        """Take in that a run is waited for, before its first poll is planned: its events may have come already."""
        job = waiting.poll.job
        key = (job.workspace_id.lower(), job.item_id.lower(), job.job_instance_id.lower())
        wait = self._of[waiting] = _Wait(key, waiting, item, polls)
        self._waits.setdefault(key, []).append(wait)
        now = self._clocks.steady()
        end = self.coverage.end_of(key)
        if end is not None:
            self._announce(wait, now)
            if self._trusts and end.kind is EventKind.SUCCEEDED:
                polls.conclude(item, waiting, end.as_instance())
        self._adapt(wait, now)
        self._set_timer(now)

    def left(self, waiting: PendingRun) -> None:
        """Take in that a run is waited for no longer."""
        wait = self._of.pop(waiting, None)
        if wait is None:
            return
        wait.item.announced.discard(waiting)
        self._waits[wait.key].remove(wait)
        if not self._waits[wait.key]:
            del self._waits[wait.key]
        if not self._of and not self.items.watching:
            self.stop()

    def polled(self, active: Iterable[PendingRun]) -> None:
        """Take in that runs were polled, are not over, and have a time for their next poll: set another, where due."""
        now = self._clocks.steady()
        for waiting in active:
            wait = self._of.get(waiting)
            if wait is None:  # it was cancelled meanwhile
                continue
            if waiting in wait.item.announced:
                pause = RETRY * 2.0 ** min(wait.retries, 16)
                wait.retries += 1
                self._schedule(wait, min(waiting.poll.next_poll_at, now + pause), now)
            else:
                wait.covered = self.coverage.covers_run(wait.key, now)
                if wait.covered:
                    self._schedule(wait, self._rare(wait, now), now)

    def stream_status(self) -> StreamStatus:
        """Return how the stream is doing."""
        return StreamStatus(self.coverage.is_open(self._clocks.steady()), self.covered, self.hints)

    def found_over(self, waiting: PendingRun) -> None:
        """Take in that a poll found a run over; nothing is published of one that was ``Deduped``."""
        wait = self._of.get(waiting)
        if wait is not None and waiting.poll.last_status != JobStatus.DEDUPED.value:
            self.saw_end(wait.key)

    def saw_end(self, key: RunKey) -> None:
        """Take in that a run is over, by the service."""
        self.coverage.found_over(key, self._clocks.steady())
        self._refresh()

    # From the stream

    def connected(self) -> None:
        """Take in that the line is up."""
        self.coverage.connected(self._clocks.wall())
        self._refresh()

    def lost(self) -> None:
        """Take in that the line is down, or hangs: everything is polled as if there was no stream, at once."""
        self.coverage.lost()
        self._refresh()

    def carries(self, items: Iterable[ItemKey]) -> None:
        """Take in which items the stream carries, by the service."""
        self.coverage.carries(frozenset(items), self._clocks.steady())
        self._refresh()

    def received(self, event: JobEvent) -> None:
        """Take in an event."""
        now = self._clocks.steady()
        key = self.coverage.record(event, now, self._clocks.wall())
        if event.kind.is_end:
            self.items.ended(event.item, event.run_id)
        for wait in list(self._waits.get(key, ())):
            if event.kind.is_end and wait.waiting not in wait.item.announced:
                self.hints += 1
                self._announce(wait, now)
                if self._trusts and event.kind is EventKind.SUCCEEDED:
                    wait.polls.conclude(wait.item, wait.waiting, event.as_instance())
                    continue
                wait.polls.replan(wait.item)
            elif self._adapt(wait, now):
                wait.polls.replan(wait.item)
        self._refresh()

    # What follows

    def covers_item(self, item: ItemKey) -> bool:
        """Whether an item's ends will probably be announced."""
        return self.coverage.covers_item(item, self._clocks.steady())

    def watch(self) -> None:
        """Take in that somebody waits for what changes."""
        self._set_timer(self._clocks.steady())

    def stop(self) -> None:
        """Do nothing more by itself."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _announce(self, wait: _Wait, now: float) -> None:
        wait.covered = False
        wait.item.announced.add(wait.waiting)
        self._schedule(wait, now, now)

    def _adapt(self, wait: _Wait, now: float) -> bool:
        """Poll a run rarely from now on, or as usual again; return whether that is a change."""
        poll = wait.waiting.poll
        covered = self.coverage.covers_run(wait.key, now) and wait.waiting not in wait.item.announced
        if covered == wait.covered or poll.failures:
            return False
        wait.covered = covered
        usual = max(now, wait.waiting.polled_at + poll.check_interval)
        self._schedule(wait, self._rare(wait, now) if covered else usual, now)
        return True

    def _rare(self, wait: _Wait, now: float) -> float:
        interval = max(wait.waiting.poll.check_interval, wait.polls.turns.even_share(now))
        spread = random.uniform(1.0, 1.0 + JITTER)  # noqa: S311 - not for secrets
        return max(now, wait.waiting.polled_at + max(RARER * interval, RAREST) * spread)

    def _schedule(self, wait: _Wait, when: float, now: float) -> None:
        wait.waiting.poll.schedule_at(when, now - self._clocks.wall())

    def _refresh(self) -> None:
        """Take in whatever has changed for all."""
        now = self._clocks.steady()
        self.coverage.settle(now)
        state = self.coverage.state(now)
        if state != self._state:
            self._state = state
            changed = {wait.item: wait.polls for wait in list(self._of.values()) if self._adapt(wait, now)}
            for item, polls in changed.items():
                polls.replan(item)
            self.items.wake_all()
        self._set_timer(now)

    def _set_timer(self, now: float) -> None:
        self.stop()
        if not self._of and not self.items.watching:
            return
        when = self.coverage.next_change(now)
        if when < inf:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(when - now, self._refresh, context=Context())
