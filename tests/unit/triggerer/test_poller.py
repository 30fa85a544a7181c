"""The poller, in virtual time: hours of waiting for thousands of runs pass in milliseconds, without a socket."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections import Counter
from contextvars import ContextVar
from statistics import median
from typing import Any

import pytest

from airflow_provider_fabric.api.http.flow import Request, Response, TransportFailure
from airflow_provider_fabric.api.jobs.item_polling import ItemPoll, poll_item
from airflow_provider_fabric.api.jobs.polling import JobPoll
from airflow_provider_fabric.api.models import JobInstance, JobRef
from airflow_provider_fabric.api.status import JobStatus
from airflow_provider_fabric.exceptions import (
    FabricAuthError,
    FabricConnectionError,
    FabricJobMayBeRunning,
    FabricJobTimeout,
)
from airflow_provider_fabric.triggerer.call_budget import CallBudget
from airflow_provider_fabric.triggerer.deadlines import LAST_POLL
from airflow_provider_fabric.triggerer.poller import JobPoller
from airflow_provider_fabric.triggerer.turns import CALLS_AT_ONCE, Waiter
from tests.unit.virtual_time import EPOCH, WORKSPACE, FakeFabric, Run, clock, guid, refused, run_virtually

PLENTY = 100_000.0


class Bench:
    """A Fabric, pollers on one identity, and what their waits came to."""

    def __init__(self, fabric: FakeFabric | None = None, per_minute: float = PLENTY, processes: int = 1) -> None:
        self.fabric = fabric or FakeFabric()
        self.pollers = [
            JobPoller(self.fabric.arun, CallBudget(per_minute, clock()), clock=clock) for _ in range(processes)
        ]
        self.poller = self.pollers[0]
        self.lags: list[float] = []

    def poll(
        self, item: int, run: int, *, check_interval: float = 60.0, first: float = 0.0, timeout: float | None = None
    ) -> JobPoll:
        deadline = None if timeout is None else clock() + timeout
        return JobPoll(JobRef(WORKSPACE, guid(item), guid(run)), clock(), check_interval, clock() + first, deadline)

    async def run(self, item: int, run: int, takes: float, process: int = 0, **more: Any) -> JobInstance:
        """Start a run, and wait for it."""
        ends = clock() + takes
        self.fabric.start(item, run, takes)
        instance = await self.pollers[process].wait(self.poll(item, run, **more))
        self.lags.append(clock() - ends)
        return instance

    @property
    def left(self) -> int:
        """What the pollers still hold."""
        return sum(len(w._items) + w.turns.size + len(w._polls) + len(w.turns.members) for w in self.pollers)


def test_a_run_is_awaited() -> None:
    async def main() -> None:
        bench = Bench()
        instance = await bench.run(1, 1, 100)
        assert instance.id == guid(1)
        assert instance.status is JobStatus.COMPLETED
        await asyncio.sleep(1)
        assert bench.left == 0

    run_virtually(main())


def test_a_run_that_is_not_visible_yet_does_not_take_its_siblings_looks() -> None:
    async def main() -> None:
        bench = Bench()
        bench.fabric.start(1, 1, 900, visible_after=200.0)
        bench.fabric.start(1, 2, 900)
        waits = [asyncio.create_task(bench.poller.wait(bench.poll(1, run, check_interval=10))) for run in (1, 2)]
        await asyncio.sleep(150)
        looks = Counter(what for _, what in bench.fabric.calls)
        assert looks[f"GET {guid(1)}"] <= 20
        assert looks[f"GET {guid(2)}"] + bench.fabric.lists >= 12
        await asyncio.gather(*waits)

    run_virtually(main())


def test_looks_get_their_turn_beside_others_who_use_up_the_budget() -> None:
    """Sensors and event triggers reserve calls ahead: more of them than fit must not shut the poller out."""

    async def main() -> None:
        bench = Bench(per_minute=180)

        async def sensor(number: int) -> None:
            poll = ItemPoll(WORKSPACE, guid(1000 + number), None, clock(), 60.0)
            await bench.poller.run(poll_item(poll, clock=clock))

        sensors = [asyncio.create_task(sensor(number)) for number in range(400)]
        await asyncio.wait_for(bench.run(1, 1, 3000), 7200)
        assert bench.fabric.gets >= 15
        assert max(bench.lags) < 300
        for each in sensors:
            each.cancel()

    run_virtually(main())


def test_one_list_serves_all_runs_of_an_item() -> None:
    async def main() -> None:
        bench = Bench()
        await asyncio.gather(*(bench.run(1, run, 595, check_interval=5) for run in range(40)))
        assert bench.fabric.gets == 0
        assert bench.fabric.lists == pytest.approx(600 / 5, rel=0.1)

    run_virtually(main())


def test_first_looks_that_come_due_one_after_another_share_lists() -> None:
    async def main() -> None:
        bench = Bench()

        async def submitted_later(run: int) -> None:
            await asyncio.sleep(run * 0.3)
            await bench.run(1, run, 300, check_interval=5, first=10)

        await asyncio.gather(*(submitted_later(run) for run in range(100)))
        assert bench.fabric.lists + bench.fabric.gets <= 1.2 * 320 / 5

    run_virtually(main())


def test_a_run_alone_is_looked_at_with_gets_once_its_item_is_known() -> None:
    async def main() -> None:
        bench = Bench()
        await bench.run(1, 1, 600)
        assert bench.fabric.lists == 1
        assert bench.fabric.gets >= 9

    run_virtually(main())


def test_the_first_look_is_not_before_it_is_allowed() -> None:
    async def main() -> None:
        bench = Bench()
        runs = [bench.run(1, run, 30, first=60 + 10 * run) for run in range(3)]
        waits = asyncio.gather(*runs)
        await asyncio.sleep(59.9)
        assert bench.fabric.calls == []
        await waits
        assert sorted(bench.lags)[0] >= 30
        assert sorted(bench.lags)[-1] >= 50

    run_virtually(main())


def test_a_list_does_not_tell_of_runs_that_must_not_be_looked_at_yet() -> None:
    async def main() -> None:
        bench = Bench()
        early = asyncio.ensure_future(bench.run(1, 1, 1000, check_interval=5))
        late = asyncio.ensure_future(bench.run(1, 2, 1, first=100))
        await asyncio.sleep(99)
        assert not late.done()
        await asyncio.sleep(10)
        assert late.done()
        early.cancel()

    run_virtually(main())


def test_pages_are_read_and_paid_for() -> None:
    async def main() -> None:
        bench = Bench(FakeFabric(page_size=10))
        await asyncio.gather(*(bench.run(1, run, 300) for run in range(35)))
        assert bench.poller.budget.spent == len(bench.fabric.calls)
        assert sum(what.startswith("PAGE") for _, what in bench.fabric.calls) == 3 * bench.fabric.lists
        assert bench.fabric.gets == 0

    run_virtually(main())


def test_pages_wait_for_their_turn() -> None:
    async def main() -> None:
        bench = Bench(FakeFabric(page_size=2, quota=60), per_minute=50)
        await asyncio.gather(*(bench.run(1, run, 600) for run in range(80)))
        assert bench.fabric.statuses[429] == 0
        assert bench.fabric.busiest_minute() <= 50

    run_virtually(main())


def test_gets_where_they_cost_less_than_the_pages() -> None:
    async def main() -> None:
        fabric = FakeFabric(page_size=10)
        bench = Bench(fabric)
        for old in range(100, 200):
            fabric.start(1, old, 50)
        await asyncio.sleep(100)
        fabric.start(1, 1, 600)
        fabric.start(1, 2, 600)
        for new in range(200, 240):  # others' runs, started later: ours are on the fifth page
            fabric.start(1, new, 50)
        await asyncio.gather(*(bench.poller.wait(bench.poll(1, run)) for run in (1, 2)))
        assert fabric.lists == 1
        assert fabric.gets >= 2 * 9

    run_virtually(main())


def test_a_run_that_fell_off_the_list_is_looked_at_singly() -> None:
    async def main() -> None:
        bench = Bench()
        waits = [asyncio.ensure_future(bench.run(1, run, 150, check_interval=10)) for run in range(20)]
        await asyncio.sleep(100)
        bench.fabric.items[guid(1)][guid(7)].listed = False
        await asyncio.sleep(30)
        assert not waits[7].done()
        await asyncio.gather(*waits)
        assert 1 <= bench.fabric.gets <= 10
        assert {what for _, what in bench.fabric.calls if what.startswith("GET")} == {f"GET {guid(7)}"}

    run_virtually(main())


def test_a_run_that_was_never_listed_is_found_singly_however_old() -> None:
    async def main() -> None:
        bench = Bench()
        bench.fabric.start(1, 1, 10, listed=False)
        poll = bench.poll(1, 1)
        await asyncio.sleep(24 * 3600)  # the triggerer was away
        assert (await bench.poller.wait(poll)).id == guid(1)
        assert len(bench.fabric.calls) == 2

    run_virtually(main())


def test_a_run_that_is_not_visible_yet_is_waited_for() -> None:
    async def main() -> None:
        bench = Bench()
        bench.fabric.start(1, 1, 100, visible_after=90)
        await bench.poller.wait(bench.poll(1, 1))
        assert bench.fabric.statuses[404] >= 1

    run_virtually(main())


def test_a_run_that_is_gone_ends_the_wait() -> None:
    async def main() -> None:
        bench = Bench()
        poll = bench.poll(1, 1)
        await asyncio.sleep(3600)
        with pytest.raises(FabricJobMayBeRunning, match="404"):
            await bench.poller.wait(poll)
        await asyncio.sleep(1)
        assert bench.left == 0

    run_virtually(main())


def test_an_item_whose_runs_cannot_be_listed_is_polled_singly() -> None:
    def no_lists(request: Request) -> Any:
        return refused(403) if request.path.endswith("/instances") else None

    async def main() -> None:
        bench = Bench(FakeFabric(answer=no_lists))
        await asyncio.gather(*(bench.run(1, run, 200) for run in range(5)))
        assert 2 <= bench.fabric.lists <= 4
        assert bench.fabric.gets >= 5 * 3

    run_virtually(main())


def test_two_triggers_on_one_run_share_every_look() -> None:
    async def main() -> None:
        bench = Bench()
        bench.fabric.start(1, 1, 600)
        first, second = await asyncio.gather(*(bench.poller.wait(bench.poll(1, 1)) for _ in range(2)))
        assert first == second
        assert bench.fabric.gets <= 25

        alone = Bench()
        await alone.run(1, 1, 600)
        assert len(bench.fabric.calls) <= len(alone.fabric.calls) + 2

    run_virtually(main())


@pytest.mark.parametrize("items", [1, 10])
def test_cancelling_a_wait_leaves_nothing_behind(items: int) -> None:
    async def main() -> None:
        bench = Bench()
        waits = [asyncio.ensure_future(bench.run(run % items, run, 10_000, timeout=5000)) for run in range(20)]
        await asyncio.sleep(90.05)  # some looks are under way
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        await asyncio.sleep(1)
        calls = len(bench.fabric.calls)
        assert bench.left == 0
        await asyncio.sleep(10_000)
        assert len(bench.fabric.calls) == calls
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_virtually(main())


def test_cancelling_one_wait_does_not_disturb_the_others() -> None:
    async def main() -> None:
        bench = Bench()
        waits = [asyncio.ensure_future(bench.run(1, run, 300)) for run in range(10)]
        await asyncio.sleep(60.05)
        waits[0].cancel()
        assert len(await asyncio.gather(*waits[1:])) == 9
        assert waits[0].cancelled()

    run_virtually(main())


def test_a_429_pauses_everybody_as_told_and_shrinks_the_share() -> None:
    async def main() -> None:
        answered: list[float] = []

        def once(_: Request) -> Any:
            if clock() > EPOCH + 100 and not answered:
                answered.append(clock())
                return refused(429, retry_after="77")
            return None

        bench = Bench(FakeFabric(answer=once), per_minute=180)
        waits = asyncio.gather(*(bench.run(item, item, 600, check_interval=20) for item in range(20)))
        await asyncio.sleep(130)
        assert bench.poller.budget.share == pytest.approx(0.75, abs=0.05)
        await waits
        gap = [moment for moment, _ in bench.fabric.calls if answered[0] < moment < answered[0] + 77]
        assert gap == []
        assert len(bench.lags) == 20

    run_virtually(main())


def test_the_refused_run_stays_as_overdue_as_it_was() -> None:
    async def main() -> None:
        bench = Bench(per_minute=60)
        refusals = iter([refused(429, retry_after="30")])
        bench.fabric.answer = lambda _: next(refusals, None)
        waits = [asyncio.ensure_future(bench.run(item, item, 1000, first=item)) for item in range(3)]
        await asyncio.sleep(40)
        assert [what for _, what in bench.fabric.calls][:2] == [f"LIST {guid(0)}"] * 2
        for wait in waits:
            wait.cancel()

    run_virtually(main())


async def quota_hour(items: int, processes: int = 1) -> Bench:
    """Wait for 1,000 runs of 2 to 30 minutes, under a quota of 200 calls a minute."""
    bench = Bench(FakeFabric(quota=200, latency=0.3), per_minute=180, processes=processes)
    spans = random.Random(3)
    await asyncio.gather(
        *(bench.run(n % items, n, spans.uniform(120, 1800), n * processes // 1000, first=60) for n in range(1000))
    )
    assert len(bench.lags) == 1000
    return bench


def test_a_thousand_runs_of_fifty_items_fit_the_quota() -> None:
    bench = run_virtually(quota_hour(50))
    assert bench.fabric.statuses[429] == 0
    assert bench.fabric.busiest_minute() <= 180
    assert median(bench.lags) <= 20
    assert sorted(bench.lags)[990] <= 60


def test_a_thousand_runs_of_a_thousand_items_fit_the_quota_and_none_starves() -> None:
    bench = run_virtually(quota_hour(1000))
    assert bench.fabric.statuses[429] == 0
    assert bench.fabric.busiest_minute() <= 180
    even_share = 1000 / 180 * 60
    assert max(bench.lags) <= 1.2 * even_share


def test_two_processes_on_one_quota_come_to_terms() -> None:
    bench = run_virtually(quota_hour(50, processes=2))
    assert bench.fabric.statuses[429] <= 0.01 * len(bench.fabric.calls)


def test_the_most_overdue_comes_first() -> None:
    async def main() -> None:
        bench = Bench(per_minute=30)
        waits = [asyncio.ensure_future(bench.run(item, item, 100_000)) for item in range(100)]
        await asyncio.sleep(3600)
        looks = Counter(what.split()[1] for _, what in bench.fabric.calls)
        assert len(looks) == 100
        assert max(looks.values()) - min(looks.values()) <= 2
        for wait in waits:
            wait.cancel()

    run_virtually(main())


def test_looks_near_the_likely_end_are_more_frequent_with_budget_to_spare() -> None:
    async def lag(per_minute: float) -> tuple[float, float]:
        bench = Bench(per_minute=per_minute)
        for run in range(10, 20):
            bench.fabric.start(1, run, 600 + run)
        await asyncio.sleep(1000)
        before = clock()
        await bench.run(1, 1, 610)
        early = sum(before < moment < before + 400 for moment, _ in bench.fabric.calls)
        near = sum(before + 490 < moment < before + 610 for moment, _ in bench.fabric.calls)
        return early / 400, near / 120

    early, near = run_virtually(lag(180))
    assert near > 2.5 * early
    early, near = run_virtually(lag(2))  # nothing to spare
    assert near < 2.5 * early


def test_no_look_is_sooner_than_a_quarter_of_the_interval_or_five_seconds() -> None:
    async def main() -> None:
        for interval, least in ((60, 15), (12, 5), (5, 5), (2, 2)):
            bench = Bench()
            await asyncio.gather(*(bench.run(1, run, 100 + 10 * run, check_interval=interval) for run in range(10)))
            times = [moment for moment, _ in bench.fabric.calls]
            gaps = [b - a for a, b in itertools.pairwise(times)]
            assert min(gaps) >= 0.9 * least

    run_virtually(main())


def test_looks_are_spread_by_jitter() -> None:
    async def main() -> None:
        bench = Bench()
        waits = [asyncio.ensure_future(bench.run(item, item, 10_000)) for item in range(50)]
        await asyncio.sleep(5_000)
        late = [round(moment, 1) for moment, _ in bench.fabric.calls if moment > EPOCH + 4_900]
        assert len(set(late)) > 0.8 * len(late)
        for wait in waits:
            wait.cancel()

    run_virtually(main())


def test_not_more_than_a_few_calls_are_under_way_at_once() -> None:
    async def main() -> None:
        bench = Bench(FakeFabric(latency=5.0))
        await asyncio.gather(*(bench.run(item, item, 300) for item in range(100)))
        assert bench.fabric.most_under_way == CALLS_AT_ONCE

    run_virtually(main())


def test_a_deadline_ends_the_wait_after_a_last_look() -> None:
    async def main() -> None:
        bench = Bench()
        with pytest.raises(FabricJobTimeout, match="InProgress"):
            await bench.run(1, 1, 1000, timeout=100)
        assert clock() - EPOCH == pytest.approx(100, abs=1)
        assert bench.fabric.calls[-1][0] - EPOCH == pytest.approx(100, abs=0.1)
        await asyncio.sleep(1)
        assert bench.left == 0

    run_virtually(main())


def test_a_run_that_ends_just_before_the_deadline_is_seen() -> None:
    async def main() -> None:
        bench = Bench()
        assert (await bench.run(1, 1, 99.9, timeout=100)).status is JobStatus.COMPLETED

    run_virtually(main())


def test_a_deadline_before_the_first_look_ends_the_wait_without_one() -> None:
    async def main() -> None:
        bench = Bench()
        with pytest.raises(FabricJobTimeout):
            await bench.run(1, 1, 1000, first=60, timeout=10)
        assert bench.fabric.calls == []

    run_virtually(main())


@pytest.mark.parametrize("latency", [0.1, 1e6])
def test_a_deadline_is_kept_when_no_call_can_be_made_or_none_is_answered(latency: float) -> None:
    async def main() -> None:
        bench = Bench(FakeFabric(latency=latency), per_minute=180)
        bench.poller.budget.refused(clock(), 600.0 if latency < 1 else 1.0)
        waits = [bench.run(item, item, 1000, timeout=30 + item) for item in range(20)]
        outcomes = await asyncio.gather(*waits, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {FabricJobTimeout}
        assert clock() - EPOCH <= 30 + 19 + LAST_POLL + 0.1

    run_virtually(main())


def test_hiccups_are_survived() -> None:
    async def main() -> None:
        failures = iter([refused(503), TransportFailure("reset", unsent=False), refused(500), refused(404)] * 3)
        bench = Bench(FakeFabric(answer=lambda _: next(failures, None) if clock() < EPOCH + 200 else None))
        runs = await asyncio.gather(*(bench.run(1, run, 400, check_interval=10) for run in range(3)))
        assert {run.status for run in runs} == {JobStatus.COMPLETED}

    run_virtually(main())


def test_half_an_hour_of_nothing_but_trouble_ends_the_wait() -> None:
    async def main() -> None:
        bench = Bench(FakeFabric(answer=lambda _: TransportFailure("reset", unsent=False)))
        with pytest.raises(FabricJobMayBeRunning, match="no good answer"):
            await bench.run(1, 1, 100)
        assert 1800 <= clock() - EPOCH <= 2000

    run_virtually(main())


def test_a_permanent_refusal_of_sign_in_ends_every_wait() -> None:
    async def main() -> None:
        bench = Bench(FakeFabric(answer=lambda _: FabricAuthError("the secret expired")))  # type: ignore[arg-type]
        waits = [bench.run(item, 10 * item + run, 100) for item in range(3) for run in range(3)]
        outcomes = await asyncio.gather(*waits, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {FabricJobMayBeRunning}
        assert all("the secret expired" in str(outcome) for outcome in outcomes)

    run_virtually(main())


@pytest.mark.parametrize("runs", [1, 3])
def test_a_fault_of_our_own_ends_the_wait_and_does_not_hang(runs: int, caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: Request) -> Any:
        raise RuntimeError("a bug")

    async def main() -> None:
        bench = Bench(FakeFabric(answer=broken))
        waits = [bench.run(1, run, 100) for run in range(runs)]
        outcomes = await asyncio.gather(*waits, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {FabricJobMayBeRunning}
        assert len({id(outcome) for outcome in outcomes}) == runs
        assert outcomes[0].job["job_instance_id"] == guid(0)  # type: ignore[union-attr]
        bench.fabric.answer = lambda _: None
        await bench.run(1, 99, 100)
        await asyncio.sleep(1)
        assert bench.left == 0

    run_virtually(main())
    assert "a bug" in caplog.text


def test_a_look_that_is_cancelled_from_outside_is_made_again() -> None:
    async def main() -> None:
        bench = Bench(FakeFabric(latency=1.0))
        wait = asyncio.ensure_future(bench.run(1, 1, 100))
        await asyncio.sleep(0.5)
        for look in list(bench.poller._polls):
            look.cancel()
        assert (await wait).id == guid(1)

    run_virtually(main())


def test_looks_belong_to_no_trigger() -> None:
    trigger: ContextVar[str] = ContextVar("trigger", default="nobody")

    async def main() -> None:
        seen: set[str] = set()
        bench = Bench(FakeFabric(answer=lambda _: seen.add(trigger.get())))

        async def one(number: int) -> None:
            trigger.set(f"trigger {number}")
            await bench.run(1, number, 200)

        await asyncio.gather(*(one(number) for number in range(3)))
        assert seen == {"nobody"}

    run_virtually(main())


def test_ids_in_capitals_are_found_in_the_list() -> None:
    async def main() -> None:
        bench = Bench()
        run = "abcdefab-0000-4000-8000-000000000001"
        bench.fabric.items[guid(1)] = {run: Run(clock(), 100), guid(2): Run(clock(), 100)}
        watches = [bench.poll(1, 2), JobPoll(JobRef(WORKSPACE, guid(1), run.upper()), clock(), 60, clock())]
        await asyncio.gather(*(bench.poller.wait(watch) for watch in watches))
        assert bench.fabric.gets == 0

    run_virtually(main())


def test_ten_thousand_waits_keep_one_entry_per_item_in_the_queue() -> None:
    async def main() -> None:
        bench = Bench(per_minute=180)
        waits = [asyncio.ensure_future(bench.run(n % 10, n, 5000, first=60)) for n in range(10_000)]
        await asyncio.sleep(59)
        assert len(bench.poller.turns.members) == 10
        assert sum(len(item.waiting) for item in bench.poller._items.values()) == 10_000
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        assert bench.left == 0

    run_virtually(main())


def html(status: int) -> Response:
    return Response(status, {"content-type": "text/html"}, b"<html>sign in to the network first</html>")


@pytest.mark.parametrize("status", [200, 404, 403, 400, 500])
def test_one_garbled_list_costs_nobody_the_lists(status: int) -> None:
    """A proxy answers once in the service's place, among many runs of an item."""

    async def main() -> None:
        spoilt: list[float] = []

        def once(request: Request) -> Any:
            if request.path.endswith("/instances") and clock() > EPOCH + 100 and not spoilt:
                spoilt.append(clock())
                return html(status)
            return None

        bench = Bench(FakeFabric(answer=once, page_size=1000), per_minute=180)
        spans = random.Random(1)
        await asyncio.gather(*(bench.run(1, run, spans.uniform(600, 1800)) for run in range(300)))
        assert median(bench.lags) <= 35
        assert bench.fabric.gets <= 20, "no run was polled on its own, or few near the end"

    run_virtually(main())


def test_lists_come_back_after_a_while_without() -> None:
    def refuse(request: Request) -> Any:
        return refused(403) if request.path.endswith("/instances") and clock() < EPOCH + 1000 else None

    async def main() -> None:
        bench = Bench(FakeFabric(answer=refuse))
        await asyncio.gather(*(bench.run(1, run, 7000) for run in range(20)))
        late = [what for when, what in bench.fabric.calls if when > EPOCH + 3000]
        assert sum(what.startswith("LIST") for what in late) > 50
        assert sum(what.startswith("GET") for what in late) < 5
        early = [what for when, what in bench.fabric.calls if when < EPOCH + 1000]
        assert sum(what.startswith("LIST") for what in early) < 8

    run_virtually(main())


@pytest.mark.parametrize("passing", [refused(403, "CapacityNotActive"), refused(400, "TooManyRequestsForJobs")])
def test_what_passes_is_not_held_against_the_lists(passing: Response) -> None:
    """A paused capacity refuses every call: to ask for each run on its own is no way out."""

    async def main() -> None:
        bench = Bench(FakeFabric(answer=lambda _: passing if EPOCH + 100 < clock() < EPOCH + 1000 else None))
        await asyncio.gather(*(bench.run(1, run, 5000) for run in range(20)))
        until_the_ends = [what for when, what in bench.fabric.calls if when < EPOCH + 3000]
        assert sum(what.startswith("LIST") for what in until_the_ends) > 40
        assert sum(what.startswith("GET") for what in until_the_ends) == 0

    run_virtually(main())


@pytest.mark.parametrize("lies", [("Completed", "InProgress"), ("InProgress", "Completed")])
def test_a_run_that_is_listed_twice_in_two_statuses_is_asked_for_itself(lies: tuple[str, str]) -> None:
    def doubled(request: Request) -> Any:
        if not request.path.endswith("/instances") or clock() > EPOCH + 200:
            return None
        entries = [{"id": guid(1), "status": status} for status in lies]
        return Response(200, {}, json.dumps({"value": entries}).encode())

    async def main() -> None:
        bench = Bench(FakeFabric(answer=doubled))
        assert (await bench.run(1, 1, 400)).status is JobStatus.COMPLETED
        assert 0 <= bench.lags[0] <= 65
        assert bench.fabric.gets >= 1

    run_virtually(main())


def test_an_error_in_a_callback_ends_that_wait_only(caplog: pytest.LogCaptureFixture) -> None:
    def broken(*_: Any) -> None:
        if clock() > EPOCH + 90:  # by then all are polled together
            raise RuntimeError("a bug of somebody else")

    async def main() -> None:
        bench = Bench()
        bench.fabric.start(1, 5, 300)
        poll = bench.poll(1, 5)
        poll.on_poll = broken
        outcomes = await asyncio.gather(
            bench.poller.wait(poll), *(bench.run(1, run, 300) for run in range(3)), return_exceptions=True
        )
        assert isinstance(outcomes[0], FabricJobMayBeRunning)
        assert [type(outcome) for outcome in outcomes[1:]] == [JobInstance] * 3
        await asyncio.sleep(1)
        assert bench.left == 0

    run_virtually(main())
    assert "a bug of somebody else" in caplog.text


def test_an_error_while_dealing_out_calls_stalls_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Waiter):
        cost = 1.0

        def gain(self, now: float, share: float) -> float:
            return 1.0

        def grant(self, now: float) -> bool:
            raise RuntimeError("a bug of ours")

    async def main() -> None:
        bench = Bench()
        broken = Broken()
        bench.poller.turns.members.add(broken)
        bench.poller.turns.schedule(broken, clock() + 30)
        await asyncio.wait_for(bench.run(1, 1, 400), 500)
        assert 0 <= bench.lags[0] <= 65

    run_virtually(main())
    assert 10 < caplog.text.count("a bug of ours") < 200


def test_cancels_that_are_not_answered_stall_no_poll_for_long() -> None:
    async def hangs() -> bool:
        await asyncio.sleep(60)
        raise FabricConnectionError("no answer to a cancel")

    async def main() -> None:
        bench = Bench()
        waits = [asyncio.ensure_future(bench.run(n, n, 300)) for n in range(20)]
        await asyncio.sleep(100)
        for number in range(300):
            bench.poller.cancels.start(f"run {number}", hangs, clock())
        await asyncio.gather(*waits)
        assert max(bench.lags) <= 120

    run_virtually(main())


@pytest.mark.parametrize("stall", ["an answer 429", "a used-up budget"])
def test_a_sensors_deadline_is_kept_when_no_call_can_be_made(stall: str) -> None:
    async def main() -> None:
        bench = Bench(per_minute=180)
        if stall == "an answer 429":
            bench.fabric.answer = lambda _: refused(429, retry_after="600") if clock() > EPOCH + 50 else None
        else:
            bench.poller.budget.spend(clock(), 10_000)
        poll = ItemPoll(WORKSPACE, guid(1), None, clock(), 60.0, deadline=clock() + 90)
        other = asyncio.ensure_future(bench.run(2, 2, 10_000))
        with pytest.raises(FabricJobTimeout, match="in time"):
            await bench.poller.run(poll_item(poll, clock=clock), deadline=poll.deadline)
        assert 90 <= clock() - EPOCH <= 90 + LAST_POLL + 1
        other.cancel()
        await asyncio.gather(other, return_exceptions=True)
        await asyncio.sleep(1)
        assert len(bench.poller.turns.members) == 0

    run_virtually(main())


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"value": ' + b"[" * 100_000, b'{"value":[{"id": 5}]}', b"\xff"])
def test_an_answer_that_cannot_be_read_is_an_error_of_that_poll(body: bytes) -> None:
    async def main() -> None:
        bench = Bench()
        bench.fabric.answer = lambda _: Response(200, {}, body) if EPOCH + 70 < clock() < EPOCH + 300 else None
        runs = await asyncio.gather(*(bench.run(1, run, 400) for run in range(3)), bench.run(2, 9, 400))
        assert {run.status for run in runs} == {JobStatus.COMPLETED}

    run_virtually(main())


@pytest.mark.parametrize("status", [400, 403, 404, 410, 200])
def test_permanent_errors_of_one_item_touch_no_other(status: int) -> None:
    def broken(request: Request) -> Any:
        return html(status) if f"/items/{guid(1)}/" in request.path else None

    async def main() -> None:
        bench = Bench(FakeFabric(answer=broken), per_minute=180)
        bad = [asyncio.ensure_future(bench.run(1, run, 1000)) for run in range(20)]
        await asyncio.gather(*(bench.run(item, 100 + item, 900) for item in range(2, 22)))
        assert max(bench.lags) <= 65
        for wait in bad:
            wait.cancel()

    run_virtually(main())


@pytest.mark.parametrize("step", [-3600.0, 3600.0, -60.0])
def test_a_wall_clock_that_is_set_stalls_no_wait(step: float) -> None:
    async def main() -> None:
        def wall() -> float:
            return clock() + (step if clock() > EPOCH + 500 else 0.0)

        fabric = FakeFabric()
        poller = JobPoller(fabric.arun, CallBudget(180, wall()), clock=wall)
        lags = []

        async def one(item: int, takes: float, timeout: float | None) -> None:
            await asyncio.sleep(item)
            ends = clock() + takes
            fabric.start(item, item, takes)
            deadline = None if timeout is None else wall() + timeout
            poll = JobPoll(JobRef(WORKSPACE, guid(item), guid(item)), wall(), 60.0, wall() + 30, deadline)
            await poller.wait(poll)
            lags.append(clock() - ends)

        await asyncio.gather(*(one(n, 400 + 10 * n, None if n % 2 else 10_000) for n in range(60)))
        assert max(lags) <= 70

    run_virtually(main())


@pytest.mark.parametrize(("step", "ends"), [(-1000.0, 3000.0), (1000.0, 1060.0)])
def test_a_deadline_is_a_time_of_the_wall_clock(step: float, ends: float) -> None:
    async def main() -> None:
        def wall() -> float:
            return clock() + (step if clock() > EPOCH + 500 else 0.0)

        fabric = FakeFabric()
        poller = JobPoller(fabric.arun, CallBudget(180, wall()), clock=wall)
        fabric.start(1, 1, 10_000)
        poll = JobPoll(JobRef(WORKSPACE, guid(1), guid(1)), wall(), 60.0, wall(), wall() + 2000)
        with pytest.raises(FabricJobTimeout):
            await poller.wait(poll)
        assert clock() - EPOCH == pytest.approx(ends, abs=65)

    run_virtually(main())


@pytest.mark.parametrize("sensors", [200, 400])
def test_runs_and_sensors_share_turns_by_what_waits(sensors: int) -> None:
    """Sensors used to reserve calls ahead, and pushed the median lag of 200 runs from 33 s to 1,394 s."""

    async def main(count: int) -> tuple[Bench, float]:
        bench, spans = Bench(FakeFabric(latency=0.3), per_minute=180), random.Random(3)

        async def sensor(number: int) -> None:
            poll = ItemPoll(WORKSPACE, guid(10_000 + number), None, clock(), 60.0)
            await bench.poller.run(poll_item(poll, clock=clock))

        waiting = [asyncio.create_task(sensor(number)) for number in range(count)]
        await asyncio.gather(*(bench.run(n, n, spans.uniform(120, 1800), first=60) for n in range(200)))
        polled: dict[str, list[float]] = {}
        for when, what in bench.fabric.calls:
            polled.setdefault(what, []).append(when)
        gaps = [
            b - a for what, times in polled.items() if what[5:] >= guid(10_000) for a, b in itertools.pairwise(times)
        ]
        for each in waiting:
            each.cancel()
        return bench, max(gaps, default=0.0)

    alone, _ = run_virtually(main(0))
    beside, gap = run_virtually(main(sensors))
    even_share = 60 * (200 + sensors) / 171
    assert median(beside.lags) <= 1.5 * median(alone.lags)
    assert gap <= 2 * even_share + 5


def test_a_thousand_waiters_that_are_cancelled_leave_no_debt() -> None:
    async def main() -> None:
        bench = Bench(per_minute=180)

        async def sensor(number: int) -> None:
            poll = ItemPoll(WORKSPACE, guid(number), None, clock(), 60.0)
            await bench.poller.run(poll_item(poll, clock=clock))

        sensors = [asyncio.create_task(sensor(number)) for number in range(1000)]
        waits = [asyncio.ensure_future(bench.run(n, n, 10_000)) for n in range(2000, 2500)]
        await asyncio.sleep(1)
        for each in (*sensors, *waits):
            each.cancel()
        await asyncio.gather(*sensors, *waits, return_exceptions=True)
        assert bench.left == 0
        assert bench.poller.budget.delay(bench.poller.clocks.steady()) < 1
        await bench.run(9000, 9000, 1)
        assert max(bench.lags) < 70

    run_virtually(main())


def test_a_refused_token_is_replaced_within_one_run_of_the_flow() -> None:
    """Only the run of a flow that met the 401 knows which token it was."""

    async def main() -> None:
        fabric, refusals = FakeFabric(), iter([refused(401)])
        fabric.answer = lambda _: next(refusals, None)
        runs = Counter[str]()

        async def arun(flow: Any) -> Any:
            runs["flows"] += 1
            return await fabric.arun(flow)

        poller = JobPoller(arun, CallBudget(180, clock()), clock=clock)
        fabric.start(1, 1, 30)
        await poller.wait(JobPoll(JobRef(WORKSPACE, guid(1), guid(1)), clock(), 60.0, clock()))
        assert len(fabric.calls) == runs["flows"] + 1
        assert poller.budget.spent == len(fabric.calls)

    run_virtually(main())


def test_nobody_waits_more_than_twice_the_even_share() -> None:
    """A thousand items with a history, whose waits all begin at once."""

    async def main() -> None:
        bench, spans = Bench(FakeFabric(latency=0.3), per_minute=180), random.Random(2)
        usual = {item: spans.uniform(300, 3000) for item in range(1000)}
        for item, seconds in usual.items():
            for old in range(5):
                bench.fabric.start(item, 10_000 + 10 * item + old, seconds * spans.uniform(0.8, 1.2))
        await asyncio.sleep(10_000)
        bench.fabric.calls.clear()
        await asyncio.gather(*(bench.run(n, n, usual[n] * spans.uniform(0.5, 1.5)) for n in range(1000)))
        polled: dict[str, list[float]] = {}
        for when, what in bench.fabric.calls:
            polled.setdefault(what.split()[1], []).append(when)
        assert max(b - a for times in polled.values() for a, b in itertools.pairwise(times)) <= 2 * 1000 / 171 * 60

    run_virtually(main())


def test_closing_ends_the_poll_and_the_cancel_that_are_under_way() -> None:
    async def main() -> None:
        fabric = FakeFabric(latency=30.0)
        poller = JobPoller(fabric.arun, CallBudget(PLENTY, clock()), clock=clock)
        fabric.start(1, 1, 600)
        poll = JobPoll(JobRef(WORKSPACE, guid(1), guid(1)), clock(), 60.0, clock())

        async def never_answered() -> bool:
            await asyncio.sleep(1e6)
            return True

        waiting = asyncio.create_task(poller.wait(poll))
        cancel = poller.cancels.start("it", never_answered, clock())
        await asyncio.sleep(5)
        assert fabric.calls
        await poller.aclose()
        assert cancel.cancelled()
        waiting.cancel()
        await asyncio.wait([waiting])
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_virtually(main())
