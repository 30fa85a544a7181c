"""The operators of notebooks, Spark jobs, lakehouses, dbt jobs, semantic models and user data functions."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_fabric.compat import AirflowFailException, AirflowSkipException
from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.exceptions import (
    FabricAmbiguousError,
    FabricBadRequestError,
    FabricError,
    FabricInputError,
    FabricJobFailed,
    FabricJobTimeout,
    FabricOperationError,
)
from airflow_provider_fabric.hooks.fabric import FabricHook
from airflow_provider_fabric.lifecycle.timing import Timing
from airflow_provider_fabric.operators.dbt import FabricRunDbtJobOperator
from airflow_provider_fabric.operators.lakehouse import (
    FabricRefreshMaterializedLakeViewsOperator,
    FabricRunTableMaintenanceOperator,
)
from airflow_provider_fabric.operators.notebook import FabricRunNotebookOperator
from airflow_provider_fabric.operators.semantic_model import FabricRefreshSemanticModelOperator
from airflow_provider_fabric.operators.spark_job import FabricRunSparkJobOperator
from airflow_provider_fabric.operators.user_data_function import FabricInvokeUserDataFunctionOperator
from airflow_provider_fabric.triggerer import shared
from tests.contract.operators.items import add_item
from tests.task_runner import TaskDeferred, TaskRunner

GUID = "6f6f6f6f-0000-4000-8000-000000000001"


def runner(kind: Any, **arguments: Any) -> TaskRunner:
    given = {"workspace": "Emulator workspace", "check_interval": 0.1, **arguments}
    return TaskRunner(lambda: kind(task_id="run", **given))


def submits(tenant: FabricEmulator) -> list[dict[str, Any]]:
    return [entry for entry in tenant.control.request_log() if entry["method"] == "POST" and "/jobs/" in entry["path"]]


JOBS = [
    pytest.param(
        FabricRunNotebookOperator,
        "Notebook",
        {"notebook": "It", "parameters": {"day": "2026-01-02", "n": 3}, "configuration": {"useStarterPool": True}},
        "RunNotebook",
        {
            "parameters": {"day": {"value": "2026-01-02", "type": "string"}, "n": {"value": 3, "type": "int"}},
            "configuration": {"useStarterPool": True},
        },
        id="notebook",
    ),
    pytest.param(FabricRunNotebookOperator, "Notebook", {"notebook": "It"}, "execute", None, id="bare notebook"),
    pytest.param(
        FabricRunSparkJobOperator,
        "SparkJobDefinition",
        {
            "spark_job": "It",
            "main_class": "org.example.Main",
            "command_line_arguments": ["--day", "2026-01-02"],
            "execution_data": {"environmentId": {"referenceType": "ById", "workspaceId": GUID, "itemId": GUID}},
        },
        "sparkjob",
        {
            "mainClass": "org.example.Main",
            "commandLineArguments": "--day 2026-01-02",
            "environmentId": {"referenceType": "ById", "workspaceId": GUID, "itemId": GUID},
        },
        id="spark job",
    ),
    pytest.param(
        FabricRunSparkJobOperator, "SparkJobDefinition", {"spark_job": "It"}, "sparkjob", None, id="bare spark job"
    ),
    pytest.param(
        FabricRefreshMaterializedLakeViewsOperator,
        "Lakehouse",
        {"lakehouse": "It"},
        "RefreshMaterializedLakeViews",
        None,
        id="lake views",
    ),
    pytest.param(
        FabricRefreshMaterializedLakeViewsOperator,
        "Lakehouse",
        {"lakehouse": "It", "execution_definition_id": GUID.upper()},
        "RefreshMaterializedLakeViews",
        {"mlvExecutionDefinitionId": GUID},
        id="some lake views",
    ),
    pytest.param(
        FabricRunTableMaintenanceOperator,
        "Lakehouse",
        {
            "lakehouse": "It",
            "table": "orders",
            "schema": "sales",
            "v_order": True,
            "z_order_by": ["day"],
            "vacuum_retention": timedelta(days=7, hours=1, seconds=5),
        },
        "TableMaintenance",
        {
            "tableName": "orders",
            "schemaName": "sales",
            "optimizeSettings": {"vOrder": True, "zOrderBy": ["day"]},
            "vacuumSettings": {"retentionPeriod": "7:01:00:05"},
        },
        id="table maintenance",
    ),
    pytest.param(FabricRunDbtJobOperator, "DataBuildToolJob", {"dbt_job": "It"}, "Execute", None, id="dbt job"),
]


@pytest.mark.parametrize("deferrable", [False, True], ids=["synchronous", "deferrable"])
@pytest.mark.parametrize(("kind", "item_type", "arguments", "job_type", "sent"), JOBS)
def test_each_kind_of_job(tenant: FabricEmulator, kind, item_type, arguments, job_type, sent, deferrable):
    add_item(tenant, item_type, "It")
    task = runner(kind, **arguments, deferrable=deferrable)
    result = task.run()
    assert (result["status"], task.deferrals) == ("Completed", int(deferrable))
    [submit] = submits(tenant)
    assert submit["path"].endswith(f"/jobs/{job_type}/instances")
    assert submit["body"] == (None if sent is None else {"executionData": sent})
    assert task.xcoms["job_instance_id"] == result["job_instance_id"]
    assert task.xcoms["run_url"].startswith(f"{tenant.url}/groups/{tenant.workspace_id}/")


@pytest.mark.parametrize("value", ["two words", "", "tab\there"])
def test_a_spark_argument_that_the_service_would_split(tenant: FabricEmulator, value: Any):
    with pytest.raises(FabricInputError, match="is not one word"):
        runner(FabricRunSparkJobOperator, spark_job="It", command_line_arguments=["--x", value]).run()


def test_spark_arguments_as_one_text(tenant: FabricEmulator):
    add_item(tenant, "SparkJobDefinition", "It")
    runner(FabricRunSparkJobOperator, spark_job="It", command_line_arguments='--name "a b"').run()
    assert submits(tenant)[0]["body"] == {"executionData": {"commandLineArguments": '--name "a b"'}}


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"table": "orders"}, "nothing to do to table 'orders'"),
        ({"table": "orders", "z_order_by": "day"}, "z_order_by must be a list of texts"),
        ({"table": "", "v_order": True}, "table must be the name"),
        ({"table": "orders", "vacuum_retention": timedelta(days=-1)}, "must not be negative"),
    ],
)
def test_maintenance_that_makes_no_sense(tenant: FabricEmulator, arguments: dict[str, Any], match: str):
    with pytest.raises(FabricInputError, match=match):
        runner(FabricRunTableMaintenanceOperator, lakehouse="It", **arguments).run()


# Semantic models.


@pytest.fixture
def model(tenant: FabricEmulator) -> str:
    return add_item(tenant, "SemanticModel", "Sales model")


def refresh(**arguments: Any) -> TaskRunner:
    return runner(FabricRefreshSemanticModelOperator, semantic_model="Sales model", **arguments)


@pytest.fixture(params=[False, True], ids=["synchronous", "deferrable"])
def deferrable(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def refreshes(tenant: FabricEmulator, method: str = "POST") -> list[dict[str, Any]]:
    return [e for e in tenant.control.request_log() if e["method"] == method and "/refreshes" in e["path"]]


def test_a_refresh_that_completes(tenant: FabricEmulator, model: str, deferrable: bool):
    task = refresh(refresh_type="Full", objects=[{"table": "Orders"}], options={"retryCount": 1}, deferrable=deferrable)
    result = task.run()
    [post] = refreshes(tenant)
    assert post["body"] == {"type": "Full", "objects": [{"table": "Orders"}], "retryCount": 1}
    assert (result["status"], result["job_type"], result["item_id"]) == ("Completed", "Refresh", model)
    assert result["end_time_utc"] > result["start_time_utc"]
    assert task.xcoms["job_instance_id"] == result["job_instance_id"]
    assert f"/datasets/{model}" in task.xcoms["run_url"]
    assert task.deferrals == int(deferrable)


def test_a_refresh_that_fails_says_why(tenant: FabricEmulator, model: str, deferrable: bool):
    reason = {"errorCode": "ModelRefreshFailed_CredentialsNotSpecified", "errorDescription": "No credentials."}
    tenant.control.add_job_rule(item_type="SemanticModel", outcome="Failed", failure_reason=reason)
    with pytest.raises(FabricJobFailed) as caught:
        refresh(deferrable=deferrable).run()
    assert str(caught.value).startswith(
        "Job 'Refresh' of SemanticModel 'Sales model' failed: ModelRefreshFailed_CredentialsNotSpecified: "
        "No credentials. Job instance "
    )


def test_one_refresh_at_a_time(tenant: FabricEmulator, model: str):
    tenant.control.add_job_rule(item_type="SemanticModel", duration_seconds=1.0, count=1)
    first = refresh(wait_for_termination=False)
    started = first.run()["job_instance_id"]
    with pytest.raises(FabricBadRequestError, match=r'under way: wait for it, or set if_running="attach"'):
        refresh().run()
    with pytest.raises(AirflowSkipException, match=started):
        refresh(if_running="skip").run()
    assert refresh(if_running="attach").run()["job_instance_id"] == started
    assert len(refreshes(tenant)) == 2


def test_a_refresh_that_was_over_before_is_nobodys_new_one(tenant: FabricEmulator, model: str):
    ended = refresh().run()["job_instance_id"]
    hook = FabricHook()
    assert [i.id for i in hook.list_semantic_model_refreshes(tenant.workspace_id, model)] == [ended]
    later = time.time() + 4.0  # more than the margin for a Date in whole seconds
    assert hook.list_semantic_model_refreshes(tenant.workspace_id, model, since=later) == []


def test_a_refresh_that_takes_too_long_is_cancelled(tenant: FabricEmulator, model: str, deferrable: bool):
    tenant.control.add_job_rule(item_type="SemanticModel", duration_seconds=60)
    with pytest.raises(FabricJobTimeout, match=r"did not end in time\. Fabric was asked to cancel it\."):
        refresh(timeout=0.3, deferrable=deferrable).run()
    assert len(refreshes(tenant, "DELETE")) == 1


def test_a_killed_task_cancels_its_refresh(tenant: FabricEmulator, model: str):
    tenant.control.add_job_rule(item_type="SemanticModel", duration_seconds=60)
    operator = FabricRefreshSemanticModelOperator(
        task_id="run", workspace="Emulator workspace", semantic_model="Sales model", deferrable=True
    )
    task = TaskRunner(lambda: operator)
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(task.context(operator))

    async def kill() -> None:
        await deferred.value.trigger.on_kill()
        await shared.aclose()

    asyncio.run(kill())
    assert len(refreshes(tenant, "DELETE")) == 1


def test_a_retry_finds_the_refresh_of_the_try_before(tenant: FabricEmulator, model: str):
    tenant.control.add_job_rule(item_type="SemanticModel", duration_seconds=1.0)
    task = refresh(wait_for_termination=False)
    started = task.run()["job_instance_id"]
    task.operator = refresh().operator
    assert task.run()["job_instance_id"] == started
    assert len(refreshes(tenant)) == 1


def test_a_submit_without_an_answer_is_not_sent_again(tenant: FabricEmulator, model: str, monkeypatch):
    monkeypatch.setattr(FabricRefreshSemanticModelOperator, "_timing", Timing(visible_within=0.5))
    tenant.control.add_fault(method="POST", path="*/refreshes", action="drop", phase="after")
    assert refresh().run()["status"] == "Completed"
    assert len(refreshes(tenant)) == 1


def test_an_unknown_model_is_named(tenant: FabricEmulator, model: str):
    with pytest.raises(FabricError, match="Did you mean 'Sales model'"):
        runner(FabricRefreshSemanticModelOperator, semantic_model="Sales modell").run()


# User data functions.


def invoke(**arguments: Any) -> TaskRunner:
    given = {"workspace": "Emulator workspace", "user_data_function": "Functions", "function": "greet", **arguments}
    return TaskRunner(lambda: FabricInvokeUserDataFunctionOperator(task_id="run", **given))


def test_a_function_returns_its_output(tenant: FabricEmulator):
    add_item(tenant, "UserDataFunction", "Functions")
    assert invoke(parameters={"name": "Ada", "times": 3}).run() == {"name": "Ada", "times": 3}


def test_a_function_that_fails(tenant: FabricEmulator):
    item = add_item(tenant, "UserDataFunction", "Functions")
    reason = {"errorCode": "UserThrownError", "message": "No such name."}
    tenant.control.add_job_rule(item_type="UserDataFunction", outcome="Failed", failure_reason=reason)
    with pytest.raises(FabricOperationError) as caught:
        invoke().run()
    error = caught.value
    assert str(error) == (
        f"Could not call function 'greet' of item {item}: Failed: UserThrownError: No such name "
        f"(invocation {error.operation_id})."
    )
    assert error.error_code == "UserThrownError"


def test_a_function_is_called_once_if_the_answer_is_lost(tenant: FabricEmulator):
    add_item(tenant, "UserDataFunction", "Functions")
    tenant.control.add_fault(method="POST", path="*/invoke", action="drop", phase="after")
    with pytest.raises(FabricAmbiguousError, match="may have been accepted, so it was not sent again") as caught:
        invoke().run()
    assert isinstance(caught.value, AirflowFailException), "Airflow retries anything else"
    assert calls_of_functions(tenant) == 1


def test_a_function_is_called_again_after_a_lost_answer_if_the_dag_allows_it(tenant: FabricEmulator):
    add_item(tenant, "UserDataFunction", "Functions")
    tenant.control.add_fault(method="POST", path="*/invoke", action="drop", phase="after")
    assert invoke(replay_safe=True, parameters={"name": "Ada"}).run() == {"name": "Ada"}
    assert calls_of_functions(tenant) == 2


def calls_of_functions(tenant: FabricEmulator) -> int:
    return len([entry for entry in tenant.control.request_log() if entry["path"].endswith("/invoke")])
