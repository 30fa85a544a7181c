"""The poller under stress, in virtual time: hours pass in seconds, with no socket and no Airflow.

``make simulate`` prints the figures of "Simulated" in ``docs/performance.md``.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import random
import sys
from collections.abc import Callable, Coroutine
from statistics import median
from typing import Any

from airflow_provider_fabric.api.jobs.item_polling import ItemPoll, poll_item
from airflow_provider_fabric.api.jobs.polling import JobPoll
from airflow_provider_fabric.api.models import JobRef
from airflow_provider_fabric.triggerer.call_budget import CallBudget
from airflow_provider_fabric.triggerer.poller import JobPoller
from airflow_provider_fabric.triggerer.turns import TurnQueue, Waiter
from tests.unit.virtual_time import WORKSPACE, FakeFabric, clock, guid, run_virtually

BUDGET = 180.0


class MostOverdueFirst(TurnQueue):
    """The order that expected gain is compared with."""

    def _next(self, now: float) -> Waiter:
        return min(self._ready, key=lambda waiter: waiter.due)


class Stage:
    """A Fabric, a poller, and the lags of what was waited for.

    :param fabric: the service.
    :param per_minute: calls a minute of the poller.
    :param order: its queue.
    """

    def __init__(
        self, fabric: FakeFabric | None = None, per_minute: float = BUDGET, order: type[TurnQueue] = TurnQueue
    ) -> None:
        self.fabric = fabric or FakeFabric(latency=0.3)
        self.poller = JobPoller(self.fabric.arun, CallBudget(per_minute, clock()), clock=clock)
        self.poller.turns = order(self.poller.budget, self.poller.clocks.steady)
        self.lags: list[float] = []

    def poll(self, item: int, run: int, first: float = 0.0) -> JobPoll:
        """Return what waits for a run."""
        return JobPoll(JobRef(WORKSPACE, guid(item), guid(run)), clock(), 60.0, clock() + first)

    async def run(self, item: int, run: int, takes: float, first: float = 60.0) -> None:
        """Start a run and wait for it."""
        ends = clock() + takes
        self.fabric.start(item, run, takes)
        await self.poller.wait(self.poll(item, run, first))
        self.lags.append(clock() - ends)

    async def sensor(self, item: int) -> None:
        """Wait for a run that nobody starts."""
        poll = ItemPoll(WORKSPACE, guid(item), None, clock(), 60.0)
        await self.poller.run(poll_item(poll, clock=clock))


Spans = Callable[[random.Random], float]


def lognormal(mean: float, cv: float, outliers: float = 0.0) -> Spans:
    """Return durations of a mean and a coefficient of variation; outliers take 0.2 to 5 times as long."""
    sigma = math.sqrt(math.log(1 + cv * cv))
    mu = math.log(mean) - sigma * sigma / 2

    def span(source: random.Random) -> float:
        takes = math.exp(source.gauss(mu, sigma))
        return takes * math.exp(source.uniform(math.log(0.2), math.log(5))) if source.random() < outliers else takes

    return span


def memoryless(mean: float) -> Spans:
    """Return durations that say nothing about how long a run still takes."""
    return lambda source: source.expovariate(1 / mean)


async def full_budget(
    order: type[TurnQueue], kind: str, items: int = 600, hours: float = 3.0, history: int = 30, cv: float = 0.3
) -> list[float]:
    """Let each of many items run again and again, with a history behind it, under a budget that is too small."""
    source = random.Random(7)
    stage = Stage(order=order)
    means = [math.exp(source.uniform(math.log(300), math.log(3000))) for _ in range(items)]
    spans = [memoryless(mean) if kind == "memoryless" else lognormal(mean, cv, 0.05) for mean in means]
    for item, span in enumerate(spans):
        for old in range(history):
            stage.fabric.start(item, item * 1000 + old, span(source))
    await asyncio.sleep(200_000)
    until = clock() + hours * 3600

    async def again(item: int) -> None:
        run = history
        await asyncio.sleep(source.uniform(0, means[item]))
        while clock() < until:
            await stage.run(item, item * 1000 + run, spans[item](source))
            run += 1

    await asyncio.gather(*map(again, range(items)))
    return stage.lags


def figures(lags: list[float]) -> dict[str, float]:
    """Return what is said of lags."""
    lags = sorted(lags)
    return {"median": median(lags), "p99": lags[int(0.99 * len(lags))], "max": lags[-1], "count": len(lags)}


async def beside_sensors(runs: int, sensors: int, per_minute: float = BUDGET) -> dict[str, Any]:
    """Wait for runs of 2 to 30 minutes on as many items, beside sensors on other items."""
    stage, source = Stage(per_minute=per_minute), random.Random(3)
    watching = [asyncio.create_task(stage.sensor(10_000 + number)) for number in range(sensors)]
    await asyncio.gather(*(stage.run(n, n, source.uniform(120, 1800)) for n in range(runs)))
    calls = len(stage.fabric.calls)
    for each in watching:
        each.cancel()
    await asyncio.gather(*watching, return_exceptions=True)
    gaps: dict[str, list[float]] = {}
    for when, what in stage.fabric.calls:
        gaps.setdefault(what.split()[1], []).append(when)
    sensed = [times for item, times in gaps.items() if int(item[-12:]) >= 10_000]
    longest = max((b - a for times in sensed for a, b in itertools.pairwise(times)), default=0.0)
    return {**figures(stage.lags), "calls": calls, "sensor gap": longest}


def show(name: str, main: Coroutine[Any, Any, Any]) -> Any:
    """Run a scenario and print its figures."""
    result = run_virtually(main)
    found = figures(result) if isinstance(result, list) else result
    sys.stdout.write(f"{name}: " + ", ".join(f"{k} {v:,.1f}" for k, v in found.items()) + "\n")
    sys.stdout.flush()
    return found


def main() -> None:
    """Run every scenario."""
    show("200 runs alone", beside_sensors(200, 0))
    show("600 runs alone", beside_sensors(600, 0))
    show("200 runs alone, a third of the budget", beside_sensors(200, 0, BUDGET / 3))
    show("200 runs beside 200 sensors", beside_sensors(200, 200))
    show("200 runs beside 400 sensors", beside_sensors(200, 400))
    for kind in ("lognormal", "memoryless"):
        for order in (MostOverdueFirst, TurnQueue):
            show(f"{kind}, {order.__name__}", full_budget(order, kind))


if __name__ == "__main__":
    main()
