"""XCom ``fabric_run``, and what the events of assets tell: at the submit and at every end of a task with a run."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_fabric.alerts import describe_fabric_run, fabric_run_of
from airflow_provider_fabric.assets import fabric_asset, fabric_event_payloads
from airflow_provider_fabric.compat import AirflowSensorTimeout, AirflowSkipException
from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.exceptions import (
    FabricError,
    FabricJobAlreadyRunning,
    FabricJobCancelled,
    FabricJobDeduped,
    FabricJobFailed,
    FabricJobTimeout,
    FabricNameError,
    FabricOperationError,
    FabricProtocolError,
)
from airflow_provider_fabric.lifecycle.report import FIELDS
from airflow_provider_fabric.operators.lakehouse import FabricRefreshSqlEndpointOperator
from airflow_provider_fabric.operators.notebook import FabricRunNotebookOperator
from airflow_provider_fabric.operators.pipeline import FabricRunPipelineOperator
from airflow_provider_fabric.operators.semantic_model import FabricRefreshSemanticModelOperator
from airflow_provider_fabric.sensors.job import FabricItemJobSensor, FabricJobInstanceSensor
from tests.contract.operators.items import add_item, definition
from tests.task_runner import TaskRunner

COPY = {"properties": {"activities": [{"name": "Copy orders", "type": "Copy", "typeProperties": {}}]}}
WORKSPACE = "Emulator workspace"
both_modes = pytest.mark.parametrize("deferrable", [False, True], ids=["synchronous", "deferrable"])


@pytest.fixture
def pipeline(tenant: FabricEmulator) -> str:
    return add_item(tenant, "DataPipeline", "Daily load", definition(pipeline_content__json=COPY))


class OutletEvents(dict[Any, Any]):
    """Airflow's accessors of the events of a task's outlets."""

    def __missing__(self, outlet: Any) -> Any:
        self[outlet.uri] = self.get(outlet.uri) or SimpleNamespace(extra={})
        return self[outlet.uri]


def task(kind: type = FabricRunPipelineOperator, **arguments: Any) -> TaskRunner:
    given: dict[str, Any] = {"workspace": WORKSPACE, "check_interval": 0.1, **arguments}
    if kind is FabricRunPipelineOperator:
        given.setdefault("pipeline", "Daily load")
    return TaskRunner(lambda: kind(task_id="run", **given), values={"outlet_events": OutletEvents()})


def written(runner: TaskRunner) -> dict[str, Any]:
    found: dict[str, Any] = runner.xcoms["fabric_run"]
    assert tuple(found) == FIELDS
    assert json.loads(json.dumps(found)) == found
    return found


@both_modes
def test_a_run_that_completed(tenant: FabricEmulator, pipeline: str, deferrable: bool):
    runner = task(deferrable=deferrable)
    result = runner.run()
    run = written(runner)
    assert {key: run[key] for key in result} == result
    assert (run["outcome"], run["error"], run["failed_activities"]) == ("completed", None, None)
    assert (run["workspace"], run["item"], run["item_type"], run["item_id"]) == (
        WORKSPACE,
        "Daily load",
        "DataPipeline",
        pipeline,
    )
    assert (run["run_url"], run["ours"], run["attempt"]) == (runner.xcoms["run_url"], True, 1)
    assert run["submitted_at"].endswith("+00:00")


@both_modes
def test_it_is_there_while_the_run_is_under_way(
    tenant: FabricEmulator, pipeline: str, deferrable: bool, monkeypatch: pytest.MonkeyPatch
):
    seen: list[dict[str, Any]] = []
    runner = task(deferrable=deferrable)
    ended = FabricRunPipelineOperator.on_wait_end

    def on_wait_end(operator: Any, run: Any, outcome: Any) -> None:
        seen.append(dict(runner.xcoms["fabric_run"]))
        ended(operator, run, outcome)

    monkeypatch.setattr(FabricRunPipelineOperator, "on_wait_end", on_wait_end)
    runner.run()
    assert (seen[0]["outcome"], seen[0]["status"]) == (None, None)
    assert seen[0]["job_instance_id"] == runner.xcoms["job_instance_id"]
    assert seen[0]["run_url"] == runner.xcoms["run_url"]


@both_modes
def test_a_run_that_failed(tenant: FabricEmulator, pipeline: str, deferrable: bool):
    reason = {"errorCode": "2200", "message": "Cannot sign in to the sink."}
    tenant.control.add_job_rule(outcome="Failed", failure_reason=reason)
    runner = task(deferrable=deferrable)
    with pytest.raises(FabricJobFailed) as failed:
        runner.run()
    run = written(runner)
    assert (run["outcome"], run["status"], run["error_type"]) == ("failed", "Failed", "FabricJobFailed")
    assert run["error"] == str(failed.value)
    assert run["failure_reason"]["errorCode"] == "2200"
    assert [a["name"] for a in run["failed_activities"]] == ["Copy orders"]
    assert run["failed_activities"] == runner.xcoms["failed_activities"]
    assert run["end_time_utc"]


@both_modes
@pytest.mark.parametrize(
    ("rule", "arguments", "error", "outcome", "status"),
    [
        ({"outcome": "Cancelled"}, {}, FabricJobCancelled, "cancelled", "Cancelled"),
        ({"outcome": "Deduped"}, {}, FabricJobDeduped, "deduped", "Deduped"),
        ({"outcome": "Deduped"}, {"on_deduped": "skip"}, AirflowSkipException, "skipped", "Deduped"),
        ({"duration_seconds": 60}, {"timeout": 0.4}, FabricJobTimeout, "timeout", "NotStarted"),
    ],
)
def test_other_ends(
    tenant: FabricEmulator,
    pipeline: str,
    rule: dict[str, Any],
    arguments: dict[str, Any],
    error: type[Exception],
    outcome: str,
    status: str,
    deferrable: bool,
):
    tenant.control.add_job_rule(**rule)
    runner = task(deferrable=deferrable, **arguments)
    with pytest.raises(error):
        runner.run()
    run = written(runner)
    assert (run["outcome"], run["status"], run["error_type"]) == (outcome, status, error.__name__)
    assert run["job_instance_id"] == runner.xcoms["job_instance_id"]


def test_a_run_that_nobody_waits_for(tenant: FabricEmulator, pipeline: str):
    tenant.control.add_job_rule(duration_seconds=60)
    runner = task(wait_for_termination=False)
    runner.run()
    run = written(runner)
    assert (run["outcome"], run["status"]) == ("started", None)
    assert run["job_instance_id"]


def test_no_run_because_the_item_is_not_there(tenant: FabricEmulator):
    runner = task(pipeline="Nightly load")
    with pytest.raises(FabricNameError):
        runner.run()
    run = written(runner)
    assert (run["outcome"], run["item"], run["job_instance_id"]) == ("not_started", "Nightly load", None)
    assert "Nightly load" in run["error"]


def test_no_run_because_one_is_active(tenant: FabricEmulator, pipeline: str):
    tenant.control.add_job_rule(duration_seconds=60)
    task(wait_for_termination=False).run()
    runner = task(if_running="fail")
    with pytest.raises(FabricJobAlreadyRunning):
        runner.run()
    run = written(runner)
    assert (run["outcome"], run["item_id"], run["job_instance_id"]) == ("not_started", pipeline, None)


def test_an_attached_run_is_not_ours(tenant: FabricEmulator, pipeline: str):
    tenant.control.add_job_rule(duration_seconds=1, count=1)
    started = task(wait_for_termination=False).run()
    runner = task(if_running="attach")
    runner.run()
    run = written(runner)
    assert (run["outcome"], run["ours"], run["job_instance_id"]) == ("completed", False, started["job_instance_id"])


@both_modes
def test_a_semantic_model(tenant: FabricEmulator, deferrable: bool):
    add_item(tenant, "SemanticModel", "Sales model")
    runner = task(FabricRefreshSemanticModelOperator, semantic_model="Sales model", deferrable=deferrable)
    result = runner.run()
    run = written(runner)
    assert (run["outcome"], run["item"], run["job_type"]) == ("completed", "Sales model", "Refresh")
    assert run["job_instance_id"] == result["job_instance_id"]


@both_modes
def test_a_notebook_whose_result_is_unusable(tenant: FabricEmulator, deferrable: bool):
    """Its run completed, its task did not."""
    add_item(tenant, "Notebook", "Clean")
    runner = task(FabricRunNotebookOperator, notebook="Clean", parse_exit_value=True, deferrable=deferrable)
    with pytest.raises(FabricProtocolError):
        runner.run()
    run = written(runner)
    assert (run["outcome"], run["status"], run["error_type"]) == ("error", "Completed", "FabricProtocolError")


@both_modes
@pytest.mark.parametrize("broken", [False, True])
def test_a_sql_endpoint(tenant: FabricEmulator, deferrable: bool, broken: bool):
    tables = [{"name": "orders", "status": "Failure"}] if broken else [{"name": "orders"}]
    add_item(tenant, "Lakehouse", "Lake", tables=tables)
    tenant.control.configure(force_lro=True, lro_seconds=0.1)
    asset = fabric_asset(WORKSPACE, "Lake")
    given = {"workspace": WORKSPACE, "lakehouse": "Lake", "deferrable": deferrable, "outlets": [asset]}
    runner = TaskRunner(
        lambda: FabricRefreshSqlEndpointOperator(task_id="run", **given), values={"outlet_events": OutletEvents()}
    )
    if broken:
        with pytest.raises(FabricOperationError):
            runner.run()
    else:
        runner.run()
    run = written(runner)
    assert run["outcome"] == ("failed" if broken else "completed")
    assert (run["item"], run["job_type"], bool(run["item_id"])) == ("Lake", "refreshMetadata", True)
    assert run["operation_id"]
    assert "job_instance_id" not in runner.xcoms
    assert list(runner.values["outlet_events"]) == ([] if broken else [asset.uri])


def test_do_xcom_push_is_respected(tenant: FabricEmulator, pipeline: str):
    """What other tasks prove their runs by, and the link, stay."""
    runner = task(do_xcom_push=False)
    runner.run()
    assert set(runner.xcoms) == {"job_instance_id", "run_url"}


@both_modes
def test_an_xcom_that_cannot_be_written_fails_no_task(
    tenant: FabricEmulator, pipeline: str, deferrable: bool, monkeypatch: pytest.MonkeyPatch
):
    from tests.task_runner import TaskInstance

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError("the metadata database is away")

    monkeypatch.setattr(TaskInstance, "xcom_push", refuse)
    assert task(deferrable=deferrable).run()["status"] == "Completed"


def test_what_others_raise_is_named_but_not_quoted(tenant: FabricEmulator, pipeline: str):
    class Careless(FabricRunPipelineOperator):
        def build_result(self, *_: Any) -> Any:
            raise ValueError("password=hunter2")

    runner = task(Careless, pipeline="Daily load")
    with pytest.raises(ValueError, match="hunter2"):
        runner.run()
    run = written(runner)
    assert (run["outcome"], run["error_type"], run["error"]) == ("error", "ValueError", None)


def test_it_is_small(tenant: FabricEmulator, pipeline: str):
    error = {"errorCode": "9" * 5000, "message": "x" * 100_000}
    activities = [
        {"activityName": f"Copy {n}", "activityType": "Copy", "status": "Failed", "error": error} for n in range(60)
    ]
    tenant.control.add_job_rule(outcome="Failed", failure_reason=error, activities=activities)
    runner = task()
    with pytest.raises(FabricJobFailed):
        runner.run()
    assert len(json.dumps(written(runner))) < 60_000


# Sensors.


@both_modes
def test_a_sensor_tells_of_the_run_that_it_found(tenant: FabricEmulator, pipeline: str, deferrable: bool):
    started = task(wait_for_termination=False).run()
    given = {"workspace": WORKSPACE, "item": "Daily load", "poke_interval": 1, "deferrable": deferrable}
    runner = TaskRunner(
        lambda: FabricJobInstanceSensor(task_id="wait", job_instance_id=started["job_instance_id"], **given)
    )
    runner.run()
    run = written(runner)
    assert (run["outcome"], run["ours"], run["job_instance_id"]) == ("completed", False, started["job_instance_id"])
    assert "job_instance_id" not in runner.xcoms, "a sensor claims no run"


@both_modes
@pytest.mark.parametrize("ended_as", ["Failed", "Cancelled"])
def test_a_sensor_whose_run_did_not_complete(tenant: FabricEmulator, pipeline: str, deferrable: bool, ended_as: str):
    tenant.control.add_job_rule(outcome=ended_as)
    started = task(wait_for_termination=False).run()
    given = {"workspace": WORKSPACE, "item": "Daily load", "poke_interval": 1, "deferrable": deferrable}
    runner = TaskRunner(
        lambda: FabricJobInstanceSensor(task_id="wait", job_instance_id=started["job_instance_id"], **given)
    )
    with pytest.raises(FabricJobFailed):
        runner.run()
    run = written(runner)
    assert (run["outcome"], run["status"]) == (ended_as.lower(), ended_as)


@both_modes
def test_a_sensor_that_found_none_in_time(tenant: FabricEmulator, pipeline: str, deferrable: bool):
    given = {"workspace": WORKSPACE, "item": "Daily load", "poke_interval": 1, "timeout": 1.5, "deferrable": deferrable}
    runner = TaskRunner(lambda: FabricItemJobSensor(task_id="wait", **given))
    with pytest.raises(AirflowSensorTimeout):
        runner.run()
    run = written(runner)
    assert (run["outcome"], run["item"], run["job_instance_id"]) == ("timeout", "Daily load", None)


# Assets.


@both_modes
def test_the_event_of_an_asset_tells_of_the_run(tenant: FabricEmulator, pipeline: str, deferrable: bool):
    output = {"rowsRead": 12, "rowsCopied": 10}
    copies = [
        {"activityName": f"Copy {n}", "activityType": "Copy", "status": "Succeeded", "output": output} for n in "ab"
    ]
    tenant.control.add_job_rule(activities=copies)
    lake, other = fabric_asset(WORKSPACE, "Lake"), fabric_asset(WORKSPACE, "Report")
    runner = task(deferrable=deferrable, outlets=[lake, other])
    result = runner.run()
    events = runner.values["outlet_events"]
    assert set(events) == {lake.uri, other.uri}
    extra = events[lake.uri].extra
    assert extra["job_instance_id"] == result["job_instance_id"]
    assert extra["run_url"] == runner.xcoms["run_url"]
    assert (extra["start_time_utc"], extra["end_time_utc"]) == (result["start_time_utc"], result["end_time_utc"])
    assert extra["rows"] == {"read": 24, "written": 20} == written(runner)["rows"]
    assert json.loads(json.dumps(extra)) == extra
    assert fabric_event_payloads({lake: [events[lake.uri]], other: [events[other.uri]]}) == [extra], "one run, once"


def test_no_count_is_no_reason_to_fail(tenant: FabricEmulator, pipeline: str):
    tenant.control.add_fault(method="POST", path="*/queryactivityruns", status=403, body={"errorCode": "Forbidden"})
    lake = fabric_asset(WORKSPACE, "Lake")
    runner = task(outlets=[lake])
    runner.run()
    extra = runner.values["outlet_events"][lake.uri].extra
    assert extra["job_instance_id"]
    assert "rows" not in extra


def test_rows_are_asked_for_only_if_an_asset_tells_of_them(tenant: FabricEmulator, pipeline: str):
    task().run()
    assert not [e for e in tenant.control.request_log() if e["path"].endswith("/queryactivityruns")]


def test_a_task_that_fails_tells_no_asset(tenant: FabricEmulator, pipeline: str):
    tenant.control.add_job_rule(outcome="Failed")
    runner = task(outlets=[fabric_asset(WORKSPACE, "Lake")])
    with pytest.raises(FabricError):
        runner.run()
    assert runner.values["outlet_events"] == {}


def test_what_the_author_says_of_an_asset_stays(tenant: FabricEmulator, pipeline: str):
    lake = fabric_asset(WORKSPACE, "Lake")
    runner = task(outlets=[lake])
    runner.values["outlet_events"][lake].extra["rows"] = "many"
    runner.run()
    extra = runner.values["outlet_events"][lake.uri].extra
    assert (extra["rows"], bool(extra["job_instance_id"])) == ("many", True)


# Callbacks.


def callback_context(runner: TaskRunner, error: BaseException | None) -> dict[str, Any]:
    def xcom_pull(*, task_ids: str, key: str, map_indexes: int) -> Any:
        assert (task_ids, map_indexes) == ("run", -1)
        return runner.xcoms.get(key)

    ti = SimpleNamespace(dag_id="sales", task_id="run", map_index=-1, xcom_pull=xcom_pull)
    return {"ti": ti, "exception": error}


def test_a_callbacks_text(tenant: FabricEmulator, pipeline: str):
    reason = {"errorCode": "2200", "message": "Cannot sign in to the sink."}
    tenant.control.add_job_rule(outcome="Failed", failure_reason=reason)
    runner = task()
    with pytest.raises(FabricJobFailed) as failed:
        runner.run()
    context = callback_context(runner, failed.value)
    run = fabric_run_of(context)
    assert run == written(runner)
    assert describe_fabric_run(context).splitlines() == [
        "sales.run: DataPipeline 'Daily load' in workspace 'Emulator workspace': failed",
        f"Started {run['start_time_utc']}, ended {run['end_time_utc']}",
        "Reason: 2200: Cannot sign in to the sink.",
        "Failed activity 'Copy orders' (Copy): 2200: Cannot sign in to the sink.",
        f"Run: {run['run_url']}",
    ]


def test_a_callbacks_text_without_a_run(tenant: FabricEmulator):
    runner = task(pipeline="Nightly load")
    with pytest.raises(FabricNameError) as failed:
        runner.run()
    first, second = describe_fabric_run(callback_context(runner, failed.value)).splitlines()
    assert first == "sales.run: DataPipeline 'Nightly load' in workspace 'Emulator workspace': not started"
    assert second == f"Error: {failed.value}"


@pytest.mark.parametrize("context", [{}, {"ti": SimpleNamespace(dag_id="d", task_id="t", map_index=3)}])
def test_a_callback_never_fails_for_want_of_the_run(context: dict[str, Any]):
    assert fabric_run_of(context) == {}
    assert "Boom" in describe_fabric_run({**context, "exception": ValueError("Boom")})
