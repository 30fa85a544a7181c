"""Long-running operations: their state, which every read computes from the clock, and the store of them all.

What an operation does is done when it is accepted, so a failing one cannot be half done. Shape of a state: OpenAPI
``OperationState`` and the examples ``GetLongRunningOperationState*.json``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_provider_fabric.emulator.errors import ServiceError, new_request_id, not_found
from airflow_provider_fabric.emulator.state.ids import new_id, read_guid
from airflow_provider_fabric.emulator.state.times import operation_time

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
        """Return the OpenAPI ``OperationState``, as tenants were seen to write it.

        Every property is there, as ``null`` when it says nothing; ``percentComplete`` is a number only in the end.
        """
        status = self.status(now)
        return {
            "status": status,
            "createdTimeUtc": operation_time(self.created_at),
            "lastUpdatedTimeUtc": operation_time(min(now, self.ends_at)),
            "percentComplete": 100 if status == "Succeeded" else None,
            "error": _short_error(self.error) if status == "Failed" and self.error else None,
            "blobInfoId": None,
            "resultContentType": None,
        }


def _short_error(error: ServiceError) -> dict[str, Any]:
    """Return an error without the id of a request: the operation failed, and no request did."""
    envelope = error.envelope(new_request_id())
    return {key: envelope[key] for key in ("errorCode", "message", "isRetriable")}


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
