"""Watched items, in virtual time: listed when an event says so, and rarely beside that."""

from __future__ import annotations

import asyncio
from datetime import datetime, timezone

import pytest

from airflow_provider_fabric.api.jobs.events import EventKind
from airflow_provider_fabric.api.models import JobInstance
from airflow_provider_fabric.api.status import JobStatus
from airflow_provider_fabric.triggerer.clocks import Clocks
from airflow_provider_fabric.triggerer.coverage import GRACE, TOPOLOGY_SECONDS
from airflow_provider_fabric.triggerer.hints import Hints
from airflow_provider_fabric.triggerer.item_hints import RAREST, RETRIES
from tests.unit.virtual_events import event
from tests.unit.virtual_time import WORKSPACE, clock, guid, run_virtually

ITEM = (WORKSPACE, guid(1))


def instance(run: int, status: JobStatus = JobStatus.COMPLETED) -> JobInstance:
    """Return a run that is over now."""
    now = datetime.fromtimestamp(clock(), timezone.utc)
    return JobInstance(guid(run), guid(1), "Pipeline", "Manual", status, status.value, None, now, now)


class Watcher:
    """Lists an item again and again, as an event trigger does, every 60 s."""

    def __init__(self, carried: bool = True) -> None:
        self.hints = Hints(Clocks(clock))
        self.hints.connected()
        self.over: list[JobInstance] = []
        self.lists: list[float] = []
        self.began = clock()
        if carried:
            self.carry()
        self.task = asyncio.create_task(self.watch())

    def carry(self) -> None:
        self.hints.carries([ITEM])
        asyncio.get_running_loop().call_later(TOPOLOGY_SECONDS / 3, self.carry)

    async def watch(self) -> None:
        while True:
            mark = self.hints.items.mark(ITEM)
            self.lists.append(clock() - self.began)
            self.hints.items.listed(ITEM, self.over, self.began)
            await self.hints.items.pause(ITEM, 60.0, mark)

    def end(self, run: int, *, announced: bool = True, shown: bool = True) -> None:
        if shown:
            self.over.append(instance(run))
        if announced:
            self.hints.received(event(EventKind.CREATED, 1, run, clock()))
            self.hints.received(event(EventKind.SUCCEEDED, 1, run, clock()))


def test_an_item_that_the_stream_carries_is_listed_every_15_minutes() -> None:
    async def main() -> None:
        watcher = Watcher()
        await asyncio.sleep(4 * RAREST - 1)
        assert watcher.lists == [0, *(pytest.approx(RAREST * n) for n in (1, 2, 3))]

    run_virtually(main())


def test_an_item_that_it_does_not_carry_is_listed_as_ever() -> None:
    async def main() -> None:
        watcher = Watcher(carried=False)
        await asyncio.sleep(599)
        assert watcher.lists == [pytest.approx(60 * n) for n in range(10)]

    run_virtually(main())


def test_an_end_is_listed_at_once_and_once() -> None:
    async def main() -> None:
        watcher = Watcher()
        await asyncio.sleep(100)
        watcher.end(1)
        await asyncio.sleep(500)
        assert watcher.lists == [0, pytest.approx(100, abs=0.1)]

    run_virtually(main())


def test_many_ends_at_once_share_a_list() -> None:
    async def main() -> None:
        watcher = Watcher()
        await asyncio.sleep(100)
        for run in range(50):
            watcher.end(run)
            await asyncio.sleep(0.1)
        await asyncio.sleep(100)
        assert len(watcher.lists) <= 6

    run_virtually(main())


def test_an_end_that_the_list_does_not_show_is_listed_again_and_given_up() -> None:
    async def main() -> None:
        watcher = Watcher()
        await asyncio.sleep(100)
        watcher.end(1, shown=False)
        await asyncio.sleep(5)
        watcher.over.append(instance(1))
        await asyncio.sleep(500)
        assert 3 <= len(watcher.lists) <= 5
        before = len(watcher.lists)
        watcher.end(2, shown=False)  # a forgery
        await asyncio.sleep(800)
        assert len(watcher.lists) - before <= RETRIES + 2

    run_virtually(main())


def test_an_end_that_no_event_announced_uncovers_the_item() -> None:
    async def main() -> None:
        watcher = Watcher()
        await asyncio.sleep(100)
        watcher.end(1, announced=False)
        await asyncio.sleep(2 * RAREST)
        after = [when for when in watcher.lists if when > RAREST + GRACE]
        assert len(after) >= 10
        watcher.end(2)
        await asyncio.sleep(10)
        before = len(watcher.lists)
        await asyncio.sleep(RAREST - 100)
        assert len(watcher.lists) == before

    run_virtually(main())


def test_a_deduped_run_that_nothing_announces_says_nothing() -> None:
    async def main() -> None:
        watcher = Watcher()
        await asyncio.sleep(100)
        watcher.over.append(instance(1, JobStatus.DEDUPED))
        await asyncio.sleep(3 * RAREST)
        assert len(watcher.lists) == 4

    run_virtually(main())


def test_a_line_that_is_lost_leaves_todays_pace_at_once() -> None:
    async def main() -> None:
        watcher = Watcher()
        await asyncio.sleep(500)
        watcher.hints.lost()
        await asyncio.sleep(1)
        assert len(watcher.lists) == 2
        await asyncio.sleep(600)
        assert len(watcher.lists) == 12

    run_virtually(main())
