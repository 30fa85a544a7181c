"""Errors show a workspace's name beside its id, wherever the author gave the name."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.exceptions import FabricError, FabricNameError
from airflow_provider_fabric.hooks.fabric import FabricHook
from airflow_provider_fabric.operators import (
    FabricDeleteItemOperator,
    FabricInvokeUserDataFunctionOperator,
    FabricRefreshSqlEndpointOperator,
    FabricResetCopyJobOperator,
    FabricRestOperator,
    FabricRunPipelineOperator,
)
from airflow_provider_fabric.sensors import FabricItemJobSensor, FabricOneLakeFileSensor
from tests.task_runner import TaskRunner

WORKSPACE = "Emulator workspace"

TASKS: list[tuple[type, dict[str, Any]]] = [
    (FabricRunPipelineOperator, {"pipeline": "Nightly"}),
    (FabricDeleteItemOperator, {"item": "Nightly", "item_type": "DataPipeline"}),
    (FabricInvokeUserDataFunctionOperator, {"user_data_function": "Nightly", "function": "f"}),
    (FabricRefreshSqlEndpointOperator, {"lakehouse": "Nightly"}),
    (FabricResetCopyJobOperator, {"copy_job": "Nightly"}),
    (
        FabricRestOperator,
        {
            "item": "Nightly",
            "item_type": "DataPipeline",
            "method": "GET",
            "path": "/workspaces/{workspace}/items/{item}",
        },
    ),
    (FabricItemJobSensor, {"item": "Nightly", "item_type": "DataPipeline"}),
    (FabricOneLakeFileSensor, {"item": "Nightly", "path": "Files/a"}),
]


@pytest.mark.parametrize(("kind", "arguments"), TASKS, ids=lambda value: getattr(value, "__name__", ""))
def test_an_item_that_is_not_there(tenant: FabricEmulator, kind: type, arguments: dict[str, Any]):
    runner = TaskRunner(lambda: kind(task_id="run", workspace=WORKSPACE, **arguments))
    with pytest.raises(FabricNameError) as missing:
        runner.run()
    assert f"is named 'Nightly' in workspace 'Emulator workspace' ({tenant.workspace_id})" in str(missing.value)


def test_an_id_has_no_name(tenant: FabricEmulator):
    with pytest.raises(FabricNameError, match=f"is named 'Nightly' in workspace {tenant.workspace_id}"):
        TaskRunner(
            lambda: FabricRunPipelineOperator(task_id="run", workspace=tenant.workspace_id, pipeline="Nightly")
        ).run()


def test_a_refused_list_names_the_workspace(tenant: FabricEmulator):
    tenant.control.add_fault(method="GET", path="*/items", status=403, error_code="InsufficientPrivileges", count=None)
    with pytest.raises(FabricError, match=r"items of workspace 'Emulator workspace' \("):
        TaskRunner(lambda: FabricRunPipelineOperator(task_id="run", workspace=WORKSPACE, pipeline="Nightly")).run()


def test_many_items_at_once(tenant: FabricEmulator):
    with pytest.raises(FabricNameError, match=rf"in workspace 'Emulator workspace' \({tenant.workspace_id}\)"):
        FabricHook().resolve_items(WORKSPACE, ["Nightly"])


def test_what_is_awaited_names_it_too(tenant: FabricEmulator):
    hook = FabricHook()
    workspace_id = hook.resolve_workspace(WORKSPACE)

    async def resolve() -> None:
        try:
            await hook.aresolve_item(workspace_id, "Nightly")
        finally:
            await hook.aclose()

    with pytest.raises(FabricNameError, match="in workspace 'Emulator workspace'"):
        asyncio.run(resolve())
