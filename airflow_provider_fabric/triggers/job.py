"""Triggers: patient observers of runs and operations. They start nothing, and cancel only when a user says so."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_fabric.api.jobs.polling import cancel_if_active
from airflow_provider_fabric.api.models import JobInstance
from airflow_provider_fabric.api.operations import await_operation, get_operation_result
from airflow_provider_fabric.exceptions import FabricError, FabricOperationError
from airflow_provider_fabric.lifecycle.state import FabricRun, Outcome, event_of
from airflow_provider_fabric.triggerer import shared

if TYPE_CHECKING:
    from airflow_provider_fabric.api.http.flow import Flow
    from airflow_provider_fabric.api.models import Operation

log = logging.getLogger(__name__)


class FabricJobInstanceTrigger(BaseTrigger):
    """Fires once, when a run is over, or can no longer be waited for.

    The event is :func:`airflow_provider_fabric.lifecycle.state.event_of`.

    :param fabric_conn_id: id of the connection.
    :param run: :meth:`airflow_provider_fabric.lifecycle.state.FabricRun.to_state`; no secret in it.
    :param cancel_on_kill: cancel the run when a user marks the task failed or success, or clears it (Airflow ≥ 3.3).
    """

    def __init__(self, fabric_conn_id: str, run: dict[str, Any], cancel_on_kill: bool = True) -> None:
        super().__init__()
        self.fabric_conn_id = fabric_conn_id
        self.run_state = FabricRun.from_state(run)
        self.cancel_on_kill = cancel_on_kill
        self.poll = self.run_state.poll()

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "fabric_conn_id": self.fabric_conn_id,
                "run": self.run_state.to_state(),
                "cancel_on_kill": self.cancel_on_kill,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, then fire one event, whatever happened."""
        run = self.run_state
        try:
            instance = await self.wait()
            outcome = Outcome.over(instance, run.job.workspace_id)
        except Exception as error:
            if not isinstance(error, FabricError):
                self.log.exception("Unexpected error while waiting for job instance %s.", run.job.job_instance_id)
            outcome = Outcome.not_seen(error, run)
        yield TriggerEvent(event_of(run, outcome))

    async def wait(self) -> JobInstance:
        """Wait until the run is over, together with all others of this identity."""
        return await shared.wait(self.fabric_conn_id, self.poll)

    async def cancel(self) -> bool:
        """Ask for the run's cancellation, until it is accepted; return whether there was anything to cancel."""
        run = self.run_state
        what = f"job instance {run.job.job_instance_id}"
        return await shared.cancel(self.fabric_conn_id, what, lambda: cancel_if_active(self.poll), run.submitted_at)

    async def on_kill(self) -> None:
        """Cancel the run: a user ended the task.

        On Airflow 3.3.2 the supervisor repeats the cancellation at every sync, about once a second, and each repeat
        cancels this method. So the request goes out first, in a task of its own, and is repeated there until the
        service accepts it.
        """
        if not self.cancel_on_kill:
            return
        request = asyncio.ensure_future(self.cancel())
        _pending.add(request)
        request.add_done_callback(_forget)
        with suppress(FabricError):  # it was logged
            await asyncio.shield(request)


_pending: set[asyncio.Future[bool]] = set()
"""Cancels on their way; the event loop itself holds only weak references to tasks."""


def _forget(request: asyncio.Future[bool]) -> None:
    _pending.discard(request)
    if not request.cancelled() and (error := request.exception()) is not None and not isinstance(error, FabricError):
        log.error("Unexpected error while cancelling.", exc_info=error)


class FabricOperationTrigger(BaseTrigger):
    """Fires once, when a long-running operation has ended, or can no longer be waited for.

    The event is ``{"operation_id", "succeeded": bool, "result": object or None, "has_result": bool, "message": str,
    "error": dict}``; :func:`operation_error` makes an error of one that did not succeed.

    :param fabric_conn_id: id of the connection.
    :param operation_id: GUID.
    :param deadline: epoch seconds at which to give up, or ``None`` for an hour from now.
    :param with_result: read the result here, and put it into the event; otherwise only say whether there is one.
    """

    def __init__(
        self, fabric_conn_id: str, operation_id: str, deadline: float | None = None, with_result: bool = True
    ) -> None:
        super().__init__()
        self.with_result = with_result
        self.fabric_conn_id = fabric_conn_id
        self.operation_id = operation_id
        self.deadline = deadline

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "fabric_conn_id": self.fabric_conn_id,
                "operation_id": self.operation_id,
                "deadline": self.deadline,
                "with_result": self.with_result,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, then fire one event, whatever happened."""
        event: dict[str, Any] = {"operation_id": self.operation_id, "succeeded": True, "message": "", "error": {}}
        event |= {"result": None, "has_result": False}
        try:
            operation, event["result"] = await shared.arun(self.fabric_conn_id, self._wait())
            event["has_result"] = operation.has_result
        except Exception as error:  # noqa: BLE001 - every error must reach the task, or it would wait for ever
            event |= {"succeeded": False, "message": str(error), "error": _fields(error)}
        yield TriggerEvent(event)

    async def on_kill(self) -> None:
        """Log that the operation goes on: a user ended the task, and Fabric cannot cancel an operation."""
        self.log.warning(
            "The task was ended; operation %s goes on in Fabric: it cannot be cancelled.", self.operation_id
        )

    def _wait(self) -> Flow[tuple[Operation, Any]]:
        operation = yield from await_operation(self.operation_id, deadline=self.deadline)
        wanted = self.with_result and operation.has_result
        return operation, (yield from get_operation_result(self.operation_id)) if wanted else None


OPERATION_FIELDS = ("operation_id", "error_code", "request_id", "is_retriable", "goes_on")


def _fields(error: Exception) -> dict[str, Any]:
    """Return what an error says of the operation; one that is about something else says that the operation goes on."""
    if isinstance(error, FabricOperationError):
        return {name: getattr(error, name) for name in OPERATION_FIELDS}
    return {"goes_on": True}


def operation_error(event: Mapping[str, Any]) -> FabricOperationError:
    """Return the error that an event of :class:`FabricOperationTrigger` tells of."""
    fields = event.get("error") or {}
    return FabricOperationError(str(event["message"]), **{n: fields[n] for n in OPERATION_FIELDS if n in fields})
