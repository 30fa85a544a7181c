"""Job events beside polling, in virtual time: the same runs, once polled and once announced.

``python -m benchmarks.events`` prints three rounds of each scenario and its criteria; ``make simulate`` does so, too.
"""

from __future__ import annotations

import asyncio
import logging
import random
import sys
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any

from airflow_provider_fabric.api.jobs.listing import list_with_clock
from airflow_provider_fabric.api.jobs.polling import JobPoll
from airflow_provider_fabric.api.models import JobRef
from airflow_provider_fabric.triggerer.call_budget import CallBudget
from airflow_provider_fabric.triggerer.hints import Hints
from airflow_provider_fabric.triggerer.poller import JobPoller
from benchmarks.report import Check, number
from tests.unit.virtual_events import VirtualStream
from tests.unit.virtual_time import WORKSPACE, FakeFabric, clock, guid, run_virtually

BUDGET = 180.0
QUOTA = 200
ROUNDS = 3
DELAY = 2.0
"""Seconds from what happens to its event."""


@dataclass(frozen=True)
class Scenario:
    """Runs, and how they are announced.

    :param name: what the scenario is about.
    :param runs: how many.
    :param items: spread over so many items.
    :param seconds: shortest and longest run, evenly spread.
    :param over: seconds over which they start, evenly spread.
    :param stream: what goes wrong with the stream; ``None`` polls without one.
    :param trust: events of success end waits.
    """

    name: str
    runs: int
    items: int
    seconds: tuple[float, float]
    over: float = 0.0
    stream: dict[str, Any] | None = field(default_factory=dict)
    trust: bool = False


@dataclass(frozen=True)
class Outcome:
    """What came of a scenario: lags in seconds, calls in all.

    :param lost: waits that never ended.
    :param twice: runs of which more than one end was reported.
    """

    calls: int
    lags: list[float]
    lost: int
    twice: int
    busiest_minute: int
    refused: int

    @property
    def p99(self) -> float:
        return self.lags[int(0.99 * len(self.lags))]

    @property
    def median(self) -> float:
        return median(self.lags)

    @property
    def worst(self) -> float:
        return self.lags[-1]

    @property
    def calls_per_run(self) -> float:
        return self.calls / len(self.lags)


async def wait_for_all(scenario: Scenario, seed: int) -> Outcome:
    """Let the runs start, and wait for each."""
    source = random.Random(seed)
    fabric = FakeFabric(latency=0.3, quota=QUOTA)
    poller = JobPoller(fabric.arun, CallBudget(BUDGET, clock()), clock=clock)
    hints, stream = None, None
    if scenario.stream is not None:
        hints = Hints(poller.clocks, trust_succeeded=scenario.trust)
        stream = VirtualStream([hints], delay=DELAY, **scenario.stream)
        stream.open()
        await asyncio.sleep(1.0)
    lags: dict[int, list[float]] = {}

    async def one(run: int) -> None:
        await asyncio.sleep(scenario.over * run / scenario.runs)
        item, takes = run % scenario.items, source.uniform(*scenario.seconds)
        ends = clock() + takes
        fabric.start(item, run, takes)
        if stream is not None:
            stream.announce(item, run, takes)
        poll = JobPoll(JobRef(WORKSPACE, guid(item), guid(run)), clock(), 60.0, clock() + 60.0)
        await poller.wait(poll, hints=hints)
        lags.setdefault(run, []).append(clock() - ends)

    await asyncio.wait_for(asyncio.gather(*map(one, range(scenario.runs))), 4 * 3600)
    every = sorted(lag for found in lags.values() for lag in found)
    return Outcome(
        calls=len(fabric.calls),
        lags=every,
        lost=scenario.runs - len(lags),
        twice=sum(len(found) > 1 for found in lags.values()),
        busiest_minute=fabric.busiest_minute(),
        refused=fabric.statuses[429],
    )


async def watch_idle_items(items: int, minutes: float, streamed: bool) -> float:
    """Let event triggers watch items of which nothing runs; return their calls a minute."""
    fabric = FakeFabric(latency=0.3, quota=None)
    poller = JobPoller(fabric.arun, CallBudget(10_000, clock()), clock=clock)
    hints = Hints(poller.clocks) if streamed else None

    async def follow_topology() -> None:
        while hints is not None:
            hints.carries({(WORKSPACE, guid(item)) for item in range(items)})
            await asyncio.sleep(60.0)

    async def watch(item: int) -> None:
        key = (WORKSPACE, guid(item))
        await asyncio.sleep(60.0 * item / items)
        while True:
            mark = hints.items.mark(key) if hints is not None else 0
            await poller.run(list_with_clock(*key, clock=clock))
            await (asyncio.sleep(60.0) if hints is None else hints.items.pause(key, 60.0, mark))

    if hints is not None:
        hints.connected()
    tasks = [asyncio.create_task(work) for work in (follow_topology(), *map(watch, range(items)))]
    await asyncio.sleep(1200.0)  # each has been read, and knows its pace
    before = len(fabric.calls)
    await asyncio.sleep(60.0 * minutes)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return (len(fabric.calls) - before) / minutes


THOUSAND = Scenario("1,000 runs on 1,000 items", 1000, 1000, (120, 1800))
FAULTS: dict[str, dict[str, Any]] = {
    "5 % dropped, 5 % doubled": {"dropped": 0.05, "doubled": 0.05, "shuffled": 5.0},
    "broker away for 10 min": {"down": (600.0, 1200.0)},
    "stream paused for 15 min": {"paused": (600.0, 1500.0)},
    "all of that": {"dropped": 0.05, "doubled": 0.05, "down": (300.0, 900.0), "paused": (900.0, 1800.0)},
}
TEN_THOUSAND = Scenario("10,000 runs on 1,000 items in 30 min", 10_000, 1000, (120, 1800), over=1800.0)


def measure(scenario: Scenario, seed: int) -> Outcome:
    """Run a scenario once, and print what came of it."""
    outcome = run_virtually(wait_for_all(scenario, seed), seed=seed)
    say(
        f"  {scenario.name}, round {seed}: {outcome.calls_per_run:.2f} calls a run, lag median {outcome.median:.1f} s, "
        f"p99 {outcome.p99:.1f} s, max {outcome.worst:.1f} s, lost {outcome.lost}, twice {outcome.twice}, busiest "
        f"minute {outcome.busiest_minute}, answers 429 {outcome.refused}"
    )
    return outcome


def rounds(scenario: Scenario, count: int = ROUNDS) -> list[Outcome]:
    """Run a scenario with the runs of each round."""
    return [measure(scenario, seed) for seed in range(1, count + 1)]


def polled(scenario: Scenario) -> Scenario:
    """Return the same runs without a stream."""
    return replace(scenario, name=f"{scenario.name}, polled", stream=None)


def thousand(count: int = ROUNDS) -> list[Check]:
    """As many runs as items: calls and lags, with a stream and without, and with one that fails."""
    alone, hinted = rounds(polled(THOUSAND), count), rounds(replace(THOUSAND, name=f"{THOUSAND.name}, hinted"), count)
    checks = [
        Check.at_most("calls a completion", max(each.calls_per_run for each in hinted), 1.3),
        Check.at_most("p99 lag", max(each.p99 for each in hinted), DELAY + 5.0, " s"),
        Check.at_most("calls ÷ polling", max(h.calls / p.calls for h, p in zip(hinted, alone, strict=True)), 0.5),
    ]
    for what, faults in FAULTS.items():
        found = rounds(replace(THOUSAND, name=f"{THOUSAND.name}, {what}", stream=faults), count)
        checks += _floor(what, found, alone)
    return checks


def _floor(what: str, found: list[Outcome], alone: list[Outcome]) -> list[Check]:
    pairs = list(zip(found, alone, strict=True))
    checks = [Check.at_most(f"{what}: lost and twice", max(each.lost + each.twice for each in found), 0)]
    for name in ("median", "p99", "worst"):
        more = max(getattr(ours, name) - getattr(theirs, name) for ours, theirs in pairs)
        checks.append(Check.at_most(f"{what}: {name} lag beyond polling alone", more, 60.0, " s"))
    return checks


def watched(count: int = 1) -> list[Check]:
    """Items that are watched, and of which nothing runs."""
    alone, hinted = (run_virtually(watch_idle_items(300, 60.0, streamed)) for streamed in (False, True))
    say(f"  300 watched idle items: {number(alone)} calls a minute polled, {number(hinted)} with a stream")
    return [Check.at_most("300 watched idle items: calls a minute", hinted, 25.0)]


def ten_thousand(count: int = 1) -> list[Check]:
    """More completions than calls: polled, hinted and trusted side by side."""
    name = TEN_THOUSAND.name
    every = [
        *rounds(polled(TEN_THOUSAND), count),
        *rounds(replace(TEN_THOUSAND, name=f"{name}, hinted"), count),
        *rounds(replace(TEN_THOUSAND, name=f"{name}, trusted", trust=True), count),
    ]
    return [Check.at_most(f"{name}: lost and twice", max(each.lost + each.twice for each in every), 0)]


def say(text: str) -> None:
    """Print, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    """Run every scenario; return 1 if a criterion fails."""
    logging.disable(logging.WARNING)
    checks = [*thousand(), *watched(), *ten_thousand()]
    for check in checks:
        say(f"{'holds' if check.holds else 'FAILS'}  {check.what}: {check.figure}")
    return int(not all(check.holds for check in checks))


if __name__ == "__main__":
    sys.exit(main())
