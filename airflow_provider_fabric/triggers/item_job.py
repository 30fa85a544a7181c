"""A trigger that waits for a run that Fabric's own schedule or a person starts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_fabric import shared
from airflow_provider_fabric.api.item_watch import ItemWatch, watch_item
from airflow_provider_fabric.exceptions import FabricError, FabricJobTimeout
from airflow_provider_fabric.run import Ending, Outcome


class FabricItemJobTrigger(BaseTrigger):
    """Fires once, when an item has had a run since a moment, or it can no longer be waited for.

    The event is :meth:`airflow_provider_fabric.run.Outcome.to_state`. Each look is one List call out of the share of
    the quota that all triggers of the identity have.

    :param fabric_conn_id: id of the connection.
    :param workspace_id: GUID.
    :param item_id: GUID.
    :param job_type: kind of job; ``None`` for any.
    :param since: epoch seconds; only runs that started at or after it count.
    :param check_interval: seconds between looks.
    :param deadline: epoch seconds at which to give up, or ``None``.
    :param allow_failed: after a failed run, wait for another one.
    :param next_look: epoch seconds before which the item is not looked at.
    """

    def __init__(
        self,
        fabric_conn_id: str,
        workspace_id: str,
        item_id: str,
        job_type: str | None,
        since: float,
        check_interval: float,
        deadline: float | None = None,
        allow_failed: bool = False,
        next_look: float | None = None,
    ) -> None:
        super().__init__()
        self.fabric_conn_id = fabric_conn_id
        self.watch = ItemWatch(
            workspace_id, item_id, job_type, since, check_interval, deadline, allow_failed, next_look or 0.0
        )

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments."""
        watch = self.watch
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "fabric_conn_id": self.fabric_conn_id,
                "workspace_id": watch.workspace_id,
                "item_id": watch.item_id,
                "job_type": watch.job_type,
                "since": watch.since,
                "check_interval": watch.interval,
                "deadline": watch.deadline,
                "allow_failed": watch.allow_failed,
                "next_look": watch.next_look,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, then fire one event, whatever happened."""
        watch = self.watch
        try:
            instance = await shared.arun_job_calls(self.fabric_conn_id, watch_item(watch))
            outcome = Outcome.over(instance, watch.workspace_id)
        except Exception as error:
            if not isinstance(error, FabricError):
                self.log.exception("Waiting for %s broke.", watch)
            ending = Ending.TIMEOUT if isinstance(error, FabricJobTimeout) else Ending.LOST
            known = {"workspace_id": watch.workspace_id, "item_id": watch.item_id}
            outcome = Outcome(ending, known, str(error))
        yield TriggerEvent(outcome.to_state())
