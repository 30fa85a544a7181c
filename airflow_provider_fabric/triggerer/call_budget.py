"""How many calls a minute an identity may make, spread evenly, and less when the service says so.

Fabric allows an identity 200 job-scheduler calls a minute (https://learn.microsoft.com/rest/api/fabric/articles/throttling).
Others may use the same identity, so a refusal (429) shrinks our share at once and it grows back slowly. No clock of its
own: times are given, in seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from math import exp
from typing import TypeVar

from airflow_provider_fabric.api.http.flow import Flow, Request, Response, Sleep, TransportFailure
from airflow_provider_fabric.exceptions import FabricError

T = TypeVar("T")

BURST = 0.05
"""Share of a minute's calls that may be made at once; the rest is spread, so that no minute exceeds the budget."""

SHRINK = 0.75
SMALLEST = 0.1
GROWTH_PER_MINUTE = 0.03
DEFAULT_PAUSE = 10.0
SHORTEST_PAUSE = 1.0

EASY, TIGHT = 0.5, 0.8
"""Up to this share of the budget in use there is slack; from that share on there is none."""


class CallBudget:
    """A bucket of calls that fills evenly.

    :param per_minute: calls in any minute at most.
    :param now: present time.
    :param minute: length of a minute, in seconds; shorter for time-scaled measurements.
    """

    def __init__(self, per_minute: float, now: float, *, minute: float = 60.0) -> None:
        self.per_minute = float(per_minute)
        self.minute = minute
        self.share = 1.0
        self.spent = 0
        self._calls = self._capacity
        self._recent = 0.0
        self._filled_at = now
        self._paused_until = now

    @property
    def _capacity(self) -> float:
        return max(1.0, BURST * self.per_minute * self.share)

    @property
    def rate(self) -> float:
        """Calls a second at which the bucket fills."""
        allowed = self.per_minute * self.share
        return max(allowed - self._capacity, allowed / 2) / self.minute

    def delay(self, now: float) -> float:
        """Return seconds until the next call may be made."""
        self._fill(now)
        return max((1.0 - self._calls) / self.rate, self.pause(now))

    def pause(self, now: float) -> float:
        """Return seconds until a pause that the service asked for is over."""
        return max(0.0, self._paused_until - now)

    def spend(self, now: float, calls: int = 1) -> None:
        """Take note of calls that are being made."""
        self._fill(now)
        self._calls -= calls
        self._recent += calls
        self.spent += calls

    def take(self, now: float) -> float:
        """Reserve the next call; return in how many seconds it may be made."""
        delay = self.delay(now)
        self.spend(now)
        return delay

    def slack(self, now: float) -> float:
        """Return how freely calls may be made that are not strictly needed: from 0, not at all, to 1."""
        self._fill(now)
        used = self._recent / (self.per_minute * self.share)
        return min(1.0, max(0.0, (TIGHT - used) / (TIGHT - EASY)))

    def refused(self, now: float, retry_after: float | None) -> None:
        """Take note of a 429: pause as told, and go on with a smaller share."""
        self._fill(now)
        asked = DEFAULT_PAUSE * self.minute / 60 if retry_after is None else retry_after
        pause = max(asked, SHORTEST_PAUSE * self.minute / 60)
        if now >= self._paused_until:  # answers of calls that were under way together shrink it once
            self.share = max(SMALLEST, self.share * SHRINK)
        self._paused_until = max(self._paused_until, now + pause)
        self._calls = min(self._calls, 1.0)

    def _fill(self, now: float) -> None:
        passed = max(0.0, now - self._filled_at)
        open_for = max(0.0, now - max(self._filled_at, self._paused_until))  # a pause saves up nothing for after it
        self._filled_at = max(now, self._filled_at)
        self._recent *= exp(-passed / self.minute)
        self.share = min(1.0, self.share + GROWTH_PER_MINUTE * passed / self.minute)
        self._calls = min(self._capacity, self._calls + open_for * self.rate)


def rate_limited(budget: CallBudget, flow: Flow[T], clock: Callable[[], float], *, paid: int = 0) -> Flow[T]:
    """Run a flow, each of its requests in its turn, and let the budget know of refusals.

    :param budget: what every request is taken from.
    :param flow: the flow.
    :param clock: the budget's time.
    :param paid: so many of its first requests have been paid for.
    """
    answer: Response | TransportFailure | None = None
    failure: FabricError | None = None
    with closing(flow):
        while True:
            try:
                wish = flow.send(answer) if failure is None else flow.throw(failure)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            if isinstance(wish, Request):
                if paid <= 0 and (pause := budget.take(clock())) > 0:
                    yield Sleep(pause)
                paid -= 1
            answer, failure = None, None
            try:
                answer = yield wish
            except FabricError as error:
                failure = error
            if isinstance(answer, Response) and answer.status == 429:
                budget.refused(clock(), answer.retry_after)
