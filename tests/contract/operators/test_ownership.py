"""Whose run is it? Answers are lost, attempts die, people start runs: no task takes another's run for its own."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_fabric.api.http.transport import RequestsDriver
from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.exceptions import (
    FabricInputError,
    FabricJobCancelled,
    FabricJobDeduped,
    FabricJobMayBeRunning,
    FabricJobTimeout,
    FabricPermissionError,
)
from airflow_provider_fabric.hooks.fabric import FabricHook
from airflow_provider_fabric.lifecycle import item_users
from airflow_provider_fabric.lifecycle.item_users import ItemUsers
from airflow_provider_fabric.lifecycle.timing import Timing
from airflow_provider_fabric.operators.job import FabricRunItemJobOperator
from airflow_provider_fabric.operators.pipeline import FabricRunPipelineOperator
from tests.task_runner import TaskInstance, TaskRunner
from tests.variables import Variables

from .items import add_item, wait_until_over

SUBMIT = {"method": "POST", "path": "*/jobs/*instances*"}
CANCEL = {"method": "POST", "path": "*/cancel"}
BEFORE = {**SUBMIT, "action": "status", "status": 503, "phase": "before", "count": 1}
AFTER = {**SUBMIT, "action": "status", "status": 503, "phase": "after", "count": 1}
DROPPED = {**SUBMIT, "action": "drop", "phase": "after", "count": 1}


class WorkerDied(BaseException):
    """kill -9, as far as Python can tell it."""


def die(*_: Any, **__: Any) -> None:
    raise WorkerDied


def die_at_the_post(patch: pytest.MonkeyPatch) -> None:
    """Let the worker die right before its submit leaves the machine."""
    send = RequestsDriver._send

    def dying(self: RequestsDriver, runner: Any, request: Any, token: str) -> Any:
        return die() if request.method == "POST" else send(self, runner, request, token)

    patch.setattr(RequestsDriver, "_send", dying)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = Timing(visible_within=1.0, old_run=3.0, cancel_patience=3.0)
    monkeypatch.setattr(FabricRunItemJobOperator, "_timing", quick)
    monkeypatch.setattr(item_users, "LONGEST_PAUSE", 0.0)


@pytest.fixture
def item(tenant: FabricEmulator) -> str:
    return add_item(tenant, "DataPipeline", "Daily load")


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """Return all that was logged: Airflow 3 writes to standard output, Airflow 2 to Python's loggers."""
    caplog.set_level("INFO")
    return lambda: "".join(capfd.readouterr()) + "\n".join(caplog.messages)


@pytest.fixture(params=[False, True], ids=["synchronous", "deferrable"])
def pipeline(request: pytest.FixtureRequest, tenant: FabricEmulator, item: str) -> Callable[..., Callable[[], Any]]:
    """Return a maker of operators, in one mode or the other."""

    def maker(**arguments: Any) -> Callable[[], Any]:
        given = {"workspace": tenant.workspace_id, "pipeline": item, "check_interval": 0.1, **arguments}
        given = {"deferrable": request.param, **given}
        return lambda: FabricRunPipelineOperator(task_id="run", **given)

    return maker


def one_operator(tenant: FabricEmulator, item: str) -> Callable[[], Any]:
    """Return a maker of operators that wait in the worker."""
    return lambda: FabricRunPipelineOperator(
        task_id="run", workspace=tenant.workspace_id, pipeline=item, deferrable=False, check_interval=0.1
    )


def jobs(tenant: FabricEmulator) -> dict[str, int]:
    return dict(tenant.control.stats()["jobs"])


# The other tasks of a DAG.


@dataclass
class Dag:
    """What Airflow's task API tells one task of the others: their states, and their XComs."""

    states: dict[str, dict[str, str]] = field(default_factory=dict)
    xcoms: dict[tuple[str, str, int, str], Any] = field(default_factory=dict)

    def instance(self, task: Any, index: int, run_id: str, **more: Any) -> TaskInstance:
        """Return a task instance that may ask."""
        ti = TaskInstance(task, map_index=index, run_id=run_id, **more)
        ti.get_task_states = self.get_task_states  # type: ignore[attr-defined]
        ti.xcom_pull = self.xcom_pull  # type: ignore[attr-defined]
        ti.xcom_push = (  # type: ignore[method-assign]
            lambda key, value, **_: self.xcoms.__setitem__((run_id, "run", index, key), value)
        )
        return ti

    def get_task_states(self, dag_id: str, task_ids: list[str]) -> dict[str, dict[str, str]]:
        return self.states

    def xcom_pull(self, *, dag_id: str, run_id: str, task_ids: str, map_indexes: int, key: str) -> Any:
        return self.xcoms.get((run_id, task_ids, map_indexes, key))

    def is_running(self, index: int, run_id: str = "run", state: str = "running") -> None:
        self.states.setdefault(run_id, {})["run" if index < 0 else f"run_{index}"] = state


@dataclass
class DagTask(TaskRunner):
    """A task among others of its DAG."""

    dag: Dag = field(default_factory=Dag)
    map_index: int = -1
    run_id: str = "run"

    def context(self, task: Any) -> dict[str, Any]:
        context = super().context(task)
        ti = self.dag.instance(task, self.map_index, self.run_id, try_number=self.try_number, max_tries=self.max_tries)
        return {**context, "ti": ti, "task_instance": ti}

    def run(self) -> Any:
        for key in ("job_instance_id", "job_instance_candidates"):  # as Airflow does before every attempt
            self.dag.xcoms.pop((self.run_id, "run", self.map_index, key), None)
        self.dag.is_running(self.map_index, self.run_id)
        try:
            result = super().run()
        except BaseException:
            self.dag.is_running(self.map_index, self.run_id, "up_for_retry")
            raise
        self.dag.is_running(self.map_index, self.run_id, "success")
        return result


def together(*tasks: TaskRunner) -> list[Any]:
    """Run tasks at the same time; return results and errors."""
    results: list[Any] = [None] * len(tasks)

    def run(number: int) -> None:
        try:
            results[number] = tasks[number].run()
        except Exception as error:  # noqa: BLE001 - judged by the caller
            results[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(tasks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def owners(results: list[Any]) -> list[str]:
    """Return the runs of the tasks that succeeded, after a look at those that did not."""
    for result in results:
        assert isinstance(result, dict | FabricJobMayBeRunning), result
    return [result["job_instance_id"] for result in results if isinstance(result, dict)]


SIBLINGS = {
    "mapped tasks": [(0, "run"), (1, "run"), (2, "run")],
    "DAG runs": [(-1, "monday"), (-1, "tuesday"), (-1, "wednesday")],
}


@pytest.mark.parametrize("places", SIBLINGS.values(), ids=SIBLINGS)
@pytest.mark.parametrize("fault", [BEFORE, AFTER, DROPPED], ids=["503 before", "503 after", "dropped after"])
@pytest.mark.parametrize("count", [1, 2])
def test_siblings_never_share_a_run(
    tenant: FabricEmulator, item: str, places: list[tuple[int, str]], fault: dict[str, Any], count: int
) -> None:
    tenant.control.add_job_rule(duration_seconds=0.5)
    tenant.control.add_fault(**{**fault, "count": count})
    dag = Dag()

    def operator(index: int) -> Callable[[], Any]:
        return lambda: FabricRunPipelineOperator(
            task_id="run",
            workspace=tenant.workspace_id,
            pipeline=item,
            deferrable=False,
            check_interval=0.1,
            parameters={"region": str(index)},
        )

    tasks = [
        DagTask(operator(number), dag=dag, map_index=index, run_id=run_id)
        for number, (index, run_id) in enumerate(places)
    ]
    results = together(*tasks)
    found = owners(results)
    assert len(set(found)) == len(found), "two tasks are green with one run"
    assert jobs(tenant)["started"] <= len(tasks)
    assert jobs(tenant)["cancel_requests"] == 0
    if count == 1:
        red = [number for number, result in enumerate(results) if isinstance(result, Exception)]
        assert len(red) == (1 if fault is BEFORE else 0)
        for number in red:  # all others have claimed theirs: it starts its own
            assert tasks[number].run()["job_instance_id"] not in found
        assert jobs(tenant)["started"] == len(tasks)


@pytest.mark.parametrize("state", ["running", "deferred", "up_for_retry"])
def test_a_sibling_that_has_published_nothing_may_own_the_only_run(
    tenant: FabricEmulator, pipeline: Any, state: str
) -> None:
    dag = Dag()
    dag.is_running(1, state=state)
    tenant.control.add_fault(**AFTER)
    task = DagTask(pipeline(), dag=dag, map_index=0)
    with pytest.raises(FabricJobMayBeRunning, match=r"run\[1\]"):
        task.run()
    dag.xcoms["run", "run", 1, "job_instance_id"] = "11111111-1111-4111-8111-111111111111"
    with pytest.raises(FabricJobMayBeRunning):  # red until a person clears it, whatever the others do
        task.run()
    assert jobs(tenant)["started"] == 1
    task.clear()
    assert task.run()["status"] == "Completed"
    assert jobs(tenant)["started"] == 2


class LateDag(Dag):
    """A DAG one of whose tasks begins, and starts its run, right after another's submit was answered unclearly."""

    begin: Callable[[], None] = staticmethod(lambda: None)

    def get_task_states(self, dag_id: str, task_ids: list[str]) -> dict[str, dict[str, str]]:
        states = {run: dict(tasks) for run, tasks in self.states.items()}
        begin, self.begin = self.begin, lambda: None
        begin()
        return states


@pytest.mark.parametrize("place", [(1, "run"), (-1, "tuesday")], ids=["mapped task", "DAG run"])
@pytest.mark.parametrize("before", [None, "queued"])
@pytest.mark.parametrize("after", ["running", "up_for_retry", "failed", "success"])
def test_a_sibling_that_begins_after_our_answer_may_own_the_only_run(
    tenant: FabricEmulator, item: str, place: tuple[int, str], before: str | None, after: str
) -> None:
    """It has not claimed its run: its own answer is unclear, or late, or it died, or XComs cannot be written."""
    tenant.control.add_fault(**BEFORE)
    dag, (index, run_id) = LateDag(), place
    if before:
        dag.is_running(index, run_id, before)

    def begin() -> None:
        tenant.control.start_job(item, "Execute", invoke_type="Manual")
        dag.is_running(index, run_id, after)

    dag.begin = begin  # type: ignore[method-assign]
    with pytest.raises(FabricJobMayBeRunning, match="have not yet recorded which run they started: run"):
        DagTask(one_operator(tenant, item), dag=dag, map_index=0 if index >= 0 else -1, run_id="run").run()


@pytest.mark.parametrize("place", [(1, "run"), (-1, "tuesday")], ids=["mapped task", "DAG run"])
def test_the_claim_of_a_sibling_that_begins_after_our_answer_counts(
    tenant: FabricEmulator, item: str, place: tuple[int, str]
) -> None:
    tenant.control.add_fault(**BEFORE)
    dag, (index, run_id) = LateDag(), place

    def begin() -> None:
        theirs = tenant.control.start_job(item, "Execute", invoke_type="Manual")
        dag.xcoms[run_id, "run", index, "job_instance_id"] = theirs
        dag.is_running(index, run_id, "success")

    dag.begin = begin  # type: ignore[method-assign]
    task = DagTask(one_operator(tenant, item), dag=dag, map_index=0 if index >= 0 else -1, run_id="run")
    with pytest.raises(FabricJobMayBeRunning, match="No new instance has appeared"):
        task.run()
    assert task.run()["status"] == "Completed"
    assert jobs(tenant)["started"] == 2


@pytest.mark.parametrize("state", ["failed", "up_for_retry"])
@pytest.mark.parametrize("started_nothing", [False, True], ids=["died", "refused"])
def test_a_sibling_that_ended_without_a_claim_may_own_the_run_unless_it_says_that_it_started_nothing(
    tenant: FabricEmulator, pipeline: Any, state: str, started_nothing: bool
) -> None:
    dag = Dag()
    if started_nothing:
        tenant.control.add_fault(**SUBMIT, action="status", status=403, error_code="InsufficientPrivileges", count=1)
        with pytest.raises(FabricPermissionError):
            DagTask(pipeline(), dag=dag, map_index=1).run()
    dag.is_running(1, state=state)
    tenant.control.add_fault(**AFTER)
    task = DagTask(pipeline(), dag=dag, map_index=0)
    if started_nothing:
        assert task.run()["status"] == "Completed"
        return
    with pytest.raises(FabricJobMayBeRunning, match=r"run\[1\]"):
        task.run()


@dataclass
class TwoDags(Dag):
    """What Airflow tells a task of our DAG, of which ``states`` and ``xcoms`` are, and of another DAG's tasks."""

    theirs: Dag = field(default_factory=Dag)

    def get_task_states(self, dag_id: str, task_ids: list[str]) -> dict[str, dict[str, str]]:
        return self.theirs.states if dag_id == "stock" else super().get_task_states(dag_id, task_ids)

    def xcom_pull(self, *, dag_id: str, run_id: str, task_ids: str, map_indexes: int, key: str) -> Any:
        of = self.theirs.xcoms if dag_id == "stock" else self.xcoms
        return of.get((run_id, task_ids, map_indexes, key))


def another_dag_runs(item: str) -> None:
    """A task ``run`` of DAG ``stock`` has run the item once."""
    ItemUsers(item, SimpleNamespace(dag_id="stock", task_id="run")).join()


@pytest.mark.parametrize("claimed", [False, True])
def test_a_run_that_another_dag_starts_in_the_same_second_is_not_adopted(
    tenant: FabricEmulator, pipeline: Any, item: str, claimed: bool
) -> None:
    """Its start lies between our request and the lost answer, as far as clocks can tell."""
    another_dag_runs(item)
    tenant.control.add_fault(**BEFORE)
    dag = TwoDags()
    dag.theirs.is_running(-1, "monday")
    started: list[str] = []

    def start_theirs(*, dag_id: str, **asked: Any) -> Any:
        if not started:
            started.append(tenant.control.start_job(item, "Execute", invoke_type="Manual"))
            if claimed:
                dag.theirs.xcoms["monday", "run", -1, "job_instance_id"] = started[0]
        return Dag.get_task_states(dag.theirs if dag_id == "stock" else dag, dag_id, [])

    dag.get_task_states = lambda dag_id, task_ids: start_theirs(dag_id=dag_id)  # type: ignore[method-assign]
    task = DagTask(pipeline(), dag=dag)
    with pytest.raises(FabricJobMayBeRunning, match="No new instance" if claimed else r"they started: stock\.run"):
        task.run()
    if claimed:
        assert task.run()["status"] == "Completed"
        assert jobs(tenant)["started"] == 2


def test_our_run_is_adopted_while_another_dag_runs_the_item_if_it_has_claimed_its_own(
    tenant: FabricEmulator, pipeline: Any, item: str
) -> None:
    another_dag_runs(item)
    dag = TwoDags()
    dag.theirs.is_running(-1, "monday")
    dag.theirs.xcoms["monday", "run", -1, "job_instance_id"] = tenant.control.start_job(item, "Execute")
    tenant.control.add_fault(**AFTER)
    assert DagTask(pipeline(), dag=dag).run()["status"] == "Completed"
    assert jobs(tenant)["started"] == 2


def test_what_other_dags_run_cannot_be_known_without_the_variable(
    tenant: FabricEmulator, pipeline: Any, item: str, variables: Variables, logged: Callable[[], str]
) -> None:
    variables.values[f"fabric_item:{item}"] = json.dumps("nonsense")
    tenant.control.add_fault(**AFTER)
    with pytest.raises(FabricJobMayBeRunning, match="does not say which tasks run the item"):
        DagTask(pipeline(), dag=Dag()).run()
    assert "Tasks of other DAGs cannot know that this one runs item" in logged()


def test_a_submit_that_was_accepted_unnamed_and_is_not_seen_is_not_repeated(
    tenant: FabricEmulator, pipeline: Any
) -> None:
    """Fabric said that there is a run: that the list does not show it is no proof that there is none."""
    tenant.control.add_fault(**SUBMIT, action="status", status=202, phase="before", count=1)
    task = TaskRunner(pipeline())
    for _ in range(2):
        with pytest.raises(FabricJobMayBeRunning, match="of an id that is not known") as raised:
            task.run()
        assert type(raised.value).__module__.endswith("final")
    assert jobs(tenant)["started"] == 0
    task.clear()
    assert task.run()["status"] == "Completed"
    assert jobs(tenant)["started"] == 1


def test_mapped_tasks_of_an_airflow_that_tells_nothing_adopt_nothing(tenant: FabricEmulator, pipeline: Any) -> None:
    tenant.control.add_fault(**AFTER)

    class Mapped(TaskRunner):
        def context(self, task: Any) -> dict[str, Any]:
            context = super().context(task)
            context["ti"].map_index = 3
            return context

    with pytest.raises(FabricJobMayBeRunning, match="does not tell"):
        Mapped(pipeline()).run()


def test_what_airflow_cannot_be_asked_is_not_assumed(tenant: FabricEmulator, pipeline: Any) -> None:
    class Broken(Dag):
        def get_task_states(self, dag_id: str, task_ids: list[str]) -> dict[str, dict[str, str]]:
            raise RuntimeError("the API server is gone")

    tenant.control.add_fault(**AFTER)
    with pytest.raises(FabricJobMayBeRunning, match="the API server is gone"):
        DagTask(pipeline(), dag=Broken()).run()


# Strangers.


@pytest.mark.parametrize("fault", [BEFORE, AFTER])
def test_a_run_that_somebody_starts_after_our_answer_is_not_adopted(
    tenant: FabricEmulator, pipeline: Any, item: str, fault: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FabricRunItemJobOperator, "_timing", Timing(visible_within=5.0))
    tenant.control.add_job_rule(duration_seconds=0.1)
    tenant.control.add_fault(**fault)
    task = TaskRunner(pipeline())
    stranger = threading.Timer(3.0, lambda: tenant.control.start_job(item, "Execute", invoke_type="Manual"))
    stranger.start()
    with pytest.raises(FabricJobMayBeRunning, match="may be going on"):
        task.run()
    stranger.join()
    assert jobs(tenant)["started"] == (1 if fault is BEFORE else 2)


def test_the_hook_does_not_adopt_it_either(tenant: FabricEmulator, item: str) -> None:
    tenant.control.add_fault(**BEFORE)
    stranger = threading.Timer(3.0, lambda: tenant.control.start_job(item, "Execute", invoke_type="Manual"))
    stranger.start()
    with pytest.raises(FabricJobMayBeRunning):
        FabricHook().run_item_job(tenant.workspace_id, item, "Execute", visible_within=5.0)
    stranger.join()


def test_the_hook_adopts_no_run_that_was_there_right_before(tenant: FabricEmulator, item: str) -> None:
    """It started in the very second of our submit, which the service refused without saying so."""
    tenant.control.add_job_rule(duration_seconds=30)
    tenant.control.add_fault(**BEFORE)
    tenant.control.start_job(item, "Execute", invoke_type="Manual")
    with pytest.raises(FabricJobMayBeRunning, match="no new instance has appeared"):
        FabricHook().run_item_job(tenant.workspace_id, item, "Execute", visible_within=1.0)
    assert jobs(tenant)["started"] == 1


@pytest.mark.parametrize("fault", [AFTER, DROPPED], ids=["503 after", "dropped after"])
def test_the_hook_adopts_the_run_that_it_started(tenant: FabricEmulator, item: str, fault: dict[str, Any]) -> None:
    tenant.control.add_job_rule(duration_seconds=30)
    tenant.control.add_fault(**fault)
    found = FabricHook().run_item_job(tenant.workspace_id, item, "Execute", visible_within=1.0)
    assert found.adopted
    (run,) = FabricHook().list_item_job_instances(tenant.workspace_id, item)
    assert run.id == found.job_instance_id


def test_the_hook_adopts_nothing_while_somebody_else_is_at_it(tenant: FabricEmulator, item: str) -> None:
    tenant.control.add_job_rule(duration_seconds=30)
    theirs = tenant.control.start_job(item, "Execute", invoke_type="Manual")
    time.sleep(2.0)  # Fabric's clock, as answers tell it, has whole seconds: theirs is surely the earlier run
    tenant.control.add_fault(**AFTER)
    with pytest.raises(FabricJobMayBeRunning, match=f"somebody else's run was active at that time .{theirs}"):
        FabricHook().run_item_job(tenant.workspace_id, item, "Execute", visible_within=1.0)
    assert jobs(tenant)["started"] == 2


@pytest.mark.parametrize(("dated_after", "at"), [(30.0, 0.5), (0.0, 1.8)], ids=["queued", "right before the POST"])
def test_a_run_that_somebody_starts_while_our_submit_is_throttled_is_not_adopted(
    tenant: FabricEmulator, pipeline: Any, item: str, dated_after: float, at: float
) -> None:
    """The list from before the pause does not hold it, and its start tells nothing."""
    tenant.control.add_job_rule(duration_seconds=3, dated_after_seconds=dated_after)
    tenant.control.add_fault(**SUBMIT, action="status", status=429, phase="before", count=1, retry_after=2)
    tenant.control.add_fault(**BEFORE)
    stranger = threading.Timer(at, lambda: tenant.control.start_job(item, "Execute", invoke_type="Manual"))
    stranger.start()
    # Its start may be too early by the service's clock for a run of ours: the pause is longer by chance.
    with pytest.raises(FabricJobMayBeRunning, match=r"whether it was there before the submit|No new instance"):
        TaskRunner(pipeline()).run()
    stranger.join()
    assert (jobs(tenant)["started"], jobs(tenant)["cancel_requests"]) == (1, 0)


@pytest.mark.parametrize("invoked", ["Scheduled", "EventTriggered", "Retry"])
def test_a_run_that_nobody_asked_for_is_not_adopted(
    tenant: FabricEmulator, pipeline: Any, item: str, invoked: str
) -> None:
    """It starts in the same second as our submit."""
    tenant.control.add_job_rule(duration_seconds=5)
    tenant.control.add_fault(**BEFORE)

    class Racing(FabricRunPipelineOperator):
        def check_parameters(self, *_: Any) -> None:
            threading.Timer(0.0, lambda: tenant.control.start_job(item, "Execute", invoke_type=invoked)).start()

    operator = pipeline()()
    task = TaskRunner(lambda: Racing(task_id="run", **{n: getattr(operator, n) for n in ("workspace", "pipeline")}))
    with pytest.raises(FabricJobMayBeRunning):
        task.run()
    assert jobs(tenant)["started"] == 1


def test_a_queued_run_from_before_is_neither_adopted_nor_cancelled(
    tenant: FabricEmulator, item: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant.control.add_job_rule(duration_seconds=60, dated_after_seconds=30)
    tenant.control.start_job(item, "Execute", invoke_type="Manual")
    tenant.control.add_job_rule(duration_seconds=0.1)
    operator = FabricRunPipelineOperator
    made: list[Any] = []

    def make() -> Any:
        given = {"workspace": tenant.workspace_id, "pipeline": item, "deferrable": False, "check_interval": 0.1}
        made.append(operator(task_id="run", **given))
        return made[-1]

    task = TaskRunner(make)
    with monkeypatch.context() as patch:
        die_at_the_post(patch)
        with pytest.raises(WorkerDied):
            task.run()
    assert task.run()["status"] == "Completed"
    made[-1].on_kill()
    assert (jobs(tenant)["started"], jobs(tenant)["cancel_requests"]) == (2, 0)


@pytest.mark.parametrize("choice", ["fail", "adopt"])
def test_an_item_that_others_start_too_can_do_without_adoption(
    tenant: FabricEmulator, pipeline: Any, choice: str
) -> None:
    tenant.control.add_fault(**AFTER)
    task = TaskRunner(pipeline(on_unclear_submit=choice))
    if choice == "adopt":
        assert task.run()["status"] == "Completed"
        return
    for _ in range(2):
        with pytest.raises(FabricJobMayBeRunning, match=r"on_unclear_submit='fail'|earlier attempt"):
            task.run()
    assert jobs(tenant)["started"] == 1


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"on_unclear_submit": "maybe"}, "on_unclear_submit"),
        ({"on_unclear_submit": None}, "on_unclear_submit"),
        *[({name: value}, name) for name in ("check_interval", "timeout") for value in (0, -1, True, "5")],
        *[({name: float(value)}, name) for name in ("check_interval", "timeout") for value in ("inf", "-inf", "nan")],
        ({"check_interval": None}, "check_interval"),
    ],
)
def test_wrong_arguments_are_named_before_anything_is_sent(
    tenant: FabricEmulator, pipeline: Any, wrong: dict[str, Any], field: str
) -> None:
    with pytest.raises(FabricInputError, match=field):
        TaskRunner(pipeline(**wrong)).run()
    assert jobs(tenant)["started"] == 0


# Interrupted submits, and clocks.


def test_a_kill_while_the_submit_is_throttled_leaves_a_strangers_run_alone(tenant: FabricEmulator, item: str) -> None:
    tenant.control.add_job_rule(duration_seconds=0.1)
    tenant.control.add_fault(**SUBMIT, action="status", status=429, retry_after=3, count=1)
    made: list[Any] = []

    def make() -> Any:
        made.append(
            FabricRunPipelineOperator(
                task_id="run", workspace=tenant.workspace_id, pipeline=item, deferrable=False, check_interval=0.1
            )
        )
        return made[-1]

    task = TaskRunner(make)
    threading.Timer(1.0, lambda: made[0].on_kill()).start()
    with pytest.raises(FabricJobCancelled):
        task.run()
    stranger = tenant.control.start_job(item, "Execute", invoke_type="Manual")
    wait_until_over(tenant)
    assert task.run()["job_instance_id"] != stranger
    assert (jobs(tenant)["started"], jobs(tenant)["cancel_requests"]) == (2, 0)


@pytest.fixture(params=[-250.0, -10.0, 3.0, 300.0])
def other_clock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return what moves the task to a worker whose clock is off; the service's clock stays."""
    off = SimpleNamespace(time=lambda: time.time() + request.param, monotonic=time.monotonic)

    def move() -> None:
        for name in ("execution", "old_run", "options", "request"):
            monkeypatch.setattr(f"airflow_provider_fabric.lifecycle.{name}.time", off)

    return move


def test_clocks_apart_lead_to_no_second_run_of_a_submit_cut_short(
    tenant: FabricEmulator, item: str, other_clock: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant.control.add_job_rule(duration_seconds=1.0)
    task = TaskRunner(one_operator(tenant, item))
    with monkeypatch.context() as patch:
        patch.setattr("airflow_provider_fabric.lifecycle.store.RunStore.started", die)
        with pytest.raises(WorkerDied):
            task.run()
    other_clock()
    assert task.run()["status"] == "Completed"
    assert jobs(tenant)["started"] == 1


def test_clocks_apart_lead_to_no_second_run_of_one_that_is_visible_late(
    tenant: FabricEmulator, item: str, other_clock: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant.control.add_job_rule(duration_seconds=1.5, visible_after_seconds=1.0)
    task = TaskRunner(one_operator(tenant, item))
    with monkeypatch.context() as patch:
        patch.setattr("airflow_provider_fabric.lifecycle.execution.JobExecution._follow", die)
        with pytest.raises(WorkerDied):
            task.run()
    other_clock()
    assert task.run()["status"] == "Completed"
    assert jobs(tenant)["started"] == 1


def test_a_submit_that_was_sent_long_after_its_record_is_found_though_its_run_is_visible_late(
    tenant: FabricEmulator, item: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant.control.add_job_rule(duration_seconds=2.0, visible_after_seconds=0.9)
    task = TaskRunner(one_operator(tenant, item))
    monkeypatch.setattr(FabricRunItemJobOperator, "_timing", Timing(visible_within=1.5))
    with monkeypatch.context() as patch:
        patch.setattr("airflow_provider_fabric.lifecycle.store.RunStore.started", die)
        with pytest.raises(WorkerDied):
            task.run()
    assert task.store is not None
    record = task.store.values["fabric_run"]
    record["since"] -= 10.0  # the worker stood still for so long before it sent the submit
    assert task.run()["status"] == "Completed"
    assert jobs(tenant)["started"] == 1


def test_clocks_apart_do_not_make_a_strangers_run_ours(
    tenant: FabricEmulator, item: str, other_clock: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = tenant.control.start_job(item, "Execute", invoke_type="Manual")
    task = TaskRunner(one_operator(tenant, item))
    with monkeypatch.context() as patch:
        die_at_the_post(patch)
        with pytest.raises(WorkerDied):
            task.run()
    other_clock()
    assert task.run()["job_instance_id"] != stranger
    assert jobs(tenant)["started"] == 2


def test_a_kill_while_it_is_not_known_which_run_is_ours_names_the_candidates(
    tenant: FabricEmulator, item: str, logged: Callable[[], str]
) -> None:
    tenant.control.add_job_rule(duration_seconds=30)
    tenant.control.add_fault(**AFTER)
    operator = FabricRunPipelineOperator(
        task_id="run", workspace=tenant.workspace_id, pipeline=item, deferrable=False, check_interval=0.1
    )
    threading.Timer(0.7, operator.on_kill).start()
    with pytest.raises(FabricJobCancelled):
        TaskRunner(lambda: operator).run()
    (run,) = FabricHook().list_item_job_instances(tenant.workspace_id, item)
    assert f"Not cancelled, and perhaps its own: {run.id}" in logged()
    assert jobs(tenant)["cancel_requests"] == 0


# Clears, cancels, timeouts.


def test_a_cleared_task_runs_again_though_its_author_lowered_retries(tenant: FabricEmulator, pipeline: Any) -> None:
    task = TaskRunner(pipeline(retries=1), max_tries=1)
    first = task.run()["job_instance_id"]
    task.operator = pipeline(retries=0)
    task.max_tries = task.try_number + 0  # as Airflow's clear computes it
    assert task.run()["job_instance_id"] != first
    assert jobs(tenant)["started"] == 2


def cleared_while_running(pipeline: Any) -> TaskRunner:
    """Return a task that was cleared while its run was going on."""
    task = TaskRunner(pipeline(), try_number=1)
    TaskRunner(pipeline(wait_for_termination=False), store=task.store).run()
    task.try_number = 1
    task.clear()
    return task


def test_a_refused_cancel_is_reported_and_the_old_run_waited_for(
    tenant: FabricEmulator, pipeline: Any, logged: Callable[[], str]
) -> None:
    tenant.control.add_job_rule(duration_seconds=2.0)
    tenant.control.add_fault(**CANCEL, action="status", status=403, error_code="InsufficientPrivileges", count=None)
    task = cleared_while_running(pipeline)
    assert task.run()["status"] == "Completed"
    assert jobs(tenant)["started"] == 2
    assert "refused: 403 InsufficientPrivileges. Waiting for its end, 3 s at most" in logged()
    runs = FabricHook().list_item_job_instances(tenant.workspace_id, task.operator().pipeline)
    assert runs[0].start_time_utc >= runs[1].end_time_utc, "the new run started beside the old one"


def test_an_old_run_that_does_not_end_in_time_leaves_the_task_red(tenant: FabricEmulator, pipeline: Any) -> None:
    tenant.control.add_job_rule(duration_seconds=60, cancel_seconds=60)
    task = cleared_while_running(pipeline)
    old = task.store.values["fabric_run"]["run"]["job"]["job_instance_id"]
    for _ in range(2):
        with pytest.raises(FabricJobMayBeRunning, match=old):
            task.run()
    assert jobs(tenant)["started"] == 1


@pytest.mark.parametrize("retry_after", [1, 2])
def test_a_throttled_cancel_after_the_timeout_is_patient(
    tenant: FabricEmulator, pipeline: Any, retry_after: int
) -> None:
    tenant.control.add_job_rule(duration_seconds=60)
    tenant.control.add_fault(**CANCEL, action="status", status=429, retry_after=retry_after, count=1)
    with pytest.raises(FabricJobTimeout, match="Fabric was asked to cancel it"):
        TaskRunner(pipeline(timeout=0.5)).run()
    assert jobs(tenant)["cancel_requests"] == 1


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ({"action": "status", "status": 403, "error_code": "InsufficientPrivileges"}, "refused: 403 Insufficient"),
        ({"action": "status", "status": 429, "retry_after": 60}, "refused: 429"),
        ({"action": "drop"}, "not reached"),
    ],
)
def test_the_error_says_what_became_of_the_cancel(
    tenant: FabricEmulator, pipeline: Any, fault: dict[str, Any], text: str
) -> None:
    tenant.control.add_job_rule(duration_seconds=60)
    tenant.control.add_fault(**CANCEL, count=None, **fault)
    with pytest.raises(FabricJobTimeout, match=text):
        TaskRunner(pipeline(timeout=0.5)).run()


def test_the_timeout_is_one_clock_over_all_attempts(
    tenant: FabricEmulator, pipeline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant.control.add_job_rule(duration_seconds=60)
    task = TaskRunner(pipeline(timeout=4.0))
    with monkeypatch.context() as patch:
        patch.setattr("airflow_provider_fabric.lifecycle.execution.JobExecution._follow", die)
        with pytest.raises(WorkerDied):
            task.run()
    time.sleep(2.5)  # what the first attempt used of the timeout: the clock is Airflow's record and the host's
    began = time.monotonic()
    with pytest.raises(FabricJobTimeout):
        task.run()
    assert time.monotonic() - began < 3.5


@pytest.mark.parametrize("cleared", [False, True], ids=["retried", "cleared"])
def test_a_404_that_may_pass_starts_no_second_run_beside_the_first(
    tenant: FabricEmulator, pipeline: Any, monkeypatch: pytest.MonkeyPatch, cleared: bool
) -> None:
    """The service says ``isRetriable``: the run is not found for now, which does not say that it is gone."""
    monkeypatch.setattr(FabricRunItemJobOperator, "_timing", Timing(visibility_grace=0.0, old_run=10.0))
    tenant.control.add_job_rule(duration_seconds=2.0)
    first = TaskRunner(pipeline(wait_for_termination=False), max_tries=1)
    id_ = first.run()["job_instance_id"]
    tenant.control.add_fault(
        method="GET",
        path="*/jobs/instances/*",
        action="status",
        status=404,
        error_code="ItemNotFound",
        is_retriable=True,
        count=8,
    )
    task = TaskRunner(pipeline(cancel_on_kill=False), store=first.store, max_tries=1, try_number=1)
    if cleared:
        task.try_number = 1
        task.clear()
    found = task.run()["job_instance_id"]
    assert (found == id_, jobs(tenant)["started"]) == ((False, 2) if cleared else (True, 1))
    if cleared:
        runs = FabricHook().list_item_job_instances(tenant.workspace_id, task.operator().pipeline)
        assert runs[0].start_time_utc >= runs[1].end_time_utc, "the new run started beside the old one"


# Deduped, other names, other items.


def test_the_run_that_was_active_when_ours_was_deduped_is_found_though_it_is_over(
    tenant: FabricEmulator, pipeline: Any, item: str
) -> None:
    tenant.control.add_job_rule(duration_seconds=0.6)
    other = tenant.control.start_job(item, "Execute", invoke_type="Scheduled")
    tenant.control.add_job_rule(outcome="Deduped", duration_seconds=0.1)
    task = TaskRunner(pipeline(on_deduped="attach", check_interval=2.0))
    assert task.run()["job_instance_id"] == other


def test_a_run_that_was_over_before_ours_was_deduped_is_not_taken(
    tenant: FabricEmulator, pipeline: Any, item: str
) -> None:
    tenant.control.add_job_rule(duration_seconds=0.1)
    tenant.control.start_job(item, "Execute", invoke_type="Manual")
    time.sleep(2.5)  # over for more than a whole second, by the service's clock in whole seconds
    tenant.control.add_job_rule(outcome="Deduped", duration_seconds=0.1)
    with pytest.raises(FabricJobDeduped, match="0 runs"):
        TaskRunner(pipeline(on_deduped="attach")).run()


@pytest.mark.parametrize("alias", ["Pipeline", "execute", "Refresh"])
def test_the_same_job_by_another_name_is_the_same_job(tenant: FabricEmulator, pipeline: Any, alias: str) -> None:
    tenant.control.add_job_rule(duration_seconds=1.0)
    task = TaskRunner(pipeline(job_type=alias))
    first = TaskRunner(pipeline(wait_for_termination=False), store=task.store).run()
    task.try_number = 1
    assert task.run()["job_instance_id"] == first["job_instance_id"]
    assert jobs(tenant)["started"] == 1


def test_a_retry_with_another_item_says_so_and_lets_the_old_run_end(
    tenant: FabricEmulator, pipeline: Any, logged: Callable[[], str]
) -> None:
    tenant.control.add_job_rule(duration_seconds=60, cancel_seconds=0.1, count=1)
    task = TaskRunner(pipeline())
    old = TaskRunner(pipeline(wait_for_termination=False), store=task.store).run()["job_instance_id"]
    task.try_number = 1
    task.operator = pipeline(pipeline=add_item(tenant, "DataPipeline", "Other load"))
    assert task.run()["status"] == "Completed"
    assert f"(job instance {old}); this one runs" in logged()
    assert (jobs(tenant)["started"], jobs(tenant)["cancelled"]) == (2, 1)


def test_a_run_that_was_attached_to_is_not_cancelled_by_a_clear(
    tenant: FabricEmulator, pipeline: Any, item: str
) -> None:
    tenant.control.add_job_rule(duration_seconds=1.5)
    theirs = tenant.control.start_job(item, "Execute", invoke_type="Manual")
    task = TaskRunner(pipeline(if_running="attach"))
    assert (
        TaskRunner(pipeline(if_running="attach", wait_for_termination=False), store=task.store).run()["job_instance_id"]
        == theirs
    )
    task.try_number = 1
    task.clear()
    task.run()
    assert jobs(tenant)["cancel_requests"] == 0


def test_a_task_whose_author_no_longer_attaches_takes_nobodys_run(
    tenant: FabricEmulator, pipeline: Any, item: str
) -> None:
    tenant.control.add_job_rule(duration_seconds=1.0)
    theirs = tenant.control.start_job(item, "Execute", invoke_type="Manual")
    task = TaskRunner(pipeline())
    TaskRunner(pipeline(if_running="attach", wait_for_termination=False), store=task.store).run()
    task.try_number = 1
    assert task.run()["job_instance_id"] != theirs


# What Airflow must keep to, and what may fail.


def test_an_xcom_that_cannot_be_written_fails_no_task(tenant: FabricEmulator, pipeline: Any) -> None:
    class Deaf(TaskRunner):
        def context(self, task: Any) -> dict[str, Any]:
            context = super().context(task)
            context["ti"].xcom_push = die_softly
            return context

    def die_softly(*_: Any, **__: Any) -> None:
        raise RuntimeError("no XCom today")

    assert Deaf(pipeline()).run()["status"] == "Completed"


def test_the_id_is_recorded_before_anything_else(tenant: FabricEmulator, pipeline: Any) -> None:
    order: list[str] = []

    class Watching(TaskRunner):
        def context(self, task: Any) -> dict[str, Any]:
            context = super().context(task)
            push = context["ti"].xcom_push
            context["ti"].xcom_push = lambda key, value, **_: (order.append(key), push(key, value))
            return context

    task = Watching(pipeline(deferrable=False))
    assert task.store is not None
    keep = task.store.set
    task.store.set = lambda key, value: (  # type: ignore[method-assign]
        order.append("run" if value.get("run") else "submitting"),
        keep(key, value),
    )
    task.run()
    assert order[:4] == ["submitting", "run", "job_instance_id", "run_url"]
