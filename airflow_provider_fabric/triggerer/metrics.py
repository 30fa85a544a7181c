"""How a poller is doing: metrics through Airflow's own Stats, and one log line a minute when that is noteworthy.

The names are listed in ``docs/scale.md``.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from airflow_provider_fabric.compat import metrics_stats
from airflow_provider_fabric.triggerer.pending import StreamStatus

PREFIX = "fabric"

EVERY = 60.0
"""Seconds between reports."""

LATE = 60.0
"""A poll that is so many seconds overdue is noteworthy."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class State:
    """A poller at one time.

    :param waiting: runs that are waited for.
    :param flows: sensors and event triggers.
    :param spent: calls since the poller was made.
    :param refusals: answers 429 since then.
    :param used: share of the budget in use.
    :param share: what 429s have left of the budget.
    :param overdue: seconds by which the oldest due poll is late.
    :param cancels: cancels that were not accepted yet.
    :param streams: how the streams of job events are doing that its waits read.
    """

    waiting: int
    flows: int
    spent: int
    refusals: int
    used: float
    share: float
    overdue: float
    cancels: int
    streams: tuple[StreamStatus, ...] = ()

    @property
    def idle(self) -> bool:
        """Whether nothing is to be done."""
        return not (self.waiting or self.flows or self.cancels)


def _hints(state: State) -> int:
    return sum(stream.hints for stream in state.streams)


@dataclass
class Reporter:
    """Reports once a minute while anything waits.

    :param state: returns the poller's state.
    :param identity: which poller, in metrics and logs; no secret.
    :param stats: where metrics go; ``None`` for Airflow's.
    """

    state: Callable[[], State]
    identity: str = ""
    stats: Any = None
    _polls: int = field(init=False, default=0)
    _reported: State | None = field(init=False, default=None)
    _timer: asyncio.TimerHandle | None = field(init=False, default=None)

    def begin(self) -> None:
        """Take in that something waits: reports go on until nothing does."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(EVERY, self._report, context=Context())

    def polled(self) -> None:
        """Count a poll."""
        self._polls += 1

    def detected(self, lag: float, by_event: bool | None = None) -> None:
        """Report how many seconds after its end a run was found over.

        :param by_event: whether an event had announced it; ``None`` without a stream.
        """
        self._send("timing", "detection_lag", timedelta(seconds=lag))
        if by_event is not None:
            self._send("timing", f"detection_lag_{'hinted' if by_event else 'polled'}", timedelta(seconds=lag))

    def stop(self) -> None:
        """Report no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _report(self) -> None:
        self._timer = None
        now = self.state()
        before = self._reported or State(0, 0, 0, 0, 0.0, 1.0, 0.0, 0)
        calls, refusals = now.spent - before.spent, now.refusals - before.refusals
        self._send("gauge", "runs_waiting", now.waiting)
        self._send("gauge", "sensors_waiting", now.flows)
        self._send("gauge", "calls_per_minute", calls * 60 / EVERY)
        self._send("gauge", "budget_used", round(now.used, 3))
        self._send("gauge", "budget_share", round(now.share, 3))
        self._send("gauge", "oldest_overdue", round(now.overdue, 1))
        self._send("gauge", "cancels_pending", now.cancels)
        for name, count in (("polls", self._polls), ("calls", calls), ("refused", refusals)):
            if count:
                self._send("incr", name, count)
        if now.streams:
            self._send("gauge", "events_up", int(all(stream.is_up for stream in now.streams)))
            self._send("gauge", "runs_covered", sum(stream.covered for stream in now.streams))
            if hints := max(0, _hints(now) - _hints(before)):
                self._send("incr", "hints", hints)
        if refusals or now.cancels or now.overdue > LATE:
            _log.info(
                "Identity %s: %d runs and %d sensors wait; %d calls in the last minute (%.0f %% of the budget), %d "
                "answers 429; the oldest poll is %.0f s overdue; %d cancels are pending.",
                *(self.identity, now.waiting, now.flows, calls, 100 * now.used, refusals, now.overdue, now.cancels),
            )
        self._reported, self._polls = now, 0
        if not now.idle:
            self.begin()

    def _send(self, kind: str, name: str, value: Any) -> None:
        """Send a metric; a metrics backend that fails must not end a wait."""
        try:
            stats = self.stats or metrics_stats()
            tags = {"host": socket.gethostname(), "identity": self.identity}
            getattr(stats, kind)(f"{PREFIX}.{name}", value, tags=tags)
        except Exception as error:  # noqa: BLE001
            _log.debug("Could not send the metric %s: %r", name, error)
