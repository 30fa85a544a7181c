"""The example DAGs of the use cases in Microsoft's articles: their own tasks and functions, against the emulator."""

from __future__ import annotations

import copy
import json
import runpy
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.exceptions import FabricJobFailed
from airflow_provider_fabric.hooks.fabric import FabricHook
from tests.contract.operators.items import add_item
from tests.task_runner import TaskRunner

FOLDER = Path(__file__).resolve().parents[3] / "example_dags"
FAILED_COPY = {
    "activityName": "Copy prices",
    "activityType": "Copy",
    "status": "Failed",
    "error": {"errorCode": "UserErrorFileNotFound", "message": "prices.csv is not there", "failureType": "UserError"},
}


def example(name: str) -> Any:
    """Return the names of an example file."""
    return SimpleNamespace(**runpy.run_path(str(FOLDER / f"{name}.py")))


def task_of(dag: Any, task_id: str) -> TaskRunner:
    """Return one task of a DAG, as Airflow runs it."""
    return TaskRunner(lambda: copy.copy(dag.get_task(task_id)))


class Left:
    """What a task left behind, for those who pull it."""

    dag_id = "dag"
    map_index = -1

    def __init__(self, task_id: str, xcoms: dict[str, Any], result: Any = None) -> None:
        self.task_id = task_id
        self._xcoms = {**xcoms, "return_value": result}

    def xcom_pull(self, task_ids: str, key: str = "return_value", map_indexes: int = -1) -> Any:
        return self._xcoms.get(key) if task_ids == self.task_id else None


def failing(tenant: FabricEmulator, **rule: Any) -> None:
    tenant.control.add_job_rule(outcome="Failed", **rule)


def test_data_integration_copies_two_sources(tenant: FabricEmulator) -> None:
    dag = example("fabric_data_integration").dag
    for name, mode in (("shop_database", "CDC"), ("partner_files", "Batch")):
        deployed = task_of(dag, f"deploy_{name}").run()
        assert deployed["outcome"] == "created"
        copied = task_of(dag, f"copy_{name}").run()
        assert (copied["status"], copied["item_id"]) == ("Completed", deployed["item_id"])
        parts = FabricHook().get_item_definition(tenant.workspace_id, deployed["item_id"])
        content = json.loads(parts["copyjob-content.json"])
        assert content["properties"]["jobMode"] == mode
        assert all(activity["properties"]["source"] for activity in content["activities"])
        assert task_of(dag, f"deploy_{name}").run()["outcome"] == "unchanged"
    assert len(tenant.control.jobs()) == 2
    downstream = dag.get_task("copy_shop_database").downstream_task_ids
    assert downstream == dag.get_task("copy_partner_files").downstream_task_ids == {"optimize_orders", "report"}


@pytest.mark.parametrize(
    ("codes", "task"),
    [
        (["UserErrorFileNotFound"], "use_yesterdays_file"),
        (["2100"], "use_yesterdays_file"),
        (["Timeout", "UserErrorFileNotFound"], "use_yesterdays_file"),
        (["UserErrorFileNotFound", "Timeout"], "use_yesterdays_file"),
        (["Timeout"], "ask_a_person"),
        ([None], "ask_a_person"),
        ([], "ask_a_person"),
    ],
)
def test_error_handling_branches_on_the_error_code(codes: list[str | None], task: str) -> None:
    names = example("fabric_error_handling")
    assert names.next_task(False, [{"error_code": code} for code in codes]) == task
    assert names.next_task(True, []) == "go_on"
    assert task in {t.task_id for t in names.dag.get_task("decide").downstream_list}


def test_error_handling_finds_the_code_where_the_operator_left_it(tenant: FabricEmulator) -> None:
    names = example("fabric_error_handling")
    add_item(tenant, "DataPipeline", "Partner load")
    failing(tenant, activities=[FAILED_COPY])
    task = task_of(names.dag, "run_pipeline")
    with pytest.raises(FabricJobFailed, match="UserErrorFileNotFound"):
        task.run()
    decide = names.dag.get_task("decide").python_callable
    assert decide(ti=Left("run_pipeline", dict(task.xcoms))) == "use_yesterdays_file"
    tenant.control.add_job_rule(outcome="Completed")
    result = task_of(names.dag, "run_pipeline").run()
    assert decide(ti=Left("run_pipeline", {}, result)) == "go_on"


@pytest.mark.parametrize("status", ["Failed", "Cancelled"])
def test_monitoring_tells_the_failed_activities_and_the_link(
    tenant: FabricEmulator, caplog: pytest.LogCaptureFixture, status: str
) -> None:
    names = example("fabric_monitoring")
    task_of(names.dag, "deploy_pipeline").run()
    tenant.control.add_job_rule(outcome=status, activities=[FAILED_COPY])
    task = task_of(names.dag, "run_pipeline")
    with pytest.raises(Exception, match=r"failed|cancelled") as caught:
        task.run()
    operator = names.dag.get_task("run_pipeline")
    callbacks = operator.on_failure_callback
    (tell,) = callbacks if isinstance(callbacks, list | tuple) else [callbacks]
    tell({"ti": Left("run_pipeline", dict(task.xcoms)), "exception": caught.value})
    logged = caplog.messages[-1]
    assert task.xcoms["run_url"] in logged
    reason = "Failed activity 'Copy prices' (Copy): UserErrorFileNotFound: prices.csv is not there"
    assert (reason in logged) is (status == "Failed")


def test_monitoring_knows_a_slow_run(tenant: FabricEmulator) -> None:
    names = example("fabric_monitoring")
    task_of(names.dag, "deploy_pipeline").run()
    run = task_of(names.dag, "run_pipeline").run()
    assert names.slowness(run) == timedelta(0)
    assert names.slowness(run, usual=timedelta(0)) > timedelta(0)
    late = {"start_time_utc": "2026-01-01T06:00:00+00:00", "end_time_utc": "2026-01-01T06:45:00.5+00:00"}
    assert names.slowness({**late, "end_time_utc": "2026-01-01T06:45:00+00:00"}) == timedelta(minutes=15)


def test_scheduling_makes_changes_and_switches_off(tenant: FabricEmulator) -> None:
    names = example("fabric_scheduling")
    item = task_of(names.dag, "deploy_copy_job").run()["item_id"]
    hook = FabricHook()

    def held() -> list[dict[str, Any]]:
        return hook.list_item_schedules(tenant.workspace_id, item, "Execute")

    assert names.keep_schedule(hook, item, names.EVERY_MORNING) == "made"
    assert names.keep_schedule(hook, item, names.EVERY_MORNING) == "unchanged"
    twice = {**names.EVERY_MORNING, "times": ["06:00", "18:00"]}
    assert names.keep_schedule(hook, item, twice) == "changed"
    assert held()[0]["configuration"]["times"] == ["06:00", "18:00"]
    assert names.keep_schedule(hook, item, twice, enabled=False) == "changed"
    assert [schedule["enabled"] for schedule in held()] == [False]
    hook.create_item_schedule(tenant.workspace_id, item, "Execute", enabled=True, configuration=twice)
    assert names.keep_schedule(hook, item, twice, enabled=False) == "changed"
    assert len(held()) == 1
