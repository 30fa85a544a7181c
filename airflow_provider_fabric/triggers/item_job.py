"""A trigger that waits for a run that Fabric's own schedule or a person starts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_fabric.api.jobs.item_polling import ItemPoll, poll_item
from airflow_provider_fabric.exceptions import FabricError, FabricJobTimeout
from airflow_provider_fabric.lifecycle.state import Outcome, WaitEnd
from airflow_provider_fabric.triggerer import shared


class FabricItemJobTrigger(BaseTrigger):
    """Fires once, when an item has had a run since a point in time, or it can no longer be waited for.

    The event is :meth:`airflow_provider_fabric.lifecycle.state.Outcome.to_state`. Each poll is one List call out of the
    share of the quota that all triggers of the identity have.

    :param fabric_conn_id: id of the connection.
    :param workspace_id: GUID.
    :param item_id: GUID.
    :param job_type: kind of job; ``None`` for any.
    :param since: epoch seconds; only runs that started at or after it count.
    :param check_interval: seconds between polls.
    :param deadline: epoch seconds at which to give up, or ``None``.
    :param allow_failed: after a failed run, wait for another one.
    :param next_poll_at: epoch seconds before which the item is not polled.
    :param next_look: what the first 0.1.0 wheels called it; their deferred tasks are resumed.
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
        next_poll_at: float | None = None,
        next_look: float | None = None,
    ) -> None:
        super().__init__()
        self.fabric_conn_id = fabric_conn_id
        self.poll = ItemPoll(
            workspace_id,
            item_id,
            job_type,
            since,
            check_interval,
            deadline,
            allow_failed,
            next_poll_at or next_look or 0.0,
        )

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments."""
        poll = self.poll
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "fabric_conn_id": self.fabric_conn_id,
                "workspace_id": poll.workspace_id,
                "item_id": poll.item_id,
                "job_type": poll.job_type,
                "since": poll.since,
                "check_interval": poll.check_interval,
                "deadline": poll.deadline,
                "allow_failed": poll.allow_failed,
                "next_poll_at": poll.next_poll_at,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, then fire one event, whatever happened."""
        poll = self.poll
        try:
            instance = await shared.arun_job_calls(self.fabric_conn_id, poll_item(poll), deadline=poll.deadline)
            outcome = Outcome.over(instance, poll.workspace_id)
        except Exception as error:
            if not isinstance(error, FabricError):
                self.log.exception("Unexpected error while waiting for %s.", poll)
            ending = WaitEnd.TIMEOUT if isinstance(error, FabricJobTimeout) else WaitEnd.LOST
            known = {"workspace_id": poll.workspace_id, "item_id": poll.item_id}
            outcome = Outcome(ending, known, str(error))
        yield TriggerEvent(outcome.to_state())
