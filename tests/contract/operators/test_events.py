"""The event trigger against the emulator: everything that ends is reported, over restarts too, and nothing old."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import pytest

from airflow_provider_fabric.api.models import JobInstance
from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.exceptions import FabricInputError
from airflow_provider_fabric.hooks.fabric import FabricHook
from airflow_provider_fabric.triggerer import shared
from airflow_provider_fabric.triggers import events
from airflow_provider_fabric.triggers.events import BaseEventTrigger, BaseTrigger, FabricJobEventTrigger, Listed
from tests.contract.operators.items import add_item

pytestmark = pytest.mark.skipif(BaseEventTrigger is BaseTrigger, reason="Airflow 2 watches no assets")

INTERVAL = 0.1
JOB = "f2d65699-dd22-4889-980c-15226deb0e1b"


class AssetStore:
    """The state store of one asset (Airflow ≥ 3.3); it outlives triggerers."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.broken = False

    async def aget(self, key: str, default: Any = None) -> Any:
        if self.broken:
            raise RuntimeError("the supervisor does not answer")
        return self.values.get(key, default)

    async def aset(self, key: str, value: Any) -> None:
        if self.broken:
            raise RuntimeError("the supervisor does not answer")
        self.values[key] = value


@pytest.fixture
def item(tenant: FabricEmulator) -> str:
    return add_item(tenant, "CopyJob", "Nightly copy")


def trigger(store: AssetStore | None = None, **arguments: Any) -> FabricJobEventTrigger:
    given = {"workspace": "Emulator workspace", "item": "Nightly copy", "check_interval": INTERVAL, **arguments}
    made = FabricJobEventTrigger(**given)
    _, again = made.serialize()
    made = FabricJobEventTrigger(**again)
    made.asset_state_store = store
    return made


def looks(tenant: FabricEmulator) -> int:
    """Return how often the item's list was asked for with success."""
    routes = tenant.control.stats()["routes"]
    return int(routes.get("GET /v1/workspaces/{workspaceId}/items/{itemId}/jobs/instances", {}).get("200", 0))


async def some_looks(tenant: FabricEmulator, count: int = 2) -> None:
    """Wait until the list was asked for so many times more, however slow this machine is."""
    until = await asyncio.to_thread(looks, tenant) + count
    while await asyncio.to_thread(looks, tenant) < until:  # noqa: ASYNC110 - another process is asked
        await asyncio.sleep(0.05)


def watch(
    tenant: FabricEmulator, made: FabricJobEventTrigger, *steps: Callable[[], Any], expected: int = 0
) -> list[dict[str, Any]]:
    """Run a trigger until it has reported as much as is expected, and a little longer.

    :param steps: each is taken once the trigger has looked.
    """

    async def listen() -> list[dict[str, Any]]:
        reported: list[dict[str, Any]] = []

        async def consume() -> None:
            async for event in made.run():
                reported.append(event.payload)

        consumer = asyncio.create_task(consume())
        for step in steps:
            await some_looks(tenant)
            await asyncio.to_thread(step)
        for _ in range(200):
            if len(reported) >= expected:
                break
            await asyncio.sleep(0.05)
        await some_looks(tenant, 4)
        assert not consumer.done(), "an event trigger never ends"
        consumer.cancel()
        await asyncio.gather(consumer, return_exceptions=True)
        await shared.aclose()
        return reported

    return asyncio.run(asyncio.wait_for(listen(), 60))


def ended(tenant: FabricEmulator, job: str) -> None:
    """Wait until a run is over."""
    while any(entry["id"] == job and entry["active"] for entry in tenant.control.jobs()):
        time.sleep(0.05)
    time.sleep(1.1)  # the service's clock, as answers tell it, has whole seconds


def test_a_run_that_completes_is_reported_once(tenant: FabricEmulator, item: str):
    started: list[str] = []
    reported = watch(tenant, trigger(), lambda: started.append(tenant.control.start_job(item)), expected=1)
    assert [event["job_instance_id"] for event in reported] == started
    assert reported[0]["status"] == "Completed"
    assert reported[0]["run_url"].startswith(f"{tenant.url}/groups/{tenant.workspace_id}/")
    assert (reported[0]["workspace_id"], reported[0]["item_id"]) == (tenant.workspace_id, item)
    assert (reported[0]["workspace"], reported[0]["item"]) == (
        "Emulator workspace",
        "Nightly copy",
    )


def test_what_had_completed_before_is_not_reported(tenant: FabricEmulator, item: str):
    ended(tenant, tenant.control.start_job(item))
    assert watch(tenant, trigger()) == []


def test_only_wanted_ends_are_reported(tenant: FabricEmulator, item: str):
    tenant.control.add_job_rule(outcome="Failed", count=1)
    steps = [lambda: tenant.control.start_job(item)] * 2
    assert [e["status"] for e in watch(tenant, trigger(statuses=["Failed"]), *steps, expected=1)] == ["Failed"]


def test_what_ends_while_no_triggerer_runs_is_reported_by_the_next(tenant: FabricEmulator, item: str):
    store, started = AssetStore(), []

    def start() -> None:
        started.append(tenant.control.start_job(item))

    first = watch(tenant, trigger(store), start, expected=1)
    start()
    ended(tenant, started[-1])
    second = watch(tenant, trigger(store), start, expected=2)
    assert [event["job_instance_id"] for event in first + second] == started
    assert watch(tenant, trigger(store)) == []


def test_a_triggerer_that_dies_before_its_first_event_loses_none(tenant: FabricEmulator, item: str):
    store = AssetStore()
    assert watch(tenant, trigger(store)) == []
    started = tenant.control.start_job(item)
    ended(tenant, started)
    assert [event["job_instance_id"] for event in watch(tenant, trigger(store), expected=1)] == [started]


def test_a_triggerer_that_dies_right_after_an_event_tells_it_again(tenant: FabricEmulator, item: str):
    """The event may not have been stored, so at least once beats at most once."""
    store = AssetStore()

    async def first_event_only() -> Any:
        stream = trigger(store).run()
        first = asyncio.ensure_future(anext(stream))
        await some_looks(tenant)
        await asyncio.to_thread(tenant.control.start_job, item)
        event = await asyncio.wait_for(first, 30)
        await stream.aclose()
        await shared.aclose()
        return event.payload["job_instance_id"]

    reported = asyncio.run(first_event_only())
    assert [event["job_instance_id"] for event in watch(tenant, trigger(store), expected=1)] == [reported]


def test_two_watchers_of_an_asset_do_not_share_their_memory(tenant: FabricEmulator, item: str):
    store = AssetStore()
    tenant.control.add_job_rule(outcome="Failed", count=1)
    failed: list[str] = []
    watch(tenant, trigger(store, statuses=["Completed"]), lambda: failed.append(tenant.control.start_job(item)))
    ended(tenant, failed[0])
    reported = watch(tenant, trigger(store, statuses=["Failed"]), lambda: tenant.control.start_job(item))
    assert reported == [], "the failed run was there before this watcher"
    assert len(store.values) == 2


def test_a_store_that_stops_to_answer_stops_nothing(tenant: FabricEmulator, item: str):
    store = AssetStore()

    def start() -> None:
        store.broken = True
        tenant.control.start_job(item)

    assert len(watch(tenant, trigger(store), start, expected=1)) == 1


def test_nothing_is_lost_while_a_store_does_not_answer(
    tenant: FabricEmulator, item: str, monkeypatch: pytest.MonkeyPatch
):
    """What was reported already is read before anything is reported or written."""
    monkeypatch.setattr(events, "READ_PAUSES", (0.2,) * 10)
    store = AssetStore()
    watch(tenant, trigger(store))
    ended(tenant, missed := tenant.control.start_job(item))
    store.broken = True
    threading.Timer(0.7, setattr, (store, "broken", False)).start()
    assert [event["job_instance_id"] for event in watch(tenant, trigger(store), expected=1)] == [missed]


def test_an_item_that_was_made_anew_is_found_by_its_name(
    tenant: FabricEmulator, item: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(events, "ERROR_PAUSE", 0.05)  # less than the interval, as by default
    started: list[str] = []

    def make_anew() -> None:
        FabricHook().delete_item(tenant.workspace_id, item)
        started.append(tenant.control.start_job(add_item(tenant, "CopyJob", "Nightly copy")))

    reported = watch(tenant, trigger(), make_anew, expected=1)
    assert [event["job_instance_id"] for event in reported] == started


def test_errors_are_waited_out(tenant: FabricEmulator, item: str):
    tenant.control.add_fault(path="*/jobs/instances", status=503, count=2)
    assert len(watch(tenant, trigger(), lambda: tenant.control.start_job(item), expected=1)) == 1


def test_messages_name_what_is_polled_beside_its_ids(
    tenant: FabricEmulator, item: str, caplog: pytest.LogCaptureFixture
):
    store = AssetStore()

    def break_both() -> None:
        store.broken = True
        tenant.control.add_fault(path="*/jobs/instances", status=503, count=1)
        tenant.control.start_job(item)

    watch(tenant, trigger(store), break_both, expected=1)
    where = f"item 'Nightly copy' ({item}) in workspace 'Emulator workspace' ({tenant.workspace_id})"
    assert f"Could not poll the runs of {where}, will poll again: " in caplog.text
    assert f"Could not write which runs of {where} were reported: " in caplog.text


def test_ids_are_named_once(tenant: FabricEmulator, item: str, caplog: pytest.LogCaptureFixture):
    made = trigger(workspace=tenant.workspace_id, item=item.upper())
    watch(tenant, made, lambda: tenant.control.add_fault(path="*/jobs/instances", status=503, count=1))
    assert f"of item '{item.upper()}' in workspace '{tenant.workspace_id}', will poll" in caplog.text


def test_an_item_that_is_not_there_yet(tenant: FabricEmulator, monkeypatch: pytest.MonkeyPatch):
    """What runs before the trigger finds the item is no old news: the trigger was there first."""
    monkeypatch.setattr(events, "ERROR_PAUSE", 1.5)
    started: list[str] = []

    def deploy_and_run() -> None:
        item = add_item(tenant, "CopyJob", "Nightly copy")
        started.append(tenant.control.start_job(item))

    threading.Timer(0.5, deploy_and_run).start()
    reported = watch(tenant, trigger(), expected=1)
    assert [event["job_instance_id"] for event in reported] == started


async def fan_out(
    tenant: FabricEmulator, siblings: list[FabricJobEventTrigger], meanwhile: Callable[[], Any], expected: int
) -> list[list[str]]:
    """Do what Airflow 3.3's triggerer does: one stream, a filter per trigger; return the statuses that each gave."""
    queues: list[asyncio.Queue[Any]] = [asyncio.Queue() for _ in siblings]
    reported: list[list[str]] = [[] for _ in siblings]

    async def subscribe(index: int) -> None:
        async def raw() -> Any:
            while True:
                yield await queues[index].get()

        async for event in siblings[index].filter_shared_stream(raw()):
            reported[index].append(event.payload["status"])

    async def produce() -> None:
        async for listed in FabricJobEventTrigger.open_shared_stream(siblings[0].serialize()[1]):
            for queue in queues:
                queue.put_nowait(listed)

    tasks = [asyncio.create_task(work) for work in (produce(), *map(subscribe, range(len(siblings))))]
    await some_looks(tenant)
    await asyncio.to_thread(meanwhile)
    while sum(map(len, reported)) < expected:  # noqa: ASYNC110 - the service ends runs in its own time
        await asyncio.sleep(0.05)
    await some_looks(tenant, 3)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await shared.aclose()
    return reported


def test_siblings_share_one_look(tenant: FabricEmulator, item: str):
    one, other = trigger(statuses=["Completed"]), trigger(statuses=["Failed"], job_type="Execute")
    assert one.shared_stream_key() == other.shared_stream_key()
    assert one.shared_stream_key() != trigger(item="Another").shared_stream_key()

    def two_runs() -> None:
        tenant.control.add_job_rule(outcome="Failed", count=1)
        tenant.control.start_job(item)
        tenant.control.start_job(item)

    reported = asyncio.run(asyncio.wait_for(fan_out(tenant, [one, other], two_runs, expected=2), 60))
    assert reported == [["Completed"], ["Failed"]]


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"statuses": ["InProgress"]}, "statuses must be some of"),
        *(
            ({"check_interval": wrong}, "check_interval must be a positive number")
            for wrong in (0, -1, float("nan"), float("inf"), True, "60")
        ),
    ],
)
def test_wrong_arguments_are_said_when_the_dag_is_read(arguments: dict[str, Any], match: str):
    with pytest.raises(FabricInputError, match=match):
        trigger(**arguments)


def test_two_watchers_on_two_connections_do_not_share_their_memory(
    tenant: FabricEmulator, item: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", os.environ["AIRFLOW_CONN_FABRIC_DEFAULT"])
    store = AssetStore()
    for conn_id in ("fabric_default", "other"):
        watch(tenant, trigger(store, fabric_conn_id=conn_id))
    watch(tenant, trigger(store, item_type="CopyJob"))
    watch(tenant, trigger(store, job_type="Execute"))
    assert len(store.values) == 4


def test_the_same_item_by_name_or_by_id_has_the_same_memory(tenant: FabricEmulator, item: str):
    store = AssetStore()
    watch(tenant, trigger(store))
    watch(tenant, trigger(store, item=item, workspace=tenant.workspace_id))
    watch(tenant, trigger(store, statuses=iter(["Completed"])))
    assert len(store.values) == 1


def test_a_trigger_is_the_same_whatever_the_order_and_type_of_its_statuses():
    """Airflow knows event triggers by a hash of their arguments: another order would make a second watcher."""
    code = (
        "from airflow_provider_fabric.triggers.events import FabricJobEventTrigger as T; import json; "
        "print(json.dumps(T('w', 'i', statuses={'Completed', 'Failed', 'Cancelled'}, check_interval=60).serialize()))"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout.splitlines()[-1]
        for seed in ("1", "2", "3")
    }
    assert len(printed) == 1
    again = FabricJobEventTrigger("w", "i", statuses=["Cancelled", "Failed", "Completed"], check_interval=60.0)
    assert json.loads(printed.pop()) == json.loads(json.dumps(again.serialize()))


def test_an_empty_and_a_short_list_report_nothing_again(tenant: FabricEmulator, item: str):
    """Lists [r], [r], [], [r]: one event."""
    run = JobInstance.from_wire(
        {"id": JOB, "itemId": item, "jobType": "Execute", "invokeType": "Manual", "status": "Completed",
         "startTimeUtc": "2099-01-01T00:00:00", "endTimeUtc": "2099-01-01T00:01:00"}
    )  # fmt: skip
    store = AssetStore()

    async def fired(*lists: list[JobInstance]) -> int:
        async def stream() -> Any:
            for instances in lists:
                yield Listed(tenant.workspace_id, item, tenant.url, instances, 0.0)

        return len([event async for event in trigger(store).filter_shared_stream(stream())])

    assert asyncio.run(fired([run], [run], [], [run])) == 1
    assert asyncio.run(fired([], [run], [])) == 0, "it was reported before the restart"


@pytest.mark.parametrize("step", [-3600.0, 3600.0, -60.0])
def test_a_clock_that_is_set_hides_no_end_and_digs_up_none(tenant: FabricEmulator, item: str, step: float):
    now = time.time()

    def ended(seconds: float) -> JobInstance:
        end = datetime.fromtimestamp(now + seconds, timezone.utc).replace(tzinfo=None).isoformat()
        return JobInstance.from_wire(
            {"id": f"{int(seconds):08d}".replace("-", "0") + JOB[8:], "status": "Completed", "endTimeUtc": end}
        )

    async def fired() -> list[str]:
        async def stream() -> Any:
            yield Listed("w", item, tenant.url, [ended(-100)], 0.0)
            yield Listed("w", item, tenant.url, [ended(-100), ended(100)], -step)

        return [event.payload["job_instance_id"] async for event in trigger().filter_shared_stream(stream())]

    assert [job[:8] for job in asyncio.run(fired())] == ["00000100"]


def test_airflow_can_store_it():
    class_path, arguments = trigger(statuses=["Failed"]).serialize()
    assert class_path == "airflow_provider_fabric.triggers.events.FabricJobEventTrigger"
    assert isinstance(BaseEventTrigger.hash(class_path, arguments), int)
