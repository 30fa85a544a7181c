"""A result that was handed on, and a task that ended in one way or another: a retry takes it, a cleared task never."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_fabric.compat_tasks import VariableStore
from airflow_provider_fabric.lifecycle.store import KEY, RunStore
from airflow_provider_fabric.operators.job import FabricRunItemJobOperator
from tests.flow_driver import ITEM, WORKSPACE
from tests.variables import Variables

from .attempts import Service, Task, Variable, WorkerDied, call_back
from .test_store import ASKED, RUN, WINDOW

WITH_VARIABLES = pytest.param(True, id="variable")
ANYWHERE = [WITH_VARIABLES, pytest.param(False, id="task state store")]

DEATHS = ["died before its XCom", "died after its XCom", "died as its success was recorded"]
ENDS = ["success", "skipped", "failed"]


@pytest.fixture(autouse=True)
def _record(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    monkeypatch.setattr(Task, "in_variable", parameters.get("in_variable", True))


@pytest.mark.parametrize(
    ("in_variable", "end"),
    [
        (True, "died before its XCom"),
        (True, "died after its XCom"),
        (False, "died before its XCom"),
        (True, "up_for_retry"),
        (False, "up_for_retry"),
    ],
)
@pytest.mark.parametrize("waits", [True, False])
def test_a_retry_takes_the_result_that_was_handed_on(in_variable: bool, end: str, waits: bool) -> None:
    """Whether the worker died, or something after the operator raised: ``post_execute``, a custom XCom backend."""
    service = Service()
    task = Task(service, {"wait_for_termination": waits})
    first = task.run(end)["job_instance_id"]
    service.sleep(1.0)
    assert task.run(end)["job_instance_id"] == first
    assert task.run()["job_instance_id"] == first
    assert (len(service.runs), service.runs[0].cancel_requests) == (1, 0)
    assert bool(task.store) is not in_variable


def test_a_run_that_fails_after_its_id_was_handed_on_is_no_result() -> None:
    service = Service()
    task = Task(service, {"wait_for_termination": False})
    first = task.run("died after its XCom")["job_instance_id"]
    service.runs[0].outcome = "Failed"
    service.sleep(300.0)
    assert task.run()["job_instance_id"] != first
    assert len(service.runs) == 2


@pytest.mark.parametrize(("before", "now"), [(2, 0), (2, 1), (2, 2), (2, 3), (1, 0), (0, 0), (0, 2), (5, 1)])
@pytest.mark.parametrize("attempts", [1, 2])
@pytest.mark.parametrize("end", [*ENDS, *DEATHS, "up_for_retry"])
@pytest.mark.parametrize("in_variable", ANYWHERE)
def test_a_cleared_task_runs_again_however_it_ended(
    in_variable: bool, end: str, attempts: int, before: int, now: int
) -> None:
    """Also one whose worker died with its result handed on, before or after its attempts were used up."""
    if attempts > before + 1:
        return
    service = Service()
    task = Task(service, retries=before, max_tries=before)
    if attempts == 2:
        task.run("died before its XCom")
    first = task.run(end)["job_instance_id"]
    task.clear(now)
    assert task.run()["job_instance_id"] != first
    assert len(service.runs) == 2


@pytest.mark.parametrize("end", [*ENDS, *DEATHS, "up_for_retry"])
@pytest.mark.parametrize("in_variable", ANYWHERE)
def test_the_same_task_of_a_dag_run_that_was_made_anew_runs_again(in_variable: bool, end: str) -> None:
    """The DAG run was deleted, and made anew with the same id (a backfill): the records of old attempts stay."""
    service = Service()
    task = Task(service)
    first = task.run(end)["job_instance_id"]
    task.make_anew()
    assert task.run()["job_instance_id"] != first
    assert len(service.runs) == 2


@pytest.mark.parametrize("in_variable", ANYWHERE)
def test_a_run_of_a_dag_run_that_was_deleted_is_over_before_another_starts(in_variable: bool) -> None:
    service = Service()

    def crash() -> None:
        raise WorkerDied

    service.at.append((service.now + 40.0, crash))
    task = Task(service)
    task.dies()
    task.make_anew()
    assert task.run()["job_instance_id"] == service.runs[1].id
    assert (len(service.runs), service.runs[0].cancel_requests) == (2, 1)
    assert service.runs[1].start >= service.runs[0].ends, "the new run started beside the old one"


@pytest.mark.parametrize("in_variable", ANYWHERE)
@pytest.mark.parametrize("waits", [True, False])
def test_a_task_that_executes_two_operators_starts_two_runs_and_cancels_none(in_variable: bool, waits: bool) -> None:
    """One after the other, in one attempt: the second takes no result of the first, and leaves its run alone."""
    service = Service()
    task = Task(service, {"wait_for_termination": waits})
    for _ in range(2):
        task.attempt = 0
        task.run("died before its XCom")
    assert len(service.runs) == 2
    assert [run.cancel_requests for run in service.runs] == [0, 0]


@pytest.mark.parametrize("in_variable", ANYWHERE)
@pytest.mark.parametrize("finished", [True, False])
def test_a_dag_run_made_anew_whose_first_worker_dies_at_once_takes_no_old_result(
    in_variable: bool, finished: bool
) -> None:
    """It died before it had started or written anything of its own: the second attempt knows all the same."""
    service = Service()

    def crash() -> None:
        raise WorkerDied

    task = Task(service, {"cancel_on_kill": False})
    if finished:
        task.run("died before its XCom")
    else:
        service.at.append((service.now + 40.0, crash))
        task.dies()
    task.make_anew()
    service.at.append((service.now + 0.01, crash))
    task.dies()
    service.sleep(300.0)
    assert task.run()["job_instance_id"] == service.runs[1].id
    assert len(service.runs) == 2


# Variables: nobody deletes them but we.


def attempt(run_id: str, number: int = 1, *, index: int = -1) -> tuple[RunStore, Any, Any]:
    """Return the store of one attempt, its operator and its context."""
    operator = FabricRunItemJobOperator(task_id="t", workspace=WORKSPACE, item=ITEM, job_type="Pipeline")
    ti = SimpleNamespace(max_tries=2, try_number=number, dag_id="d", run_id=run_id, task_id="t", map_index=index)
    ti.task = operator
    context = {"ti": ti, "task": operator, "task_state_store": VariableStore(ti)}
    return RunStore(context, True), operator, context


@pytest.mark.parametrize("end", ENDS)
def test_variables_do_not_grow_with_the_runs(variables: Variables, end: str) -> None:
    for day in range(50):
        for index in range(3):
            store, operator, context = attempt(f"scheduled__{day}", index=index)
            store.submitting(WINDOW, ASKED)
            store.started(RUN, 99.0, ASKED)
            store.delivered(waited=True)
            assert len(variables.values) == 1
            call_back(operator, end, context)
            assert variables.values == {}


def test_what_a_dead_worker_leaves_goes_with_the_retry(variables: Variables) -> None:
    store, *_ = attempt("r")
    store.started(RUN, 99.0, ASKED)
    store.delivered(waited=True)
    retry, operator, context = attempt("r", 2)
    record = retry.load()
    assert record is not None
    assert (record.run, record.cleared) == (RUN, False)
    retry.delivered(waited=True)
    call_back(operator, "up_for_retry", context)
    assert len(variables.values) == 1
    call_back(operator, "success", context)
    assert variables.values == {}


def test_a_slow_process_deletes_no_record_of_the_next_attempt(variables: Variables) -> None:
    """It was paused after its success was recorded; meanwhile the task was cleared and runs again."""
    store, operator, context = attempt("r")
    store.started(RUN, 99.0, ASKED)
    store.delivered(waited=True)
    attempt("r", 2)[0].submitting(WINDOW, ASKED)
    call_back(operator, "success", context)
    record = attempt("r", 3)[0].load()
    assert record is not None
    assert record.window == WINDOW


def test_a_result_whose_record_could_not_be_changed_is_forgotten_all_the_same(variables: Variables) -> None:
    store, operator, context = attempt("r")
    store.started(RUN, 99.0, ASKED)
    write = variables.set

    def refuse(*_: Any, **__: Any) -> None:
        raise RuntimeError("the API server is gone")

    variables.set = refuse  # type: ignore[method-assign]
    store.delivered(waited=True)
    variables.set = write  # type: ignore[method-assign]
    call_back(operator, "success", context)
    assert variables.values == {}


def test_an_authors_own_callbacks_are_called_too(variables: Variables) -> None:
    store, operator, context = attempt("r")
    called: list[bool] = []
    operator.on_success_callback = [lambda _: called.append(bool(variables.values))]
    store.started(RUN, 99.0, ASKED)
    store.delivered(waited=True)
    call_back(operator, "success", context)
    assert called == [False]


def test_a_task_that_airflow_does_not_call_back_forgets_its_result_at_once() -> None:
    values: dict[str, Any] = {}
    ti = SimpleNamespace(max_tries=2, try_number=1, dag_id="d", run_id="r", task_id="t", map_index=-1)
    store = RunStore({"ti": ti, "task_state_store": Variable(values)}, True)
    store.started(RUN, 99.0, ASKED)
    assert set(values) == {KEY}
    store.delivered(waited=True)
    assert values == {}


@pytest.mark.parametrize("alone", [False, True])
def test_a_callback_that_a_cluster_policy_sets_alone_is_called_too(variables: Variables, alone: bool) -> None:
    """An operator makes a list of what it is given; what is set later stays as it is."""
    store, operator, context = attempt("r")
    called: list[bool] = []

    def mine(_: Any) -> None:
        called.append(bool(variables.values))

    operator.on_success_callback = mine if alone else [mine]
    store.started(RUN, 99.0, ASKED)
    store.delivered(waited=True)
    call_back(operator, "success", context)
    assert (called, variables.values) == ([False], {})
