"""Two to four tasks share an item: whatever is answered, whoever dies, every green task has a run of its own.

Hypothesis plays the service, the scheduler and the accidents; the tasks are real executions of a real operator, each in
a greenlet that stops at every request and every pause. Nothing is patched: the hook is a third driver of flows.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import formatdate
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from airflow_provider_fabric.api.http.flow import Flow, Request, Response, Sleep, TransportFailure
from airflow_provider_fabric.api.jobs.service_time import ServiceClock
from airflow_provider_fabric.api.jobs.submit import submit_once
from airflow_provider_fabric.exceptions import FabricError, FabricJobMayBeRunning, FabricPermissionError
from airflow_provider_fabric.lifecycle.backend import JobRuns, JobSchedulerBackend
from airflow_provider_fabric.lifecycle.cancel import KillSignal
from airflow_provider_fabric.lifecycle.execution import JobExecution
from airflow_provider_fabric.operators.job import FabricRunItemJobOperator
from tests.flow_driver import ITEM, LOST, WORKSPACE, ok, page, refusal, wire_time

from .attempts import Variable, call_back

greenlet = pytest.importorskip("greenlet")

NOT_TOLD_APART = 20.0
"""Seconds around a submit of ours in which nobody else may start a run: that cannot be told from ours (the docs say so,
and ``on_unclear_submit="fail"`` is for items where it happens)."""


class WorkerDied(BaseException):
    """kill -9."""


@dataclass
class Run:
    """A run of the item.

    :param owner: number of the task whose submit started it; -1 for a stranger's.
    """

    owner: int
    start: float
    visible_at: float
    series: int
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "InProgress"
    cancelled_by: int | None = None
    dated_at: float | None = None
    """When it begins to run: a queued run names no start before."""
    listed_as: str = "Pipeline"
    region: int | None = None
    """The parameter that it was started with."""

    @property
    def shown_start(self) -> float:
        return self.start if self.dated_at is None else self.dated_at

    def to_wire(self, now: float) -> dict[str, Any]:
        return {
            "id": self.id,
            "itemId": ITEM,
            "jobType": self.listed_as,
            "invokeType": "Manual",
            "status": self.status,
            "startTimeUtc": wire_time(self.shown_start) if self.shown_start <= now else None,
            "endTimeUtc": None if self.status == "InProgress" else wire_time(now),
            "failureReason": None,
        }


class World:
    """The service, its clock, and what Airflow tells tasks of each other."""

    def __init__(self) -> None:
        self.now = 1_750_000_000.37
        self.runs: list[Run] = []
        self.xcoms: dict[tuple[int, str], Any] = {}
        self.tasks: list[Task] = []
        self.in_variables = False
        """Whether a record is a variable, as in Airflow 3.0 to 3.2."""

    def get_task_states(self, dag_id: str, task_ids: list[str]) -> dict[str, dict[str, str]]:
        return {"run": {f"run_{task.number}": task.state for task in self.tasks if task.state}}

    def xcom_pull(self, *, dag_id: str, run_id: str, task_ids: str, map_indexes: int, key: str) -> Any:
        return self.xcoms.get((map_indexes, key))


class Hook:
    """A hook whose flows stop at every step, until somebody says what came of it."""

    def __init__(self, switch: Callable[[Any], Any]) -> None:
        self._switch = switch

    def resolve_workspace(self, workspace: str) -> str:
        return WORKSPACE

    def resolve_item(self, workspace_id: str, item: str, item_type: str | None) -> str:
        return ITEM

    def get_conn(self) -> Any:
        return SimpleNamespace(host="https://api.fabric.microsoft.com", local_cache=False)

    def run(self, flow: Flow[Any]) -> Any:
        answer: Any = None
        try:
            while True:
                answer = self._switch(flow.send(answer))
        except StopIteration as end:
            return end.value
        finally:
            flow.close()


class Task:
    """A mapped task instance over its attempts."""

    def __init__(self, world: World, number: int, skew: float) -> None:
        self.world, self.number, self.skew = world, number, skew
        self.store: dict[str, Any] = {}
        self.attempt, self.retries, self.max_tries, self.series = 0, 2, 2, 0
        self.state: str | None = None
        self.result: dict[str, Any] | None = None
        self.error: BaseException | None = None
        self.step: Any = None
        self.wake_at = 0.0
        self.sent: list[float] = []
        self.region = self.runs_with = 0
        self.unresolved_until = 0.0
        self.at_end = "success"
        """What becomes of the next result that it hands on."""
        self.untidy = False
        self.handed_on: tuple[str, int, int] | None = None
        """A run whose result an attempt handed on that died: its id, and the series and parameter of that attempt."""

    def begin(self) -> None:
        """Start an attempt."""
        self.attempt += 1
        self.had_xcoms = [key for number, key in self.world.xcoms if number == self.number]
        self.runs_with = self.region
        self.result = self.error = None
        self.world.xcoms = {key: value for key, value in self.world.xcoms.items() if key[0] != self.number}
        self.state = "running"
        self._greenlet = greenlet.greenlet(self._execute)
        self._go(None)

    def _execute(self, _: Any) -> dict[str, Any]:
        operator = self.operator = FabricRunItemJobOperator(
            task_id="run",
            workspace=WORKSPACE,
            item=ITEM,
            job_type="Pipeline",
            execution_data={"parameters": {"region": self.runs_with}},
            deferrable=False,
            retries=self.retries,
            check_interval=30.0,
        )
        hook = Hook(greenlet.getcurrent().parent.switch)
        operator.__dict__["hook"] = hook
        ti = SimpleNamespace(
            dag_id="dag",
            run_id="run",
            task_id="run",
            map_index=self.number,
            task=operator,
            try_number=self.attempt,
            max_tries=self.max_tries,
            start_date=datetime.now(timezone.utc),
            get_task_states=self.world.get_task_states,
            xcom_pull=self.world.xcom_pull,
            xcom_push=lambda key, value, **_: self.world.xcoms.__setitem__((self.number, key), value),
            _ti_context_from_server=SimpleNamespace(xcom_keys_to_clear=self.had_xcoms),
        )
        task_state = SimpleNamespace(get=self.store.get, set=self.store.__setitem__)
        store = Variable(self.store) if self.world.in_variables else task_state
        context = {"ti": ti, "task": operator, "task_state_store": store}
        backend = JobSchedulerBackend()
        execution = JobExecution(operator, context, backend, KillSignal())  # type: ignore[arg-type]
        clock = ServiceClock(lambda: self.world.now + self.skew)
        execution.runs = JobRuns(hook, backend, clock)  # type: ignore[arg-type]
        result: dict[str, Any] = execution.start()
        return result

    def _go(self, answer: Any) -> None:
        try:
            found = self._greenlet.switch(answer)
        except FabricError as error:
            self._ended("failed" if type(error).__module__.endswith("final") else "up_for_retry", error=error)
            return
        if self._greenlet.dead:
            self._hands_on(found)
            return
        self.step = found
        if isinstance(found, Sleep):
            self.wake_at = self.world.now + found.seconds

    def _hands_on(self, result: dict[str, Any]) -> None:
        """End well, or die on the way there."""
        how, self.at_end = self.at_end, "success"
        if how not in ("died before its XCom", "up_for_retry"):
            self.world.xcoms[self.number, "return_value"] = result
        if how in ("success", "up_for_retry"):
            call_back(self.operator, how, None)
        self.untidy = how != "success"
        ended = how in ("success", "died as its success was recorded")
        self._ended("success" if ended else "up_for_retry", result=result if ended else None)
        if not ended:
            self.handed_on = (result["job_instance_id"], self.series, self.runs_with)

    def _ended(self, state: str, *, result: Any = None, error: BaseException | None = None) -> None:
        self.step, self.state, self.result, self.error = None, state, result, error

    def answer(self, answer: Any) -> None:
        self._go(answer)

    def die(self) -> None:
        """kill -9."""
        with pytest.raises(WorkerDied):
            self._greenlet.throw(WorkerDied)
        self._ended("up_for_retry")

    def wants(self, method: str, ending: str) -> bool:
        return isinstance(self.step, Request) and self.step.method == method and self.step.path.endswith(ending)

    @property
    def submits(self) -> bool:
        return self.wants("POST", "/instances")


ENDS = ["died before its XCom", "died after its XCom", "up_for_retry", "died as its success was recorded"]

numbers = st.integers(0, 3)
moments = st.sampled_from([0.0, 0.01, 0.3, 1.0, 4.0])


class OneOwner(RuleBasedStateMachine):
    """A service and a scheduler that do whatever hypothesis likes."""

    @initialize(
        skews=st.lists(st.sampled_from([0.0, -300.0, 10.0, 300.0]), min_size=2, max_size=4),
        dated=st.sampled_from([True, True, True, False]),
        listed_as=st.sampled_from(["Pipeline", "Pipeline", "Refresh", "Reload"]),
        in_variables=st.booleans(),
    )
    def begin(self, skews: list[float], dated: bool, listed_as: str, in_variables: bool) -> None:
        self.is_dated, self.listed_as = dated, listed_as
        self.world = World()
        self.world.in_variables = in_variables
        self.world.tasks = [Task(self.world, number, skew) for number, skew in enumerate(skews)]

    def task(self, number: int) -> Task:
        return self.world.tasks[number % len(self.world.tasks)]

    def accept(self, task: Task, late: float) -> Run:
        now = self.world.now
        region = task.step.json["executionData"]["parameters"]["region"]
        run = Run(task.number, now, now + late, task.series, listed_as=self.listed_as, region=region)
        self.world.runs.append(run)
        return run

    # Airflow.

    @rule(number=numbers)
    def schedule(self, number: int) -> None:
        task = self.task(number)
        if task.state in (None, "up_for_retry") and task.attempt <= task.max_tries:
            task.begin()

    @rule(number=numbers, retries=st.sampled_from([2, 2, 2, 0, 1, 3]))
    def clear(self, number: int, retries: int) -> None:
        """Clear a task, perhaps after its author has changed its retries."""
        task = self.task(number)
        if task.state in ("success", "failed") or (task.state == "up_for_retry" and task.handed_on):
            task.retries, task.max_tries = retries, task.attempt + retries
            task.series, task.state = task.series + 1, None

    @rule(number=numbers)
    def make_the_dag_run_anew(self, number: int) -> None:
        """Delete it, and make another of the same id: its tasks' records stay."""
        task = self.task(number)
        if task.step is None:
            task.attempt, task.max_tries, task.series, task.state = 0, task.retries, task.series + 1, None
            self.world.xcoms = {key: value for key, value in self.world.xcoms.items() if key[0] != task.number}

    @rule(number=numbers, how=st.sampled_from(ENDS))
    def end_badly(self, number: int, how: str) -> None:
        """Its next result is handed on, but what happens then is no plain success."""
        task = self.task(number)
        if self.world.in_variables or how != "died after its XCom":  # Airflow 3.3 takes that for a success
            task.at_end = how

    @rule(number=numbers)
    def edit_a_parameter(self, number: int) -> None:
        """Its author does, between two attempts."""
        if self.task(number).step is None:
            self.task(number).region += 1

    @rule(number=numbers, accepted=st.booleans(), late=st.sampled_from([0.0, 20.0]))
    def kill(self, number: int, accepted: bool, late: float) -> None:
        task = self.task(number)
        if task.step is None:
            return
        if task.submits:
            task.sent.append(self.world.now)
            if accepted:
                self.accept(task, late)
        task.die()

    # The service.

    @rule(
        number=numbers,
        how=st.sampled_from(["accepted", "accepted", "503", "lost"]),
        late=st.sampled_from([0.0, 20.0, 50.0]),
    )
    def accept_submit(self, number: int, how: str, late: float) -> None:
        task = self.task(number)
        if not task.submits:
            return
        task.sent.append(self.world.now)
        run = self.accept(task, late)
        answers = {"accepted": ok(status=202, x_ms_job_id=run.id), "503": self.dated(refusal(503)), "lost": LOST}
        task.answer(answers[how])

    @rule(number=numbers, how=st.sampled_from(["503", "lost", "429", "403"]))
    def do_not_accept_submit(self, number: int, how: str) -> None:
        task = self.task(number)
        if not task.submits:
            return
        if how in ("503", "lost"):
            task.sent.append(self.world.now)
        answers: dict[str, Response | TransportFailure] = {
            "503": self.dated(refusal(503)),
            "lost": LOST,
            "429": self.dated(refusal(429, retry_after="20")),
            "403": refusal(403, "InsufficientPrivileges"),
        }
        task.answer(answers[how])

    def dated(self, answer: Response) -> Response:
        if not self.is_dated:
            return answer
        return Response(answer.status, {**answer.headers, "date": formatdate(self.world.now, usegmt=True)}, answer.body)

    @rule(number=numbers, times=st.integers(1, 12))
    def go_on(self, number: int, times: int) -> None:
        """Let a task go on with all that is no submit."""
        task = self.task(number)
        for _ in range(times):
            if task.step is None or task.submits:
                return
            self.serve(task)

    def serve(self, task: Task) -> None:
        if isinstance(task.step, Sleep):
            self.world.now = max(self.world.now, task.wake_at)
            task.answer(None)
        elif task.wants("POST", "/cancel"):
            self.cancel(task)
        elif task.wants("GET", "/jobs/instances"):
            seen = [run.to_wire(self.world.now) for run in self.world.runs if run.visible_at <= self.world.now]
            task.answer(self.dated(page(*seen)))
        else:
            id_ = task.step.path.rpartition("/")[2]
            found = [run for run in self.world.runs if run.id == id_ and run.visible_at <= self.world.now]
            task.answer(self.dated(ok(found[0].to_wire(self.world.now)) if found else refusal(404)))

    def cancel(self, task: Task) -> None:
        id_ = task.step.path.split("/")[-2]
        (run,) = (run for run in self.world.runs if run.id == id_)
        run.cancelled_by = task.number
        if run.status == "InProgress":
            run.status = "Cancelled"
        task.answer(ok(status=202))

    @rule(seconds=moments)
    def wait(self, seconds: float) -> None:
        self.world.now += seconds

    @precondition(lambda self: any(run.status == "InProgress" for run in self.world.runs))
    @rule(number=st.integers(0, 9), status=st.sampled_from(["Completed", "Completed", "Failed"]))
    def end_a_run(self, number: int, status: str) -> None:
        active = [run for run in self.world.runs if run.status == "InProgress"]
        active[number % len(active)].status = status

    @rule(queued_for=st.sampled_from([None, 20.5, 40.0, 90.0]))
    def a_stranger_starts_a_run(self, queued_for: float | None) -> None:
        """Not in the seconds around a submit of ours, when nobody could tell; it may begin to run at any time."""
        sent = [moment for task in self.world.tasks for moment in task.sent]
        near = any(abs(self.world.now - moment) < NOT_TOLD_APART for moment in sent)
        if near or any(task.submits for task in self.world.tasks):
            return
        dated_at = None if queued_for is None else self.world.now + queued_for
        self.world.runs.append(Run(-1, self.world.now, self.world.now, 0, dated_at=dated_at, listed_as=self.listed_as))
        self.world.now += NOT_TOLD_APART

    @rule(number=numbers, accepted=st.booleans(), after=st.sampled_from([-0.2, 0.0, 0.2]))
    def a_stranger_is_at_it_and_starts_one_in_the_second_of_ours(
        self, number: int, accepted: bool, after: float
    ) -> None:
        """Whoever has an active run of the item may start another at any time."""
        strangers, task = len(self.world.runs), self.task(number)
        self.a_stranger_starts_a_run(None)
        if len(self.world.runs) == strangers:
            return
        self.schedule(number)
        self.go_on(number, 12)
        if not task.submits:
            return
        now = self.world.now
        self.world.runs.append(Run(-1, now + after, now + max(after, 0.0), 0, listed_as=self.listed_as))
        if accepted:
            self.accept_submit(number, "503", 0.0)
        else:
            self.do_not_accept_submit(number, "503")
        self.go_on(number, 40)

    @rule(how=st.sampled_from(["accepted", "503", "no 503"]), stranger=st.sampled_from([None, 2.5, 30.0]))
    def a_script_submits_by_the_hook(self, how: str, stranger: float | None) -> None:
        """It knows of nobody's claims; like any stranger's, its runs are told from ours by their time."""
        sent = [moment for task in self.world.tasks for moment in task.sent]
        if any(abs(self.world.now - moment) < NOT_TOLD_APART for moment in sent) or any(
            task.submits for task in self.world.tasks
        ):
            return
        own: list[Run] = []
        flow = submit_once(WORKSPACE, ITEM, "Pipeline", clock=lambda: self.world.now)
        answer: Any = None
        try:
            while True:
                step = flow.send(answer)
                answer = None
                if isinstance(step, Sleep):
                    self.world.now += step.seconds
                    if stranger is not None and own and self.world.now > own[0].start + stranger:
                        start = own[0].start + stranger
                        self.world.runs.append(Run(-1, start, start, 0, listed_as=self.listed_as))
                        stranger = None
                elif step.method == "GET":
                    seen = [run.to_wire(self.world.now) for run in self.world.runs if run.visible_at <= self.world.now]
                    answer = self.dated(page(*seen))
                else:
                    own.append(Run(-2, self.world.now, self.world.now, 0, listed_as=self.listed_as))
                    if not how.startswith("no"):
                        self.world.runs.append(own[0])
                    answer = ok(status=202, x_ms_job_id=own[0].id) if how == "accepted" else self.dated(refusal(503))
        except StopIteration as end:
            taken = end.value.job_instance_id
        except FabricJobMayBeRunning:
            taken = None
        assert taken in (None, own[0].id), "a script took a run for its own that it did not start"
        assert not (taken and how.startswith("no")), "a script took a run though it started none"
        assert taken or how != "accepted"
        self.world.now += NOT_TOLD_APART

    @rule(
        hows=st.lists(st.sampled_from(["accepted", "503", "lost", "no 503", "no lost", "died", "no died"]), max_size=4),
        late=st.sampled_from([0.0, 20.0]),
        patience=st.integers(0, 40),
    )
    def race(self, hows: list[str], late: float, patience: int) -> None:
        """Let several tasks submit at once, then go on for a while in turn."""
        racing = []
        for task, how in zip(self.world.tasks, hows, strict=False):
            self.schedule(task.number)
            self.go_on(task.number, 12)
            if task.submits:
                racing.append((task, how))
        for task, how in racing:
            if how.endswith("died"):
                self.kill(task.number, not how.startswith("no"), late)
            elif how.startswith("no "):
                self.do_not_accept_submit(task.number, how.removeprefix("no "))
            else:
                self.accept_submit(task.number, how, late)
            self.world.now += 0.05
        for _ in range(patience):
            for task, _ in racing:
                self.go_on(task.number, 1)

    @rule(number=numbers)
    def killed_while_throttled_and_a_stranger_starts(self, number: int) -> None:
        """The service refused our submit, so that whatever starts in the pause is not ours."""
        task = self.task(number)
        self.schedule(number)
        self.go_on(number, 12)
        if not task.submits:
            return
        self.do_not_accept_submit(number, "429")
        self.a_stranger_starts_a_run(None)
        if isinstance(task.step, Sleep):
            task.die()
        self.schedule(number)
        self.go_on(number, 30)

    @rule(number=numbers, begins=st.sampled_from([20.5, 21.0, 24.0]))
    def killed_while_a_stranger_waits_in_the_queue(self, number: int, begins: float) -> None:
        """It was listed before our submit, without a start; then it begins to run just as ours is sent."""
        self.a_stranger_starts_a_run(begins)
        self.schedule(number)
        self.go_on(number, 12)
        self.kill(number, False, 0.0)
        self.schedule(number)
        self.go_on(number, 30)

    @rule(
        number=numbers,
        how=st.sampled_from(["success", *ENDS]),
        then=st.sampled_from(["retried", "retried", "cleared", "made anew"]),
        retries=st.sampled_from([2, 0, 1, 3]),
    )
    def a_result_is_handed_on(self, number: int, how: str, then: str, retries: int) -> None:
        """A run completes, its task ends in one way or another, and has another attempt if it can."""
        task = self.task(number)
        self.schedule(number)
        self.go_on(number, 12)
        if not task.submits:
            return
        self.accept_submit(number, "accepted", 0.0)
        self.world.runs[-1].status = "Completed"
        self.end_badly(number, how)
        self.go_on(number, 30)
        if then == "cleared":
            self.clear(number, retries)
        elif then == "made anew":
            self.make_the_dag_run_anew(number)
        self.schedule(number)
        self.go_on(number, 30)

    # What must hold at every step.

    @invariant()
    def a_green_task_has_a_run_of_its_own_of_this_series(self) -> None:
        for task in getattr(self, "world", World()).tasks:
            if task.state == "success":
                assert task.result is not None
                (run,) = (run for run in self.world.runs if run.id == task.result["job_instance_id"])
                assert (run.owner, run.status) == (task.number, "Completed")
                assert run.series == task.series, "a cleared task did not run again"
                assert run.region == task.runs_with, "a green task ran with other parameters than its own"

    @invariant()
    def a_result_that_was_handed_on_is_the_result(self) -> None:
        for task in getattr(self, "world", World()).tasks:
            if task.state == "success" and task.result and task.handed_on:
                id_, *of_which = task.handed_on
                same = of_which == [task.series, task.runs_with]
                assert not same or id_ == task.result["job_instance_id"], "a second run for a result that was there"

    @invariant()
    def only_what_did_not_end_well_leaves_a_variable(self) -> None:
        world = getattr(self, "world", World())
        for task in world.tasks:
            if world.in_variables and task.state == "success" and not task.untidy:
                assert not task.store

    @invariant()
    def no_run_has_two_owners(self) -> None:
        tasks = getattr(self, "world", World()).tasks
        taken = [task.result["job_instance_id"] for task in tasks if task.state == "success" and task.result]
        assert len(set(taken)) == len(taken)

    @invariant()
    def nobody_cancels_what_is_not_his(self) -> None:
        for run in getattr(self, "world", World()).runs:
            assert run.cancelled_by in (None, run.owner)

    @invariant()
    def no_task_has_two_runs_at_a_time(self) -> None:
        world = getattr(self, "world", World())
        for task in world.tasks:
            active = [r for r in world.runs if r.owner == task.number and r.status == "InProgress"]
            assert len([r for r in active if r.series == task.series]) <= 1, "a second run beside the first"

    @invariant()
    def whatever_is_red_says_why(self) -> None:
        for task in getattr(self, "world", World()).tasks:
            if task.error is not None:
                assert isinstance(task.error, FabricError)
                if task.state == "failed":
                    assert isinstance(task.error, FabricJobMayBeRunning)
                    assert any(run.id in str(task.error) for run in self.world.runs)
                assert not isinstance(task.error, FabricPermissionError) or "403" in str(task.error)


TestOneOwner = OneOwner.TestCase
TestOneOwner.settings = settings(
    stateful_step_count=30, max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
