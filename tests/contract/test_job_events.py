"""Job events through Microsoft's client and the emulator's endpoint: TLS, WebSocket, AMQP, tokens; and its faults."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_fabric.api.eventstreams import get_topology
from airflow_provider_fabric.api.status import JobStatus
from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.hooks.fabric import FabricHook
from airflow_provider_fabric.lifecycle.state import WaitEnd, read_event
from airflow_provider_fabric.triggerer import shared
from airflow_provider_fabric.triggerer.hints import Hints
from airflow_provider_fabric.triggers.job import FabricJobInstanceTrigger
from tests.connect_proxy import ConnectProxy
from tests.job_events import StreamOfPipelines

# The client leaves sessions and sockets to the garbage collector when a line fails, or is closed while it opens.
pytestmark = [
    pytest.mark.events,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

pytest.importorskip("uvicorn.protocols.websockets.websockets_sansio_impl")
event_reader = pytest.importorskip("airflow_provider_fabric.triggerer.event_reader")

FAST = {"retry_after_seconds": 0, "lro_seconds": 0, "cancel_seconds": 0}


class Streamed(StreamOfPipelines):
    """An emulator with pipelines whose events a connection reads.

    :param emulator: the emulator.
    """

    def __init__(self, emulator: FabricEmulator) -> None:
        self.hook, self.control = FabricHook(), emulator.control
        super().__init__(emulator, self.hook, "p0", "p1")

    def start(self, item: int, seconds: float) -> str:
        self.control.add_job_rule(item_id=self.items[item], duration_seconds=seconds, count=1)
        return self.control.start_job(self.items[item], "Pipeline")

    def trigger(self, item: int, run: str, check_interval: float = 600.0) -> FabricJobInstanceTrigger:
        job = {"workspace_id": self.workspace, "item_id": self.items[item], "job_instance_id": run}
        now = time.time()
        state = {"job": job, "job_type": "Pipeline", "item_type": "DataPipeline", "run_url": "", "submitted_at": now,
                 "next_poll_at": now, "check_interval": check_interval}  # fmt: skip
        return FabricJobInstanceTrigger("fabric_events", state)


@pytest.fixture
def streamed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Streamed]:
    with FabricEmulator(**FAST) as emulator:
        monkeypatch.setenv("AIRFLOW_CONN_FABRIC_DEFAULT", emulator.connection_json)
        streamed = Streamed(emulator)
        monkeypatch.setenv("AIRFLOW_CONN_FABRIC_EVENTS", json.dumps(streamed.connection()))
        monkeypatch.setattr(event_reader, "CHECK", 1.0)
        monkeypatch.setattr(event_reader, "CHECK_SECONDS", 6.0)
        yield streamed
        gc.collect()


async def fire(trigger: FabricJobInstanceTrigger) -> None:
    (event,) = [event async for event in trigger.run()]
    _, outcome = read_event(event.payload)
    assert (outcome.ending, outcome.status) == (WaitEnd.OVER, JobStatus.COMPLETED), event.payload


async def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.05)


async def hints() -> Hints:
    """Return the hints of the events connection, once its stream is read and its topology is known."""
    running = shared.of_running_loop()
    async with running.clients.use("fabric_events") as client:
        found = running.hints(client)
    assert found is not None
    await until(lambda: found.coverage.is_open(found._clocks.steady()))
    return found


def in_loop(work: Any) -> Any:
    async def main() -> Any:
        try:
            return await asyncio.wait_for(work(), 100)
        finally:
            await shared.aclose()
            gc.collect()  # while the loop that the client's remains belong to is open

    return asyncio.run(main())


def test_a_run_is_found_over_by_its_event(streamed: Streamed) -> None:
    async def work() -> None:
        await hints()
        run = streamed.start(0, 3.0)
        began = time.monotonic()
        await fire(streamed.trigger(0, run))
        assert time.monotonic() - began < 10  # the interval is ten minutes

    in_loop(work)


def test_events_come_through_the_connections_proxy(streamed: Streamed, monkeypatch: pytest.MonkeyPatch) -> None:
    host = streamed.extra["events_hub"].partition("/")[0]
    with ConnectProxy() as proxy:
        through = streamed.connection(proxies={"https": proxy.url})
        monkeypatch.setenv("AIRFLOW_CONN_FABRIC_EVENTS", json.dumps(through))

        async def work() -> None:
            await hints()
            await fire(streamed.trigger(0, streamed.start(0, 1.0)))

        in_loop(work)
        assert host in proxy.connected


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_an_unknown_authority_is_refused_unless_the_connection_says_so(
    streamed: Streamed, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def is_read() -> bool:
        running = shared.of_running_loop()
        async with running.clients.use("fabric_events") as client:
            stream = running.hints(client)
            assert stream is not None
            with contextlib.suppress(AssertionError):
                await until(lambda: stream.coverage._connected, 6.0)
            return stream.coverage._connected

    for verify, expected in (("true", False), ("false", True)):
        monkeypatch.setenv("AIRFLOW_CONN_FABRIC_EVENTS", json.dumps(streamed.connection(verify=verify)))
        assert in_loop(is_read) is expected


def test_items_of_the_topology_are_covered(streamed: Streamed) -> None:
    async def work() -> None:
        found = await hints()
        key = (streamed.workspace, streamed.items[0])
        await until(lambda: found.coverage.covers_item(key, found._clocks.steady()))

    in_loop(work)


def test_events_of_before_are_read_and_doubled_lost_and_shuffled_ones_do_no_harm(streamed: Streamed) -> None:
    streamed.control.set_event_faults(duplicate=0.5, drop=0.2, reorder_seconds=1.0)
    runs = [streamed.start(n % 2, 1.0 + n / 5) for n in range(10)]

    async def work() -> None:
        await asyncio.gather(*(fire(streamed.trigger(n % 2, run, 5.0)) for n, run in enumerate(runs)))

    in_loop(work)


@pytest.mark.parametrize("line", ["down", "hanging"])
def test_a_line_that_fails_is_noticed_and_read_on_afterwards(streamed: Streamed, line: str) -> None:
    async def work() -> None:
        found = await hints()
        streamed.control.set_event_faults(line=line)
        run = streamed.start(0, 2.0)
        await until(lambda: not found.coverage._connected)
        assert found.coverage.end_of((streamed.workspace, streamed.items[0], run)) is None
        streamed.control.set_event_faults()
        await until(lambda: found.coverage.end_of((streamed.workspace, streamed.items[0], run)) is not None, 60)
        await until(lambda: found.coverage._connected)

    in_loop(work)


def test_a_paused_stream_carries_nothing_and_goes_on_where_it_stopped(streamed: Streamed) -> None:
    path = f"workspaces/{streamed.workspace}/eventstreams/{streamed.stream}"
    streamed.hook.request("POST", f"/{path}/pause", replay_safe=True)
    assert streamed.hook.run(get_topology(streamed.workspace, streamed.stream)).carried == frozenset()

    async def work() -> None:
        found = await hints()
        run = streamed.start(0, 0.5)
        await asyncio.sleep(2)  # four times what the run takes: its events would have come
        assert found.coverage.received == 0
        await asyncio.to_thread(streamed.hook.request, "POST", f"/{path}/resume", replay_safe=True)
        await until(lambda: found.coverage.end_of((streamed.workspace, streamed.items[0], run)) is not None)

    in_loop(work)


def test_a_reader_without_rights_or_hub_is_reported_once_and_runs_are_polled(
    streamed: Streamed, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hub = streamed.extra["events_hub"].rpartition("/")[0] + "/es_nothing"
    monkeypatch.setenv("AIRFLOW_CONN_FABRIC_EVENTS", json.dumps(streamed.connection(events_hub=hub)))
    run = streamed.start(0, 3.0)

    def said() -> list[str]:
        return [record.getMessage() for record in caplog.records if "cannot be read" in record.getMessage()]

    async def work() -> None:
        await fire(streamed.trigger(0, run, 2.0))
        await until(lambda: bool(said()))
        await asyncio.sleep(2.0)  # further attempts are not reported

    caplog.set_level(logging.WARNING)
    in_loop(work)
    assert len(said()) == 1
    assert "es_nothing" in said()[0]


def test_no_token_of_another_service_is_sent_to_the_hub(streamed: Streamed) -> None:
    audiences: list[str] = []
    check = streamed.emulator.world.tokens.check

    def note(text: str, accepted: tuple[str, ...], *more: Any) -> Any:
        if "eventhubs" in accepted[0]:
            audiences.append(text)
        return check(text, accepted, *more)

    streamed.emulator.world.tokens.check = note  # type: ignore[method-assign]

    async def work() -> None:
        await hints()

    in_loop(work)
    assert audiences
    from airflow_provider_fabric.api.auth.claims import claims_of

    assert {claims_of(token)["aud"].rstrip("/") for token in audiences} == {"https://eventhubs.azure.net"}


def test_no_secret_is_logged(streamed: Streamed, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def work() -> None:
        found = await hints()
        streamed.control.set_event_faults(line="down")
        await until(lambda: not found.coverage._connected)

    in_loop(work)
    assert caplog.text
    secrets = [streamed.emulator.client_secret, *streamed.emulator.issued_tokens()]
    assert not [secret for secret in secrets if secret in caplog.text]
