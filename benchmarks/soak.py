"""Seven days of a triggerer in virtual time: waits, rotated secrets, restarts. ``make soak``.

It ends with 1 if a wait is stuck, ends twice, or anything grows.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import random
import resource
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from airflow_provider_fabric.api.connection.settings import FabricSettings
from airflow_provider_fabric.api.http.flow import Flow
from airflow_provider_fabric.api.jobs.polling import JobPoll
from airflow_provider_fabric.api.models import JobRef
from airflow_provider_fabric.triggerer import shared
from tests.unit.virtual_time import WORKSPACE, FakeFabric, clock, guid, run_virtually

DAY = 86_400.0
ITEMS = 200
SETTINGS = FabricSettings("fabric_default", tenant_id=guid(1), client_id=guid(2), secret="0")
GROWTH = 1.2


class Hook:
    """A hook on the simulated service.

    :param service: the service.
    :param settings: what its look-up returns.
    """

    open = 0

    def __init__(self, service: FakeFabric, settings: FabricSettings) -> None:
        self._service, self._settings = service, settings
        Hook.open += 1

    async def aget_conn(self) -> FabricSettings:
        return self._settings

    async def arun(self, flow: Flow[Any]) -> Any:
        return await self._service.arun(flow)

    async def aclose(self) -> None:
        Hook.open -= 1


class Soak:
    """One long life of a triggerer, and what came of it.

    :param days: how long.
    :param waits: how many runs are waited for in that time.
    """

    def __init__(self, days: float, waits: int) -> None:
        self.days, self.waits = days, waits
        self.service = FakeFabric(latency=0.2)
        self.ended = self.started = 0
        self.secret = 0
        self.memory: list[int] = []
        self.clients: list[int] = []

    def hook(self, conn_id: str) -> Hook:
        """Return a hook of the connection as it is now."""
        return Hook(self.service, replace(SETTINGS, conn_id=conn_id, secret=str(self.secret)))

    async def one(self, number: int, source: random.Random) -> None:
        """Wait for a run; the triggerer may restart meanwhile, and takes the wait up again."""
        item, takes = number % ITEMS, source.uniform(30, 900)
        self.service.start(item, number, takes)
        self.started += 1
        while True:
            poll = JobPoll(JobRef(WORKSPACE, guid(item), guid(number)), clock(), 60.0, clock() + 10)
            wait = asyncio.ensure_future(shared.wait("fabric_default", poll))
            if source.random() < 0.02:  # a restart, or a trigger that moves
                await asyncio.wait([wait], timeout=source.uniform(0, 100))
                if not wait.done():
                    wait.cancel()
                    await asyncio.wait([wait])
                    continue
            await wait
            break
        self.ended += 1
        del self.service.items[guid(item)][guid(number)]

    async def rotate(self) -> None:
        """Change the secret every hour."""
        while True:
            await asyncio.sleep(3600)
            self.secret += 1

    async def main(self) -> None:
        """Let the days pass."""
        shared.configure(shared.Options(clock=clock, new_hook=self.hook))
        source, waits = random.Random(1), set[asyncio.Task[None]]()
        rotating = asyncio.create_task(self.rotate())
        pause = self.days * DAY / self.waits
        for number in range(self.waits):
            task = asyncio.create_task(self.one(number, source))
            waits.add(task)
            task.add_done_callback(waits.discard)
            await asyncio.sleep(pause)
            if number % max(1, self.waits // 20) == 0:
                self.take_stock()
        rotating.cancel()
        if waits:
            await asyncio.wait(waits, timeout=7200)
        await asyncio.sleep(shared_idle() + 60)
        self.left = asyncio.all_tasks() - {asyncio.current_task()}
        self.pollers = len(shared.of_running_loop().pollers)

    def take_stock(self) -> None:
        """Note what there is, without what the simulated service logs."""
        self.service.calls.clear()
        gc.collect()
        self.memory.append(int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize())
        self.clients.append(len(shared.of_running_loop().clients.open))

    def problems(self) -> list[str]:
        """Return what is wrong."""
        settled = self.memory[len(self.memory) // 4 :]
        checks = {
            f"{self.started - self.ended} waits are stuck": self.ended == self.started == self.waits,
            f"memory grew from {settled[0]:,} to {settled[-1]:,} bytes": settled[-1] <= GROWTH * settled[0],
            f"up to {max(self.clients)} clients were open at once": max(self.clients) <= 3,
            f"{len(self.left)} tasks and {self.pollers} pollers are left": not self.left and not self.pollers,
        }
        return [text for text, holds in checks.items() if not holds]


def shared_idle() -> float:
    """Return after how long an unused client is closed."""
    from airflow_provider_fabric.triggerer.clients import IDLE_SECONDS

    return IDLE_SECONDS


def soak(days: float, waits: int) -> tuple[Soak, list[str]]:
    """Let days pass; return what came of it, and what is wrong."""
    made = Soak(days, waits)
    run_virtually(made.main())
    return made, made.problems()


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser("python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--days", type=float, default=7.0)
    parser.add_argument("--waits", type=int, default=1_000_000)
    options = parser.parse_args()
    logging.disable(logging.INFO)  # a report a minute, for seven days
    made, problems = soak(options.days, options.waits)
    sys.stdout.write(
        f"{made.ended:,} waits in {made.days:g} days; {made.secret} rotations; at most {max(made.clients)} clients at "
        f"once; memory {made.memory[-1] / 1e6:.0f} MB\n"
    )
    for problem in problems:
        sys.stdout.write(f"  fails: {problem}\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
