"""Runs a flow of job-scheduler calls, each in its turn: sensors, event triggers, and the pages of a List."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_fabric.api.http.flow import Request, Response, Sleep, TransportFailure
from airflow_provider_fabric.api.http.flow_runner import seconds_of
from airflow_provider_fabric.exceptions import FabricError
from airflow_provider_fabric.triggerer.call_budget import CallBudget
from airflow_provider_fabric.triggerer.clocks import Clocks
from airflow_provider_fabric.triggerer.deadlines import LAST_POLL, GivingUp
from airflow_provider_fabric.triggerer.durations import gain_of_poll
from airflow_provider_fabric.triggerer.turns import TurnQueue, Waiter

if TYPE_CHECKING:
    from airflow_provider_fabric.api.http.flow import Flow
    from airflow_provider_fabric.triggerer.pending import Arun

T = TypeVar("T")

WEIGHT = 0.25
"""What a run that may never start counts beside one that is known to run."""


class FlowCalls(Waiter):
    """A flow's place in the queue.

    :param turns: the queue.
    :param clocks: the queue's clocks.
    :param granted: its first call is paid for, and its turn is ended by somebody else: a poll's flow.
    :param deadline: epoch seconds from which on a call is urgent, and soon after which it fails; ``None`` for never.
    """

    def __init__(
        self, turns: TurnQueue, clocks: Clocks, *, granted: bool = False, deadline: float | None = None
    ) -> None:
        self._turns = turns
        self._clocks = clocks
        self._deadline = deadline
        self._began = self.since = clocks.steady()
        self._call: asyncio.Future[None] | None = None
        self._prepaid = self._polls = granted
        self._holds = False
        if not granted:
            turns.members.add(self)

    @property
    def cost(self) -> float:
        """A poll is a call, mostly."""
        return 1.0

    def gain(self, now: float, share: float) -> float:
        """Return what a turn would be worth now."""
        return WEIGHT * gain_of_poll(self.since - self._began, now - self.since, None, share)

    def grant(self, now: float) -> bool:
        """Let the call go."""
        if self._call is None or self._call.done():
            return False
        self.since, self._holds = now, True
        self._call.set_result(None)
        return True

    async def turn(self, now: float) -> None:
        """Wait until the next call may be made.

        :raises FabricError: the deadline has passed, and there was no turn for the call.
        """
        if self._prepaid:
            self._prepaid = False
            return
        if self._polls or self._holds:
            call = self._turns.continue_turn()
        else:
            call = self._call = asyncio.get_running_loop().create_future()
            self.urgent = self._deadline is not None and self._clocks.wall() >= self._deadline
            self._turns.schedule(self, now)
            self._turns.pump()
        grace = LAST_POLL * self._turns.budget.minute / 60
        giving_up = GivingUp(self._deadline, self._clocks, grace, lambda: self._give_up(call))
        try:
            await call
        except asyncio.CancelledError:
            self._turns.budget.give_back(int(self._holds and call is self._call))
            raise
        finally:
            giving_up.cancel()

    def _give_up(self, call: asyncio.Future[None]) -> None:
        if not call.done():
            self._turns.withdraw(self)
            call.set_exception(FabricError("The quota allowed no call before the deadline."))

    def pause(self) -> None:
        """Take in that no call follows at once."""
        if self._holds:
            self._holds = False
            self._turns.finished()

    def spend_more(self, now: float) -> None:
        """Record a call that could not wait for a turn."""
        self._turns.budget.spend(now)

    def refused(self, now: float, retry_after: float | None) -> None:
        """Record a 429."""
        self._turns.budget.refused(now, retry_after)

    def leave(self) -> None:
        """Give everything back."""
        self.pause()
        self._turns.leave(self)


class UrgentCalls:
    """Calls that wait for no turn: they overdraw the budget.

    :param budget: the identity's budget.
    """

    def __init__(self, budget: CallBudget) -> None:
        self._budget = budget

    async def turn(self, now: float) -> None:
        """Record a call, which may be made at once."""
        self._budget.spend(now)

    def pause(self) -> None:
        """Nothing is held."""

    def leave(self) -> None:
        """Nothing is held."""

    def spend_more(self, now: float) -> None:
        """Record a further call."""
        self._budget.spend(now)

    def refused(self, now: float, retry_after: float | None) -> None:
        """Record a 429."""
        self._budget.refused(now, retry_after)


async def run_in_turns(flow: Flow[T], calls: FlowCalls | UrgentCalls, arun: Arun, clock: Callable[[], float]) -> T:
    """Run a flow, each of its requests in its turn, and let the budget know of refusals.

    :param flow: the flow.
    :param calls: its place in the queue, which is given back in the end.
    :param arun: makes a call.
    :param clock: the queue's time.
    """
    answer: Response | TransportFailure | None = None
    failure: FabricError | None = None
    try:
        while True:
            try:
                wish = flow.send(answer) if failure is None else flow.throw(failure)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            answer, failure = None, None
            if isinstance(wish, Sleep):
                calls.pause()
                await asyncio.sleep(seconds_of(wish))
                continue
            try:
                await calls.turn(clock())
                answer = await arun(_one_call(wish, lambda: calls.spend_more(clock())))
            except FabricError as error:
                failure = error
            if isinstance(answer, Response) and answer.status == 429:
                calls.refused(clock(), answer.retry_after)
    finally:
        flow.close()
        calls.leave()


def _one_call(request: Request, spend_more: Callable[[], None]) -> Flow[Response | TransportFailure]:
    """Make one call, and again with a fresh token if that is refused: which one it was, only this flow's run knows."""
    answer = yield request
    if isinstance(answer, Response) and answer.status == 401:
        spend_more()
        answer = yield replace(request, fresh_token=True)
    if answer is None:
        raise TypeError("The driver answered a request with nothing.")
    return answer
