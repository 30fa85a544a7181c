"""A worker dies after each of its requests in turn; the next attempt ends well, and nothing was done twice.

For notebooks, SQL endpoints, capacities and REST calls. Real crashes of other jobs are in ``tests/chaos``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from airflow_provider_fabric.api.http.transport import RequestsDriver
from airflow_provider_fabric.compat import AirflowFailException
from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.emulator.state.capacities import CAPACITY_NAME
from airflow_provider_fabric.exceptions import FabricJobCancelled
from airflow_provider_fabric.lifecycle.timing import Timing
from airflow_provider_fabric.operators.capacity import FabricResumeCapacityOperator, FabricSuspendCapacityOperator
from airflow_provider_fabric.operators.job import FabricRunItemJobOperator
from airflow_provider_fabric.operators.lakehouse import FabricRefreshSqlEndpointOperator
from airflow_provider_fabric.operators.notebook import FabricRunNotebookOperator
from airflow_provider_fabric.operators.rest import FabricRestOperator
from airflow_provider_fabric.triggerer import shared
from tests.contract.operators.items import add_item
from tests.task_runner import TaskRunner


class WorkerDied(BaseException):
    """kill -9, as far as Python can tell it."""


@pytest.fixture(autouse=True)
def quick(tenant: FabricEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    tenant.control.configure(capacity_seconds=0.2, lro_seconds=0.2)
    monkeypatch.setattr(FabricRunItemJobOperator, "_timing", Timing(visible_within=0.5))
    monkeypatch.setattr("airflow_provider_fabric.lifecycle.execution.settling_seconds", lambda: 0.1)
    monkeypatch.setattr("airflow_provider_fabric.operators.capacity.settling_seconds", lambda: 0.1)


@contextmanager
def dying_after(requests: int) -> Iterator[list[str]]:
    """Let the worker die as soon as the answer to its n-th request is there, unread."""
    sent: list[str] = []
    send = RequestsDriver._send

    def counted(self: RequestsDriver, runner: Any, request: Any, token: str) -> Any:
        answer = send(self, runner, request, token)
        sent.append(request.method)
        if len(sent) == requests:
            raise WorkerDied
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RequestsDriver, "_send", counted)
        yield sent


def die_at_every_step(make: Callable[[], TaskRunner], check: Callable[[Any], None], reset: Callable[[], None]) -> int:
    """Run a task whose first attempt dies after its first, second, … request; return how many steps there are."""
    for step in range(1, 40):
        reset()
        task = make()
        with dying_after(step):
            try:
                check(task.run())
            except WorkerDied:
                pass
            else:
                return step - 1
        check(task.run())
    raise AssertionError("the task does not end")


def posts(tenant: FabricEmulator, ending: str) -> int:
    log = tenant.control.request_log()
    return sum(1 for e in log if e["method"] == "POST" and e["path"].endswith(ending) and e["status"] < 300)


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize("refused", [False, True], ids=["own-api", "api-of-all-items"])
def test_a_notebook(tenant: FabricEmulator, refused: bool, deferrable: bool) -> None:
    def reset() -> None:
        tenant.control.reset()
        tenant.control.configure(job_seconds=0.3, cancel_seconds=0.1)
        tenant.control.clear_faults()
        tenant.control.add_job_rule(exit_value="17", duration_seconds=0.3)
        add_item(tenant, "Notebook", "It")
        if refused:
            path = "*/notebooks/*/jobs/execute/instances"
            tenant.control.add_fault(method="POST", path=path, status=404, error_code="EntityNotFound", count=99)

    def check(result: Any) -> None:
        assert (result["status"], result["exit_value"]) == ("Completed", "17")
        assert tenant.control.stats()["jobs"]["started"] == 1

    given = {"workspace": "Emulator workspace", "notebook": "It", "session_tag": "etl", "check_interval": 0.1}

    def make() -> TaskRunner:
        return TaskRunner(lambda: FabricRunNotebookOperator(task_id="run", deferrable=deferrable, **given))

    assert die_at_every_step(make, check, reset) >= 4


def test_a_killed_notebook_is_cancelled(tenant: FabricEmulator) -> None:
    tenant.control.add_job_rule(duration_seconds=60, cancel_seconds=0.1)
    add_item(tenant, "Notebook", "It")
    operators: list[FabricRunNotebookOperator] = []

    def make() -> FabricRunNotebookOperator:
        given = {"workspace": "Emulator workspace", "notebook": "It", "session_tag": "etl", "check_interval": 0.1}
        operators.append(FabricRunNotebookOperator(task_id="run", deferrable=False, **given))
        return operators[-1]

    def kill() -> None:
        while not operators or operators[0]._execution is None or operators[0]._execution.run is None:
            threading.Event().wait(0.01)
        operators[0].on_kill()

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    with pytest.raises(FabricJobCancelled):
        TaskRunner(make).run()
    killer.join()
    jobs = tenant.control.stats()["jobs"]
    assert (jobs["started"], jobs["cancel_requests"]) == (1, 1)


def test_a_killed_deferred_notebook_is_cancelled(tenant: FabricEmulator) -> None:
    tenant.control.add_job_rule(duration_seconds=60, cancel_seconds=0.1)
    add_item(tenant, "Notebook", "It")
    given = {"workspace": "Emulator workspace", "notebook": "It", "session_tag": "etl", "check_interval": 0.1}
    task = TaskRunner(lambda: FabricRunNotebookOperator(task_id="run", deferrable=True, **given))

    async def killed(trigger: Any) -> Any:
        _, arguments = trigger.serialize()
        again = type(trigger)(**arguments)
        await again.on_kill()
        await shared.aclose()
        raise WorkerDied

    task.first_event = killed  # type: ignore[method-assign]
    with pytest.raises(WorkerDied):
        task.run()
    jobs = tenant.control.stats()["jobs"]
    assert (jobs["started"], jobs["cancel_requests"]) == (1, 1)


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_sql_endpoint(tenant: FabricEmulator, deferrable: bool) -> None:
    def reset() -> None:
        tenant.control.reset()
        tenant.control.configure(lro_seconds=0.2)
        add_item(tenant, "Lakehouse", "Bronze", tables=[{"name": "orders"}])

    def check(tables: Any) -> None:
        assert [table["tableName"] for table in tables] == ["orders"]
        assert 1 <= posts(tenant, "/refreshMetadata") <= 2  # refreshed twice is refreshed

    def make() -> TaskRunner:
        given = {"workspace": "Emulator workspace", "lakehouse": "Bronze", "deferrable": deferrable}
        return TaskRunner(lambda: FabricRefreshSqlEndpointOperator(task_id="refresh", **given))

    assert die_at_every_step(make, check, reset) >= 4


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize(
    ("kind", "before", "state"),
    [(FabricResumeCapacityOperator, "Paused", "Active"), (FabricSuspendCapacityOperator, "Active", "Paused")],
)
def test_a_capacity(tenant: FabricEmulator, kind: Any, before: str, state: str, deferrable: bool) -> None:
    def reset() -> None:
        tenant.control.reset()
        tenant.control.configure(capacity_seconds=0.2)
        tenant.control.seed(capacities=[{"name": CAPACITY_NAME, "state": before}])

    def check(result: Any) -> None:
        assert result["state"] == state
        assert posts(tenant, "/resume") + posts(tenant, "/suspend") == 1

    def make() -> TaskRunner:
        given = {"capacity": CAPACITY_NAME, "check_interval": 0.1, "timeout": 20, "deferrable": deferrable}
        return TaskRunner(lambda: kind(task_id="capacity", **given))

    assert die_at_every_step(make, check, reset) >= 3


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_rest_call_that_may_be_repeated(tenant: FabricEmulator, deferrable: bool) -> None:
    def reset() -> None:
        tenant.control.reset()
        tenant.control.configure(lro_seconds=0.2, force_lro=True)
        add_item(tenant, "DataPipeline", "It")

    def check(answer: Any) -> None:
        assert "definition" in answer

    path = "/workspaces/{workspace}/items/{item}/getDefinition"
    given = {"workspace": "Emulator workspace", "item": "It", "method": "POST", "path": path, "replay_safe": True}

    def make() -> TaskRunner:
        return TaskRunner(lambda: FabricRestOperator(task_id="call", deferrable=deferrable, **given))

    assert die_at_every_step(make, check, reset) >= 4


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize("replay_safe", [False, True])
def test_a_rest_call_whose_operation_takes_too_long(
    tenant: FabricEmulator, replay_safe: bool, deferrable: bool
) -> None:
    """It goes on: another attempt must not start it again, unless its author says that it may."""
    tenant.control.configure(lro_seconds=60, force_lro=True)
    add_item(tenant, "Environment", "It")
    task = TaskRunner(
        lambda: FabricRestOperator(
            task_id="call",
            workspace="Emulator workspace",
            item="It",
            method="POST",
            path="/workspaces/{workspace}/environments/{item}/staging/publish",
            query={"beta": False},
            replay_safe=replay_safe,
            deferrable=deferrable,
            timeout=0.5,
        )
    )
    with pytest.raises(Exception, match="goes on") as caught:
        task.run()
    assert isinstance(caught.value, AirflowFailException) is not replay_safe


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_rest_call_whose_operation_failed_may_be_retried(tenant: FabricEmulator, deferrable: bool) -> None:
    add_item(tenant, "Lakehouse", "Bronze")
    task = TaskRunner(
        lambda: FabricRestOperator(
            task_id="call",
            workspace="Emulator workspace",
            item="Bronze",
            method="POST",
            path="/workspaces/{workspace}/lakehouses/{item}/tables/orders/load",
            json={"relativePath": "Files/none.csv", "pathType": "File", "mode": "Append"},
            replay_safe=False,
            deferrable=deferrable,
        )
    )
    with pytest.raises(Exception, match="PathNotFound") as caught:
        task.run()
    assert not isinstance(caught.value, AirflowFailException)
    assert caught.value.error_code == "PathNotFound"
    assert caught.value.is_retriable is False
