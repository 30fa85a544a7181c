"""The sensors: runs that somebody else starts, in every mode, by Airflow's rules for sensors."""

from __future__ import annotations

import math
import sys
import threading
import time
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from airflow_provider_fabric.compat import AirflowSensorTimeout, AirflowSkipException, BaseSensorOperator
from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.exceptions import (
    FabricError,
    FabricInputError,
    FabricJobFailed,
    FabricJobMayBeRunning,
    FabricPermissionError,
    FabricTransportError,
)
from airflow_provider_fabric.hooks.fabric import FabricHook
from airflow_provider_fabric.sensors.job import FabricItemJobSensor, FabricJobInstanceSensor
from tests.contract.operators.items import add_item, wait_until_over
from tests.task_runner import TaskRunner

try:
    from airflow.sdk.exceptions import AirflowRescheduleException
except ImportError:
    from airflow.exceptions import AirflowRescheduleException


class SensorRunner(TaskRunner):
    """A task instance of a DAG run with a data interval."""

    began = datetime.now(timezone.utc)

    def context(self, task: Any) -> dict[str, Any]:
        return {**super().context(task), "data_interval_start": self.began}


@pytest.fixture
def item(tenant: FabricEmulator) -> str:
    SensorRunner.began = datetime.now(timezone.utc) - timedelta(seconds=0.5)
    return add_item(tenant, "CopyJob", "Nightly copy")


@pytest.fixture(params=[False, True], ids=["poke", "deferrable"])
def deferrable(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def for_item(deferrable: bool = False, **arguments: Any) -> SensorRunner:
    given = {"workspace": "Emulator workspace", "item": "Nightly copy", "poke_interval": 0.2, "timeout": 10}
    return SensorRunner(lambda: FabricItemJobSensor(task_id="wait", deferrable=deferrable, **{**given, **arguments}))


def for_instance(job: str, deferrable: bool = False, **arguments: Any) -> SensorRunner:
    given = {"workspace": "Emulator workspace", "item": "Nightly copy", "poke_interval": 0.2, "timeout": 10}
    return SensorRunner(
        lambda: FabricJobInstanceSensor(
            task_id="wait", job_instance_id=job, deferrable=deferrable, **{**given, **arguments}
        )
    )


def schedule_starts(tenant: FabricEmulator, item: str, after: float = 0.0) -> None:
    threading.Timer(after, tenant.control.start_job, (item,)).start()


# A run that Fabric's schedule or a person starts.


def test_a_run_that_the_schedule_starts_later(tenant: FabricEmulator, item: str, deferrable: bool):
    schedule_starts(tenant, item, after=0.3)
    task = for_item(deferrable)
    result = task.run()
    assert (result["status"], result["item_id"], task.deferrals) == ("Completed", item, int(deferrable))
    assert result["job_instance_id"] in task.xcoms["run_url"]


def test_a_run_that_began_since_the_data_interval_counts(tenant: FabricEmulator, item: str, deferrable: bool):
    started = tenant.control.start_job(item, invoke_type="Manual")
    assert for_item(deferrable, job_type="Execute").run()["job_instance_id"] == started


def test_what_is_over_needs_no_triggerer(tenant: FabricEmulator, item: str):
    """Nor would Airflow bear it: a trigger that fires at once meets a task whose end is not reported yet."""
    tenant.control.add_job_rule(duration_seconds=0.0)
    job = tenant.control.start_job(item)
    for task in (for_item(deferrable=True), for_instance(job, deferrable=True)):
        assert (task.run()["job_instance_id"], task.deferrals) == (job, 0)


def test_the_triggerer_looks_an_interval_later(tenant: FabricEmulator, item: str):
    schedule_starts(tenant, item, after=0.3)
    task = for_item(deferrable=True, poke_interval=2)
    began = time.time()
    assert (task.run()["status"], task.deferrals) == ("Completed", 1)
    assert time.time() - began > 2
    assert tenant.control.stats()["routes"]["GET /v1/workspaces/{workspaceId}/items/{itemId}/jobs/instances"] == {
        "200": 2
    }


def test_an_older_run_does_not_count(tenant: FabricEmulator, item: str, deferrable: bool):
    tenant.control.start_job(item)
    wait_until_over(tenant)
    task = for_item(deferrable, since=datetime.now(timezone.utc) + timedelta(seconds=30), timeout=1)
    with pytest.raises(AirflowSensorTimeout):
        task.run()
    assert task.xcoms["run_url"] == f"{tenant.url}/groups/{tenant.workspace_id}/items/{item}", "the item's page"


def test_since_as_text(tenant: FabricEmulator, item: str):
    tenant.control.start_job(item)
    assert for_item(since=str(SensorRunner.began)).run()["status"] == "Completed"
    assert for_item(since="").run()["status"] == "Completed"
    with pytest.raises(FabricInputError, match="since must be a date or a time such as"):
        for_item(since="last week").run()


RUN_KINDS = {
    "Airflow 3": lambda due: {"dag_run": SimpleNamespace(run_after=due, run_type="scheduled", start_date=None)},
    "a schedule of Airflow 2": lambda due: {
        "dag_run": SimpleNamespace(run_type="scheduled", start_date=None),
        "data_interval_start": due - timedelta(days=1),
        "data_interval_end": due,
        "logical_date": due - timedelta(days=1),
    },
    "a person in Airflow 2": lambda due: {
        "dag_run": SimpleNamespace(run_type="manual", start_date=due + timedelta(days=7)),
        "data_interval_start": due - timedelta(days=2),
        "data_interval_end": due - timedelta(days=1),
        "logical_date": due,
    },
    "an asset in Airflow 3": lambda due: {
        "dag_run": SimpleNamespace(run_after=due, run_type="asset_triggered", start_date=None, logical_date=None),
        "data_interval_start": None,
        "logical_date": None,
    },
}
"""What a context holds of a DAG run that was due at a time."""


@pytest.mark.parametrize("kind", RUN_KINDS)
def test_lookback_finds_the_run_before_the_dag_run_and_none_older(tenant: FabricEmulator, item: str, kind: str):
    """Fabric loads at half past three, the DAG waits at four."""
    tenant.control.add_job_rule(duration_seconds=0.0)
    job = tenant.control.start_job(item)
    now = datetime.now(timezone.utc)

    def sensor(due: datetime) -> SensorRunner:
        task = for_item(lookback=timedelta(hours=6), timeout=1)
        task.values = {"data_interval_start": None, "logical_date": None, **RUN_KINDS[kind](due)}
        return task

    assert sensor(now + timedelta(minutes=30)).run()["job_instance_id"] == job
    with pytest.raises(AirflowSensorTimeout, match="before the time that counts"):
        sensor(now + timedelta(hours=7)).run()


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"lookback": timedelta(0)}, "lookback must be a timedelta above zero"),
        ({"lookback": timedelta(hours=-1)}, "lookback must be a timedelta above zero"),
        ({"lookback": 6}, "lookback must be a timedelta above zero"),
        ({"lookback": timedelta(hours=6), "since": "{{ ts }}"}, "Give since or lookback, not both"),
    ],
)
def test_a_lookback_that_makes_no_sense(arguments: dict[str, Any], match: str):
    with pytest.raises(FabricInputError, match=match):
        for_item(**arguments).operator()


@pytest.mark.parametrize("mode", ["poke", "deferrable"])
def test_a_timeout_says_what_was_seen(tenant: FabricEmulator, item: str, mode: str):
    def ended(**arguments: Any) -> str:
        with pytest.raises(AirflowSensorTimeout) as caught:
            for_item(mode == "deferrable", timeout=1.2, **arguments).run()
        return str(caught.value)

    assert "Item 'Nightly copy' in workspace 'Emulator workspace': " in ended()
    assert "Fabric lists no run at all." in ended()
    job = tenant.control.start_job(item)
    wait_until_over(tenant)
    assert f"The last run that Fabric lists is {job}: Completed, started 2" in ended(since="2099-01-01")
    assert ", before the time that counts." in ended(since="2099-01-01")
    assert "Fabric lists no run of type 'Publish' at all." in ended(job_type="Publish")
    tenant.control.add_job_rule(duration_seconds=60)
    job = tenant.control.start_job(item)
    assert f"is {job}: " in ended(since=datetime.now(timezone.utc) - timedelta(seconds=0.3))
    tenant.control.add_fault(path="*/jobs/instances", status=503, count=None)
    assert "Its list of runs could not be read. The last poll failed: " in ended()


@pytest.mark.parametrize("name", ["timeout", "poke_interval"])
@pytest.mark.parametrize("value", [math.inf, math.nan, 0, -1.0, -math.inf], ids=str)
def test_seconds_are_finite_and_positive(name: str, value: float):
    with pytest.raises(FabricInputError, match=rf"^{name} must be a finite number of seconds above zero, got "):
        for_item(**{name: value}).operator()


def as_airflow_does(operator: Any, context: dict[str, Any]) -> Any:
    """Call ``execute`` as Airflow's task runner does: with the mark by which it knows its own calls."""
    try:
        from airflow.sdk.bases.operator import ExecutorSafeguard

        mark = ExecutorSafeguard.sentinel_value
    except ImportError:
        from airflow.models.baseoperator import _sentinel as mark
    return operator.execute(context, **{f"{type(operator).__name__}__sentinel": mark})


def test_a_sensor_calls_no_nested_execute(tenant: FabricEmulator, item: str, caplog: pytest.LogCaptureFixture, capsys):
    """Airflow 2.10 warned at every poke, and failed the task with ``allow_nested_operators=False``."""
    job = tenant.control.start_job(item)
    for task in (for_item(allow_nested_operators=False), for_instance(job, allow_nested_operators=False)):
        operator = task.operator()
        assert as_airflow_does(operator, task.context(operator))["job_instance_id"] == job
    logged = caplog.text + capsys.readouterr().out
    assert "Success criteria met" in logged
    assert "cannot be called outside" not in logged


def test_a_failed_run_fails_fast(tenant: FabricEmulator, item: str, deferrable: bool):
    tenant.control.add_job_rule(
        outcome="Failed", failure_reason={"errorCode": "Boom", "message": "No", "requestId": "r"}
    )
    tenant.control.start_job(item)
    task = for_item(deferrable, timeout=300, soft_fail=True)
    with pytest.raises(FabricJobFailed) as caught:
        task.run()
    assert str(caught.value).startswith(
        "Job 'CopyJob' of item 'Nightly copy' ended as Failed: Boom: No (request r). Job instance "
    )
    assert task.xcoms["run_url"] in str(caught.value)


def test_never_fail_skips_instead(tenant: FabricEmulator, item: str, deferrable: bool):
    tenant.control.add_job_rule(outcome="Failed")
    tenant.control.start_job(item)
    with pytest.raises(AirflowSkipException):
        for_item(deferrable, never_fail=True).run()


def test_another_run_after_a_failed_one(tenant: FabricEmulator, item: str, deferrable: bool):
    tenant.control.add_job_rule(outcome="Failed", count=1)
    tenant.control.start_job(item)
    schedule_starts(tenant, item, after=0.5)
    assert for_item(deferrable, allow_failed=True).run()["status"] == "Completed"


def test_a_timeout_is_airflows_own(tenant: FabricEmulator, item: str, deferrable: bool):
    with pytest.raises(AirflowSensorTimeout):
        for_item(deferrable, timeout=0.3).run()
    with pytest.raises(AirflowSkipException):
        for_item(deferrable, timeout=0.3, soft_fail=True).run()


def test_reschedule_gives_the_slot_back(tenant: FabricEmulator, item: str, monkeypatch: pytest.MonkeyPatch):
    task = for_item(mode="reschedule")
    operator = task.operator()
    context = task.context(operator)
    context["ti"] = SimpleNamespace(
        xcom_push=lambda **_: None,
        get_first_reschedule_date=lambda _: None,
        **dict.fromkeys(("dag_id", "task_id", "run_id"), "x"),
        map_index=-1,
        max_tries=0,
    )
    airflows_module = sys.modules[BaseSensorOperator.__module__]
    if hasattr(airflows_module, "_orig_start_date"):  # Airflow 2 looks into its database
        monkeypatch.setattr(airflows_module, "_orig_start_date", lambda **_: None)
    with pytest.raises(AirflowRescheduleException):
        operator.execute(context)
    tenant.control.start_job(item)
    wait_until_over(tenant)
    assert task.operator().execute(context)["status"] == "Completed"


def test_an_error_of_a_poll_is_waited_out(tenant: FabricEmulator, item: str):
    tenant.control.start_job(item)
    tenant.control.add_fault(path="*/jobs/instances", status=503, count=1)
    assert for_item(deferrable=True).run()["status"] == "Completed"


def test_errors_of_the_names_are_waited_out_too(
    tenant: FabricEmulator, item: str, monkeypatch: pytest.MonkeyPatch, deferrable: bool
):
    job = tenant.control.start_job(item)
    real, troubles = FabricHook.resolve_workspace, iter([FabricTransportError("No answer.")])

    def fails(*arguments: Any) -> str:
        for error in troubles:
            raise error
        return real(*arguments)

    monkeypatch.setattr(FabricHook, "resolve_workspace", fails)
    for task in (for_item(deferrable), for_instance(job, deferrable)):
        assert task.run()["status"] == "Completed"


def test_names_are_not_asked_for_again_once_the_run_is_over(tenant: FabricEmulator, item: str):
    tenant.control.add_job_rule(duration_seconds=0.5)
    task = for_instance(tenant.control.start_job(item), deferrable=True)
    assert (task.run()["status"], task.deferrals) == ("Completed", 1)
    assert tenant.control.stats()["routes"]["GET /v1/workspaces/{workspaceId}/items"] == {"200": 1}


def test_missing_rights_are_not_waited_out(tenant: FabricEmulator, item: str):
    fault = {"path": "*/jobs/instances", "status": 403, "error_code": "InsufficientPrivileges", "count": None}
    tenant.control.add_fault(**fault)
    with pytest.raises(FabricPermissionError, match="Grant the identity the role Contributor"):
        for_item().run()
    with pytest.raises(FabricError, match="Grant the identity the role Contributor"):
        for_item(deferrable=True).run()


# A run whose id is known.


def test_an_instance_that_completes(tenant: FabricEmulator, item: str, deferrable: bool):
    job = tenant.control.start_job(item)
    task = for_instance(job, deferrable)
    assert task.run()["job_instance_id"] == job
    assert job in task.xcoms["run_url"]


def rescheduled(airflow: int, task: SensorRunner, first: datetime, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return the context of a sensor that looked first at a moment, as one Airflow or the other tells it."""
    context = task.context(task.operator())
    names = dict.fromkeys(("dag_id", "task_id", "run_id"), "x")
    context["ti"] = SimpleNamespace(xcom_push=lambda **_: None, max_tries=0, map_index=-1, **names)
    if airflow == 3:
        context["ti"].get_first_reschedule_date = lambda _: first
    else:
        airflows_module = SimpleNamespace(_orig_start_date=lambda **_: first)
        monkeypatch.setitem(sys.modules, "airflow.sensors.base", airflows_module)
    return context


@pytest.mark.parametrize("airflow", [2, 3])
def test_an_instance_that_stays_invisible_fails_after_the_grace_also_when_rescheduled(
    tenant: FabricEmulator, item: str, airflow: int, monkeypatch: pytest.MonkeyPatch
):
    task = for_instance(str(uuid4()), mode="reschedule")
    now = datetime.now(timezone.utc)
    assert task.operator().poke(rescheduled(airflow, task, now, monkeypatch)) is False
    with pytest.raises(FabricJobMayBeRunning, match="Lost sight"):
        task.operator().poke(rescheduled(airflow, task, now - timedelta(minutes=6), monkeypatch))


@pytest.mark.parametrize("airflow", [2, 3])
def test_an_instance_that_is_looked_at_again_after_a_reschedule(
    tenant: FabricEmulator, item: str, airflow: int, monkeypatch: pytest.MonkeyPatch
):
    tenant.control.add_job_rule(duration_seconds=1.0)
    task = for_instance(tenant.control.start_job(item), mode="reschedule")
    operator = task.operator()
    context = rescheduled(airflow, task, datetime.now(timezone.utc), monkeypatch)
    assert operator.poke(context) is False
    wait_until_over(tenant)
    assert task.operator().poke(context).xcom_value["status"] == "Completed"


def test_an_instance_that_fails(tenant: FabricEmulator, item: str, deferrable: bool):
    tenant.control.add_job_rule(outcome="Cancelled")
    job = tenant.control.start_job(item)
    with pytest.raises(FabricJobFailed, match="'Nightly copy' ended as Cancelled"):
        for_instance(job, deferrable, soft_fail=True).run()


def test_an_instance_that_is_not_visible_yet(tenant: FabricEmulator, item: str, deferrable: bool):
    tenant.control.add_job_rule(visible_after_seconds=0.6)
    job = tenant.control.start_job(item)
    assert for_instance(job, deferrable).run()["status"] == "Completed"


def test_an_instance_that_looks_failed_while_it_is_not_visible_yet(tenant: FabricEmulator, item: str, deferrable: bool):
    tenant.control.add_job_rule(visible_after_seconds=0.6, invisible_as="RequestExecutionFailed", duration_seconds=1)
    job = tenant.control.start_job(item)
    assert for_instance(job, deferrable).run()["status"] == "Completed"


def test_an_instance_that_takes_too_long(tenant: FabricEmulator, item: str, deferrable: bool):
    tenant.control.add_job_rule(duration_seconds=60)
    job = tenant.control.start_job(item)
    with pytest.raises(AirflowSensorTimeout):
        for_instance(job, deferrable, timeout=0.5).run()
    with pytest.raises(AirflowSkipException):
        for_instance(job, deferrable, timeout=0.5, soft_fail=True).run()
    assert tenant.control.stats()["jobs"]["cancel_requests"] == 0, "it is not ours"


def test_an_id_that_is_none(tenant: FabricEmulator, item: str):
    with pytest.raises(FabricInputError, match="job_instance_id must be a GUID"):
        for_instance("tomorrow").run()
