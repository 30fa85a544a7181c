"""Runs an operator the way Airflow's task runner does, without a scheduler: tries, deferral, state store and XCom.

Nothing of the product is replaced: hooks, triggers and the HTTP drivers are the real ones. What stands in is Airflow's
side: the task instance, its XComs, and the task state store of Airflow 3.3.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from airflow_provider_fabric.triggerer import shared

try:
    from airflow.sdk.exceptions import TaskDeferred
except ImportError:
    from airflow.exceptions import TaskDeferred


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
    """One task instance over its tries.

    :param operator: makes the operator anew for every try and every resumption, as a worker process does.
    :param store: ``None`` for Airflow below 3.3.
    """

    operator: Any
    store: StateStore | None = field(default_factory=StateStore)
    try_number: int = 0
    max_tries: int = 1
    xcoms: dict[str, Any] = field(default_factory=dict)
    deferrals: int = 0
    last_trigger: Any = None

    def context(self, task: Any) -> dict[str, Any]:
        ti = TaskInstance(task, try_number=self.try_number, max_tries=self.max_tries, xcoms=self.xcoms)
        context = {"ti": ti, "task_instance": ti, "task": task, "dag_run": None}
        if self.store is not None:
            context["task_state_store"] = self.store
        return context

    def run(self) -> Any:
        """Run one try to its end, through the triggerer if it defers; return the task's return value."""
        self.try_number += 1
        self.xcoms.clear()  # as Airflow 3 does before every try
        task = self.operator()
        call = task.execute
        arguments: dict[str, Any] = {}
        while True:
            try:
                return call(self.context(task), **arguments)
            except TaskDeferred as deferred:
                self.deferrals += 1
                event = asyncio.run(self.first_event(deferred.trigger))
                task = self.operator()
                call = getattr(task, deferred.method_name)
                arguments = {**(deferred.kwargs or {}), "event": event}

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
        """Clear the task, as a user does: more tries, the state store stays."""
        self.max_tries = self.try_number + retries
