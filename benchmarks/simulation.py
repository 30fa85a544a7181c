"""The poller under stress, in virtual time: hours pass in seconds, with no socket and no Airflow.

``make simulate`` prints the figures of "Simulated" in ``docs/performance.md``.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
import random
import sys
from collections.abc import Callable, Coroutine
from functools import partial
from statistics import median
from typing import Any

from airflow_provider_fabric.api.http.flow import Request, Response
from airflow_provider_fabric.api.jobs.item_polling import ItemPoll, poll_item
from airflow_provider_fabric.api.jobs.polling import JobPoll, cancel_if_active
from airflow_provider_fabric.api.models import JobRef
from airflow_provider_fabric.triggerer.call_budget import CallBudget
from airflow_provider_fabric.triggerer.poller import JobPoller
from airflow_provider_fabric.triggerer.turns import TurnQueue, Waiter
from tests.unit.virtual_time import EPOCH, WORKSPACE, FakeFabric, clock, guid, run_virtually

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

    async def cancel(self, poll: JobPoll) -> bool:
        """Ask once for a run's cancellation."""
        return await self.poller.run_at_once(cancel_if_active(poll))

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


async def after_cancelled_sensors(count: int = 1000) -> dict[str, float]:
    """Let sensors leave after a second; then wait for runs."""
    stage, source = Stage(), random.Random(3)
    sensors = [asyncio.create_task(stage.sensor(10_000 + number)) for number in range(count)]
    await asyncio.sleep(1)
    for each in sensors:
        each.cancel()
    await asyncio.gather(*sensors, return_exceptions=True)
    await asyncio.gather(*(stage.run(n, n, source.uniform(120, 1800)) for n in range(100)))
    return figures(stage.lags)


async def garbled_list(runs: int = 800) -> dict[str, float]:
    """Answer one List of an item with a proxy's page."""
    spoilt: list[float] = []

    def once(request: Request) -> Response | None:
        if request.path.endswith("/instances") and clock() > EPOCH + 300 and not spoilt:
            spoilt.append(clock())
            return Response(200, {"content-type": "text/html"}, b"<html>")
        return None

    stage, source = Stage(FakeFabric(latency=0.3, page_size=1000, answer=once)), random.Random(3)
    await asyncio.gather(*(stage.run(1, n, source.uniform(600, 1800)) for n in range(runs)))
    back = next(when for when, what in stage.fabric.calls if what.startswith("LIST") and when > spoilt[0])
    return {**figures(stage.lags), "gets": stage.fabric.gets, "back on lists after": back - spoilt[0]}


async def killed(count: int = 300) -> dict[str, float]:
    """Mark tasks failed at once, under an enforced quota of 200 calls a minute."""
    stage = Stage(FakeFabric(latency=0.3, quota=200))
    waits = [asyncio.create_task(stage.run(n, n, 1e6, first=0.0)) for n in range(count)]
    await asyncio.sleep(600)
    for each in waits:
        each.cancel()
    began, polls = clock(), [stage.poll(n, n) for n in range(count)]
    for poll in polls:
        poll.last_status = "InProgress"  # as the triggers, which have waited, know it
    cancels = [stage.poller.cancels.start(str(poll), partial(stage.cancel, poll), began) for poll in polls]
    accepted = await asyncio.gather(*cancels)
    return {
        "accepted": sum(accepted),
        "seconds": clock() - began,
        "answers 429": stage.fabric.statuses[429],
        "cancels sent": stage.fabric.cancels,
    }


def show(name: str, main: Coroutine[Any, Any, Any]) -> Any:
    """Run a scenario and print its figures."""
    result = run_virtually(main)
    found = figures(result) if isinstance(result, list) else result
    sys.stdout.write(f"{name}: " + ", ".join(f"{k} {v:,.1f}" for k, v in found.items()) + "\n")
    sys.stdout.flush()
    return found


def main() -> None:
    """Run every scenario."""
    logging.disable(logging.WARNING)
    show("200 runs alone", beside_sensors(200, 0))
    show("600 runs alone", beside_sensors(600, 0))
    show("200 runs alone, a third of the budget", beside_sensors(200, 0, BUDGET / 3))
    show("200 runs beside 200 sensors", beside_sensors(200, 200))
    show("200 runs beside 400 sensors", beside_sensors(200, 400))
    show("100 runs after 1,000 cancelled sensors", after_cancelled_sensors())
    show("800 runs of an item, one garbled list", garbled_list())
    show("300 tasks killed at once", killed())
    for kind in ("lognormal", "memoryless"):
        for order in (MostOverdueFirst, TurnQueue):
            show(f"{kind}, {order.__name__}", full_budget(order, kind))


if __name__ == "__main__":
    main()
