"""Runs an operator the way Airflow's task runner does, without a scheduler: templates, attempts, deferral, state, XCom.

Nothing of the product is replaced: hooks, triggers and the HTTP drivers are the real ones. What stands in is Airflow's
side: the task instance, its XComs, and the task state store of Airflow 3.3. Templates are rendered by Airflow itself,
before every attempt and again when a deferred task resumes, as its task runner does.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from airflow_provider_fabric.compat import TaskDeferred
from airflow_provider_fabric.triggerer import shared

try:
    from airflow.sdk import DAG
except ImportError:
    from airflow.models.dag import DAG

LOGICAL_DATE = datetime(2024, 1, 5, 6, 30, tzinfo=timezone.utc)
"""The logical date of every run: ``{{ ds }}`` is ``2024-01-05``."""


def template_values() -> dict[str, Any]:
    """Return what Airflow offers to templates besides the task's own objects."""
    return {
        "logical_date": LOGICAL_DATE,
        "ds": LOGICAL_DATE.date().isoformat(),
        "ds_nodash": LOGICAL_DATE.strftime("%Y%m%d"),
        "ts": LOGICAL_DATE.isoformat(),
        "ts_nodash": LOGICAL_DATE.strftime("%Y%m%dT%H%M%S"),
        "data_interval_start": LOGICAL_DATE,
        "data_interval_end": LOGICAL_DATE,
        "params": {},
        "run_id": "run",
    }


class StateStore:
    """The task state store of one task instance (Airflow ≥ 3.3)."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def get(self, key: str, default: Any = None) -> Any:
        return self.values.get(key, default)

    def set(self, key: str, value: Any) -> None:
        assert value is not None
        self.values[key] = value


@dataclass
class TaskInstance:
    """What operators use of a task instance."""

    task: Any
    try_number: int = 1
    max_tries: int = 0
    start_date: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    xcoms: dict[str, Any] = field(default_factory=dict)
    dag_id: str = "dag"
    run_id: str = "run"
    map_index: int = -1

    @property
    def task_id(self) -> str:
        return str(self.task.task_id)

    def xcom_push(self, key: str, value: Any, **_: Any) -> None:
        self.xcoms[key] = value


@dataclass
class TaskRunner:
    """One task instance over its attempts.

    :param operator: makes the operator anew for every attempt and every resumption, as a worker process does.
    :param store: ``None`` for Airflow below 3.3.
    :param native: render templates to Python values (``render_template_as_native_obj=True`` of the DAG).
    :param values: more for the templates, over those of :func:`template_values`.
    """

    operator: Any
    store: StateStore | None = field(default_factory=StateStore)
    try_number: int = 0
    max_tries: int = 1
    xcoms: dict[str, Any] = field(default_factory=dict)
    deferrals: int = 0
    last_trigger: Any = None
    native: bool = False
    values: dict[str, Any] = field(default_factory=dict)

    def context(self, task: Any) -> dict[str, Any]:
        ti = TaskInstance(task, try_number=self.try_number, max_tries=self.max_tries, xcoms=self.xcoms)
        context = {**template_values(), "ti": ti, "task_instance": ti, "task": task, "dag_run": None, **self.values}
        if self.store is not None:
            context["task_state_store"] = self.store
        return context

    def run(self) -> Any:
        """Run one attempt to its end, through the triggerer if it defers; return the task's return value."""
        self.try_number += 1
        self.xcoms.clear()  # as Airflow 3 does before every attempt
        method, arguments = "execute", {}
        while True:
            task = self.operator()
            if not task.has_dag():  # the DAG says how templates are rendered
                task.dag = DAG("dag", schedule=None, start_date=LOGICAL_DATE, render_template_as_native_obj=self.native)
            context = self.context(task)
            task.render_template_fields(context, task.get_template_env())
            try:
                return getattr(task, method)(context, **arguments)
            except TaskDeferred as deferred:
                self.deferrals += 1
                event = asyncio.run(self.first_event(deferred.trigger))
                method, arguments = deferred.method_name, {**(deferred.kwargs or {}), "event": event}

    async def first_event(self, trigger: Any) -> Any:
        """Serialise the trigger, make it anew, and wait for its event."""
        _, arguments = trigger.serialize()
        self.last_trigger = type(trigger)(**arguments)
        try:
            async for event in self.last_trigger.run():
                return event.payload
        finally:
            await shared.aclose()
        raise AssertionError("The trigger ended without an event.")

    def clear(self, retries: int = 1) -> None:
        """Clear the task, as a user does: more attempts, the state store stays."""
        self.max_tries = self.try_number + retries
