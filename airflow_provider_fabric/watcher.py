"""What the triggers of one triggerer process share, so that a thousand runs fit one identity's quota.

Fabric allows an identity 200 job-scheduler calls a minute. One :class:`Watcher` per event loop and identity keeps a
budget of them, looks at the run that is most overdue, and serves all waiting runs of its item with one List where that
is cheaper than single Gets. It never starts or cancels anything, and our own trouble never ends a wait early: what a
look means is told by :class:`~airflow_provider_fabric.api.waiting.Watch`.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

from airflow_provider_fabric.api.budget import CallBudget
from airflow_provider_fabric.api.jobs import find_job_instances, get_item_job_instance
from airflow_provider_fabric.api.models import JobInstance
from airflow_provider_fabric.api.retry import ONCE
from airflow_provider_fabric.api.waiting import Watch
from airflow_provider_fabric.exceptions import FabricError, FabricNotFoundError, FabricThrottledError

if TYPE_CHECKING:
    from airflow_provider_fabric.api.flow import Flow

CALLS_AT_ONCE = 8
"""Looks under way at the same time: enough for a slow service, few enough for a small pool of connections."""

JITTER = 0.05
"""Share of an interval by which looks are spread."""

NEAR_END_SPEED = 4.0
SHORTEST_INTERVAL = 5.0
"""Near a run's likely end, and with budget to spare, it is looked at so much more often, but not below this (s)."""

Clock = Callable[[], float]


@dataclass(eq=False)
class _Waiting:
    """One trigger's wait."""

    watch: Watch
    future: asyncio.Future[JobInstance]
    singly: bool = False


@dataclass(eq=False)
class _Item:
    """The runs of one item that are waited for."""

    workspace_id: str
    item_id: str
    waiting: set[_Waiting] = field(default_factory=set)
    pages: int = 1
    usual_seconds: float | None = None
    under_way: bool = False

    @property
    def due(self) -> float:
        return min((w.watch.next_look for w in self.waiting), default=float("inf"))


class Watcher:
    """Looks at runs on behalf of many waiting triggers of one identity.

    :param arun: runs a flow on the event loop.
    :param budget: the identity's share of calls.
    :param clock: epoch seconds.
    """

    def __init__(
        self,
        arun: Callable[[Flow[Any]], Awaitable[Any]],
        budget: CallBudget,
        *,
        clock: Clock = time.time,
    ) -> None:
        self._arun = arun
        self._budget = budget
        self._clock = clock
        self._items: dict[tuple[str, str], _Item] = {}
        self._queue: list[tuple[float, int, _Item]] = []
        self._tie = itertools.count()
        self._wake = asyncio.Event()
        self._runner: asyncio.Task[None] | None = None
        self._looks: set[asyncio.Task[None]] = set()

    async def wait(self, watch: Watch) -> JobInstance:
        """Wait until a run is over.

        :returns: the instance in a terminal status, whichever.
        :raises FabricJobTimeout: the deadline passed first.
        :raises FabricJobMayBeRunning: looking on could not help.
        """
        waiting = _Waiting(watch, asyncio.get_running_loop().create_future())
        job = watch.job
        item = self._items.setdefault((job.workspace_id, job.item_id), _Item(job.workspace_id, job.item_id))
        item.waiting.add(waiting)
        self._enqueue(item)
        if self._runner is None or self._runner.done():
            self._runner = asyncio.get_running_loop().create_task(self._run())
        self._wake.set()
        try:
            return await waiting.future
        finally:
            item.waiting.discard(waiting)
            if not item.waiting:
                self._items.pop((job.workspace_id, job.item_id), None)

    def _enqueue(self, item: _Item) -> None:
        if item.waiting and not item.under_way:
            heapq.heappush(self._queue, (item.due, next(self._tie), item))

    async def _run(self) -> None:
        """Start looks, the most overdue first, as the budget allows; end when nobody waits."""
        while self._items:
            self._wake.clear()
            delay = self._delay()
            if delay is None or delay > 0:
                await self._rest(delay)
                continue
            _, _, item = heapq.heappop(self._queue)
            item.under_way = True
            look = asyncio.get_running_loop().create_task(self._look(item))
            self._looks.add(look)
            look.add_done_callback(self._looks.discard)

    def _delay(self) -> float | None:
        """Return seconds until the next look may start; ``None`` if only an event can tell."""
        while self._queue and (self._queue[0][2].under_way or self._queue[0][2].due != self._queue[0][0]):
            heapq.heappop(self._queue)  # out of date: the item was queued anew, or nobody waits for it
        if not self._queue or len(self._looks) >= CALLS_AT_ONCE:
            return None
        now = self._clock()
        return max(self._queue[0][0] - now, self._budget.delay(now))

    async def _rest(self, seconds: float | None) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), seconds)
        except asyncio.TimeoutError:
            return

    async def _look(self, item: _Item) -> None:
        try:
            ready = [w for w in item.waiting if w.watch.first_look <= self._clock()]
            alone = next((w for w in ready if w.singly), None)
            if alone is None and len(ready) > 1 and item.pages <= len(ready):
                await self._look_at_list(item, ready)
            else:
                due = min(ready or item.waiting, key=lambda w: w.watch.next_look)
                await self._look_at_one(alone or due)
        except Exception as error:  # noqa: BLE001 - a wait must end with the error, not hang
            for waiting in list(item.waiting):
                _fail(waiting, error)
        finally:
            item.under_way = False
            self._enqueue(item)
            self._wake.set()

    async def _look_at_one(self, waiting: _Waiting) -> None:
        job = waiting.watch.job
        self._budget.spend(self._clock())
        flow = get_item_job_instance(job.workspace_id, job.item_id, job.job_instance_id, budget=ONCE)
        try:
            instance = await self._arun(flow)
        except FabricError as error:
            self._stumbled([waiting], error)
        else:
            waiting.singly = False
            self._seen(waiting, instance, None)

    async def _look_at_list(self, item: _Item, ready: list[_Waiting]) -> None:
        wanted = {w.watch.job.job_instance_id for w in ready}
        self._budget.spend(self._clock())
        try:
            found, others, pages = await self._arun(
                find_job_instances(item.workspace_id, item.item_id, wanted, budget=ONCE)
            )
        except FabricError as error:
            self._stumbled(ready, error)
            return
        item.pages = pages
        if pages > 1:
            self._budget.spend(self._clock(), pages - 1)
        item.usual_seconds = _usual_seconds([*others, *found.values()])
        for waiting in ready:
            instance = found.get(waiting.watch.job.job_instance_id)
            if instance is not None:
                self._seen(waiting, instance, item.usual_seconds)
            elif waiting.watch.known_visible:
                waiting.singly = True  # it ended and fell off the list: about 100 completed runs are kept
                waiting.watch.next_look = self._clock()
            else:
                missing = FabricNotFoundError("It is not in the item's list yet.", status_code=404)
                self._stumbled([waiting], missing)

    def _seen(self, waiting: _Waiting, instance: JobInstance, usual_seconds: float | None) -> None:
        now = self._clock()
        try:
            ended = waiting.watch.seen(instance, now)
        except FabricError as error:
            _fail(waiting, error)
            return
        if ended is not None:
            if not waiting.future.done():
                waiting.future.set_result(ended)
            return
        self._spread(waiting.watch, now, instance, usual_seconds)

    def _stumbled(self, group: list[_Waiting], error: FabricError) -> None:
        now = self._clock()
        throttled = False
        if isinstance(error, FabricThrottledError):
            throttled = True
            self._budget.refused(now, error.retry_after)
        for waiting in group:
            try:
                waiting.watch.stumbled(error, now)
            except FabricError as final:
                _fail(waiting, final)
                continue
            if throttled:  # it is overdue as before; the budget's pause holds it back
                waiting.watch.next_look = now
            else:
                self._spread(waiting.watch, now, None, None)

    def _spread(self, watch: Watch, now: float, instance: JobInstance | None, usual_seconds: float | None) -> None:
        """Move the next look a little, and nearer when the run is about to end and there is budget to spare."""
        pause = watch.next_look - now
        if instance is not None and usual_seconds and instance.start_time_utc and self._budget.spare(now):
            age = now - instance.start_time_utc.timestamp()
            if 0.8 * usual_seconds <= age + pause and age <= 1.5 * usual_seconds:
                pause = min(pause, max(SHORTEST_INTERVAL, watch.interval / NEAR_END_SPEED))
        watch.next_look = now + pause * (1.0 + random.uniform(-JITTER, JITTER))  # noqa: S311 - not for secrets


def _usual_seconds(instances: list[JobInstance]) -> float | None:
    """Return how long the item's completed runs usually took."""
    spans = [
        (i.end_time_utc - i.start_time_utc).total_seconds()
        for i in instances
        if i.end_time_utc is not None and i.start_time_utc is not None
    ]
    return median(spans) if len(spans) >= 3 else None


def _fail(waiting: _Waiting, error: BaseException) -> None:
    if not waiting.future.done():
        waiting.future.set_exception(error)
