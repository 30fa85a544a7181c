"""Many triggers on one connection, over real sockets: calls, tokens and connections are counted. No seconds are."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.triggerer import shared
from airflow_provider_fabric.triggers.job import FabricJobInstanceTrigger

SCALE = 20.0
RUNS, ITEMS = 60, 6


async def fire(trigger: FabricJobInstanceTrigger) -> list[Any]:
    return [event.payload async for event in trigger.run()]


def wait_for_all(emulator: FabricEmulator, items: int, interval: float) -> list[Any]:
    """Start runs of 40 to 120 service seconds, and wait for each with a trigger made from its serialised arguments."""
    control = emulator.control
    ids = [i["id"] for i in control.seed(copies={"type": "DataPipeline", "count": items})["workspaces"][0]["items"]]
    control.add_job_rule(duration_seconds=[40, 120])
    now = time.time()
    triggers = []
    for number in range(RUNS):
        item = ids[number % items]
        job = {
            "workspace_id": emulator.workspace_id,
            "item_id": item,
            "job_instance_id": control.start_job(item, "Execute"),
        }
        run = {"job": job, "job_type": "Execute", "item_type": "DataPipeline", "run_url": "", "submitted_at": now,
               "next_poll_at": now, "check_interval": interval}  # fmt: skip
        _, arguments = FabricJobInstanceTrigger("fabric_many", run).serialize()
        triggers.append(FabricJobInstanceTrigger(**json.loads(json.dumps(arguments))))

    async def main() -> list[Any]:
        shared.configure(shared.Options(minute=60 / SCALE))
        try:
            return await asyncio.wait_for(asyncio.gather(*map(fire, triggers)), 120)
        finally:
            await shared.aclose()

    return asyncio.run(main())


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> Any:
    """An emulator with a quota, in scaled time."""
    with FabricEmulator(time_scale=SCALE, quotas={"job_scheduler": 60}) as emulator:
        connection = emulator.connection
        connection["extra"]["job_calls_per_minute"] = 50
        monkeypatch.setenv("AIRFLOW_CONN_FABRIC_MANY", json.dumps(connection))
        yield emulator


@pytest.mark.parametrize("items", [ITEMS, RUNS])
def test_many_triggers_fit_the_quota_with_one_token_and_few_connections(busy: FabricEmulator, items: int) -> None:
    events = wait_for_all(busy, items, interval=20 / SCALE)
    assert [len(fired) for fired in events] == [1] * RUNS
    assert {fired[0]["job"]["status"] for fired in events} == {"Completed"}
    stats = busy.control.stats()
    assert stats["throttled"] == 0
    assert stats["tokens_issued"] == 1
    assert stats["connections"]["opened"] <= 20
    if items == ITEMS:  # a poller makes about five calls for each run
        assert stats["calls"]["job_scheduler"] < RUNS * 5 / 2
