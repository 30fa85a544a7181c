"""Job events beside polling, in virtual time: the same runs, once polled and once announced.

A section of ``make bench``; ``python -m benchmarks.events`` prints its table and its criteria alone.
"""

from __future__ import annotations

import asyncio
import logging
import random
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any

from airflow_provider_fabric.api.jobs.listing import list_with_clock
from airflow_provider_fabric.api.jobs.polling import JobPoll
from airflow_provider_fabric.api.models import JobRef
from airflow_provider_fabric.triggerer.call_budget import CallBudget
from airflow_provider_fabric.triggerer.hints import Hints
from airflow_provider_fabric.triggerer.poller import JobPoller
from benchmarks.report import Check, checks_table, number, table
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

    def figures(self) -> dict[str, float]:
        """Return what is kept of it."""
        kept = ("calls", "median", "p99", "worst", "lost", "twice", "busiest_minute", "refused")
        return {name: getattr(self, name) for name in kept}


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
TEN_THOUSAND = Scenario("10,000 runs on 1,000 items in 30 min", 10_000, 1000, (120, 1800), over=1800.0)
POLLED, HINTED, TRUSTED = "polled", "with a stream", "with a stream that is trusted"
FAULTS: dict[str, dict[str, Any]] = {
    "5 % dropped, 5 % doubled": {"dropped": 0.05, "doubled": 0.05, "shuffled": 5.0},
    "broker away for 10 min": {"down": (600.0, 1200.0)},
    "stream paused for 15 min": {"paused": (600.0, 1500.0)},
    "all of that": {"dropped": 0.05, "doubled": 0.05, "down": (300.0, 900.0), "paused": (900.0, 1800.0)},
}
WATCHED = "300 watched items of which nothing runs"

SCENARIOS: dict[str, dict[str, Scenario]] = {
    THOUSAND.name: {
        POLLED: replace(THOUSAND, stream=None),
        HINTED: THOUSAND,
        **{what: replace(THOUSAND, stream=faults) for what, faults in FAULTS.items()},
    },
    TEN_THOUSAND.name: {
        POLLED: replace(TEN_THOUSAND, stream=None),
        HINTED: TEN_THOUSAND,
        TRUSTED: replace(TEN_THOUSAND, trust=True),
    },
}

Found = dict[str, dict[str, list[Outcome]]]


def measure(rounds: int) -> tuple[Found, dict[str, list[float]]]:
    """Run every scenario, each way with the same seeds; side by side, for virtual time is not disturbed.

    :returns: what came of each, and the calls a minute of items that are watched.
    """
    seeds = range(1, rounds + 1)
    with ProcessPoolExecutor() as pool:
        runs = {
            name: {way: [pool.submit(_round, name, way, seed) for seed in seeds] for way in ways}
            for name, ways in SCENARIOS.items()
        }
        watched = {way: [pool.submit(_watched, way == HINTED, seed) for seed in seeds] for way in (POLLED, HINTED)}
        return (
            {
                name: {way: [each.result() for each in made] for way, made in ways.items()}
                for name, ways in runs.items()
            },
            {way: [each.result() for each in made] for way, made in watched.items()},
        )


def _round(name: str, way: str, seed: int) -> Outcome:
    logging.disable(logging.WARNING)
    outcome = run_virtually(wait_for_all(SCENARIOS[name][way], seed), seed=seed)
    say(
        f"  … {name}, {way}, round {seed}: {outcome.calls_per_run:.2f} calls a run, lag median {outcome.median:.1f} s, "
        f"p99 {outcome.p99:.1f} s, max {outcome.worst:.1f} s, lost {outcome.lost}, twice {outcome.twice}, busiest "
        f"minute {outcome.busiest_minute}, answers 429 {outcome.refused}"
    )
    return outcome


def _watched(streamed: bool, seed: int) -> float:
    logging.disable(logging.WARNING)
    return run_virtually(watch_idle_items(300, 60.0, streamed), seed=seed)


def rows(found: Found, watched: dict[str, list[float]]) -> str:
    """Return the table: medians of the rounds, and of those what was worst."""
    heads = ("200 calls a minute, events 2 s late", "", "calls a run", "lag median s", "lag p99 s", "lag max s", "429")
    lines = []
    for name, ways in found.items():
        for way, outcomes in ways.items():
            shown = [number(median(getattr(o, what) for o in outcomes)) for what in ("calls_per_run", "median", "p99")]
            worst = [number(max(getattr(o, what) for o in outcomes)) for what in ("worst", "refused")]
            lines.append((name if way == POLLED else "", way, *shown, *worst))
    for way, rounds in watched.items():
        lines.append((WATCHED if way == POLLED else "", way, f"{number(median(rounds))} a minute", "", "", "", ""))
    return table(heads, lines)


def checks(found: Found, watched: dict[str, list[float]]) -> list[Check]:
    """Return the criteria; each is held to the worst of the rounds."""
    thousand, ten_thousand = found[THOUSAND.name], found[TEN_THOUSAND.name]
    alone, hinted = thousand[POLLED], thousand[HINTED]
    everything = [outcome for ways in found.values() for outcomes in ways.values() for outcome in outcomes]
    return [
        Check.at_most("lost and seen twice, in all", sum(each.lost + each.twice for each in everything), 0),
        Check.at_most("calls a completion", max(each.calls_per_run for each in hinted), 1.3),
        Check.at_most("p99 lag", max(each.p99 for each in hinted), DELAY + 5.0, " s"),
        Check.at_most("calls ÷ polling", _worst_ratio(hinted, alone, "calls"), 0.5),
        *(check for what in FAULTS for check in _floor(what, thousand[what], alone)),
        *(
            Check.at_most(
                f"10,000 runs, {way}: median lag ÷ polling",
                _worst_ratio(ten_thousand[way], ten_thousand[POLLED], "median"),
                1.0,
            )
            for way in (HINTED, TRUSTED)
        ),
        Check.at_most(f"{WATCHED}: calls a minute", max(watched[HINTED]), 25.0),
    ]


def _worst_ratio(ours: list[Outcome], theirs: list[Outcome], what: str) -> float:
    return max(float(getattr(o, what) / getattr(t, what)) for o, t in zip(ours, theirs, strict=True))


def _floor(what: str, found: list[Outcome], alone: list[Outcome]) -> Iterator[Check]:
    for name in ("median", "p99", "worst"):
        more = max(getattr(ours, name) - getattr(theirs, name) for ours, theirs in zip(found, alone, strict=True))
        yield Check.at_most(f"{what}: {name} lag beyond polling alone", more, 60.0, " s")


def say(text: str) -> None:
    """Print, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    """Run every scenario; return 1 if a criterion fails."""
    measured = measure(ROUNDS)
    made = checks(*measured)
    say(f"\n{rows(*measured)}\n\n{checks_table(made)}")
    return int(not all(check.holds for check in made))


if __name__ == "__main__":
    sys.exit(main())
