"""Long-running operations: 202 with an operation to follow.

https://learn.microsoft.com/rest/api/fabric/articles/long-running-operation: ``x-ms-operation-id``, ``Location`` and
``Retry-After``; the state's ``Location`` ends in ``/result`` only if there is a result, and asking for one that is
not there is ``OperationHasNoResult``. The id is all that is taken from ``Location``.
"""

from __future__ import annotations

import re
import time
from itertools import pairwise
from typing import Any

from airflow_provider_fabric.api.http.flow import JSON, Clock, Flow, Request, Response, Sleep, quote_segment
from airflow_provider_fabric.api.http.headers import split_link
from airflow_provider_fabric.api.http.permanent import PATIENCE, is_permanent, retry_after
from airflow_provider_fabric.api.http.retry import Replay, send
from airflow_provider_fabric.api.models import ErrorDetail, Operation, is_guid
from airflow_provider_fabric.api.status import OperationStatus
from airflow_provider_fabric.exceptions import FabricError, FabricOperationError, FabricProtocolError
from airflow_provider_fabric.remedies import remedy_for

DEFAULT_TIMEOUT = 3600.0
DEFAULT_PAUSE = 5.0
MIN_PAUSE = 1.0
ERROR_PAUSE = 30.0
"""Seconds until the next poll after one that failed, though it was repeated: a paused capacity, an outage."""


def get_operation_state(operation_id: str) -> Flow[Operation]:
    """Return the state of a long-running operation.

    https://learn.microsoft.com/rest/api/fabric/core/long-running-operations/get-operation-state

    :param operation_id: GUID.
    """
    request = Request(
        "GET", f"/v1/operations/{quote_segment(operation_id, 'operation_id')}", "read the operation's state"
    )
    answer = yield from send(request, replay=Replay.SAFE)
    content = answer.json_object()
    percent = content.get("percentComplete")
    return Operation(
        id=operation_id,
        status=OperationStatus.from_wire(content.get("status")),
        percent_complete=percent if isinstance(percent, int) else None,
        error=ErrorDetail.from_wire(content.get("error")),
        has_result=split_link(answer.headers.get("location")).path.endswith("/result"),
        retry_after=answer.retry_after,
    )


def get_operation_result(operation_id: str) -> Flow[dict[str, Any]]:
    """Return the result of a long-running operation that has succeeded.

    https://learn.microsoft.com/rest/api/fabric/core/long-running-operations/get-operation-result

    :param operation_id: GUID.
    :raises FabricBadRequestError: ``OperationHasNoResult``.
    """
    answer = yield from send(result_request(operation_id), replay=Replay.SAFE)
    return answer.json_object()


def result_request(operation_id: str, accept: str = JSON) -> Request:
    """Return what asks for an operation's result."""
    path = f"/v1/operations/{quote_segment(operation_id, 'operation_id')}/result"
    return Request("GET", path, "read the operation's result", accept=accept)


def wait_for_operation(
    operation_id: str,
    *,
    action: str = "complete the operation",
    first_poll_after: float = 0.0,
    deadline: float | None = None,
    clock: Clock = time.time,
) -> Flow[dict[str, Any] | None]:
    """Wait until an operation ends and return its result, ``None`` if it has none.

    The parameters are those of :func:`await_operation`.
    """
    operation = yield from await_operation(
        operation_id, action=action, first_poll_after=first_poll_after, deadline=deadline, clock=clock
    )
    return (yield from get_operation_result(operation_id)) if operation.has_result else None


def await_operation(
    operation_id: str,
    *,
    action: str = "complete the operation",
    first_poll_after: float = 0.0,
    deadline: float | None = None,
    clock: Clock = time.time,
) -> Flow[Operation]:
    """Wait until an operation has succeeded.

    It can be taken up again from the id alone, by another process.

    :param operation_id: GUID.
    :param action: what the operation is for, for errors.
    :param first_poll_after: seconds until the first poll.
    :param deadline: epoch seconds at which to give up; default an hour from now.
    :param clock: epoch seconds.
    :raises FabricOperationError: it failed, or did not end in time.
    :raises FabricError: its state cannot be read: a final error, or nothing but errors for 30 minutes.
    """
    deadline = clock() + DEFAULT_TIMEOUT if deadline is None else deadline
    pause = first_poll_after
    failing_since: float | None = None
    while True:
        yield Sleep(max(0.0, min(pause, deadline - clock())), jitter=0.1)
        try:
            operation = yield from get_operation_state(operation_id)
        except FabricError as error:
            failing_since = clock() if failing_since is None else failing_since
            if is_permanent(error) or clock() >= min(deadline, failing_since + PATIENCE):
                raise
            pause = max(ERROR_PAUSE, retry_after(error) or 0.0)
            continue
        failing_since = None
        if operation.status is OperationStatus.SUCCEEDED:
            return operation
        if operation.status is OperationStatus.FAILED:
            raise _failure(operation, action)
        if clock() >= deadline:
            raise FabricOperationError(
                f"Could not {action} in time: operation {operation_id} is {operation.status.value} and goes on.",
                operation_id=operation_id,
                goes_on=True,
            )
        pause = max(operation.retry_after, MIN_PAUSE) if operation.retry_after is not None else DEFAULT_PAUSE


def _failure(operation: Operation, action: str) -> FabricOperationError:
    detail = operation.error or ErrorDetail()
    remedy = remedy_for(detail.error_code)
    return FabricOperationError(
        f"Could not {action}: operation {operation.id} failed: {detail}." + (f" {remedy}" if remedy else ""),
        operation_id=operation.id,
        error_code=detail.error_code,
        request_id=detail.request_id,
        is_retriable=detail.is_retriable,
    )


_NO_CONTENT = re.compile(rb"|null|(?:\d{3}\s+)?(?:OK|Created)", re.IGNORECASE)
"""Bodies that say nothing. Microsoft's articles print ``200 OK`` as the answer to a change."""


def operation_id_of(answer: Response) -> str | None:
    """Return the operation's id from ``x-ms-operation-id``, or from ``Location``: ``…/operations/{id}``."""
    segments = split_link(answer.headers.get("location")).path.split("/")
    named = [following for before, following in pairwise(segments) if before == "operations"]
    return next((c for c in (answer.headers.get("x-ms-operation-id"), *named) if is_guid(c)), None)


def finish(
    answer: Response, action: str, *, deadline: float | None = None, clock: Clock = time.time
) -> Flow[dict[str, Any] | None]:
    """Return what a call gave, now (200, 201) or when its operation ends (202).

    :param answer: the successful answer to the call.
    :param action: what the call was for.
    :param deadline: epoch seconds at which to give up.
    :param clock: epoch seconds.
    :raises FabricProtocolError: 202 without an operation to follow.
    """
    if answer.status != 202:
        return None if _NO_CONTENT.fullmatch(answer.body.strip()) else answer.json_object()
    operation_id = operation_id_of(answer)
    if operation_id is None:
        raise FabricProtocolError(
            f"Could not {action}: the service accepted it (202) but named no operation to follow. It may have been "
            "carried out: look before you try again."
        )
    pause = answer.retry_after if answer.retry_after is not None else DEFAULT_PAUSE
    return (
        yield from wait_for_operation(
            operation_id, action=action, first_poll_after=pause, deadline=deadline, clock=clock
        )
    )
