"""The poller under stress, in virtual time: hours pass in seconds, with no socket and no Airflow.

The poller and the flows of its calls are the real ones; the service, and the clock, are simulated. ``make simulate``
prints the figures once; ``make bench`` measures them in rounds, beside the naive poller (:mod:`.stress`).
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

from airflow_provider_fabric.api.http.flow import Flow, Request, Response
from airflow_provider_fabric.api.http.retry import ONCE
from airflow_provider_fabric.api.jobs.instances import cancel_item_job_instance, get_item_job_instance
from airflow_provider_fabric.api.jobs.item_polling import ItemPoll, poll_item, poll_item_once
from airflow_provider_fabric.api.jobs.polling import JobPoll, cancel_if_active
from airflow_provider_fabric.api.models import JobRef
from airflow_provider_fabric.exceptions import FabricError
from airflow_provider_fabric.triggerer.call_budget import CallBudget
from airflow_provider_fabric.triggerer.poller import JobPoller
from airflow_provider_fabric.triggerer.turns import TurnQueue, Waiter
from tests.unit.virtual_time import EPOCH, WORKSPACE, FakeFabric, clock, guid, run_virtually

BUDGET, QUOTA, INTERVAL = 180.0, 200, 60.0

REPEATS = 20
"""Of the waits after cancelled ones."""


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
        self.fabric = fabric or FakeFabric(latency=0.3, quota=QUOTA)
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
        """Cancel a run of a task that was killed, as the triggers do; return whether that was accepted."""

        async def once() -> bool:
            return await self.poller.run_at_once(cancel_if_active(poll))

        return await self.poller.cancels.start(str(poll), once, clock())

    async def sensor(self, item: int) -> None:
        """Wait for a run that nobody starts."""
        poll = ItemPoll(WORKSPACE, guid(item), None, clock(), 60.0)
        await self.poller.run(poll_item(poll, clock=clock))


class NaiveStage(Stage):
    """The same with a poller as one writes it by hand: each run asks for itself every interval, whatever comes."""

    async def run(self, item: int, run: int, takes: float, first: float = 60.0) -> None:
        """Start a run and wait for it."""
        ends, ids = clock() + takes, self.fabric.start(item, run, takes)
        await asyncio.sleep(first)
        while True:
            instance = await self._ask(get_item_job_instance(WORKSPACE, *ids, budget=ONCE))
            if instance is not None and instance.status.is_terminal:
                break
            await asyncio.sleep(INTERVAL * random.uniform(0.95, 1.05))  # as pollers drift apart
        self.lags.append(clock() - ends)

    async def cancel(self, poll: JobPoll) -> bool:
        """Ask once for a run's cancellation."""
        job = poll.job
        flow = cancel_item_job_instance(WORKSPACE, job.item_id, job.job_instance_id, budget=ONCE)
        return bool(await self._ask(flow))

    async def sensor(self, item: int) -> None:
        """Wait for a run that nobody starts."""
        poll = ItemPoll(WORKSPACE, guid(item), None, clock(), INTERVAL)
        while await self._ask(poll_item_once(poll, budget=ONCE, clock=clock)) is None:  # noqa: ASYNC110
            await asyncio.sleep(INTERVAL * random.uniform(0.95, 1.05))

    async def _ask(self, flow: Flow[Any]) -> Any:
        try:
            return await self.fabric.arun(flow)
        except FabricError:
            return None


Stages = Callable[..., Stage]
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
    new_stage: Stages,
    kind: str,
    seed: int = 7,
    items: int = 600,
    hours: float = 3.0,
    history: int = 30,
    cv: float = 0.3,
    per_minute: float = BUDGET,
) -> dict[str, float]:
    """Let each of many items run again and again, with a history behind it, under a budget that is too small."""
    source = random.Random(seed)
    stage = new_stage(per_minute=per_minute)
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
    return figures(stage)


def figures(*stages: Stage) -> dict[str, float]:
    """Return what is said of lags."""
    lags = sorted(lag for stage in stages for lag in stage.lags)
    found = {"median": median(lags), "p99": lags[int(0.99 * len(lags))], "max": lags[-1], "count": len(lags)}
    return {**found, "answers 429": sum(stage.fabric.statuses[429] for stage in stages)}


async def beside_sensors(
    new_stage: Stages, runs: int, sensors: int, per_minute: float = BUDGET, seed: int = 3
) -> dict[str, float]:
    """Wait for runs of 2 to 30 minutes on as many items, beside sensors on other items."""
    stage, source = new_stage(per_minute=per_minute), random.Random(seed)
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
    return {**figures(stage), "calls": calls, "sensor gap": longest}


async def after_cancelled_sensors(new_stage: Stages, count: int = 1000, seed: int = 3) -> dict[str, float]:
    """Let sensors leave after a second; then wait for a hundred runs.

    :data:`REPEATS` times, each on a poller of its own: the median lag of a hundred runs varies by a tenth from one
    hundred to the next, whatever was before.
    """
    source, stages = random.Random(seed), [new_stage() for _ in range(REPEATS)]
    for stage in stages:
        sensors = [asyncio.create_task(stage.sensor(10_000 + number)) for number in range(count)]
        await asyncio.sleep(1)
        for each in sensors:
            each.cancel()
        await asyncio.gather(*sensors, return_exceptions=True)
        await asyncio.gather(*(stage.run(n, n, source.uniform(120, 1800)) for n in range(100)))
    return figures(*stages)


async def garbled_list(new_stage: Stages, runs: int = 800, seed: int = 3) -> dict[str, float]:
    """Answer one List of an item with a proxy's page."""
    spoilt: list[float] = []

    def once(request: Request) -> Response | None:
        if request.path.endswith("/instances") and clock() > EPOCH + 300 and not spoilt:
            spoilt.append(clock())
            return Response(200, {"content-type": "text/html"}, b"<html>")
        return None

    stage = new_stage(FakeFabric(latency=0.3, quota=QUOTA, page_size=1000, answer=once))
    source = random.Random(seed)
    await asyncio.gather(*(stage.run(1, n, source.uniform(600, 1800)) for n in range(runs)))
    lists = [when for when, what in stage.fabric.calls if what.startswith("LIST") and spoilt and when > spoilt[0]]
    return {**figures(stage), "gets": stage.fabric.gets, "listed again after": lists[0] - spoilt[0] if lists else 0.0}


async def killed(new_stage: Stages, count: int = 300) -> dict[str, float]:
    """Mark tasks failed at once, under an enforced quota of 200 calls a minute."""
    stage = new_stage()
    waits = [asyncio.create_task(stage.run(n, n, 1e6, first=0.0)) for n in range(count)]
    await asyncio.sleep(600)
    for each in waits:
        each.cancel()
    began, polls = clock(), [stage.poll(n, n) for n in range(count)]
    for poll in polls:
        poll.last_status = "InProgress"  # as the triggers, which have waited, know it
    refused = stage.fabric.statuses[429]
    accepted = await asyncio.gather(*map(stage.cancel, polls))
    seconds = clock() - began
    await asyncio.sleep(max(0.0, 180 - seconds))
    active = sum(clock() < run.ends for runs in stage.fabric.items.values() for run in runs.values())
    refused = stage.fabric.statuses[429] - refused
    return {"accepted": sum(accepted), "seconds": seconds, "active after": active, "answers 429": refused}


def show(name: str, main: Coroutine[Any, Any, dict[str, float]], seed: int = 1) -> dict[str, float]:
    """Run a scenario and print its figures."""
    found = run_virtually(main, seed=seed)
    sys.stdout.write(f"{name}: " + ", ".join(f"{k} {v:,.1f}" for k, v in found.items()) + "\n")
    sys.stdout.flush()
    return found


def main() -> None:
    """Run every scenario."""
    logging.disable(logging.WARNING)
    for new_stage in (Stage, NaiveStage):
        name = new_stage.__name__
        show(f"{name}: 200 runs alone", beside_sensors(new_stage, 200, 0))
        show(f"{name}: 200 runs beside 400 sensors", beside_sensors(new_stage, 200, 400))
        show(f"{name}: 100 runs after 1,000 cancelled sensors", after_cancelled_sensors(new_stage))
        show(f"{name}: 800 runs of an item, one garbled list", garbled_list(new_stage))
        show(f"{name}: 300 tasks killed at once", killed(new_stage))
    for kind in ("lognormal", "memoryless"):
        for stages in (partial(Stage, order=MostOverdueFirst), Stage):
            show(f"{kind}, {stages}", full_budget(stages, kind))


if __name__ == "__main__":
    main()
