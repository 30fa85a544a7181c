"""Calls that must not be sent twice: a worker dies, or is killed, after each of its requests in turn."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pytest

from airflow_provider_fabric.api.http.transport import RequestsDriver
from airflow_provider_fabric.compat import AirflowSkipException
from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.emulator.state.capacities import CAPACITY_NAME
from airflow_provider_fabric.exceptions import FabricBadRequestError, FabricJobCancelled, FabricOperationError
from airflow_provider_fabric.lifecycle.not_retried import FabricNotRetriedError
from airflow_provider_fabric.operators.capacity import FabricResumeCapacityOperator, FabricSuspendCapacityOperator
from airflow_provider_fabric.operators.lakehouse import FabricRefreshSqlEndpointOperator
from airflow_provider_fabric.operators.rest import FabricRestOperator
from airflow_provider_fabric.operators.user_data_function import FabricInvokeUserDataFunctionOperator
from tests.contract.operators.items import add_item
from tests.contract.operators.test_crash_steps import WorkerDied, dying_after
from tests.task_runner import TaskRunner

WORKSPACE = "Emulator workspace"


@dataclass(frozen=True)
class Case:
    """A task that sends one call, and the end of the call's path.

    :param follows: the call starts an operation.
    """

    make: Callable[..., Any]
    ending: str
    item: str
    follows: bool = True

    def task(self, **more: Any) -> TaskRunner:
        return TaskRunner(lambda: self.make(task_id="call", workspace=WORKSPACE, **more))


def rest(**more: Any) -> FabricRestOperator:
    path = "/workspaces/{workspace}/environments/{item}/staging/publish"
    given = {"method": "POST", "path": path, "item": "It", "query": {"beta": False}, "replay_safe": False}
    return FabricRestOperator(**{**given, **more})


def tables(**more: Any) -> FabricRefreshSqlEndpointOperator:
    return FabricRefreshSqlEndpointOperator(lakehouse="It", recreate_tables=True, **more)


def function(deferrable: bool, **more: Any) -> FabricInvokeUserDataFunctionOperator:
    return FabricInvokeUserDataFunctionOperator(user_data_function="It", function="add", **more)


CASES = [
    pytest.param(Case(rest, "/staging/publish", "Environment"), id="rest"),
    pytest.param(Case(tables, "/refreshMetadata", "Lakehouse"), id="recreate-tables"),
    pytest.param(Case(function, "/invoke", "UserDataFunction", follows=False), id="function"),
]
EACH = pytest.mark.parametrize("case", CASES)
BOTH = pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "triggerer"])


@pytest.fixture(autouse=True)
def quick(tenant: FabricEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_fabric.operators.capacity.settling_seconds", lambda: 0.1)


def as_new(tenant: FabricEmulator, case: Case, seconds: float = 0.1) -> None:
    tenant.control.reset()
    tenant.control.configure(lro_seconds=seconds, force_lro=True)
    more = {"tables": [{"name": "orders"}]} if case.item == "Lakehouse" else {}
    add_item(tenant, case.item, "It", **more)


def sent(tenant: FabricEmulator, ending: str) -> int:
    return sum(e["method"] == "POST" and e["path"].endswith(ending) for e in tenant.control.request_log())


def accepted(tenant: FabricEmulator, ending: str) -> int:
    log = tenant.control.request_log()
    return sum(e["method"] == "POST" and e["path"].endswith(ending) and e["status"] < 300 for e in log)


def run_until_accepted(task: TaskRunner) -> None:
    """Run attempts until none is refused: what an earlier one started may go on for a while."""
    for _ in range(50):
        try:
            task.run()
        except FabricBadRequestError as error:
            refused = error
        else:
            return
    raise refused


@EACH
@BOTH
def test_a_worker_dies_after_each_request(tenant: FabricEmulator, case: Case, deferrable: bool) -> None:
    ends = []
    for step in range(1, 40):
        as_new(tenant, case)
        task = case.task(deferrable=deferrable)
        try:
            with dying_after(step):
                task.run()
            break
        except WorkerDied:
            before = sent(tenant, case.ending)
        ends.append("done" if before else "sent later")
        try:
            task.run()
        except FabricNotRetriedError:
            ends[-1] = "may have been sent"
        assert sent(tenant, case.ending) == 1
        if ends[-1] == "may have been sent":
            with pytest.raises(FabricNotRetriedError, match="clear this task"):
                task.run()
            assert sent(tenant, case.ending) == 1
            task.clear()
            run_until_accepted(task)
            assert accepted(tenant, case.ending) == 2
    else:
        raise AssertionError("the task does not end")
    assert ends.count("may have been sent") == 1
    assert "sent later" in ends
    assert ("done" in ends) is (case.follows and not deferrable)  # otherwise no request follows the call


@EACH
@BOTH
def test_a_cleared_task_sends_again_when_the_operation_is_over(
    tenant: FabricEmulator, case: Case, deferrable: bool
) -> None:
    as_new(tenant, case)
    task = case.task(deferrable=deferrable)
    task.run()
    task.clear()
    task.run()
    assert sent(tenant, case.ending) == 2


@BOTH
def test_a_cleared_task_waits_for_the_operation_that_goes_on(tenant: FabricEmulator, deferrable: bool) -> None:
    case = Case(rest, "/staging/publish", "Environment")
    as_new(tenant, case, seconds=60)
    task = case.task(deferrable=deferrable, timeout=0.5)
    with pytest.raises(FabricNotRetriedError, match="goes on"):
        task.run()
    task.clear()
    with pytest.raises(FabricOperationError, match=r"before it was cleared.*goes on"):
        task.run()
    assert sent(tenant, case.ending) == 1


def dies_deferred(task: TaskRunner) -> None:
    """Let an attempt end while its task is deferred."""

    async def dying(trigger: Any) -> Any:
        raise WorkerDied

    task.first_event = dying  # type: ignore[method-assign]
    with pytest.raises(WorkerDied):
        task.run()
    del task.first_event


@pytest.mark.parametrize("case", CASES[:2])
def test_the_attempt_after_a_deferred_one_goes_on_waiting(tenant: FabricEmulator, case: Case) -> None:
    as_new(tenant, case)
    task = case.task(deferrable=True)
    dies_deferred(task)
    task.run()
    assert sent(tenant, case.ending) == 1


@BOTH
def test_an_attempt_with_another_body_takes_up_nothing(tenant: FabricEmulator, deferrable: bool) -> None:
    case = Case(rest, "/staging/publish", "Environment")
    as_new(tenant, case, seconds=60)
    task = case.task(deferrable=deferrable, query={"beta": False, "attempt": "{{ ti.try_number }}"})
    if deferrable:
        dies_deferred(task)
    else:
        with dying_after(4), pytest.raises(WorkerDied):  # workspaces, items, the call, its operation
            task.run()
    assert sent(tenant, case.ending) == 1
    with pytest.raises(FabricNotRetriedError, match="another path, query or body"):
        task.run()
    assert sent(tenant, case.ending) == 1


@pytest.mark.parametrize("error", [ValueError("no such key"), AirflowSkipException("nothing new")])
def test_a_filter_that_fails_sends_nothing_again(tenant: FabricEmulator, error: Exception) -> None:
    case = Case(rest, "/staging/publish", "Environment")
    as_new(tenant, case)

    def broken(_: Any) -> None:
        raise error

    task = case.task(deferrable=False, response_filter=broken)
    expected = AirflowSkipException if isinstance(error, AirflowSkipException) else FabricNotRetriedError
    with pytest.raises(expected, match=str(error)):
        task.run()
    assert sent(tenant, case.ending) == 1


# A task that is killed.


@contextmanager
def killed_after(requests: int, operators: list[Any]) -> Iterator[None]:
    """Kill the task when the answer to its n-th request is there; the process goes on for a while, as Airflow's do."""
    count = 0
    send = RequestsDriver._send

    def counted(self: RequestsDriver, runner: Any, request: Any, token: str) -> Any:
        nonlocal count
        answer = send(self, runner, request, token)
        count += 1
        if count == requests:
            operators[-1].on_kill()
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RequestsDriver, "_send", counted)
        yield


def kill_at_every_step(make: Callable[[], Any], reset: Callable[[], None], check: Callable[[TaskRunner], None]) -> int:
    """Kill the first attempt after its first, second, … request; return after how many it ended before."""
    for step in range(1, 40):
        reset()
        operators: list[Any] = []

        def made(operators: list[Any] = operators) -> Any:
            operators.append(make())
            return operators[-1]

        task = TaskRunner(made)
        with killed_after(step, operators):
            try:
                task.run()
            except FabricJobCancelled:
                pass
            else:
                return step
        check(task)
    raise AssertionError("the task does not end")


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Callable[[], str]:
    caplog.set_level("INFO")
    return lambda: "".join(capfd.readouterr()) + "\n".join(caplog.messages)


@pytest.mark.parametrize("case", CASES[:2])
def test_a_worker_is_killed_after_each_request(tenant: FabricEmulator, case: Case, logged: Callable[[], str]) -> None:
    """It sends nothing more; the next attempt goes on where it was."""

    def check(task: TaskRunner) -> None:
        before, log = sent(tenant, case.ending), logged()
        assert "The task is killed and sends nothing more." in log
        task.run()
        assert sent(tenant, case.ending) == 1
        if before:
            ends.append("goes on in Fabric: it cannot be cancelled" in log)

    ends: list[bool] = []
    made = lambda: case.make(task_id="call", workspace=WORKSPACE, deferrable=False)  # noqa: E731 - three words
    kill_at_every_step(made, lambda: as_new(tenant, case, seconds=0.5), check)
    assert True in ends


@EACH
def test_a_task_that_is_cleared_before_its_second_attempt_has_read_the_record_sends_the_call_again(
    tenant: FabricEmulator, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_new(tenant, case)
    operators: list[Any] = []

    def made() -> Any:
        operators.append(case.make(task_id="call", workspace=WORKSPACE, deferrable=False))
        return operators[-1]

    task = TaskRunner(made)
    for step in range(1, 40):
        with suppress(WorkerDied), dying_after(step):
            task.run()
        if sent(tenant, case.ending):
            break
    with monkeypatch.context() as patch, killed_after(1, operators):
        patch.setattr("airflow_provider_fabric.lifecycle.task_record.is_being_cleared", lambda _: True)
        with pytest.raises(FabricJobCancelled):
            task.run()
    run_until_accepted(task)
    assert accepted(tenant, case.ending) == 2


@pytest.mark.parametrize(
    ("kind", "before", "state"),
    [(FabricResumeCapacityOperator, "Paused", "Active"), (FabricSuspendCapacityOperator, "Active", "Paused")],
)
def test_a_capacity_whose_change_was_asked_for_goes_on(
    tenant: FabricEmulator, kind: Any, before: str, state: str, logged: Callable[[], str]
) -> None:
    def reset() -> None:
        tenant.control.reset()
        tenant.control.configure(capacity_seconds=1.0)
        tenant.control.seed(capacities=[{"name": CAPACITY_NAME, "state": before}])

    def asked() -> int:
        return sent(tenant, "/resume") + sent(tenant, "/suspend")

    def check(task: TaskRunner) -> None:
        was_asked, log = asked(), logged()
        assert "The task is killed and sends nothing more." in log
        assert task.run()["state"] == state
        assert asked() == 1
        if was_asked:
            ends.append("goes on in Fabric: it cannot be cancelled" in log)

    ends: list[bool] = []
    given = {"capacity": CAPACITY_NAME, "check_interval": 0.1, "timeout": 20, "deferrable": False}
    kill_at_every_step(lambda: kind(task_id="capacity", **given), reset, check)
    assert True in ends


CAPACITY = {"task_id": "c", "capacity": CAPACITY_NAME, "deferrable": True}


@pytest.mark.parametrize(
    ("make", "item", "text"),
    [
        (lambda: rest(task_id="c", workspace=WORKSPACE, deferrable=True), "Environment", "operation .* goes on"),
        (lambda: tables(task_id="c", workspace=WORKSPACE, deferrable=True), "Lakehouse", "operation .* goes on"),
        (lambda: FabricSuspendCapacityOperator(**CAPACITY), "Environment", "capacity .* to Paused goes on"),
    ],
)
def test_a_deferred_task_that_is_killed_logs_what_goes_on(
    tenant: FabricEmulator, make: Callable[[], Any], item: str, text: str, logged: Callable[[], str]
) -> None:
    tenant.control.configure(lro_seconds=60, force_lro=True, capacity_seconds=60)
    tenant.control.seed(capacities=[{"name": CAPACITY_NAME, "state": "Active"}])
    add_item(tenant, item, "It")
    task = TaskRunner(make)

    async def killed(trigger: Any) -> Any:
        _, arguments = trigger.serialize()
        await type(trigger)(**arguments).on_kill()
        raise WorkerDied

    task.first_event = killed  # type: ignore[method-assign]
    before = len(tenant.control.request_log())
    with pytest.raises(WorkerDied):
        task.run()
    after = tenant.control.request_log()[before:]
    assert sum(entry["method"] == "POST" and not entry["path"].endswith("token") for entry in after) == 1
    assert re.search(text + ".*cannot be cancelled", logged())
