"""Resuming and suspending a capacity, as tasks, against the emulator."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.emulator.state.capacities import (
    CAPACITY_ID,
    CAPACITY_NAME,
    RESOURCE_GROUP,
    SUBSCRIPTION_ID,
)
from airflow_provider_fabric.exceptions import (
    FabricConnectionError,
    FabricInputError,
    FabricJobAlreadyRunning,
    FabricNameError,
    FabricOperationError,
)
from airflow_provider_fabric.operators.capacity import FabricResumeCapacityOperator, FabricSuspendCapacityOperator
from airflow_provider_fabric.operators.pipeline import FabricRunPipelineOperator
from tests.contract.operators.items import add_item
from tests.task_runner import TaskRunner

RESOURCE_ID = (
    f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/{RESOURCE_GROUP}/providers/Microsoft.Fabric/capacities/"
    f"{CAPACITY_NAME}"
)


@pytest.fixture(autouse=True)
def quick(tenant: FabricEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    tenant.control.configure(capacity_seconds=0.3)
    monkeypatch.setattr("airflow_provider_fabric.operators.capacity.settling_seconds", lambda: 0.1)


def task(kind: Any, **arguments: Any) -> TaskRunner:
    given = {"capacity": CAPACITY_NAME, "check_interval": 0.1, "timeout": 20, **arguments}
    return TaskRunner(lambda: kind(task_id="capacity", **given))


def posts(tenant: FabricEmulator) -> list[str]:
    log = tenant.control.request_log()
    return [e["path"].rsplit("/", 1)[-1] for e in log if e["method"] == "POST" and "/arm/" in e["path"]]


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize(
    "how",
    [
        {"capacity": CAPACITY_NAME},
        {"capacity": CAPACITY_ID},
        {"capacity": RESOURCE_ID},
        {"subscription_id": SUBSCRIPTION_ID, "resource_group": RESOURCE_GROUP},
    ],
    ids=["name", "guid", "resource-id", "place"],
)
def test_suspended_and_resumed(tenant: FabricEmulator, how: dict[str, str], deferrable: bool) -> None:
    suspend = task(FabricSuspendCapacityOperator, deferrable=deferrable, **how)
    expected = {"resource_id": RESOURCE_ID, "name": CAPACITY_NAME}
    assert suspend.run() == {**expected, "state": "Paused", "changed": True}
    assert suspend.deferrals == int(deferrable)
    assert suspend.run() == {**expected, "state": "Paused", "changed": False}
    resume = task(FabricResumeCapacityOperator, deferrable=deferrable, **how)
    assert resume.run() == {**expected, "state": "Active", "changed": True}
    assert resume.run() == {**expected, "state": "Active", "changed": False}
    assert posts(tenant) == ["suspend", "resume"]


def test_a_retry_after_a_crash_waits_for_what_the_first_attempt_asked(tenant: FabricEmulator) -> None:
    tenant.control.configure(capacity_seconds=1)
    tenant.control.add_fault(method="POST", path="*/suspend", action="drop", phase="after", count=1)
    assert task(FabricSuspendCapacityOperator).run()["state"] == "Paused"
    states = [e["status"] for e in tenant.control.request_log() if e["path"].endswith("/suspend")]
    assert states[-1] == 400, "the repeated request is refused, because the first one was carried out"


def test_runs_are_not_suspended_under_somebody_s_feet(tenant: FabricEmulator) -> None:
    pipeline = add_item(tenant, "DataPipeline", "Daily load")
    tenant.control.add_job_rule(duration_seconds=60)
    run = tenant.control.start_job(item_id=pipeline)
    with pytest.raises(FabricJobAlreadyRunning, match=f"'Daily load'.*{run}.*force=True"):
        task(FabricSuspendCapacityOperator).run()
    assert posts(tenant) == []
    assert task(FabricSuspendCapacityOperator, force=True).run()["changed"] is True


def test_only_the_named_workspaces_are_checked(tenant: FabricEmulator) -> None:
    tenant.control.add_job_rule(duration_seconds=60)
    tenant.control.start_job(item_id=add_item(tenant, "DataPipeline", "Daily load"))
    tenant.control.seed(workspaces=[{"displayName": "Other"}])
    with pytest.raises(FabricJobAlreadyRunning):
        task(FabricSuspendCapacityOperator, workspaces=["Other", "Emulator workspace"]).run()
    assert task(FabricSuspendCapacityOperator, workspaces=["Other"]).run()["changed"] is True


def test_a_refresh_of_a_semantic_model_is_a_run_too(tenant: FabricEmulator) -> None:
    from airflow_provider_fabric.hooks.fabric import FabricHook

    model = add_item(tenant, "SemanticModel", "Sales")
    tenant.control.add_job_rule(duration_seconds=60)
    FabricHook().refresh_semantic_model(tenant.workspace_id, model)
    with pytest.raises(FabricJobAlreadyRunning, match="SemanticModel 'Sales'"):
        task(FabricSuspendCapacityOperator).run()


def test_runs_on_another_capacity_do_not_count(tenant: FabricEmulator) -> None:
    tenant.control.seed(capacities=[{"name": "othercapacity"}])
    tenant.control.add_job_rule(duration_seconds=60)
    tenant.control.start_job(item_id=add_item(tenant, "DataPipeline", "Daily load"))
    assert task(FabricSuspendCapacityOperator, capacity="othercapacity").run()["state"] == "Paused"


def test_a_job_on_a_paused_capacity_says_which_operator_resumes_it(tenant: FabricEmulator) -> None:
    add_item(tenant, "DataPipeline", "Daily load")
    tenant.control.seed(capacities=[{"name": CAPACITY_NAME, "state": "Paused"}])
    run = TaskRunner(
        lambda: FabricRunPipelineOperator(task_id="run", workspace="Emulator workspace", pipeline="Daily load")
    )
    with pytest.raises(Exception, match=r"CapacityNotActive.*FabricResumeCapacityOperator"):
        run.run()


@pytest.mark.parametrize("kind", [FabricResumeCapacityOperator, FabricSuspendCapacityOperator])
@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"capacity": "nosuchcapacity"}, FabricNameError),
        ({"capacity": "00000000-0000-4000-8000-00000000000f"}, FabricNameError),
        ({"capacity": ""}, FabricInputError),
        ({"timeout": 0}, FabricInputError),
        ({"check_interval": float("nan")}, FabricInputError),
        ({"subscription_id": "mine"}, FabricInputError),
    ],
)
def test_bad_input(tenant: FabricEmulator, kind: Any, arguments: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        task(kind, **arguments).run()
    assert posts(tenant) == []


@pytest.mark.parametrize("workspaces", [[], "", {}, 7, "Sales"])
def test_a_list_of_workspaces_names_some(tenant: FabricEmulator, workspaces: Any) -> None:
    with pytest.raises(FabricInputError, match="workspaces"):
        task(FabricSuspendCapacityOperator, workspaces=workspaces).run()


def test_a_capacity_that_does_not_get_there(tenant: FabricEmulator) -> None:
    tenant.control.configure(capacity_seconds=600)
    with pytest.raises(FabricOperationError, match="'Pausing'"):
        task(FabricSuspendCapacityOperator, timeout=0.5).run()
    with pytest.raises(FabricOperationError, match="'Pausing'"):
        task(FabricSuspendCapacityOperator, timeout=0.5, deferrable=True).run()


def test_another_cloud_must_name_its_resource_manager(tenant: FabricEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = tenant.connection
    for name in ("arm_host", "arm_scope"):
        del connection["extra"][name]
    monkeypatch.setenv("AIRFLOW_CONN_FABRIC_DEFAULT", json.dumps(connection))
    with pytest.raises(FabricConnectionError, match="arm_host"):
        task(FabricResumeCapacityOperator).run()
