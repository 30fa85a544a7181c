"""What the triggers of one event loop share: the connection, the client, the token, the poller."""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import random
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, TypeVar

import pytest

from airflow_provider_fabric.api.auth.identity import quota_key
from airflow_provider_fabric.api.connection.fields import AuthType
from airflow_provider_fabric.api.connection.settings import FabricSettings
from airflow_provider_fabric.api.http.flow import Flow, TransportFailure
from airflow_provider_fabric.api.jobs.instances import get_item_job_instance
from airflow_provider_fabric.api.jobs.polling import JobPoll
from airflow_provider_fabric.api.models import JobRef
from airflow_provider_fabric.exceptions import FabricAuthError, FabricConnectionError, FabricJobMayBeRunning
from airflow_provider_fabric.triggerer import shared
from airflow_provider_fabric.triggerer.call_budget import CallBudget
from airflow_provider_fabric.triggerer.clients import CONNECTION_SECONDS, IDLE_SECONDS
from airflow_provider_fabric.triggers.job import FabricJobInstanceTrigger
from tests.unit.virtual_time import EPOCH, WORKSPACE, FakeFabric, clock, guid, refused, run_virtually

T = TypeVar("T")

SETTINGS = FabricSettings("fabric_default", tenant_id=guid(1), client_id=guid(2), secret="secret")


class Airflow:
    """An Airflow that keeps connections, and the Fabric that the hooks talk to.

    :param error: errors of the next look-ups.
    """

    def __init__(self) -> None:
        self.connections = {"fabric_default": SETTINGS, "same": replace(SETTINGS, conn_id="same")}
        self.errors: list[Exception] = []
        self.look_ups = 0
        self.fabric = FakeFabric()
        self.hooks: list[FakeHook] = []

    def hook(self, conn_id: str) -> FakeHook:
        self.hooks.append(FakeHook(self, conn_id))
        return self.hooks[-1]

    @property
    def open(self) -> int:
        """How many hooks have made a call and were not closed since."""
        return sum(hook.used for hook in self.hooks)


class FakeHook:
    """Looks connections up in a fake Airflow."""

    def __init__(self, airflow: Airflow, conn_id: str) -> None:
        self.airflow = airflow
        self.conn_id = conn_id
        self.settings: FabricSettings | None = None
        self.used = False

    async def aget_conn(self) -> FabricSettings:
        if self.settings is None:
            self.airflow.look_ups += 1
            await asyncio.sleep(0.01)
            if self.airflow.errors:
                raise self.airflow.errors.pop(0)
            self.settings = self.airflow.connections[self.conn_id]
        return self.settings

    async def arun(self, flow: Flow[Any]) -> Any:
        self.used = True
        return await self.airflow.fabric.arun(flow)

    async def aclose(self) -> None:
        self.used = False


@pytest.fixture
def airflow() -> Airflow:
    return Airflow()


def run(airflow: Airflow, main: Coroutine[Any, Any, T], **options: Any) -> T:
    """Run a coroutine in virtual time, on an event loop whose triggers use this Airflow."""

    async def configured() -> T:
        shared.configure(shared.Options(clock=clock, new_hook=airflow.hook, **options))
        return await main

    return run_virtually(configured())


def poll(run: int, item: int = 1) -> JobPoll:
    return JobPoll(JobRef(WORKSPACE, guid(item), guid(run)), clock(), 60.0, clock())


def test_a_hundred_waits_look_the_connection_up_once_and_share_a_poller(airflow: Airflow) -> None:
    async def main() -> None:
        for run in range(100):
            airflow.fabric.start(1, run, 100)
        await asyncio.gather(*(shared.wait("fabric_default", poll(run)) for run in range(100)))
        assert airflow.look_ups == 1
        assert airflow.fabric.gets == 0
        assert len(shared.of_running_loop().pollers) == 1

    run(airflow, main())


def test_connections_of_one_identity_share_its_budget(airflow: Airflow) -> None:
    async def main() -> None:
        for run in range(2):
            airflow.fabric.start(1, run, 100)
        await asyncio.gather(*(shared.wait(conn, poll(run)) for run, conn in enumerate(["fabric_default", "same"])))
        assert airflow.look_ups == 2
        (poller,) = shared.of_running_loop().pollers.values()
        assert poller.budget.spent == len(airflow.fabric.calls)

    run(airflow, main())


def test_identities_have_budgets_of_their_own(airflow: Airflow) -> None:
    airflow.connections["other"] = replace(SETTINGS, conn_id="other", client_id=guid(3), job_calls_per_minute=20)

    async def main() -> None:
        for run in range(2):
            airflow.fabric.start(1, run, 100)
        await asyncio.gather(*(shared.wait(conn, poll(run)) for run, conn in enumerate(["fabric_default", "other"])))
        assert sorted(w.budget.per_minute for w in shared.of_running_loop().pollers.values()) == [20, 180]

    run(airflow, main())


def test_the_budgets_minute_can_be_scaled(airflow: Airflow) -> None:
    async def main() -> None:
        airflow.fabric.start(1, 1, 100)
        await shared.wait("fabric_default", poll(1))
        (poller,) = shared.of_running_loop().pollers.values()
        assert poller.budget.minute == 6.0

    run(airflow, main(), minute=6.0)


def test_a_wrong_connection_is_said_at_once_and_looked_up_anew_next_time(airflow: Airflow) -> None:
    airflow.errors = [FabricConnectionError("no tenant")]

    async def main() -> None:
        with pytest.raises(FabricConnectionError, match="no tenant"):
            await shared.shared_hook("fabric_default")
        assert airflow.look_ups == 1
        await shared.shared_hook("fabric_default")

    run(airflow, main())


def test_a_hiccup_of_the_look_up_is_survived(airflow: Airflow) -> None:
    airflow.errors = [RuntimeError("the API server restarts")] * 3

    async def main() -> None:
        await asyncio.gather(*(shared.shared_hook("fabric_default") for _ in range(10)))
        assert airflow.look_ups == 4

    run(airflow, main())


def test_a_look_up_that_never_works_is_an_error_for_everybody(airflow: Airflow) -> None:
    airflow.errors = [RuntimeError("gone")] * 4

    async def main() -> None:
        hooks = (shared.shared_hook("fabric_default") for _ in range(10))
        errors = await asyncio.gather(*hooks, return_exceptions=True)
        assert {str(error) for error in errors} == {"gone"}
        assert airflow.look_ups == 4

    run(airflow, main())


def test_a_wait_that_is_cancelled_does_not_cancel_the_look_up_of_others(airflow: Airflow) -> None:
    async def main() -> None:
        first, second = (asyncio.ensure_future(shared.shared_hook("fabric_default")) for _ in range(2))
        await asyncio.sleep(0.001)
        first.cancel()
        await second
        assert airflow.look_ups == 1

    run(airflow, main())


def test_new_triggers_see_a_changed_connection_and_an_unchanged_one_keeps_its_client(airflow: Airflow) -> None:
    async def main() -> None:
        hook = await shared.shared_hook("fabric_default")
        await asyncio.sleep(CONNECTION_SECONDS + 1)
        assert await shared.shared_hook("fabric_default") is hook
        assert airflow.look_ups == 2
        airflow.connections["fabric_default"] = replace(SETTINGS, secret="new")
        assert await shared.shared_hook("fabric_default") is hook
        await asyncio.sleep(CONNECTION_SECONDS + 1)
        assert await shared.shared_hook("fabric_default") is not hook

    run(airflow, main())


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

    run(airflow, main())


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

    run(airflow, main())


def test_a_connection_that_cannot_be_looked_up_again_is_used_on(airflow: Airflow) -> None:
    async def main() -> None:
        hook = await shared.shared_hook("fabric_default")
        await asyncio.sleep(CONNECTION_SECONDS + 1)
        airflow.errors = [RuntimeError("away")]
        assert await shared.shared_hook("fabric_default") is hook

    run(airflow, main())


def test_event_loops_that_are_closed_are_forgotten(airflow: Airflow) -> None:
    for _ in range(5):
        run(airflow, asyncio.wait_for(shared.shared_hook("fabric_default"), 1))
    gc.collect()
    assert len(shared._loops) <= 2


def test_other_job_calls_wait_for_their_turn_and_count(airflow: Airflow) -> None:
    async def main() -> None:
        ids = airflow.fabric.start(1, 1, 100)
        budget = await budget_of("fabric_default")
        while budget.delay(clock()) == 0:
            budget.spend(clock())
        spent, before = budget.spent, clock()
        await shared.arun_job_calls("fabric_default", get_item_job_instance(WORKSPACE, *ids))
        assert clock() > before + 0.2
        assert budget.spent == spent + 1

    run(airflow, main())


def test_a_cancel_does_not_wait_for_its_turn_but_counts(airflow: Airflow) -> None:
    async def main() -> None:
        airflow.fabric.start(1, 1, 1000)
        budget = await budget_of("fabric_default")
        budget.spend(clock(), 100)
        spent, before = budget.spent, clock()
        assert await trigger(1).cancel()
        assert clock() < before + 1
        assert airflow.fabric.cancels == 1
        assert budget.spent == spent + 2

    run(airflow, main())


def test_a_cancel_waits_for_as_long_as_the_service_says(airflow: Airflow) -> None:
    async def main() -> None:
        airflow.fabric.start(1, 1, 1000)
        (await budget_of("fabric_default")).refused(clock(), 40.0)
        before = clock()
        assert await trigger(1).cancel()
        assert 40 <= clock() - before < 41

    run(airflow, main())


def test_a_run_that_is_over_is_sent_no_cancel(airflow: Airflow) -> None:
    """Trigger rows that ``airflow dags test`` leaves behind are ended by the next triggerer, long after their runs."""

    async def main() -> None:
        airflow.fabric.start(1, 1, 10)
        await asyncio.sleep(20)
        await trigger(1).on_kill()
        assert airflow.fabric.cancels == 0

    run(airflow, main())


def test_a_run_that_was_seen_active_is_cancelled_at_once(airflow: Airflow) -> None:
    async def main() -> None:
        airflow.fabric.start(1, 1, 1000)
        waiting = trigger(1)
        consumer = asyncio.ensure_future(events(waiting))
        await asyncio.sleep(5)
        consumer.cancel()
        calls = len(airflow.fabric.calls)
        await waiting.on_kill()
        assert [what for _, what in airflow.fabric.calls[calls:]] == [f"CANCEL {guid(1)}"]

    run(airflow, main())


@pytest.mark.parametrize("waited_for", [True, False])
def test_three_hundred_tasks_killed_at_once_under_the_quota(airflow: Airflow, waited_for: bool) -> None:
    """Airflow 3.3.2 cancels ``on_kill`` again and again, once a second."""
    airflow.fabric.quota = 200

    async def main() -> None:
        for number in range(300):
            airflow.fabric.start(number, number, 100_000)
        triggers = [trigger(number, item=number) for number in range(300)]
        consumers = [asyncio.ensure_future(events(each)) for each in triggers if waited_for]
        await asyncio.sleep(600)
        for consumer in consumers:
            consumer.cancel()
        killed = [asyncio.ensure_future(each.on_kill()) for each in triggers]
        for _ in range(180):
            await asyncio.sleep(1)
            for each in killed:
                each.cancel()
        active = [r for runs in airflow.fabric.items.values() for r in runs.values() if r.outcome != "Cancelled"]
        assert active == []

    run(airflow, main())


def test_polls_go_on_after_the_cancels(airflow: Airflow) -> None:
    """A cancel that is refused for good, or waits for its run to become visible, holds nobody up."""
    airflow.fabric.answer = lambda request: refused(403) if request.path.endswith(f"{guid(7)}/cancel") else None

    async def main() -> None:
        airflow.fabric.start(1, 1, 100)
        airflow.fabric.start(1, 7, 1000)
        airflow.fabric.start(1, 8, 1000, visible_after=200)
        await asyncio.gather(trigger(7).on_kill(), trigger(8).on_kill(), events(trigger(1)))
        assert clock() - EPOCH == pytest.approx(230, abs=35)
        assert airflow.fabric.items[guid(1)][guid(8)].outcome == "Cancelled"

    run(airflow, main())


def test_a_cancel_is_repeated_until_it_is_accepted(airflow: Airflow) -> None:
    errors = iter([refused(503), TransportFailure("reset", unsent=False), refused(429, retry_after="20")])
    airflow.fabric.answer = lambda request: next(errors, None) if request.method == "POST" else None

    async def main() -> None:
        airflow.fabric.start(1, 1, 1000)
        await trigger(1).on_kill()
        assert airflow.fabric.cancels == 4
        assert 23 <= clock() - EPOCH < 25

    run(airflow, main())


async def budget_of(conn_id: str) -> CallBudget:
    shared_state = shared.of_running_loop()
    return shared_state.poller(await shared_state.clients.get(conn_id)).budget


def trigger(run: int, item: int = 1) -> FabricJobInstanceTrigger:
    state = {
        "job": JobRef(WORKSPACE, guid(item), guid(run)).to_state(),
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

    run(airflow, main())


@pytest.mark.parametrize(
    "error", [RuntimeError("a bug"), FabricConnectionError("no tenant"), FabricJobMayBeRunning("lost")]
)
def test_a_trigger_that_cannot_wait_says_so_once(airflow: Airflow, error: Exception) -> None:
    airflow.errors = [error] * 4

    async def main() -> None:
        (event,) = await events(trigger(1))
        assert event["ending"] == "lost"
        assert str(error) in event["message"]

    run(airflow, main())


def test_a_killed_triggers_run_is_cancelled_even_if_the_killing_is_impatient(airflow: Airflow) -> None:
    async def main() -> None:
        airflow.fabric.start(1, 1, 1000)
        killed = asyncio.ensure_future(trigger(1).on_kill())
        await asyncio.sleep(0.005)
        killed.cancel()
        await asyncio.sleep(10)
        assert airflow.fabric.cancels == 1

    run(airflow, main())


def access_token(number: int, oid: str = "user") -> FabricSettings:
    claims = base64.urlsafe_b64encode(json.dumps({"oid": oid, "tid": guid(1), "exp": number}).encode()).decode()
    return FabricSettings("fabric_default", AuthType.ACCESS_TOKEN, secret=f"e30.{claims}.{number}")


@pytest.mark.parametrize("opaque", [False, True])
def test_forty_rotations_of_a_token_leave_one_client_and_one_budget(airflow: Airflow, opaque: bool) -> None:
    def rotated(number: int) -> FabricSettings:
        return replace(access_token(number), secret=f"token {number}") if opaque else access_token(number)

    async def main() -> None:
        pollers = set()
        for number in range(40):
            airflow.connections["fabric_default"] = rotated(number)
            airflow.fabric.start(1, number, 500)
            await asyncio.gather(shared.wait("fabric_default", poll(number)), asyncio.sleep(CONNECTION_SECONDS + 1))
            pollers |= {id(poller) for poller in shared.of_running_loop().pollers.values()}
        assert airflow.look_ups == 40
        assert airflow.open == 1
        assert len(shared.of_running_loop().clients.open) == 1
        assert len(pollers) == 1

    run(airflow, main())


def test_a_client_whose_connection_has_changed_is_kept_for_those_who_wait_with_it(airflow: Airflow) -> None:
    async def main() -> None:
        airflow.fabric.start(1, 1, 700)
        wait = asyncio.ensure_future(shared.wait("fabric_default", poll(1)))
        await asyncio.sleep(CONNECTION_SECONDS + 1)
        airflow.connections["fabric_default"] = replace(SETTINGS, client_id=guid(9))
        airflow.fabric.start(2, 2, 10)
        await shared.wait("fabric_default", poll(2, 2))
        assert airflow.open == 2
        assert len(shared.of_running_loop().pollers) == 2
        await wait
        await asyncio.sleep(1)
        assert airflow.open == 1
        assert len(shared.of_running_loop().pollers) == 1

    run(airflow, main())


def test_a_client_that_nobody_uses_is_closed_after_a_while(airflow: Airflow) -> None:
    async def main() -> None:
        airflow.fabric.start(1, 1, 10)
        await shared.wait("fabric_default", poll(1))
        await asyncio.sleep(IDLE_SECONDS + 1)
        assert airflow.open == 0
        assert shared.of_running_loop().pollers == {}
        airflow.fabric.start(1, 2, 10)
        await shared.wait("fabric_default", poll(2))

    run(airflow, main())


def test_a_client_whose_connection_is_being_looked_up_is_not_closed(airflow: Airflow) -> None:
    async def main() -> None:
        airflow.fabric.start(1, 1, 10)
        await shared.wait("fabric_default", poll(1))
        await asyncio.sleep(IDLE_SECONDS - 31)
        airflow.errors = [RuntimeError("the API server restarts")]
        hooks = [asyncio.ensure_future(shared.shared_hook("fabric_default")) for _ in range(3)]
        await asyncio.sleep(IDLE_SECONDS)
        assert {await hook for hook in hooks} == {airflow.hooks[0]}
        airflow.fabric.start(1, 2, 10)
        await shared.wait("fabric_default", poll(2))
        await asyncio.sleep(IDLE_SECONDS + 1)
        assert airflow.open == 0

    run(airflow, main())


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"secret": "new"}, True),
        ({"timeout_seconds": 3.0, "proxies": {"https": "http://proxy"}, "verify": False}, True),
        ({"auth_type": AuthType.CLIENT_CERTIFICATE, "certificate": "x"}, True),
        ({"client_id": guid(5)}, False),
        ({"tenant_id": guid(5)}, False),
        ({"host": "https://other"}, False),
        ({"auth_type": AuthType.REFRESH_TOKEN}, False),
    ],
)
def test_a_quota_belongs_to_an_identity(changes: dict[str, Any], same: bool) -> None:
    other = replace(SETTINGS, conn_id="other", **changes)
    assert (quota_key(other) == quota_key(SETTINGS)) is same


def test_a_token_says_whose_it_is() -> None:
    assert quota_key(access_token(1)) == quota_key(replace(access_token(2), conn_id="other"))
    assert quota_key(access_token(1)) != quota_key(access_token(1, oid="another"))
    assert access_token(1).secret not in quota_key(access_token(1))


def test_a_day_of_churn_leaves_nothing_behind(airflow: Airflow) -> None:
    """Rotations, short waits, cancelled waits: in virtual time."""

    async def main() -> None:
        source = random.Random(1)

        async def one(number: int) -> None:
            await asyncio.sleep(source.uniform(0, 86_400))
            airflow.connections["fabric_default"] = access_token(number // 100)
            item = number % 50
            airflow.fabric.start(item, number, source.uniform(10, 600))
            waiting = asyncio.ensure_future(shared.wait("fabric_default", poll(number, item)))
            if number % 7 == 0:
                await asyncio.sleep(source.uniform(0, 100))
                waiting.cancel()
            await asyncio.wait([waiting])
            del airflow.fabric.items[guid(item)][guid(number)]

        await asyncio.gather(*(one(number) for number in range(1000)))
        await asyncio.sleep(IDLE_SECONDS + 10)
        assert airflow.open == 0
        state = shared.of_running_loop()
        assert (state.pollers, state.clients.open) == ({}, {})
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(airflow, main())
