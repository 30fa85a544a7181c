"""The life of a job against the emulator: every policy and every mishap, in both modes.."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_fabric.compat import AirflowSkipException
from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.exceptions import (
    FabricInputError,
    FabricJobAlreadyRunning,
    FabricJobCancelled,
    FabricJobDeduped,
    FabricJobFailed,
    FabricJobMayBeRunning,
    FabricJobTimeout,
    FabricPermissionError,
)
from airflow_provider_fabric.lifecycle import cancel
from airflow_provider_fabric.lifecycle.timing import Timing
from airflow_provider_fabric.operators.job import FabricRunItemJobOperator
from airflow_provider_fabric.operators.pipeline import FabricRunPipelineOperator
from tests.task_runner import TaskRunner

PIPELINE = "22222222-2222-4222-8222-222222222222"
SUBMIT = "POST /v1/workspaces/{workspaceId}/items/{itemId}/jobs/{jobType}/instances"


@pytest.fixture(scope="module")
def running_emulator() -> Iterator[FabricEmulator]:
    with FabricEmulator(port=0) as emulator:
        yield emulator


@pytest.fixture
def emulator(running_emulator: FabricEmulator, monkeypatch: pytest.MonkeyPatch) -> FabricEmulator:
    control = running_emulator.control
    control.reset()
    control.configure(retry_after_seconds=0, job_seconds=0.3)
    item = {"id": PIPELINE, "type": "DataPipeline", "displayName": "Daily load"}
    control.seed(workspaces=[{"id": running_emulator.workspace_id, "items": [item]}])
    monkeypatch.setattr("airflow_provider_fabric.api.auth.tokens.REFUSED_PAUSE", 0.0)  # tests revoke tokens in a row
    monkeypatch.setenv("AIRFLOW_CONN_FABRIC_DEFAULT", json.dumps(running_emulator.connection))
    return running_emulator


@pytest.fixture(params=[False, True], ids=["synchronous", "deferrable"])
def pipeline(request: pytest.FixtureRequest, emulator: FabricEmulator) -> Callable[..., Callable[[], Any]]:
    """Return a maker of operators, in one mode or the other."""

    def maker(**arguments: Any) -> Callable[[], Any]:
        given = {"workspace": emulator.workspace_id, "pipeline": PIPELINE, "check_interval": 0.1, **arguments}
        return lambda: FabricRunPipelineOperator(task_id="run", deferrable=request.param, **given)

    return maker


def submits(emulator: FabricEmulator) -> int:
    return emulator.control.stats()["jobs"]["started"]


def cancels(emulator: FabricEmulator) -> int:
    return emulator.control.stats()["jobs"]["cancel_requests"]


def test_a_run_that_completes(emulator: FabricEmulator, pipeline: Any) -> None:
    task = TaskRunner(pipeline())
    result = task.run()
    assert result["status"] == "Completed"
    assert task.xcoms["job_instance_id"] == result["job_instance_id"]
    assert result["job_instance_id"] in task.xcoms["run_url"]
    assert submits(emulator) == 1


def test_a_run_that_fails_says_why(emulator: FabricEmulator, pipeline: Any) -> None:
    reason = {"errorCode": "Boom", "message": "The sink is full.", "requestId": "r-1"}
    emulator.control.add_job_rule(outcome="Failed", failure_reason=reason)
    task = TaskRunner(pipeline())
    with pytest.raises(FabricJobFailed) as failed:
        task.run()
    text = str(failed.value)
    for part in ("Boom", "The sink is full", "r-1", task.xcoms["job_instance_id"], task.xcoms["run_url"]):
        assert part in text
    assert failed.value.failure_reason["errorCode"] == "Boom"


def test_a_cancelled_run_fails_the_task(emulator: FabricEmulator, pipeline: Any) -> None:
    emulator.control.add_job_rule(outcome="Cancelled")
    with pytest.raises(FabricJobCancelled):
        TaskRunner(pipeline()).run()


def test_an_unknown_status_is_still_running(emulator: FabricEmulator, pipeline: Any) -> None:
    emulator.control.add_job_rule(statuses=[[0, "Queued"], [0.5, "dehydrated"]], outcome="Completed")
    assert TaskRunner(pipeline()).run()["status"] == "Completed"


@pytest.mark.parametrize("invisible_as", ["404", "NotFound", "RequestExecutionFailed"])
def test_a_run_that_is_visible_late(emulator: FabricEmulator, pipeline: Any, invisible_as: str) -> None:
    emulator.control.add_job_rule(visible_after_seconds=0.3, invisible_as=invisible_as, duration_seconds=0.6)
    assert TaskRunner(pipeline()).run()["status"] == "Completed"
    assert submits(emulator) == 1


def test_not_waiting_returns_at_once(emulator: FabricEmulator, pipeline: Any) -> None:
    emulator.control.add_job_rule(duration_seconds=60)
    result = TaskRunner(pipeline(wait_for_termination=False)).run()
    assert result["job_instance_id"]
    assert result["status"] is None


def test_timeout_cancels_and_names_the_run(emulator: FabricEmulator, pipeline: Any) -> None:
    emulator.control.add_job_rule(duration_seconds=60)
    task = TaskRunner(pipeline(timeout=0.4))
    with pytest.raises(FabricJobTimeout) as late:
        task.run()
    assert task.xcoms["job_instance_id"] in str(late.value)
    assert (submits(emulator), cancels(emulator)) == (1, 1)


def test_timeout_without_cancel(emulator: FabricEmulator, pipeline: Any) -> None:
    emulator.control.add_job_rule(duration_seconds=60)
    with pytest.raises(FabricJobTimeout, match="It goes on"):
        TaskRunner(pipeline(timeout=0.4, cancel_on_timeout=False)).run()
    assert cancels(emulator) == 0


def test_a_retry_after_a_timeout_starts_anew_when_the_old_run_has_ended(
    emulator: FabricEmulator, pipeline: Any
) -> None:
    emulator.control.add_job_rule(duration_seconds=60, cancel_seconds=0.2, count=1)
    task = TaskRunner(pipeline(timeout=0.8))
    with pytest.raises(FabricJobTimeout):
        task.run()
    assert task.run()["status"] == "Completed"
    assert submits(emulator) == 2
    assert emulator.control.stats()["jobs"]["cancelled"] == 1


@pytest.mark.parametrize(
    "fault",
    [{"action": "status", "status": 503}, {"action": "drop"}],
    ids=["503", "drop"],
)
def test_an_unclear_answer_after_acceptance_starts_one_run(
    emulator: FabricEmulator, pipeline: Any, fault: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FabricRunItemJobOperator, "_timing", Timing(visible_within=0.5))
    emulator.control.add_fault(method="POST", path="*/instances", count=1, phase="after", **fault)
    assert TaskRunner(pipeline()).run()["status"] == "Completed"
    assert submits(emulator) == 1


def test_an_unclear_answer_without_a_run_says_so_and_starts_nothing(
    emulator: FabricEmulator, pipeline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FabricRunItemJobOperator, "_timing", Timing(visible_within=0.5))
    emulator.control.add_fault(method="POST", path="*/instances", count=1, phase="before", action="status", status=503)
    with pytest.raises(FabricJobMayBeRunning, match="No new instance"):
        TaskRunner(pipeline()).run()
    assert submits(emulator) == 0


def test_a_submit_that_dies_before_its_id_is_known_is_found_by_the_retry(
    emulator: FabricEmulator, pipeline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class WorkerDied(BaseException):
        pass

    def die(*_: Any, **__: Any) -> None:
        raise WorkerDied

    monkeypatch.setattr(FabricRunItemJobOperator, "_timing", Timing(visible_within=0.5))
    emulator.control.add_job_rule(duration_seconds=1.0)
    task = TaskRunner(pipeline())
    with monkeypatch.context() as patch:
        patch.setattr("airflow_provider_fabric.lifecycle.store.RunStore.started", die)
        with pytest.raises(WorkerDied):
            task.run()
    assert task.run()["status"] == "Completed"
    assert submits(emulator) == 1


def test_a_retry_reconnects_to_an_active_run(emulator: FabricEmulator, pipeline: Any) -> None:
    emulator.control.add_job_rule(duration_seconds=1.0)
    task = TaskRunner(pipeline())
    first = TaskRunner(pipeline(wait_for_termination=False), store=task.store).run()
    task.try_number = 1
    result = task.run()
    assert result["job_instance_id"] == first["job_instance_id"]
    assert submits(emulator) == 1


def test_a_retry_takes_the_result_of_a_run_that_completed_meanwhile(emulator: FabricEmulator, pipeline: Any) -> None:
    emulator.control.add_job_rule(duration_seconds=0.0)
    task = TaskRunner(pipeline())
    first = TaskRunner(pipeline(wait_for_termination=False), store=task.store).run()
    task.try_number = 1
    assert task.run()["job_instance_id"] == first["job_instance_id"]
    assert submits(emulator) == 1


@pytest.mark.parametrize("invisible_as", ["404", "NotFound"])
def test_a_retry_reconnects_to_a_run_that_is_not_visible_yet(
    emulator: FabricEmulator, pipeline: Any, invisible_as: str
) -> None:
    emulator.control.add_job_rule(visible_after_seconds=0.6, invisible_as=invisible_as, duration_seconds=1.0)
    task = TaskRunner(pipeline())
    first = TaskRunner(pipeline(wait_for_termination=False), store=task.store).run()
    task.try_number = 1
    assert task.run()["job_instance_id"] == first["job_instance_id"]
    assert submits(emulator) == 1


def test_a_refused_submit_is_no_reason_to_adopt_a_strangers_run(emulator: FabricEmulator, pipeline: Any) -> None:
    emulator.control.add_fault(method="POST", path="*/instances", count=1, action="status", status=403)
    task = TaskRunner(pipeline())
    with pytest.raises(FabricPermissionError):
        task.run()
    stranger = emulator.control.start_job(PIPELINE, "Execute", invoke_type="Manual")
    assert task.run()["job_instance_id"] != stranger
    assert submits(emulator) == 2


def test_a_retry_after_a_failed_run_starts_anew(emulator: FabricEmulator, pipeline: Any) -> None:
    emulator.control.add_job_rule(outcome="Failed", count=1)
    task = TaskRunner(pipeline())
    with pytest.raises(FabricJobFailed):
        task.run()
    assert task.run()["status"] == "Completed"
    assert submits(emulator) == 2


def test_durable_false_starts_anew(emulator: FabricEmulator, pipeline: Any) -> None:
    emulator.control.add_job_rule(duration_seconds=0.5)
    task = TaskRunner(pipeline(durable=False))
    TaskRunner(pipeline(wait_for_termination=False, durable=False), store=task.store).run()
    task.try_number = 1
    task.run()
    assert submits(emulator) == 2


def test_a_cleared_task_runs_again(emulator: FabricEmulator, pipeline: Any) -> None:
    task = TaskRunner(pipeline())
    first = task.run()
    task.clear()
    second = task.run()
    assert first["job_instance_id"] != second["job_instance_id"]


def test_clearing_a_running_task_cancels_its_run_first(emulator: FabricEmulator, pipeline: Any) -> None:
    emulator.control.add_job_rule(duration_seconds=60, cancel_seconds=0.2, count=1)
    task = TaskRunner(pipeline())
    task.try_number = 1
    TaskRunner(pipeline(wait_for_termination=False), store=task.store).run()
    task.try_number = 1
    task.clear()
    assert task.run()["status"] == "Completed"
    stats = emulator.control.stats()["jobs"]
    assert (stats["started"], stats["cancelled"]) == (2, 1)


def test_below_3_3_a_first_try_does_not_look_back(emulator: FabricEmulator, pipeline: Any) -> None:
    emulator.control.start_job(PIPELINE, "Execute", invoke_type="Manual")
    TaskRunner(pipeline(), store=None).run()
    assert submits(emulator) == 2


@pytest.mark.parametrize(("policy", "started"), [("submit", 2), ("attach", 1)])
def test_if_running(emulator: FabricEmulator, pipeline: Any, policy: str, started: int) -> None:
    emulator.control.add_job_rule(duration_seconds=0.6)
    emulator.control.start_job(PIPELINE, "Execute", invoke_type="Scheduled")
    assert TaskRunner(pipeline(if_running=policy)).run()["status"] == "Completed"
    assert submits(emulator) == started


@pytest.mark.parametrize(("policy", "error"), [("skip", AirflowSkipException), ("fail", FabricJobAlreadyRunning)])
def test_if_running_stops(emulator: FabricEmulator, pipeline: Any, policy: str, error: type[Exception]) -> None:
    emulator.control.add_job_rule(duration_seconds=5)
    running = emulator.control.start_job(PIPELINE, "Execute", invoke_type="Scheduled")
    with pytest.raises(error, match=running):
        TaskRunner(pipeline(if_running=policy)).run()
    assert submits(emulator) == 1


@pytest.mark.parametrize(("policy", "error"), [("fail", FabricJobDeduped), ("skip", AirflowSkipException)])
def test_deduped(emulator: FabricEmulator, pipeline: Any, policy: str, error: type[Exception]) -> None:
    emulator.control.add_job_rule(outcome="Deduped")
    with pytest.raises(error, match="Deduped"):
        TaskRunner(pipeline(on_deduped=policy)).run()


def test_deduped_attach_waits_for_the_other_run(emulator: FabricEmulator, pipeline: Any) -> None:
    emulator.control.add_job_rule(duration_seconds=1.0)
    other = emulator.control.start_job(PIPELINE, "Execute", invoke_type="Scheduled")
    emulator.control.add_job_rule(outcome="Deduped", duration_seconds=0.1)
    task = TaskRunner(pipeline(on_deduped="attach"))
    assert task.run()["job_instance_id"] == other
    assert task.xcoms["job_instance_id"] == other


def test_an_error_while_waiting_does_not_end_the_wait(emulator: FabricEmulator, pipeline: Any) -> None:
    emulator.control.add_job_rule(duration_seconds=1.5)
    for fault in (
        {"action": "status", "status": 503},
        {"action": "drop"},
        {"action": "status", "status": 429, "retry_after": 0},
        {"action": "garbage"},
        {"action": "status", "status": 401},
        {"action": "status", "status": 403, "error_code": "CapacityNotActive"},
        {"action": "status", "status": 400, "error_code": "CapacityNotActive"},
        {"action": "status", "status": 403, "error_code": "Forbidden", "is_retriable": True},
        {"action": "status", "status": 404, "error_code": "ItemNotFound", "is_retriable": True},
    ):
        emulator.control.add_fault(method="GET", path="*/jobs/instances*", count=1, **fault)
    assert TaskRunner(pipeline()).run()["status"] == "Completed"
    assert (submits(emulator), cancels(emulator)) == (1, 0)


def test_a_token_revoked_while_waiting(emulator: FabricEmulator, pipeline: Any) -> None:
    emulator.control.add_job_rule(duration_seconds=0.5)
    maker = pipeline()
    task = TaskRunner(maker)
    emulator.control.revoke_tokens()
    assert task.run()["status"] == "Completed"


def test_losing_the_right_to_look_says_that_the_run_may_go_on(emulator: FabricEmulator, pipeline: Any) -> None:
    emulator.control.add_job_rule(duration_seconds=60)
    emulator.control.add_fault(
        method="GET",
        path="*/jobs/instances*",
        count=None,
        action="status",
        status=403,
        error_code="InsufficientPrivileges",
    )
    with pytest.raises(FabricJobMayBeRunning, match="InsufficientPrivileges"):
        TaskRunner(pipeline()).run()
    assert cancels(emulator) == 0


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"workspace": "1234-5678-90ab-cdef-0000"}, "workspace"),
        ({"pipeline": "Nightly"}, "Nightly"),
        ({"parameters": {"x": float("nan")}}, "parameters"),
        ({"check_interval": 0}, "check_interval"),
        ({"timeout": -1}, "timeout"),
        ({"if_running": "maybe"}, "if_running"),
        ({"on_deduped": "maybe"}, "on_deduped"),
    ],
)
def test_bad_input_is_refused_before_a_submit(
    emulator: FabricEmulator, pipeline: Any, wrong: dict[str, Any], field: str
) -> None:
    with pytest.raises(FabricInputError, match=field):
        TaskRunner(pipeline(**wrong)).run()
    assert submits(emulator) == 0


def test_a_refused_submit_is_not_repeated(emulator: FabricEmulator, pipeline: Any) -> None:
    emulator.control.add_job_rule(refuse={"status": 403, "error_code": "InsufficientPrivileges", "message": "No."})
    with pytest.raises(FabricPermissionError, match="Grant the identity"):
        TaskRunner(pipeline()).run()
    routes = emulator.control.stats()["routes"]
    assert routes[SUBMIT] == {"403": 1}


def test_any_item_by_its_job_type(emulator: FabricEmulator) -> None:
    task = TaskRunner(
        lambda: FabricRunItemJobOperator(
            task_id="run",
            workspace="Emulator workspace",
            item="Daily load",
            job_type="Pipeline",
            execution_data={"parameters": {"region": "EU"}},
            check_interval=0.1,
        )
    )
    assert task.run()["status"] == "Completed"


def test_a_kill_cancels_the_run_once_and_ends_the_wait(
    emulator: FabricEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    emulator.control.add_job_rule(duration_seconds=60)
    task = FabricRunPipelineOperator(
        task_id="run", workspace=emulator.workspace_id, pipeline=PIPELINE, deferrable=False, check_interval=0.1
    )
    runner = TaskRunner(lambda: task)

    def kill_when_started() -> None:
        while task._execution is None or task._execution.run is None:
            started.wait(0.01)
        task.on_kill()
        task.on_kill()

    started = threading.Event()
    killer = threading.Thread(target=kill_when_started, daemon=True)
    killer.start()
    with pytest.raises(FabricJobCancelled):
        runner.run()
    killer.join()
    assert cancels(emulator) == 1
    assert cancel.KILL_SECONDS < 5
