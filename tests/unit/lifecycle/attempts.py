"""A task over its attempts against a service that a test plays: no sockets, and its time passes only in pauses."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import formatdate
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from airflow_provider_fabric.api.http.flow import Flow, Request, Response, Sleep, TransportFailure
from airflow_provider_fabric.api.jobs.service_time import ServiceClock
from airflow_provider_fabric.compat_tasks import VariableStore
from airflow_provider_fabric.lifecycle.backend import JobRuns, JobSchedulerBackend
from airflow_provider_fabric.lifecycle.cancel import KillSignal
from airflow_provider_fabric.lifecycle.execution import JobExecution
from airflow_provider_fabric.operators.job import FabricRunItemJobOperator
from tests.flow_driver import ITEM, LOST, WORKSPACE, ok, page, refusal, wire_time

Reply = Response | TransportFailure


class WorkerDied(BaseException):
    """kill -9."""


@dataclass
class Run:
    """One run that the service knows."""

    start: float
    ends: float
    item: str = ITEM
    job_type: str = "Pipeline"
    invoke_type: str = "Manual"
    outcome: str = "Completed"
    visible_at: float = 0.0
    body: Any = None
    ours: bool = False
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    cancel_requests: int = 0

    def to_wire(self, now: float) -> dict[str, Any]:
        """Return the service's form."""
        over = now >= self.ends
        return {
            "id": self.id,
            "itemId": self.item,
            "jobType": self.job_type,
            "invokeType": self.invoke_type,
            "status": self.outcome if over else "InProgress",
            "startTimeUtc": wire_time(self.start),
            "endTimeUtc": wire_time(self.ends) if over else None,
            "failureReason": None,
        }


@dataclass
class Service:
    """The service.

    :param submits: what comes of the next submits: ``accepted``, or a fault with ``before`` or ``after`` acceptance;
        ``died`` is the end of the worker. Further ones are accepted.
    :param dated: whether answers say what time it is.
    :param seconds: how long a run takes.
    :param listed_as: what the service calls the job.
    :param cancel_seconds: how long a run goes on that was cancelled.
    """

    submits: list[str] = field(default_factory=list)
    dated: bool = True
    seconds: float = 120.0
    listed_as: str = "Pipeline"
    cancel_seconds: float = 1.0
    now: float = 1_750_000_000.37
    runs: list[Run] = field(default_factory=list)
    heard: list[Request] = field(default_factory=list)
    at: list[tuple[float, Callable[[], Any]]] = field(default_factory=list)
    """What happens at which time."""
    refused: dict[str, list[Reply]] = field(default_factory=dict)
    """Answers to the next requests whose path ends so."""

    def strangers(self, after: float = 0.0, **more: Any) -> Run:
        """Return a run that somebody starts now, or started or starts so many seconds later."""
        start = self.now + after
        run = Run(**{"start": start, "ends": start + self.seconds, "job_type": self.listed_as, **more})
        self.runs.append(run)
        return run

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        until = self.now + seconds
        while due := sorted((x for x in self.at if x[0] <= until), key=lambda x: x[0]):
            self.at.remove(due[0])
            self.now = max(self.now, due[0][0])
            due[0][1]()
        self.now = until

    def answer(self, step: Request) -> Reply:
        """Answer a request."""
        self.heard.append(step)
        self.sleep(0.02)
        for ending, replies in self.refused.items():
            if replies and step.path.endswith(ending):
                return self._dated(replies.pop(0))
        if step.method == "POST" and step.path.endswith("/instances"):
            return self._submit(step)
        item, parts = step.path.split("/items/")[1].split("/")[0], step.path.split("/")
        if step.path.endswith("/jobs/instances"):
            listed = [r.to_wire(self.now) for r in self.runs if r.item == item and r.visible_at <= self.now >= r.start]
            return self._dated(page(*listed))
        cancel = parts[-1] == "cancel"
        found = [run for run in self.runs if run.id == parts[-2 if cancel else -1]]
        if not found:
            return self._dated(refusal(404, "ItemNotFound"))
        if cancel:
            found[0].cancel_requests += 1
            found[0].ends, found[0].outcome = self.now + self.cancel_seconds, "Cancelled"
            return self._dated(ok(status=202))
        return self._dated(ok(found[0].to_wire(self.now)))

    def _submit(self, step: Request) -> Reply:
        what = self.submits.pop(0) if self.submits else "accepted"
        run = None
        if "before" not in what and what != "died":
            item = step.path.split("/items/")[1].split("/")[0]
            run = Run(self.now, self.now + self.seconds, item, self.listed_as, body=step.json, ours=True)
            self.runs.append(run)
        if what.startswith("died"):
            raise WorkerDied
        self.sleep(0.05)
        if what == "accepted" and run is not None:
            return self._dated(ok(status=202, x_ms_job_id=run.id))
        word = what.split()[0]
        if word == "429":
            return self._dated(refusal(429, retry_after="30"))
        if word == "403":
            return self._dated(refusal(403, "InsufficientPrivileges"))
        return LOST if word == "lost" else self._dated(refusal(int(word)))

    def _dated(self, reply: Reply) -> Reply:
        if not self.dated or not isinstance(reply, Response):
            return reply
        return Response(reply.status, {**reply.headers, "date": formatdate(self.now, usegmt=True)}, reply.body)

    @property
    def started(self) -> list[Run]:
        """The runs that submits of ours started."""
        return [run for run in self.runs if run.ours]


class Variable(VariableStore):
    """The record of a task instance of Airflow 3.0 to 3.2.

    :param values: what outlives an attempt.
    """

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    def get(self, key: str) -> Any:
        """Return the value, or ``None``."""
        return self.values.get(key)

    def set(self, key: str, value: Any) -> None:
        """Write it: what it holds has been JSON in between."""
        self.values[key] = json.loads(json.dumps(value))

    def delete(self, key: str) -> None:
        """Delete it."""
        self.values.pop(key, None)


END_CALLBACKS = {
    "success": "on_success_callback",
    "skipped": "on_skipped_callback",
    "failed": "on_failure_callback",
    "up_for_retry": "on_retry_callback",
}


def call_back(operator: Any, state: str, context: Any) -> None:
    """Do what the process of a task does in Airflow 3 once the task's end is recorded."""
    for callback in getattr(operator, END_CALLBACKS[state]) or ():
        callback(context)


@dataclass
class Task:
    """One task over its attempts.

    :param arguments: of its operator.
    :param skew: by how many seconds its worker's clock is ahead of the service's.
    :cvar in_variable: its record is a variable, as in Airflow 3.0 to 3.2.
    """

    service: Service
    arguments: dict[str, Any] = field(default_factory=dict)
    retries: int = 2
    skew: float = 0.0
    attempt: int = 0
    max_tries: int = 2
    store: dict[str, Any] = field(default_factory=dict)
    xcoms: dict[str, Any] = field(default_factory=dict)
    item: str = ITEM
    clears: int = 0
    state: str = "running"
    in_variable: ClassVar[bool] = False

    def run(self, end: str = "success") -> dict[str, Any]:
        """Run one attempt to its end.

        :param end: what becomes of a task whose result is handed on: a state, or ``died`` before or after its return
            value was pushed, or right after its success was recorded.
        """
        result, operator, context = self._execute()
        if self.arguments.get("do_xcom_push", True) and end not in ("died before its XCom", "up_for_retry", "failed"):
            self.xcoms["return_value"] = result
        if not end.startswith("died"):
            call_back(operator, end, context)
        return result

    def _execute(self) -> tuple[dict[str, Any], Any, Any]:
        self.attempt += 1
        returned = "return_value" in self.xcoms
        keys = list(self.xcoms)
        self.xcoms.clear()
        given = {"workspace": WORKSPACE, "item": self.item, "job_type": "Pipeline", "check_interval": 30.0}
        operator = FabricRunItemJobOperator(
            task_id="run", **{**given, "deferrable": False, "retries": self.retries, **self.arguments}
        )
        hook: Any = Hook(self.service)
        operator.__dict__["hook"] = hook
        ti = SimpleNamespace(
            dag_id="dag",
            run_id="run",
            task_id="run",
            map_index=-1,
            task=operator,
            try_number=self.attempt,
            max_tries=self.max_tries,
            start_date=datetime.now(timezone.utc),
            get_task_states=lambda **_: self.states(),
            xcom_pull=lambda **_: None,
            xcom_push=lambda key, value, **_: self.push(key, value),
            _ti_context_from_server=SimpleNamespace(xcom_keys_to_clear=keys if returned else []),
        )
        task_state = SimpleNamespace(get=self.store.get, set=self.store.__setitem__)
        store = Variable(self.store) if self.in_variable else task_state
        dag_run = SimpleNamespace(clear_number=self.clears)
        context: Any = {"dag_run": dag_run, "ti": ti, "task": operator, "task_state_store": store}
        backend = JobSchedulerBackend()
        execution = self.execution = JobExecution(operator, context, backend, KillSignal())
        clock = ServiceClock(lambda: self.service.now + self.skew)
        execution.runs = JobRuns(hook, backend, clock)
        result: dict[str, Any] = execution.start()
        return result, operator, context

    def states(self) -> dict[str, dict[str, str]]:
        """Return what Airflow says of the states of the DAG's tasks."""
        return {"run": {"run": self.state}}

    def push(self, key: str, value: Any) -> None:
        """Push an XCom."""
        self.xcoms[key] = value

    def dies(self) -> None:
        """Run an attempt whose worker dies."""
        with pytest.raises(WorkerDied):
            self.run()

    def kill(self) -> None:
        """Kill the attempt that is under way, as Airflow does with a task that was cleared or marked."""
        self.execution.kill()
        raise WorkerDied

    def clear(self, retries: int | None = None) -> None:
        """Clear the task, as a person does, perhaps after its author changed ``retries``."""
        self.retries = self.retries if retries is None else retries
        self.max_tries = self.attempt + self.retries

    def make_anew(self) -> None:
        """Delete the task's DAG run and make it anew, with the same id: what Airflow does not delete with it stays."""
        self.attempt, self.max_tries = 0, self.retries
        self.xcoms.clear()


class Hook:
    """What a task needs of a hook.

    :param service: what it calls.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    def resolve_workspace(self, workspace: str) -> str:
        """Return the only workspace."""
        return WORKSPACE

    def resolve_item(self, workspace_id: str, item: str, item_type: str | None) -> str:
        """Return the id that was given."""
        return item

    def get_conn(self) -> Any:
        """Return a connection."""
        return SimpleNamespace(host="https://api.fabric.microsoft.com", local_cache=False)

    def run(self, flow: Flow[Any]) -> Any:
        """Run a flow against the service."""
        answer: Any = None
        try:
            while True:
                step = flow.send(answer)
                if isinstance(step, Sleep):
                    self._service.sleep(step.seconds)
                    answer = None
                else:
                    answer = self._service.answer(step)
        except StopIteration as end:
            return end.value
        finally:
            flow.close()


class CommsDecoder:
    """What Airflow 3 talks to its supervisor by: one call at a time, or the answers are mixed up.

    :param killed: kills the task.
    """

    def __init__(self, killed: Callable[[], None]) -> None:
        self.is_busy = False
        self._killed = killed

    def send(self) -> None:
        """Send something; the task is killed before the answer is there."""
        self.is_busy = True
        self._killed()
        self.is_busy = False
