"""What the triggers of one triggerer process share, so that a thousand runs fit one identity's quota.

Fabric allows an identity 200 job-scheduler calls a minute. One :class:`JobPoller` per event loop and identity keeps a
budget of them, looks at the run that is most overdue, and serves all waiting runs of its item with one List where that
is cheaper than single Gets. It never starts or cancels anything, and our own trouble never ends a wait early: what a
look means is told by :class:`~airflow_provider_fabric.api.jobs.polling.JobPoll`.

While there is budget to spare, an item is looked at more often when one of its runs is likely to end soon; when there
is none, the longest overdue comes first, which stretches all intervals evenly.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import random
import time
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_fabric.api.http.retry import ONCE
from airflow_provider_fabric.api.jobs.instances import get_item_job_instance
from airflow_provider_fabric.api.jobs.listing import get_job_instances_by_id
from airflow_provider_fabric.api.jobs.polling import JobPoll
from airflow_provider_fabric.api.models import JobInstance
from airflow_provider_fabric.exceptions import (
    FabricBadRequestError,
    FabricError,
    FabricJobMayBeRunning,
    FabricNotFoundError,
    FabricPermissionError,
    FabricProtocolError,
    FabricThrottledError,
)
from airflow_provider_fabric.triggerer.call_budget import CallBudget, rate_limited
from airflow_provider_fabric.triggerer.durations import chance_of_ending, usual_seconds
from airflow_provider_fabric.triggerer.pending import NEVER, ItemQueue, PendingRun

if TYPE_CHECKING:
    from airflow_provider_fabric.api.http.flow import Flow

CALLS_AT_ONCE = 8
"""Looks under way at the same time: enough for a slow service, few enough for a small pool of connections."""

JITTER = 0.05
"""Share of an interval by which looks are spread."""

FASTEST = 4.0
"""Near a run's likely end, and with budget to spare, it is looked at so much more often at most..."""

SHORTEST = 5.0
"""...but not more often than this, in seconds, unless it was asked for."""

TICK = 0.001
"""Seconds that a look may be early: clocks and sums are not exact."""

LAST_LOOK = 5.0
"""Seconds after its deadline at which a wait ends without a last look."""

NOT_LISTABLE = (FabricBadRequestError, FabricNotFoundError, FabricPermissionError, FabricProtocolError)
"""After these a List is not tried again; what they mean for a run, its own Get decides."""

T = TypeVar("T")

_log = logging.getLogger(__name__)


class JobPoller:
    """Looks at runs on behalf of many waiting triggers of one identity.

    :param arun: runs a flow on the event loop.
    :param budget: the identity's share of calls.
    :param clock: epoch seconds.
    """

    def __init__(
        self, arun: Callable[[Flow[Any]], Awaitable[Any]], budget: CallBudget, *, clock: Callable[[], float] = time.time
    ) -> None:
        self.budget = budget
        self._clock = clock
        self._arun = arun
        self._items: dict[tuple[str, str], ItemQueue] = {}
        self._queue: list[tuple[float, int, ItemQueue]] = []
        self._tie = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._turn: float | None = None
        """When the call may be made that is reserved for the next look."""
        self._looks: set[asyncio.Task[None]] = set()

    async def wait(self, poll: JobPoll) -> JobInstance:
        """Wait until a run is over.

        :returns: the instance in a terminal status, whichever.
        :raises FabricJobTimeout: the deadline passed first.
        :raises FabricJobMayBeRunning: looking on could not help.
        """
        waiting = PendingRun(poll, asyncio.get_running_loop().create_future())
        key = (poll.job.workspace_id, poll.job.item_id)
        item = self._items.setdefault(key, ItemQueue(*key))
        item.waiting.add(waiting)
        giving_up = self._give_up_in_time(item, waiting)
        self._enqueue(item, item.due_for(waiting))
        self._pump()
        try:
            return await waiting.future
        finally:
            if giving_up is not None:
                giving_up.cancel()
            item.waiting.discard(waiting)
            self._forget(item)

    def _give_up_in_time(self, item: ItemQueue, waiting: PendingRun) -> asyncio.TimerHandle | None:
        """See to it that a wait ends although its last look, due at the deadline, gets no budget or no answer."""
        poll = waiting.poll
        if poll.deadline is None:
            return None
        left = poll.deadline + LAST_LOOK * self.budget.minute / 60 - self._clock()
        return _later(left, lambda: item.end(waiting, poll.timed_out()))

    def _forget(self, item: ItemQueue) -> None:
        key = (item.workspace_id, item.item_id)
        if not item.waiting and self._items.get(key) is item:
            del self._items[key]
        if not self._items:
            self._queue.clear()
            self._pump()

    def _enqueue(self, item: ItemQueue, due: float) -> None:
        if not item.under_way and due < item.queued_for:
            item.queued_for = due
            heapq.heappush(self._queue, (due, next(self._tie), item))

    def _pump(self) -> None:
        """Start the looks that are due, the most overdue first, as the budget allows; come back for the next."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._queue and len(self._looks) < CALLS_AT_ONCE:
            due, _, item = self._queue[0]
            if due == item.queued_for and item.waiting:
                now = self._clock()
                pause = due - now
                if pause <= TICK:
                    pause = self._turn_in(now)
                if pause > TICK:
                    self._timer = _later(pause, self._pump)
                    return
                self._start(item, max(due, now))
            else:  # out of date
                heapq.heappop(self._queue)

    def _turn_in(self, now: float) -> float:
        """Return in how many seconds the next look may be made, in line with whoever else draws on the budget."""
        if self._turn is None:
            self._turn = now + self.budget.take(now)
        return max(self._turn - now, self.budget.pause(now))

    def _start(self, item: ItemQueue, now: float) -> None:
        heapq.heappop(self._queue)
        item.queued_for = NEVER
        due = item.due()
        if due > now:  # whoever was due has left
            self._enqueue(item, due)
            return
        item.under_way = True
        self._turn = None
        look = Context().run(asyncio.get_running_loop().create_task, self._look(item, *item.choose(now)))
        self._looks.add(look)
        look.add_done_callback(lambda _: self._looked(item, look))

    def _looked(self, item: ItemQueue, look: asyncio.Task[None]) -> None:
        self._looks.discard(look)
        item.under_way = False
        if item.waiting:
            self._enqueue(item, item.due())
        if look.cancelled():  # the event loop is being closed: no new task now
            self._timer = self._timer or _later(1.0, self._pump)
        else:
            self._pump()

    async def _look(self, item: ItemQueue, group: list[PendingRun], by_list: bool) -> None:
        try:
            await (self._look_at_list(item, group) if by_list else self._look_at_one(item, group))
        except Exception as error:  # noqa: BLE001 - a fault of ours must end the wait, not hang it
            _log.exception("Looking at the runs of item %s broke.", item.item_id)
            for waiting in group:
                lost = FabricJobMayBeRunning(f"Lost sight of {waiting.poll}: {error!r}", job=waiting.poll.known())
                lost.__cause__ = error
                item.end(waiting, lost)

    async def _ask(self, flow: Flow[T]) -> T:
        """Run a look's flow, whose first call is paid for."""
        return await self._arun(rate_limited(self.budget, flow, self._clock, paid=1))  # type: ignore[no-any-return]

    async def _look_at_one(self, item: ItemQueue, group: list[PendingRun]) -> None:
        job = group[0].poll.job
        try:
            instance = await self._ask(
                get_item_job_instance(job.workspace_id, job.item_id, job.job_instance_id, budget=ONCE)
            )
        except FabricError as error:
            self._record_failure(item, group, error)
            return
        for waiting in group:
            waiting.singly = False
        self._record_polls(item, [(waiting, instance) for waiting in group])

    async def _look_at_list(self, item: ItemQueue, group: list[PendingRun]) -> None:
        wanted = {w.run for w in group}
        try:
            found, others, item.pages = await self._ask(
                get_job_instances_by_id(item.workspace_id, item.item_id, wanted, budget=ONCE)
            )
        except NOT_LISTABLE as error:
            _log.warning("Runs of item %s are looked at one by one from now on: %s", item.item_id, error)
            item.listable = False
            return
        except FabricError as error:
            self._record_failure(item, group, error)
            return
        if item.usual is None or any(run.status.is_terminal for run in found.values()):
            item.usual = usual_seconds(others)
        item.rest_until = self._clock() + min(self._shortest(w.poll) for w in group) * (1 - JITTER)
        for waiting in group:  # not listed: not visible yet, or over for long, for about 100 completed runs are kept
            waiting.singly = waiting.run not in found
        self._record_polls(item, [(w, found[w.run]) for w in group if not w.singly])

    def _record_polls(self, item: ItemQueue, looks: list[tuple[PendingRun, JobInstance]]) -> None:
        now, active = self._clock(), []
        chances: dict[str, float] = {}
        for waiting, instance in looks:
            try:
                ended = waiting.poll.record_poll(instance, now)
            except FabricError as error:
                item.end(waiting, error)
                continue
            if ended is not None:
                item.end(waiting, ended)
            else:
                active.append(waiting)
                started = instance.start_time_utc
                age = 0.0 if started is None else max(0.0, now - started.timestamp())
                chances[waiting.run] = chance_of_ending(age, waiting.poll.check_interval, item.usual or ())
        self._spread(active, now, 1.0 + (FASTEST - 1.0) * min(1.0, sum(chances.values())) * self.budget.slack(now))

    def _record_failure(self, item: ItemQueue, group: list[PendingRun], error: FabricError) -> None:
        now = self._clock()
        if isinstance(error, FabricThrottledError) or not any(w.poll.failures for w in group):
            _log.warning("Could not look at runs of item %s, will look again: %s", item.item_id, error)
        patient = []
        for waiting in group:
            due = waiting.poll.next_poll_at
            try:
                waiting.poll.record_failure(error, now)
            except FabricError as final:
                item.end(waiting, final)
                continue
            if isinstance(error, FabricThrottledError):  # as overdue as before: the budget's pause holds it back
                waiting.poll.schedule_at(due)
            else:
                patient.append(waiting)
        self._spread(patient, now)

    def _shortest(self, poll: JobPoll) -> float:
        """Return how soon after a look a run may be looked at again."""
        return min(poll.check_interval, max(SHORTEST * self.budget.minute / 60, poll.check_interval / FASTEST))

    def _spread(self, group: list[PendingRun], now: float, haste: float = 1.0) -> None:
        """Move the next looks of a group together: nearer in haste, and a little at random."""
        jitter = random.uniform(1.0 - JITTER, 1.0 + JITTER)  # noqa: S311 - not for secrets
        for waiting in group:
            pause = waiting.poll.next_poll_at - now
            pause = min(pause, max(pause / haste, self._shortest(waiting.poll)))
            waiting.poll.schedule_at(now + pause * jitter)


def _later(seconds: float, call: Callable[[], None]) -> asyncio.TimerHandle:
    """Call back later, in nobody's context: what is logged then belongs to no single trigger."""
    return asyncio.get_running_loop().call_later(seconds, call, context=Context())
