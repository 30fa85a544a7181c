"""What polls runs on behalf of the triggers of one triggerer process, so that a thousand runs fit one identity's quota.

Fabric allows an identity 200 job-scheduler calls a minute. One :class:`JobPoller` per event loop and identity keeps a
budget of them, in which everything that calls the job scheduler takes its turn (:mod:`.turns`), and serves all waiting
runs of an item with one List where that is cheaper than single Gets. It never starts anything, and an error of ours
never ends a wait early: what a poll means is for :class:`~airflow_provider_fabric.api.jobs.polling.JobPoll` to say.

While there is budget to spare, an item is polled more often when one of its runs is likely to end soon.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextvars import Context
from math import inf
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

from airflow_provider_fabric.api.http.flow import Clock
from airflow_provider_fabric.api.http.retry import ONCE
from airflow_provider_fabric.api.jobs.instances import get_item_job_instance
from airflow_provider_fabric.api.jobs.listing import get_job_instances_by_id
from airflow_provider_fabric.api.jobs.polling import JobPoll
from airflow_provider_fabric.api.models import JobInstance
from airflow_provider_fabric.exceptions import FabricError, FabricProtocolError
from airflow_provider_fabric.triggerer.call_budget import CallBudget
from airflow_provider_fabric.triggerer.cancels import CancelQueue
from airflow_provider_fabric.triggerer.clocks import Clocks
from airflow_provider_fabric.triggerer.deadlines import LAST_POLL, GivingUp
from airflow_provider_fabric.triggerer.durations import History, usual_seconds
from airflow_provider_fabric.triggerer.flow_calls import FlowCalls, UrgentCalls, run_in_turns
from airflow_provider_fabric.triggerer.metrics import Reporter, State
from airflow_provider_fabric.triggerer.pending import Arun, ItemQueue, PendingRun, PollObserver
from airflow_provider_fabric.triggerer.results import PollResults, end, is_about_list, lost
from airflow_provider_fabric.triggerer.spacing import JITTER, Spacing
from airflow_provider_fabric.triggerer.turns import TICK, TurnQueue

if TYPE_CHECKING:
    from airflow_provider_fabric.api.http.flow import Flow
    from airflow_provider_fabric.triggerer.hints import Hints

T = TypeVar("T")

_log = logging.getLogger(__name__)


class JobPoller:
    """Polls runs on behalf of many waiting triggers of one identity.

    :param arun: runs a flow on the event loop, for waits that bring none of their own.
    :param budget: the identity's share of calls.
    :param clock: epoch seconds.
    :param identity: which identity, in metrics and logs; no secret.
    :param stats: where metrics go; ``None`` for Airflow's.
    """

    def __init__(
        self, arun: Arun, budget: CallBudget, *, clock: Clock = time.time, identity: str = "", stats: Any = None
    ) -> None:
        self.budget = budget
        self.clocks = Clocks(clock)
        self.turns = TurnQueue(budget, self.clocks.steady)
        self.cancels = CancelQueue(self.turns, self.clocks)
        self._arun = arun
        self._items: dict[tuple[Arun, str, str], ItemQueue] = {}
        self.reporter = Reporter(self._state, identity, stats)
        self._history = History()
        self._spacing = Spacing(budget, self.clocks)
        self._results = PollResults(self.clocks, self._history, self._spacing, self.reporter)
        self._polls: set[asyncio.Task[None]] = set()
        self._observers: WeakSet[PollObserver] = WeakSet()

    def _state(self) -> State:
        now = self.clocks.steady()
        return State(
            waiting=sum(len(item.waiting) for item in self._items.values()),
            flows=len(self.turns.members) - len(self._items),
            spent=self.budget.spent,
            refusals=self.budget.refusals,
            used=self.budget.used(now),
            share=self.budget.share,
            overdue=self.turns.oldest(now),
            cancels=self.cancels.pending,
            streams=tuple(observer.stream_status() for observer in self._observers),
        )

    async def aclose(self) -> None:
        """End what goes on in the background: for whoever ends the event loop before the process ends."""
        self.reporter.stop()
        tasks = [*self._polls, *self.cancels.tasks]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def run(self, flow: Flow[T], arun: Arun | None = None, *, deadline: float | None = None) -> T:
        """Run a flow of job-scheduler calls, each in its turn.

        :param flow: the flow.
        :param arun: makes the calls.
        :param deadline: epoch seconds from which on a call that gets no turn fails; the flow decides what that means.
        """
        self.reporter.begin()
        calls = FlowCalls(self.turns, self.clocks, deadline=deadline)
        return await run_in_turns(flow, calls, arun or self._arun, self.clocks.steady)

    async def run_at_once(self, flow: Flow[T], arun: Arun | None = None) -> T:
        """Run a flow of job-scheduler calls that cannot wait for turns; it may overdraw the budget.

        :param flow: the flow.
        :param arun: makes the calls.
        """
        self.reporter.begin()
        calls = UrgentCalls(self.budget)
        return await run_in_turns(flow, calls, arun or self._arun, self.clocks.steady)

    async def wait(self, poll: JobPoll, arun: Arun | None = None, hints: Hints | None = None) -> JobInstance:
        """Wait until a run is over.

        :param poll: which run, and how often to poll.
        :param arun: makes the calls.
        :param hints: what announces ends, if anything does.
        :returns: the instance in a terminal status, whichever.
        :raises FabricJobTimeout: the deadline passed first.
        :raises FabricJobMayBeRunning: polling on could not help.
        """
        self.reporter.begin()
        now, wall = self.clocks.steady(), self.clocks.wall()
        poll.start(now, wall)
        started = now - max(0.0, wall - poll.submitted_at)
        waiting = PendingRun(poll, asyncio.get_running_loop().create_future(), now, started)
        item = self._join(waiting, arun or self._arun, now, hints)
        grace = self._spacing.seconds(LAST_POLL)
        giving_up = GivingUp(poll.deadline, self.clocks, grace, lambda: waiting.end(poll.timed_out()))
        try:
            return await waiting.future
        finally:
            giving_up.cancel()
            item.waiting.discard(waiting)
            if hints is not None:
                hints.left(waiting)
            self._forget(item)

    def _join(self, waiting: PendingRun, arun: Arun, now: float, hints: Hints | None) -> ItemQueue:
        key = (arun, waiting.poll.job.workspace_id, waiting.poll.job.item_id)
        item = self._items.get(key)
        if item is None:
            item = self._items[key] = ItemQueue(*key, self._start)
            item.usual, item.listed = self._history.of(item.key), self._history.knows(item.key)
            self.turns.members.add(item)
        item.waiting.add(waiting)
        if hints is not None:
            item.observer = hints
            self._observers.add(hints)
            hints.joined(self, item, waiting)
        due = item.due_for(waiting, now)
        if not item.under_way and (item.stamp < 0 or due < item.due):
            item.since, item.urgent = waiting.polled_at, waiting.poll.is_last
            self.turns.schedule(item, due)
            self.turns.pump()
        return item

    def replan(self, item: ItemQueue) -> None:
        """Take in that the schedule of some of an item's runs was changed."""
        if item.waiting and not item.under_way:
            self.turns.schedule(item, item.plan(self.clocks.steady()))
            self.turns.pump()

    def conclude(self, item: ItemQueue, waiting: PendingRun, instance: JobInstance) -> None:
        """End a wait without a poll."""
        self._results.record_polls(item, [(waiting, instance)])

    def _forget(self, item: ItemQueue) -> None:
        key = (item.arun, item.workspace_id, item.item_id)
        if not item.waiting and self._items.get(key) is item:
            del self._items[key]
            self.turns.leave(item)
            self.turns.pump()

    def _start(self, item: ItemQueue, now: float) -> bool:
        """Start a poll in an item's turn, unless whoever was due has left."""
        if not item.waiting:
            return False
        due = item.plan(now)
        if due > now + TICK:
            self.turns.schedule(item, due)
            return False
        item.under_way = True
        self.reporter.polled()
        work = self._poll(item, *item.choose(max(now, due)))
        poll = Context().run(asyncio.get_running_loop().create_task, work)
        self._polls.add(poll)
        poll.add_done_callback(lambda _: self._polled(item, poll))
        return True

    def _polled(self, item: ItemQueue, poll: asyncio.Task[None]) -> None:
        self._polls.discard(poll)
        item.under_way = False
        if item.waiting:
            self.turns.schedule(item, item.plan(self.clocks.steady()))
        if poll.cancelled():  # the event loop is being closed: no new task now
            self.turns.under_way -= 1
            self.turns.come_back(1.0)
        else:
            self.turns.finished()

    async def _poll(self, item: ItemQueue, group: list[PendingRun], by_list: bool) -> None:
        try:
            await (self._poll_list(item, group) if by_list else self._poll_one(item, group))
        except Exception as error:  # noqa: BLE001 - a bug must end the wait, not hang it
            _log.exception("Unexpected error while polling item %s.", item.item_id)
            for waiting in group:
                end(item, waiting, lost(waiting, error))

    async def _ask(self, item: ItemQueue, flow: Flow[T]) -> T:
        """Run a poll's flow, whose first call is paid for."""
        calls = FlowCalls(self.turns, self.clocks, granted=True)
        try:
            return await run_in_turns(flow, calls, item.arun, self.clocks.steady)
        except (RecursionError, MemoryError) as error:  # an answer that is nested too deeply, or too long
            raise FabricProtocolError(f"The answer could not be read: {error!r}") from error

    async def _poll_one(self, item: ItemQueue, group: list[PendingRun]) -> None:
        job = group[0].poll.job
        try:
            instance: JobInstance = await self._ask(
                item, get_item_job_instance(job.workspace_id, job.item_id, job.job_instance_id, budget=ONCE)
            )
        except FabricError as error:
            self._results.record_failure(item, group, error)
            return
        for waiting in group:
            waiting.singly = False
        self._results.record_polls(item, [(waiting, instance) for waiting in group])

    async def _poll_list(self, item: ItemQueue, group: list[PendingRun]) -> None:
        wanted = {w.run for w in group}
        try:
            found, others, item.pages = await self._ask(
                item, get_job_instances_by_id(item.workspace_id, item.item_id, wanted, budget=ONCE)
            )
        except FabricError as error:
            record = self._results.record_list_failure if is_about_list(error) else self._results.record_failure
            record(item, group, error)
            return
        if not item.listed:
            self._history.listed(item.key, usual_seconds(others))
            item.usual = self._history.of(item.key)
        item.listed, item.list_failures, item.lists_from = True, 0, -inf
        item.rest_until = self.clocks.steady() + min(self._spacing.shortest(w.poll) for w in group) * (1 - JITTER)
        for waiting in group:  # not listed: not visible yet, or over for long, for about 100 completed runs are kept
            waiting.singly = waiting.run not in found
        self._results.record_polls(item, [(w, found[w.run]) for w in group if not w.singly])
