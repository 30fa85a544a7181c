"""Events as hints, in virtual time: what they announce is polled at once, and nothing ends by them alone."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_fabric.api.jobs.events import EventKind
from airflow_provider_fabric.api.jobs.polling import JobPoll
from airflow_provider_fabric.api.models import JobInstance, JobRef
from airflow_provider_fabric.api.status import JobStatus
from airflow_provider_fabric.exceptions import FabricJobTimeout
from airflow_provider_fabric.triggerer.call_budget import CallBudget
from airflow_provider_fabric.triggerer.coverage import SILENCE
from airflow_provider_fabric.triggerer.hints import RAREST, Hints
from airflow_provider_fabric.triggerer.poller import JobPoller
from tests.unit.virtual_events import VirtualStream, event
from tests.unit.virtual_time import WORKSPACE, FakeFabric, clock, guid, refused, run_virtually

PLENTY = 100_000.0


class Bench:
    """A Fabric, a poller, and a stream that announces the runs."""

    def __init__(
        self, fabric: FakeFabric | None = None, per_minute: float = PLENTY, trust: bool = False, **stream: Any
    ) -> None:
        self.fabric = fabric or FakeFabric()
        self.poller = JobPoller(self.fabric.arun, CallBudget(per_minute, clock()), clock=clock)
        self.hints = Hints(self.poller.clocks, trust_succeeded=trust)
        self.stream = VirtualStream([self.hints], **stream)
        self.stream.open()
        self.lags: list[float] = []

    def poll(self, item: int, run: int, *, first: float = 60.0, timeout: float | None = None) -> JobPoll:
        deadline = None if timeout is None else clock() + timeout
        return JobPoll(JobRef(WORKSPACE, guid(item), guid(run)), clock(), 60.0, clock() + first, deadline)

    async def wait(self, item: int, run: int, **more: Any) -> JobInstance:
        return await self.poller.wait(self.poll(item, run, **more), hints=self.hints)

    async def run(self, item: int, run: int, takes: float, *, submit: float = 0.0, **more: Any) -> JobInstance:
        """Start a run, and wait for it, when the submit has been answered."""
        ends = clock() + takes
        self.fabric.start(item, run, takes)
        self.stream.announce(item, run, takes)
        await asyncio.sleep(submit)
        instance = await self.wait(item, run, **more)
        self.lags.append(clock() - ends)
        return instance


def test_a_covered_run_costs_one_call_and_is_found_over_at_once() -> None:
    async def main() -> None:
        bench = Bench(delay=2.0)
        await bench.run(1, 1, 50, first=0.0)  # so that the next one is not polled for the item's list
        bench.fabric.calls.clear()
        instance = await bench.run(1, 2, 55)
        assert instance.status is JobStatus.COMPLETED
        assert len(bench.fabric.calls) == 1
        assert bench.lags[-1] == pytest.approx(5 + 0.1, abs=0.2)  # no poll before the first allowed one
        others = asyncio.create_task(busy(bench))
        many = [bench.run(1, run, 600 + 20 * run) for run in range(10, 60)]
        bench.fabric.calls.clear()
        await asyncio.gather(*many)
        others.cancel()
        assert len(bench.fabric.calls) <= 1.1 * len(many)
        assert max(bench.lags) < 6

    run_virtually(main())


def test_what_is_not_covered_is_polled_as_ever() -> None:
    async def polls(hinted: bool) -> list[tuple[float, str]]:
        bench = Bench(carried=lambda item: False)
        bench.fabric.start(1, 1, 3000)
        await bench.poller.wait(bench.poll(1, 1), hints=bench.hints if hinted else None)
        return bench.fabric.calls

    assert run_virtually(polls(True)) == run_virtually(polls(False))


def test_an_end_that_came_before_the_submit_was_answered_is_polled_for() -> None:
    async def main() -> None:
        bench = Bench()
        instance = await bench.run(1, 1, 5, submit=20, first=3)
        assert instance.id == guid(1)
        assert bench.lags == [pytest.approx(18, abs=0.3)]

    run_virtually(main())


def test_a_forged_end_ends_nothing_and_costs_a_handful_of_polls() -> None:
    async def main(forged: bool) -> int:
        bench = Bench(carried=lambda item: False)
        bench.fabric.start(1, 1, 3000)
        waiting = asyncio.create_task(bench.wait(1, 1))
        await asyncio.sleep(100)
        for _ in range(1000 * forged):
            bench.hints.received(event(EventKind.SUCCEEDED, 1, 1, clock()))
            await asyncio.sleep(0.5)
        await asyncio.sleep(2000 - 500 * forged)
        assert not waiting.done()
        assert (await waiting).status is JobStatus.COMPLETED
        return len(bench.fabric.calls)

    usual = run_virtually(main(False))
    assert run_virtually(main(True)) <= usual + 7


@pytest.mark.parametrize("over", [False, True], ids=["active", "over"])
def test_a_wait_that_is_cancelled_during_its_poll_ends_no_other_of_its_item(over: bool) -> None:
    async def main() -> None:
        bench = Bench(FakeFabric(latency=5.0))
        bench.fabric.start(1, 1, 62 if over else 300)
        bench.fabric.start(1, 2, 300)
        leaving, staying = (asyncio.create_task(bench.wait(1, run)) for run in (1, 2))
        while not bench.fabric.calls:  # noqa: ASYNC110 - virtual time
            await asyncio.sleep(0.5)
        await asyncio.sleep(2.5 if over else 0.5)
        leaving.cancel()
        assert (await staying).status is JobStatus.COMPLETED

    run_virtually(main())


def test_an_error_of_the_hints_costs_hints_and_no_wait(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> None:
        raise KeyError("a bug")

    async def main() -> None:
        bench = Bench()
        for name in ("polled", "found_over"):
            monkeypatch.setattr(bench.hints, name, fail)
        assert (await bench.run(1, 1, 300)).status is JobStatus.COMPLETED

    run_virtually(main())
    assert "go on as without a stream" in caplog.text


def test_an_end_that_the_service_does_not_know_yet_is_polled_for_again_soon() -> None:
    async def main() -> None:
        bench = Bench()
        bench.fabric.start(1, 1, 500)
        waiting = asyncio.create_task(bench.wait(1, 1, first=0.0))
        await asyncio.sleep(497)
        bench.hints.received(event(EventKind.SUCCEEDED, 1, 1, clock() - 497))
        await asyncio.sleep(7)
        assert waiting.done()
        await waiting

    run_virtually(main())


def test_a_covered_run_is_polled_ten_times_less_often() -> None:
    async def main() -> None:
        bench = Bench(delay=0.0)
        others = asyncio.create_task(busy(bench))
        bench.fabric.start(1, 1, 7200)
        bench.stream.announce(1, 1, 7200)
        waiting = asyncio.create_task(bench.wait(1, 1))
        await asyncio.sleep(7000)
        polls = [when for when, what in bench.fabric.calls if what.endswith(guid(1))]
        assert len(polls) == 7
        assert polls[1] - polls[0] >= RAREST
        others.cancel()
        await waiting

    run_virtually(main())


async def busy(bench: Bench) -> None:
    """Let the stream carry runs of other items."""
    for run in range(10_000, 20_000):
        bench.stream.announce(99, run, 5)
        await asyncio.sleep(20)


@pytest.mark.parametrize("end", ["lost", "silence"])
def test_a_stream_that_falls_away_leaves_todays_polling(end: str) -> None:
    async def main() -> None:
        bench = Bench()
        others = asyncio.create_task(busy(bench))
        waits = []
        for run in range(20):
            bench.fabric.start(run, run, 100_000)
            bench.stream.announce(run, run, 100_000)
            waits.append(asyncio.create_task(bench.wait(run, run)))
        await asyncio.sleep(300)
        assert bench.hints.covered == 20
        assert bench.fabric.calls == []
        others.cancel()
        if end == "lost":
            bench.hints.lost()
        await asyncio.sleep(SILENCE + 10 if end == "silence" else 1)
        assert bench.hints.covered == 0
        assert len(bench.fabric.calls) == 20
        await asyncio.sleep(600)
        assert len(bench.fabric.calls) >= 20 * 10
        for each in waits:
            each.cancel()

    run_virtually(main())


def test_a_deadline_is_met_by_a_covered_run() -> None:
    async def main() -> None:
        bench = Bench()
        others = asyncio.create_task(busy(bench))
        bench.fabric.start(1, 1, 100_000)
        bench.stream.announce(1, 1, 100_000)
        began = clock()
        with pytest.raises(FabricJobTimeout):
            await bench.wait(1, 1, timeout=300)
        assert clock() - began == pytest.approx(300, abs=1)
        assert len(bench.fabric.calls) == 1  # the last poll, at the deadline
        others.cancel()

    run_virtually(main())


def test_a_run_found_over_without_an_event_uncovers_its_item() -> None:
    async def main() -> None:
        bench = Bench()
        others = asyncio.create_task(busy(bench))
        bench.fabric.start(1, 1, 400)
        bench.hints.received(event(EventKind.CREATED, 1, 1, clock()))
        assert (await bench.wait(1, 1)).id == guid(1)  # by a poll: no end was announced
        await asyncio.sleep(700)  # the stream is believed again, but for this item
        bench.fabric.start(1, 2, 400)
        bench.hints.received(event(EventKind.CREATED, 1, 2, clock()))
        bench.fabric.start(2, 3, 400)
        bench.hints.received(event(EventKind.CREATED, 2, 3, clock()))
        waits = [asyncio.create_task(bench.wait(1, 2)), asyncio.create_task(bench.wait(2, 3))]
        await asyncio.sleep(100)
        assert bench.hints.covered == 1
        await waits[0]
        assert not waits[1].done()
        others.cancel()

    run_virtually(main())


def test_trust_ends_a_wait_without_a_poll_and_only_with_a_success() -> None:
    async def main() -> None:
        bench = Bench(trust=True)
        others = asyncio.create_task(busy(bench))
        instance = await bench.run(1, 1, 600)
        assert (instance.id, instance.item_id, instance.status) == (guid(1), guid(1), JobStatus.COMPLETED)
        assert bench.fabric.calls == []
        bench.fabric.start(1, 2, 600, outcome="Failed")
        bench.stream.announce(1, 2, 600, EventKind.FAILED)
        assert (await bench.wait(1, 2)).status is JobStatus.FAILED
        assert len(bench.fabric.calls) == 1
        others.cancel()

    run_virtually(main())


def test_trust_believes_an_end_that_came_before_the_submit_was_answered() -> None:
    async def main() -> None:
        bench = Bench(trust=True)
        assert (await bench.run(1, 1, 5, submit=20)).status is JobStatus.COMPLETED
        assert bench.fabric.calls == []

    run_virtually(main())


def test_without_trust_a_success_is_not_believed_where_the_service_says_failed() -> None:
    async def main() -> None:
        bench = Bench()
        bench.fabric.start(1, 1, 600, outcome="Failed")
        bench.stream.announce(1, 1, 600)
        assert (await bench.wait(1, 1)).status is JobStatus.FAILED

    run_virtually(main())


def test_hinted_runs_go_first_within_the_budget() -> None:
    async def main() -> None:
        bench = Bench(FakeFabric(quota=70), per_minute=60, carried=lambda item: item < 10)
        slow = [asyncio.create_task(bench.run(item, item, 7200)) for item in range(100, 500)]
        await asyncio.sleep(1000)
        await asyncio.gather(*(bench.run(item, item, 900) for item in range(10)))
        assert max(bench.lags) < 15
        assert bench.fabric.busiest_minute() <= 60
        assert bench.fabric.statuses[429] == 0
        for each in slow:
            each.cancel()

    run_virtually(main())


def test_a_refused_hinted_poll_waits_as_asked() -> None:
    async def main() -> None:
        said: list[float] = []

        def once(request: Any) -> Any:
            if clock() > start + 600 and not said:
                said.append(clock())
                return refused(429, retry_after="30")
            return None

        bench = Bench(FakeFabric(answer=once))
        start = clock()
        await bench.run(1, 1, 600)
        assert bench.fabric.calls[-1][0] - said[0] >= 29
        assert bench.lags[0] < 40

    run_virtually(main())


def test_nothing_is_left_behind() -> None:
    async def main() -> None:
        bench = Bench(doubled=0.3)
        await asyncio.gather(*(bench.run(run % 7, run, 100 + run) for run in range(50)))
        cancelled = asyncio.create_task(bench.run(1, 99, 1000))
        await asyncio.sleep(10)
        cancelled.cancel()
        await asyncio.sleep(1500)
        assert bench.hints.waiting == bench.hints.covered == 0
        assert (bench.hints._waits, bench.hints._timer) == ({}, None)
        assert not bench.poller._items

    run_virtually(main())


class Sink:
    """What a metrics backend would have received: name and value of each."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Any]] = []

    def gauge(self, name: str, value: Any, **more: Any) -> None:
        self.sent.append((name.removeprefix("fabric."), value))

    incr = timing = gauge

    def values(self, name: str) -> list[Any]:
        return [value for sent, value in self.sent if sent == name]


def test_the_metrics_show_hints_coverage_and_both_lags() -> None:
    async def main() -> None:
        sink = Sink()
        bench = Bench(carried=lambda item: item != 3)
        bench.poller.reporter.stats = sink
        others = asyncio.create_task(busy(bench))
        await asyncio.gather(bench.run(1, 1, 300), bench.run(2, 2, 400), bench.run(3, 3, 350))
        await asyncio.sleep(100)
        others.cancel()
        assert sink.values("runs_covered")[1] == 2
        assert sink.values("events_up")[1] == 1
        assert sum(sink.values("hints")) == 2
        hinted, polled = sink.values("detection_lag_hinted"), sink.values("detection_lag_polled")
        assert (len(hinted), len(polled)) == (2, 1)
        assert max(hinted) < min(polled)
        assert len(sink.values("detection_lag")) == 3
        page = (Path(__file__).parents[3] / "docs" / "capabilities" / "events-push.md").read_text()
        named = set(re.findall(r"^\| `fabric\.(\w+)` \|", page, re.M))
        assert named == {name for name, _ in sink.sent} - USUAL

    run_virtually(main())


def test_without_a_stream_no_metric_is_new() -> None:
    async def main() -> None:
        sink = Sink()
        bench = Bench()
        bench.poller.reporter.stats = sink
        bench.fabric.start(1, 1, 300)
        await bench.poller.wait(bench.poll(1, 1))
        assert {name for name, _ in sink.sent} <= USUAL

    run_virtually(main())


USUAL = {
    "runs_waiting", "sensors_waiting", "calls_per_minute", "budget_used", "budget_share", "oldest_overdue",
    "cancels_pending", "polls", "calls", "refused", "detection_lag",
}  # fmt: skip

RUNS = 6

anything = st.lists(
    st.tuples(
        st.sampled_from(list(EventKind)),
        st.integers(1, RUNS + 2),  # some of runs that nobody waits for
        st.floats(0, 4000),  # when it comes
        st.floats(-2000, 2000),  # how far off its own time is
    )
    | st.tuples(st.sampled_from(["lost", "connected"]), st.just(0), st.floats(0, 4000), st.just(0.0)),
    max_size=40,
)


@settings(max_examples=60)
@given(
    anything,
    st.lists(st.tuples(st.floats(1, 3000), st.sampled_from(["Completed", "Failed"])), min_size=RUNS, max_size=RUNS),
)
def test_no_events_whatever_end_a_wait_wrongly_or_keep_one(events: list[Any], runs: list[tuple[float, str]]) -> None:
    """Duplicates, any order, gaps, forgeries, ends before starts, lines that come and go."""

    async def main() -> None:
        bench = Bench()

        async def deliver(kind: Any, run: int, when: float, off: float) -> None:
            await asyncio.sleep(when)
            if kind == "lost":
                bench.hints.lost()
            elif kind == "connected":
                bench.hints.connected()
            else:
                bench.hints.received(event(kind, run % 3, run, clock() + off, clock() + off))

        async def one(run: int, takes: float, outcome: str) -> None:
            ends = clock() + takes
            bench.fabric.start(run % 3, run, takes, outcome=outcome)
            instance = await bench.wait(run % 3, run)
            assert clock() >= ends
            assert (instance.id, instance.status.value) == (guid(run), outcome)
            assert clock() - ends <= 1.2 * RAREST + 60

        sending = [asyncio.create_task(deliver(*each)) for each in events]
        await asyncio.gather(*(one(number, *run) for number, run in enumerate(runs, 1)))
        await asyncio.gather(*sending)
        assert bench.hints.waiting == 0
        assert bench.fabric.busiest_minute() < 400

    run_virtually(main())
