"""What the triggers of one event loop share: the connection, the client, the token, the watcher."""

from __future__ import annotations

import asyncio
import gc
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_fabric.api.connection.settings import FabricSettings
from airflow_provider_fabric.api.http.flow import Flow, Request, Response
from airflow_provider_fabric.api.jobs.instances import get_item_job_instance
from airflow_provider_fabric.api.jobs.polling import JobPoll
from airflow_provider_fabric.api.models import JobRef
from airflow_provider_fabric.exceptions import FabricAuthError, FabricConnectionError, FabricJobMayBeRunning
from airflow_provider_fabric.hooks import fabric
from airflow_provider_fabric.triggerer import shared
from airflow_provider_fabric.triggers.job import FabricJobInstanceTrigger
from tests.unit.virtual_time import EPOCH, WORKSPACE, FakeFabric, clock, guid, refused, run_virtually

SETTINGS = FabricSettings("fabric_default", tenant_id=guid(1), client_id=guid(2), secret="secret")


class Airflow:
    """An Airflow that keeps connections, and the Fabric that the hooks talk to.

    :param trouble: errors of the next look-ups.
    """

    def __init__(self) -> None:
        self.connections = {"fabric_default": SETTINGS, "same": replace(SETTINGS, conn_id="same")}
        self.trouble: list[Exception] = []
        self.look_ups = 0
        self.fabric = FakeFabric()


class FakeHook:
    """Looks connections up in a fake Airflow."""

    airflow: Airflow

    def __init__(self, conn_id: str) -> None:
        self.conn_id = conn_id
        self.settings: FabricSettings | None = None

    async def aget_conn(self) -> FabricSettings:
        if self.settings is None:
            self.airflow.look_ups += 1
            await asyncio.sleep(0.01)
            if self.airflow.trouble:
                raise self.airflow.trouble.pop(0)
            self.settings = self.airflow.connections[self.conn_id]
        return self.settings

    async def arun(self, flow: Flow[Any]) -> Any:
        return await self.airflow.fabric.arun(flow)


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch) -> Airflow:
    airflow = Airflow()
    monkeypatch.setattr(FakeHook, "airflow", airflow, raising=False)
    monkeypatch.setattr(fabric, "FabricHook", FakeHook)
    monkeypatch.setattr(shared, "clock", clock)
    return airflow


def poll(run: int, item: int = 1) -> JobPoll:
    return JobPoll(JobRef(WORKSPACE, guid(item), guid(run)), clock(), 60.0, clock())


def test_a_hundred_waits_look_the_connection_up_once_and_share_a_watcher(airflow: Airflow) -> None:
    async def main() -> None:
        for run in range(100):
            airflow.fabric.start(1, run, 100)
        await asyncio.gather(*(shared.wait("fabric_default", poll(run)) for run in range(100)))
        assert airflow.look_ups == 1
        assert airflow.fabric.gets == 0
        assert len(shared._shared().watchers) == 1

    run_virtually(main())


def test_connections_of_one_identity_share_its_budget(airflow: Airflow) -> None:
    async def main() -> None:
        for run in range(2):
            airflow.fabric.start(1, run, 100)
        await asyncio.gather(*(shared.wait(conn, poll(run)) for run, conn in enumerate(["fabric_default", "same"])))
        assert airflow.look_ups == 2
        (watcher,) = shared._shared().watchers.values()
        assert watcher.budget.spent == len(airflow.fabric.calls)

    run_virtually(main())


def test_identities_have_budgets_of_their_own(airflow: Airflow) -> None:
    airflow.connections["other"] = replace(SETTINGS, conn_id="other", client_id=guid(3), job_calls_per_minute=20)

    async def main() -> None:
        for run in range(2):
            airflow.fabric.start(1, run, 100)
        await asyncio.gather(*(shared.wait(conn, poll(run)) for run, conn in enumerate(["fabric_default", "other"])))
        assert sorted(w.budget.per_minute for w in shared._shared().watchers.values()) == [20, 180]

    run_virtually(main())


def test_the_budgets_minute_can_be_scaled(airflow: Airflow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "MINUTE", 6.0)

    async def main() -> None:
        airflow.fabric.start(1, 1, 100)
        await shared.wait("fabric_default", poll(1))
        (watcher,) = shared._shared().watchers.values()
        assert watcher.budget.minute == 6.0

    run_virtually(main())


def test_a_wrong_connection_is_said_at_once_and_looked_up_anew_next_time(airflow: Airflow) -> None:
    airflow.trouble = [FabricConnectionError("no tenant")]

    async def main() -> None:
        with pytest.raises(FabricConnectionError, match="no tenant"):
            await shared.shared_hook("fabric_default")
        assert airflow.look_ups == 1
        await shared.shared_hook("fabric_default")

    run_virtually(main())


def test_a_hiccup_of_the_look_up_is_survived(airflow: Airflow) -> None:
    airflow.trouble = [RuntimeError("the API server restarts")] * 3

    async def main() -> None:
        await asyncio.gather(*(shared.shared_hook("fabric_default") for _ in range(10)))
        assert airflow.look_ups == 4

    run_virtually(main())


def test_a_look_up_that_never_works_is_an_error_for_everybody(airflow: Airflow) -> None:
    airflow.trouble = [RuntimeError("gone")] * 4

    async def main() -> None:
        hooks = (shared.shared_hook("fabric_default") for _ in range(10))
        errors = await asyncio.gather(*hooks, return_exceptions=True)
        assert {str(error) for error in errors} == {"gone"}
        assert airflow.look_ups == 4

    run_virtually(main())


def test_a_wait_that_is_cancelled_does_not_cancel_the_look_up_of_others(airflow: Airflow) -> None:
    async def main() -> None:
        first, second = (asyncio.ensure_future(shared.shared_hook("fabric_default")) for _ in range(2))
        await asyncio.sleep(0.001)
        first.cancel()
        await second
        assert airflow.look_ups == 1

    run_virtually(main())


def test_new_triggers_see_a_changed_connection_and_an_unchanged_one_keeps_its_client(airflow: Airflow) -> None:
    async def main() -> None:
        hook = await shared.shared_hook("fabric_default")
        await asyncio.sleep(shared.CONNECTION_SECONDS + 1)
        assert await shared.shared_hook("fabric_default") is hook
        assert airflow.look_ups == 2
        airflow.connections["fabric_default"] = replace(SETTINGS, secret="new")
        assert await shared.shared_hook("fabric_default") is hook
        await asyncio.sleep(shared.CONNECTION_SECONDS + 1)
        assert await shared.shared_hook("fabric_default") is not hook

    run_virtually(main())


def test_waits_go_on_with_a_new_secret_when_the_old_one_is_refused(airflow: Airflow, monkeypatch: Any) -> None:
    real = FakeHook.arun

    async def arun(self: FakeHook, flow: Flow[Any]) -> Any:
        assert self.settings is not None
        if self.settings.secret == "secret" and clock() > EPOCH + 1000:
            raise FabricAuthError("The secret has expired.", error_code="AADSTS7000222")
        return await real(self, flow)

    monkeypatch.setattr(FakeHook, "arun", arun)

    async def main() -> None:
        for run in range(20):
            airflow.fabric.start(run % 3, run, 2000)
        waits = asyncio.gather(*(shared.wait("fabric_default", poll(run, run % 3)) for run in range(20)))
        await asyncio.sleep(900)
        airflow.connections["fabric_default"] = replace(SETTINGS, secret="new")
        assert {instance.status.value for instance in await waits} == {"Completed"}
        assert airflow.look_ups == 2

    run_virtually(main())


def test_a_secret_that_is_refused_and_not_replaced_ends_the_waits(airflow: Airflow, monkeypatch: Any) -> None:
    async def arun(self: FakeHook, flow: Flow[Any]) -> Any:
        flow.close()
        raise FabricAuthError("The secret has expired.", error_code="AADSTS7000222")

    monkeypatch.setattr(FakeHook, "arun", arun)

    async def main() -> None:
        await shared.shared_hook("fabric_default")
        await asyncio.sleep(60)
        waits = (shared.wait("fabric_default", poll(run, run)) for run in range(20))
        ended = await asyncio.gather(*waits, return_exceptions=True)
        assert {type(error) for error in ended} == {FabricJobMayBeRunning}
        assert airflow.look_ups == 2

    run_virtually(main())


def test_a_connection_that_cannot_be_looked_up_again_is_used_on(airflow: Airflow) -> None:
    async def main() -> None:
        hook = await shared.shared_hook("fabric_default")
        await asyncio.sleep(shared.CONNECTION_SECONDS + 1)
        airflow.trouble = [RuntimeError("away")]
        assert await shared.shared_hook("fabric_default") is hook

    run_virtually(main())


def test_event_loops_that_are_closed_are_forgotten(airflow: Airflow) -> None:
    for _ in range(5):
        run_virtually(asyncio.wait_for(shared.shared_hook("fabric_default"), 1))
    gc.collect()
    assert len(shared._loops) <= 2


def test_other_job_calls_wait_for_their_turn_and_count(airflow: Airflow) -> None:
    async def main() -> None:
        ids = airflow.fabric.start(1, 1, 100)
        hook = await shared.shared_hook("fabric_default")
        budget = (await shared._watcher(hook)).budget
        while budget.delay(clock()) == 0:
            budget.spend(clock())
        spent, before = budget.spent, clock()
        await shared.arun_job_calls("fabric_default", get_item_job_instance(WORKSPACE, *ids))
        assert clock() > before + 0.2
        assert budget.spent == spent + 1

    run_virtually(main())


def test_a_cancel_does_not_wait_for_its_turn_but_counts(airflow: Airflow) -> None:
    def accept(request: Request) -> Response | None:
        return Response(202) if request.method == "POST" else None

    airflow.fabric.answer = accept

    async def main() -> None:
        hook = await shared.shared_hook("fabric_default")
        budget = (await shared._watcher(hook)).budget
        budget.refused(clock(), 600.0)
        spent, before = budget.spent, clock()
        assert await shared.cancel("fabric_default", JobRef(WORKSPACE, guid(1), guid(1)))
        assert clock() < before + 1
        assert budget.spent == spent + 1

    run_virtually(main())


def trigger(run: int) -> FabricJobInstanceTrigger:
    state = {
        "job": JobRef(WORKSPACE, guid(1), guid(run)).to_state(),
        "job_type": "Execute",
        "item_type": None,
        "run_url": "https://app.fabric.microsoft.com",
        "submitted_at": clock(),
        "next_poll_at": clock(),
        "check_interval": 60.0,
    }
    return FabricJobInstanceTrigger("fabric_default", state)


async def events(trigger: FabricJobInstanceTrigger) -> list[Any]:
    return [event.payload async for event in trigger.run()]


def test_every_trigger_fires_one_event(airflow: Airflow) -> None:
    async def main() -> None:
        for run in range(3):
            airflow.fabric.start(1, run, 100)
        fired = await asyncio.gather(*(events(trigger(run)) for run in range(3)))
        assert [len(event) for event in fired] == [1, 1, 1]
        assert {event[0]["job"]["status"] for event in fired} == {"Completed"}

    run_virtually(main())


@pytest.mark.parametrize(
    "trouble", [RuntimeError("a bug"), FabricConnectionError("no tenant"), FabricJobMayBeRunning("lost")]
)
def test_a_trigger_that_cannot_wait_says_so_once(airflow: Airflow, trouble: Exception) -> None:
    airflow.trouble = [trouble] * 4

    async def main() -> None:
        (event,) = await events(trigger(1))
        assert event["ending"] == "lost"
        assert str(trouble) in event["message"]

    run_virtually(main())


def test_a_killed_triggers_run_is_cancelled_even_if_the_killing_is_impatient(airflow: Airflow) -> None:
    posts: list[str] = []

    def accept(request: Request) -> Response:
        posts.append(request.path)
        return Response(202) if request.method == "POST" else refused(404)

    airflow.fabric.answer = accept

    async def main() -> None:
        killed = asyncio.ensure_future(trigger(1).on_kill())
        await asyncio.sleep(0.005)
        killed.cancel()
        await asyncio.sleep(10)
        assert len(posts) == 1

    run_virtually(main())
