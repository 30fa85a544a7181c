"""A try dies; the next one finds what it left behind. The real crashes are in ``tests/chaos``."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.exceptions import FabricJobCancelled, FabricJobMayBeRunning, FabricJobTimeout
from airflow_provider_fabric.lifecycle.options import EXECUTION_TIMEOUT_MARGIN, deadline
from airflow_provider_fabric.lifecycle.timing import Timing
from airflow_provider_fabric.operators.job import FabricRunItemJobOperator
from airflow_provider_fabric.operators.pipeline import FabricRunPipelineOperator
from tests.task_runner import StateStore, TaskRunner

from .items import add_item, wait_until_over


class WorkerDied(BaseException):
    """kill -9, as far as Python can tell it."""


@pytest.fixture(params=[False, True], ids=["synchronous", "deferrable"])
def pipeline(request: pytest.FixtureRequest, tenant: FabricEmulator) -> Callable[..., Callable[[], Any]]:
    """Return a maker of operators, in one mode or the other."""
    item = add_item(tenant, "DataPipeline", "Daily load")

    def maker(**arguments: Any) -> Callable[[], Any]:
        given = {"workspace": tenant.workspace_id, "pipeline": item, "check_interval": 0.1, **arguments}
        return lambda: FabricRunPipelineOperator(task_id="run", deferrable=request.param, **given)

    return maker


def shorten(monkeypatch: pytest.MonkeyPatch, **seconds: float) -> None:
    """Shorten the waits that are no arguments of an operator."""
    monkeypatch.setattr(FabricRunItemJobOperator, "_timing", Timing(**{"visible_within": 0.5, **seconds}))


def jobs(tenant: FabricEmulator) -> dict[str, int]:
    return dict(tenant.control.stats()["jobs"])


def die(*_: Any, **__: Any) -> None:
    raise WorkerDied


def test_a_submit_cut_short_is_found_though_its_run_is_visible_late(
    tenant: FabricEmulator, pipeline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten(monkeypatch, visible_within=2.0)
    tenant.control.add_job_rule(duration_seconds=2.0, visible_after_seconds=1.0)
    task = TaskRunner(pipeline())
    with monkeypatch.context() as patch:
        patch.setattr("airflow_provider_fabric.lifecycle.store.RunStore.started", die)
        with pytest.raises(WorkerDied):
            task.run()
    assert task.run()["status"] == "Completed"
    assert jobs(tenant)["started"] == 1


def cut_short(task: TaskRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a try that dies after its submit was accepted, before it learns the run's id."""
    shorten(monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr("airflow_provider_fabric.lifecycle.store.RunStore.started", die)
        with pytest.raises(WorkerDied):
            task.run()


def test_a_cleared_task_lets_the_run_of_a_submit_cut_short_end_and_runs_again(
    tenant: FabricEmulator, pipeline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was proven to be ours, so it may be cancelled; its parameters may not be those of the cleared task."""
    tenant.control.add_job_rule(duration_seconds=1.0)
    tenant.control.add_job_rule(duration_seconds=60.0, cancel_seconds=0.2, count=1)
    task = TaskRunner(pipeline())
    cut_short(task, monkeypatch)
    task.clear()
    assert task.run()["status"] == "Completed"
    seen = jobs(tenant)
    assert (seen["started"], seen["cancelled"]) == (2, 1)


def test_a_submit_cut_short_whose_run_waits_and_names_no_start_is_named(
    tenant: FabricEmulator, pipeline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have been asked for at any time: not adopted, not cancelled, and nothing is started beside it."""
    tenant.control.add_job_rule(duration_seconds=3.0, dated_after_seconds=2.5)
    task = TaskRunner(pipeline())
    cut_short(task, monkeypatch)
    for _ in range(2):
        with pytest.raises(FabricJobMayBeRunning, match="may be going on"):
            task.run()
    wait_until_over(tenant)
    with pytest.raises(FabricJobMayBeRunning):  # also once it is over, until a person clears the task
        task.run()
    assert (jobs(tenant)["started"], jobs(tenant)["cancel_requests"]) == (1, 0)
    task.clear()
    assert task.run()["status"] == "Completed"
    assert jobs(tenant)["started"] == 2


def test_a_cleared_task_starts_over_once_the_run_of_a_submit_cut_short_has_ended(
    tenant: FabricEmulator, pipeline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant.control.add_job_rule(duration_seconds=0.0)
    task = TaskRunner(pipeline())
    cut_short(task, monkeypatch)
    task.clear()
    assert task.run()["status"] == "Completed"
    assert jobs(tenant)["started"] == 2


def test_a_try_that_died_before_its_submit_is_not_waited_for_for_ever(
    tenant: FabricEmulator, pipeline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten(monkeypatch)
    task = TaskRunner(pipeline())
    with monkeypatch.context() as patch:
        patch.setattr("airflow_provider_fabric.lifecycle.backend.JobRuns.submit", die)
        with pytest.raises(WorkerDied):
            task.run()
    assert task.run()["status"] == "Completed"
    assert jobs(tenant)["started"] == 1


def test_the_result_of_a_finished_run_is_taken_without_deferring(tenant: FabricEmulator, pipeline: Any) -> None:
    tenant.control.add_job_rule(duration_seconds=0.0)
    task = TaskRunner(pipeline())
    first = TaskRunner(pipeline(wait_for_termination=False), store=task.store).run()
    task.try_number = 1
    assert task.run()["job_instance_id"] == first["job_instance_id"]
    assert task.deferrals == 0
    assert jobs(tenant)["started"] == 1


def test_a_retry_of_a_killed_try_waits_for_the_end_of_the_cancelled_run(tenant: FabricEmulator) -> None:
    item = add_item(tenant, "DataPipeline", "Daily load")
    tenant.control.add_job_rule(duration_seconds=60, cancel_seconds=1.0, count=1)
    store = StateStore()
    task = killed_while_waiting(tenant, item, store)
    assert jobs(tenant)["cancel_requests"] == 1
    assert task.run()["status"] == "Completed"
    seen = jobs(tenant)
    assert (seen["started"], seen["cancelled"]) == (2, 1)


def killed_while_waiting(tenant: FabricEmulator, item: str, store: StateStore, **arguments: Any) -> TaskRunner:
    """Return a task whose first try was ended by SIGTERM."""
    operators: list[FabricRunPipelineOperator] = []

    def make() -> FabricRunPipelineOperator:
        operators.append(
            FabricRunPipelineOperator(
                task_id="run",
                workspace=tenant.workspace_id,
                pipeline=item,
                deferrable=False,
                check_interval=0.1,
                **arguments,
            )
        )
        return operators[-1]

    def kill() -> None:
        while not operators or operators[0]._execution is None or operators[0]._execution.run is None:
            threading.Event().wait(0.01)
        operators[0].on_kill()

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    task = TaskRunner(make, store=store)
    with pytest.raises(FabricJobCancelled):
        task.run()
    killer.join()
    return task


def test_a_run_that_completed_after_it_was_to_be_cancelled_is_the_result(tenant: FabricEmulator, pipeline: Any) -> None:
    tenant.control.add_job_rule(duration_seconds=0.0)
    task = TaskRunner(pipeline())
    first = TaskRunner(pipeline(wait_for_termination=False), store=task.store).run()
    task.try_number = 1
    task.store.values["fabric_run"]["cancel_asked"] = True
    assert task.run()["job_instance_id"] == first["job_instance_id"]
    assert jobs(tenant)["started"] == 1


def test_a_run_that_ended_before_anybody_looked_is_not_late(tenant: FabricEmulator, pipeline: Any) -> None:
    tenant.control.configure(retry_after_seconds=30)
    tenant.control.add_job_rule(duration_seconds=0.1)
    assert TaskRunner(pipeline(timeout=1.0)).run()["status"] == "Completed"
    assert jobs(tenant)["cancel_requests"] == 0


def test_a_task_that_was_killed_meanwhile_starts_nothing(tenant: FabricEmulator) -> None:
    item = add_item(tenant, "DataPipeline", "Daily load")

    class Killed(FabricRunPipelineOperator):
        def check_parameters(self, *_: Any) -> None:
            self.on_kill()

    with pytest.raises(FabricJobCancelled, match="killed"):
        TaskRunner(lambda: Killed(task_id="run", workspace=tenant.workspace_id, pipeline=item)).run()
    assert jobs(tenant)["started"] == 0


def test_an_attached_run_is_not_cancelled_with_its_task(tenant: FabricEmulator) -> None:
    item = add_item(tenant, "DataPipeline", "Daily load")
    tenant.control.add_job_rule(duration_seconds=60)
    theirs = tenant.control.start_job(item)
    task = killed_while_waiting(tenant, item, StateStore(), if_running="attach")
    assert task.xcoms["job_instance_id"] == theirs
    task.clear()
    with pytest.raises(FabricJobTimeout, match="It goes on"):
        TaskRunner(
            lambda: FabricRunPipelineOperator(
                task_id="run", workspace=tenant.workspace_id, pipeline=item, if_running="attach", timeout=0.5
            ),
            store=task.store,
            try_number=1,
        ).run()
    assert (jobs(tenant)["started"], jobs(tenant)["cancel_requests"]) == (1, 0)


def test_an_attached_run_is_remembered(tenant: FabricEmulator, pipeline: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tenant.control.add_job_rule(duration_seconds=0.8)
    operator = pipeline(if_running="attach")
    theirs = tenant.control.start_job(operator().pipeline)
    task = TaskRunner(operator)
    with monkeypatch.context() as patch:
        patch.setattr("airflow_provider_fabric.lifecycle.execution.JobExecution._follow", die)
        with pytest.raises(WorkerDied):
            task.run()
    wait_until_over(tenant)
    assert task.run()["job_instance_id"] == theirs
    assert jobs(tenant)["started"] == 1


def test_operators_are_copied_with_their_dag(pipeline: Any) -> None:
    assert copy.deepcopy(pipeline()()).task_id == "run"


def test_the_timeout_counts_from_the_start_of_the_run(tenant: FabricEmulator, pipeline: Any) -> None:
    """Not from the start of the try, which may have to wait for the end of a cancelled run."""
    tenant.control.add_job_rule(duration_seconds=1.0)
    tenant.control.add_job_rule(duration_seconds=60, cancel_seconds=1.5, count=1)
    task = TaskRunner(pipeline(timeout=2.0))
    with pytest.raises(FabricJobTimeout):
        task.run()
    assert task.run()["status"] == "Completed"
    assert jobs(tenant)["started"] == 2


@pytest.mark.parametrize(
    ("timeout", "execution_timeout", "expected"),
    [(None, None, None), (None, 3600, 3600 - EXECUTION_TIMEOUT_MARGIN), (None, 10, 8), (5, 3600, 5), (900, 600, 540)],
)
def test_the_wait_ends_before_airflow_ends_the_task(
    timeout: float | None, execution_timeout: float | None, expected: float | None
) -> None:
    began = datetime.now(timezone.utc)
    limit = None if execution_timeout is None else timedelta(seconds=execution_timeout)
    ends = deadline(SimpleNamespace(timeout=timeout, execution_timeout=limit), began)
    assert ends == (expected if expected is None else pytest.approx(began.timestamp() + expected, abs=1))
