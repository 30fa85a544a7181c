"""Whose turn it is: one queue for everything that draws on an identity's budget of job-scheduler calls.

Whoever waits is a :class:`Waiter`. Nothing is reserved ahead: a turn is given when a call can be made, so a waiter that
leaves takes nothing with it. While the budget allows every waiter its own interval, turns come when they are due. If it
does not, a turn goes where it is worth most (:meth:`Waiter.gain`), but nobody waits more than twice the even share.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from contextvars import Context

from airflow_provider_fabric.triggerer.call_budget import CallBudget

CALLS_AT_ONCE = 8
"""Polls under way at the same time: enough for a slow service, few enough for a small pool of connections."""

PATIENCE = 1.95
"""Even shares after which a waiter must have had its turn, whoever else would gain more."""

TICK = 0.001
"""Seconds that a turn may be early: clocks and sums are not exact."""

CANCELS_FIRST = 180.0
"""Seconds for which polls wait for cancels at most: a service that does not answer cancels must not stall them."""

AFTER_ERROR = 5.0
"""Seconds after which turns are given again when an error of ours came between."""

FEW = 64
RANKED = 3
RANKED_SECONDS = 1.0
"""More waiters than a few are not compared for each turn: an order of the best holds for so many turns or seconds."""

SHARE_SECONDS = 1.0
"""For how long an even share is not worked out again."""

NEVER = math.inf

_log = logging.getLogger(__name__)


class Waiter(ABC):
    """Something that makes polls, each in its turn. Times are seconds on the queue's clock."""

    due: float = NEVER
    """When its next turn may come."""
    since: float = 0.0
    """When it had its last turn: how long it has waited."""
    urgent: bool = False
    """A deadline has come: no later turn is of use."""
    stamp: int = -1
    """Of its entry in the queue; any other entry is out of date."""

    @property
    @abstractmethod
    def cost(self) -> float:
        """How many calls it needs to serve everybody who waits in it once."""

    @property
    def patience(self) -> float:
        """After how many even shares it must have had its turn."""
        return PATIENCE

    @abstractmethod
    def gain(self, now: float, share: float) -> float:
        """Return how much a turn would be worth now.

        :param now: present time.
        :param share: seconds of an even share.
        """

    @abstractmethod
    def grant(self, now: float) -> bool:
        """Take a turn, whose call is paid for once this returns ``True``; :meth:`TurnQueue.finished` ends it."""


class TurnQueue:
    """Gives turns to waiters as the budget allows.

    :param budget: calls of the identity.
    :param clock: seconds on a clock that nobody sets.
    """

    def __init__(self, budget: CallBudget, clock: Callable[[], float]) -> None:
        self.budget = budget
        self.members: set[Waiter] = set()
        self.under_way = 0
        self.cancels_first = 0
        """Cancels that could be sent at once but for the budget."""
        self._held_until = 0.0
        self._clock = clock
        self._later: list[tuple[float, int, Waiter]] = []
        self._ready: set[Waiter] = set()
        self._ranked: list[Waiter] = []
        self._ranked_until = 0.0
        self._share, self._share_until = 0.0, 0.0
        self._front: deque[asyncio.Future[None]] = deque()
        self._stamps = itertools.count()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def size(self) -> int:
        """How much is queued or planned."""
        return len(self._later) + len(self._ready) + len(self._front) + (self._timer is not None)

    def even_share(self, now: float) -> float:
        """Return how many seconds a round takes in which everybody is served once."""
        if now >= self._share_until:
            self._share = sum(waiter.cost for waiter in self.members) / self.budget.rate
            self._share_until = now + SHARE_SECONDS * self.budget.minute / 60
        return self._share

    def oldest(self, now: float) -> float:
        """Return for how long the waiter that has waited longest is overdue, in seconds."""
        return max((now - waiter.due for waiter in self._ready), default=0.0)

    def schedule(self, waiter: Waiter, due: float) -> None:
        """Let a waiter have a turn, when it is due."""
        self.withdraw(waiter)
        waiter.due, waiter.stamp = due, next(self._stamps)
        heapq.heappush(self._later, (due, waiter.stamp, waiter))
        if len(self._later) > 2 * len(self.members) + 64:  # entries out of date
            self._later = [entry for entry in self._later if entry[1] == entry[2].stamp]
            heapq.heapify(self._later)

    def withdraw(self, waiter: Waiter) -> None:
        """Take a waiter out of the queue; it may be scheduled again."""
        waiter.stamp = -1
        self._ready.discard(waiter)

    def leave(self, waiter: Waiter) -> None:
        """Forget a waiter."""
        self.withdraw(waiter)
        self.members.discard(waiter)

    def continue_turn(self) -> asyncio.Future[None]:
        """Return what is done when the next call of a turn under way may be made: before anybody's next turn."""
        call: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._front.append(call)
        self.pump()
        return call

    def finished(self) -> None:
        """Take in that a turn has ended."""
        self.under_way -= 1
        self.pump()

    def cancel_waits(self) -> None:
        """Take in that a cancel is to be sent: no poll goes before it, for a while."""
        if not self.cancels_first:
            self._held_until = self._clock() + CANCELS_FIRST * self.budget.minute / 60
        self.cancels_first += 1

    def cancel_sent(self) -> None:
        """Take in that a cancel has been sent, or is to be sent later."""
        self.cancels_first -= 1
        self.pump()

    def pump(self) -> None:
        """Give the turns that can be given now; come back for the next."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        try:
            self._give_turns(self._clock())
        except Exception:  # noqa: BLE001 - or nobody would ever have a turn again
            _log.exception("Unexpected error while dealing out calls, will go on in %g s.", AFTER_ERROR)
            self.come_back(AFTER_ERROR)

    def _give_turns(self, now: float) -> None:
        self._collect(now)
        while self._front or (self._ready and self.under_way < CALLS_AT_ONCE):
            if self.cancels_first and now < self._held_until:
                self.come_back(self._held_until - now)  # whoever sends the last of them comes earlier
                return
            delay = self.budget.delay(now)
            if delay > TICK:
                self.come_back(delay)
                return
            self._give(now)
        while self._later and self._later[0][1] != self._later[0][2].stamp:
            heapq.heappop(self._later)
        if self._later:
            self.come_back(max(0.0, self._later[0][0] - now))

    def come_back(self, seconds: float) -> None:
        """Pump later, in nobody's context: what is logged then belongs to no single trigger."""
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(seconds, self.pump, context=Context())

    def _collect(self, now: float) -> None:
        while self._later and self._later[0][0] <= now + TICK:
            _, stamp, waiter = heapq.heappop(self._later)
            if stamp == waiter.stamp:
                self._ready.add(waiter)

    def _give(self, now: float) -> None:
        if self._front:
            call = self._front.popleft()
            if not call.done():
                self.budget.spend(now)
                call.set_result(None)
            return
        waiter = self._next(now)
        self.withdraw(waiter)
        try:
            granted = waiter.grant(now)
        except Exception:
            self.schedule(waiter, now + AFTER_ERROR)  # not at once, or nobody else had a turn
            raise
        if granted:
            self.budget.spend(now)
            self.under_way += 1

    def _next(self, now: float) -> Waiter:
        """Return whose turn it is."""
        if len(self._ready) == 1:
            return next(iter(self._ready))
        for waiter in self._ready:
            if waiter.urgent:
                return waiter
        if now >= self._ranked_until or len(self._ready) <= FEW:
            self._ranked.clear()
        while self._ranked:
            if (best := self._ranked.pop()) in self._ready:
                return best
        self._ranked = self._rank(now)
        self._ranked_until = now + RANKED_SECONDS * self.budget.minute / 60
        return self._ranked.pop()

    def _rank(self, now: float) -> list[Waiter]:
        """Return some of those that are ready, whose turn is next in the end."""
        share = self.even_share(now)
        in_order = sorted(self._ready, key=lambda waiter: (_last_call(waiter, share), waiter.due))
        each, few = 1 / self.budget.rate, len(in_order) <= FEW
        spare = min(_last_call(waiter, share) - each * place for place, waiter in enumerate(in_order, 1)) - now
        if spare < (each if few else RANKED_SECONDS * self.budget.minute / 60):
            return in_order[:RANKED][::-1]
        if few:
            return [max(in_order, key=lambda waiter: waiter.gain(now, share))]
        return heapq.nlargest(RANKED, in_order, key=lambda waiter: waiter.gain(now, share))[::-1]


def _last_call(waiter: Waiter, share: float) -> float:
    """Return when a waiter must have had its turn."""
    patience = waiter.patience
    return max(waiter.since + patience * share, waiter.due + (patience - 1) * share)
