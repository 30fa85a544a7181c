"""FabricRestOperator and ``hook.request`` against the emulator, by both drivers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from airflow_provider_fabric.compat import AirflowFailException
from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.emulator.state.capacities import CAPACITY_ID
from airflow_provider_fabric.exceptions import FabricInputError, FabricNotFoundError, FabricProtocolError
from airflow_provider_fabric.hooks.fabric import FabricHook
from airflow_provider_fabric.operators.rest import FabricRestOperator
from tests.contract.operators.items import add_item
from tests.task_runner import TaskRunner

PIPELINE = {
    "definition": {"parts": [{"path": "pipeline-content.json", "payload": "e30=", "payloadType": "InlineBase64"}]}
}


def runner(**arguments: Any) -> TaskRunner:
    return TaskRunner(lambda: FabricRestOperator(task_id="call", workspace="Emulator workspace", **arguments))


def test_names_in_the_path_become_ids(tenant: FabricEmulator) -> None:
    item = add_item(tenant, "Notebook", "It")
    answer = runner(method="GET", path="/workspaces/{workspace}/items/{item}", item="It", item_type="Notebook").run()
    assert answer["id"] == item


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_long_running_operation_is_followed(tenant: FabricEmulator, deferrable: bool) -> None:
    tenant.control.configure(force_lro=True, lro_seconds=0.2)
    body = {"displayName": "Made {{ ds }}", "type": "DataPipeline", **PIPELINE}
    task = runner(
        method="POST", path="/workspaces/{workspace}/items", json=body, replay_safe=False, deferrable=deferrable
    )
    assert task.run()["displayName"] == "Made 2024-01-05"


def test_an_unsafe_post_whose_answer_is_lost_is_not_retried_by_airflow_either(tenant: FabricEmulator) -> None:
    tenant.control.add_fault(method="POST", path="*/items", action="drop", phase="after", count=1)
    task = runner(
        method="POST",
        path="/workspaces/{workspace}/items",
        json={"displayName": "Once", "type": "DataPipeline", **PIPELINE},
        replay_safe=False,
    )
    with pytest.raises(AirflowFailException, match="may have been accepted"):
        task.run()
    sent = [e for e in tenant.control.request_log() if e["method"] == "POST" and e["path"].endswith("/items")]
    assert len(sent) == 1


ASSIGN = {"method": "POST", "path": "/workspaces/{workspace}/assignToCapacity", "json": {"capacityId": CAPACITY_ID}}


def assigned(tenant: FabricEmulator) -> int:
    return sum(entry["path"].endswith("/assignToCapacity") for entry in tenant.control.request_log())


def test_what_is_accepted_and_names_no_operation_is_no_success(tenant: FabricEmulator) -> None:
    task = runner(**ASSIGN, replay_safe=False)
    with pytest.raises(AirflowFailException, match=r"names no operation.*acceptance_is_enough=True.*clear this task"):
        task.run()
    with pytest.raises(AirflowFailException, match="It is not sent again"):
        task.run()
    assert assigned(tenant) == 1


def test_neither_is_a_call_that_may_be_repeated(tenant: FabricEmulator) -> None:
    with pytest.raises(FabricProtocolError, match="names no operation"):
        runner(**ASSIGN, replay_safe=True).run()
    assert assigned(tenant) == 1


@pytest.mark.parametrize("replay_safe", [True, False])
def test_acceptance_is_enough_if_the_author_says_so(tenant: FabricEmulator, replay_safe: bool) -> None:
    assert runner(**ASSIGN, replay_safe=replay_safe, acceptance_is_enough=True).run() is None


@pytest.mark.parametrize("asynchronous", [False, True])
def test_the_hook_takes_no_acceptance_for_a_result_either(tenant: FabricEmulator, asynchronous: bool) -> None:
    hook, arguments = FabricHook(), {**ASSIGN, "workspace": "Emulator workspace", "replay_safe": True}
    with pytest.raises(FabricProtocolError, match="names no operation"):
        asyncio.run(hook.arequest(**arguments)) if asynchronous else hook.request(**arguments)


def test_a_filter_makes_the_xcom(tenant: FabricEmulator) -> None:
    add_item(tenant, "Notebook", "It")
    path = "/workspaces/{workspace}/items"
    assert runner(method="GET", path=path, pages=True, response_filter=len).run() == 1


def test_what_the_service_refuses_is_a_typed_error(tenant: FabricEmulator) -> None:
    with pytest.raises(FabricNotFoundError):
        runner(method="GET", path="/workspaces/{workspace}/no/such/thing").run()


@pytest.mark.parametrize("timeout", [0, -1, float("inf"), float("nan"), "60", True])
def test_a_timeout_is_a_number_of_seconds(tenant: FabricEmulator, timeout: Any) -> None:
    with pytest.raises(FabricInputError, match="timeout"):
        runner(method="GET", path="/workspaces", timeout=timeout).run()


@pytest.mark.parametrize("asynchronous", [False, True])
def test_the_hook_calls_anything(tenant: FabricEmulator, asynchronous: bool) -> None:
    async def ask() -> Any:
        hook = FabricHook()
        try:
            return await hook.arequest("GET", "/workspaces", pages=True)
        finally:
            await hook.aclose()

    entries = asyncio.run(ask()) if asynchronous else FabricHook().request("GET", "/workspaces", pages=True)
    assert [entry["displayName"] for entry in entries] == ["Emulator workspace"]
