"""A trigger that waits for a capacity; it changes nothing."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_fabric.api.capacity_states import wait_for_capacity
from airflow_provider_fabric.triggerer import shared


class FabricCapacityTrigger(BaseTrigger):
    """Fires once, when a capacity has a state, or can no longer be waited for.

    The event is ``{"succeeded": bool, "capacity": dict or None, "message": str}``.

    :param fabric_conn_id: id of the connection.
    :param resource_id: Azure's id of the capacity.
    :param state: ``Active`` or ``Paused``.
    :param check_interval: seconds between polls.
    :param deadline: epoch seconds at which to give up.
    :param not_before: epoch seconds of the first poll.
    """

    def __init__(
        self,
        fabric_conn_id: str,
        resource_id: str,
        state: str,
        check_interval: float,
        deadline: float,
        not_before: float = 0.0,
    ) -> None:
        super().__init__()
        self.fabric_conn_id = fabric_conn_id
        self.resource_id = resource_id
        self.state = state
        self.check_interval = check_interval
        self.deadline = deadline
        self.not_before = not_before

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments."""
        names = ("fabric_conn_id", "resource_id", "state", "check_interval", "deadline", "not_before")
        arguments = {name: getattr(self, name) for name in names}
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, then fire one event, whatever happened."""
        flow = wait_for_capacity(
            self.resource_id,
            self.state,
            first_poll_after=self.not_before - time.time(),
            check_interval=self.check_interval,
            deadline=self.deadline,
        )
        event: dict[str, Any]
        try:
            capacity = await shared.arun(self.fabric_conn_id, flow)
            event = {"succeeded": True, "capacity": asdict(capacity), "message": ""}
        except Exception as error:  # noqa: BLE001 - every error must reach the task, or it would wait for ever
            event = {"succeeded": False, "capacity": None, "message": str(error)}
        yield TriggerEvent(event)

    async def on_kill(self) -> None:
        """Log that the change goes on: a user ended the task, and Azure cannot cancel it."""
        what = "The task was ended; the change of capacity %s to %s goes on: it cannot be cancelled."
        self.log.warning(what, self.resource_id, self.state)
