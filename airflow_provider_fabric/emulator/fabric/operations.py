"""Long-running operations: 202 with a link, a state that is computed from the clock, perhaps a result.

Source: OpenAPI ``OperationState`` and the examples ``GetLongRunningOperationState*.json``. ``Location`` of a
succeeded operation points at ``…/result`` only if there is one; asking for another answers ``OperationHasNoResult``.
What the operation does is done when it is accepted, so a failing one cannot be half done.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from airflow_provider_fabric.emulator.errors import ServiceError, new_request_id, not_found
from airflow_provider_fabric.emulator.http.request import Call, empty_answer, json_answer
from airflow_provider_fabric.emulator.state.workspaces import new_id, read_guid

if TYPE_CHECKING:
    from airflow_provider_fabric.emulator.state.world import World

CAPACITY = 10_000


@dataclass(slots=True)
class Operation:
    """One operation.

    :param result: body of ``…/result``; ``None`` is no result.
    :param error: envelope of a failed operation.
    """

    id: str
    created_at: float
    ends_at: float
    result: Any = None
    error: ServiceError | None = None

    def status(self, now: float) -> str:
        """Return the state at ``now``."""
        if now >= self.ends_at:
            return "Failed" if self.error else "Succeeded"
        return "NotStarted" if now == self.created_at and self.ends_at > now else "Running"

    def to_wire(self, now: float) -> dict[str, Any]:
        """Return the OpenAPI ``OperationState``."""
        over = now >= self.ends_at
        body: dict[str, Any] = {
            "status": self.status(now),
            "createdTimeUtc": _instant(self.created_at),
            "lastUpdatedTimeUtc": _instant(min(now, self.ends_at)),
        }
        if over and self.error:
            body["error"] = self.error.envelope(new_request_id())
        else:
            share = 1.0 if over else (now - self.created_at) / (self.ends_at - self.created_at)
            body["percentComplete"] = int(100 * share)
        return body


class OperationStore:
    """All operations; beyond :data:`CAPACITY` the oldest are forgotten."""

    def __init__(self) -> None:
        self._all: dict[str, Operation] = {}

    def start(self, now: float, takes: float, result: Any = None, error: ServiceError | None = None) -> Operation:
        """Begin an operation that ends after ``takes`` seconds."""
        started = Operation(new_id(), now, now + takes, result, error)
        self._all[started.id] = started
        if len(self._all) > CAPACITY:
            del self._all[next(iter(self._all))]
        return started

    def get(self, operation_id: str) -> Operation:
        """Return an operation.

        :raises ServiceError: 400 for an id that is no GUID, 404 ``OperationNotFound``.
        """
        found = self._all.get(operation_id) or self._all.get(read_guid(operation_id, "operationId"))
        if found is None:
            raise not_found("OperationNotFound", "operation", operation_id)
        return found


def accepted(world: World, call: Call, result: Any = None, error: ServiceError | None = None) -> Response:
    """Answer 202 and begin an operation."""
    takes = world.config.scaled(world.config.lro_seconds)
    operation = world.operations.start(call.now, takes, result, error)
    return empty_answer(202, _headers(world, call, operation, goes_on=True))


def _headers(world: World, call: Call, operation: Operation, *, goes_on: bool) -> dict[str, str]:
    """Return the headers that lead on from an operation."""
    headers = {"x-ms-operation-id": operation.id}
    path = f"/v1/operations/{operation.id}"
    if goes_on:
        headers["Location"] = call.url(path)
        headers["Retry-After"] = str(world.config.retry_after())
    elif operation.result is not None and operation.error is None:
        headers["Location"] = call.url(f"{path}/result")
    return headers


def get_operation(world: World, call: Call) -> Response:
    """``GET /v1/operations/{operationId}``."""
    operation = world.operations.get(call.params["operationId"])
    headers = _headers(world, call, operation, goes_on=call.now < operation.ends_at)
    return json_answer(operation.to_wire(call.now), headers=headers)


def get_operation_result(world: World, call: Call) -> Response:
    """``GET /v1/operations/{operationId}/result``."""
    operation = world.operations.get(call.params["operationId"])
    if call.now < operation.ends_at:
        raise ServiceError(400, "OperationNotCompleted", "The operation has not completed yet", is_retriable=True)
    if operation.error is not None:
        raise operation.error
    if operation.result is None:
        raise ServiceError(400, "OperationHasNoResult", "The operation has no result")
    return json_answer(operation.result)


def _instant(moment: float) -> str:
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
