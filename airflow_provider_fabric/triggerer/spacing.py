"""When to poll again."""

from __future__ import annotations

import random

from airflow_provider_fabric.api.jobs.polling import JobPoll
from airflow_provider_fabric.triggerer.call_budget import CallBudget
from airflow_provider_fabric.triggerer.clocks import Clocks
from airflow_provider_fabric.triggerer.durations import chance_of_ending
from airflow_provider_fabric.triggerer.pending import ItemQueue, PendingRun

JITTER = 0.05
"""Share of an interval by which polls are spread."""

FASTEST = 4.0
"""Near a run's likely end, and with budget to spare, it is polled so much more often at most..."""

SHORTEST = 5.0
"""...but not more often than this, in seconds, unless it was asked for."""

SOON = 0.35
"""Share of a run's age in which it may end "soon"."""


class Spacing:
    """Spreads polls over time.

    :param budget: whether there is something to spare.
    :param clocks: deadlines are on the wall clock.
    """

    def __init__(self, budget: CallBudget, clocks: Clocks) -> None:
        self._budget = budget
        self._clocks = clocks

    def seconds(self, real: float) -> float:
        """Return seconds in the budget's time: fewer in time-scaled measurements."""
        return real * self._budget.minute / 60

    def shortest(self, poll: JobPoll) -> float:
        """Return how soon after a poll a run may be polled again."""
        return min(poll.check_interval, max(self.seconds(SHORTEST), poll.check_interval / FASTEST))

    def spread(self, group: list[PendingRun], now: float, chance: float = 0.0) -> None:
        """Move the next polls of a group together: nearer where an end is likely, and a little at random.

        :param group: runs that were polled together.
        :param now: present time.
        :param chance: how likely one of them ends soon.
        """
        haste = 1.0 + (FASTEST - 1.0) * min(1.0, chance) * self._budget.slack(now)
        ahead = now - self._clocks.wall()
        jitter = random.uniform(1.0 - JITTER, 1.0 + JITTER)  # noqa: S311 - not for secrets
        for waiting in group:
            pause = waiting.poll.next_poll_at - now
            pause = min(pause, max(pause / haste, self.shortest(waiting.poll)))
            waiting.poll.schedule_at(now + pause * jitter, ahead)


def chance_soon(item: ItemQueue, waiting: PendingRun, now: float) -> float:
    """Return how likely a run ends within an interval, or within a good part of its age if that is longer."""
    age = max(0.0, now - waiting.started_at)
    horizon = waiting.poll.check_interval
    if item.usual is not None:
        horizon = max(horizon, SOON * age)
    return chance_of_ending(age, horizon, item.usual)
