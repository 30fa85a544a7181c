"""Refreshes of semantic models: Power BI's own API, in the form of job instances, so that one code path serves both.

https://learn.microsoft.com/rest/api/power-bi/datasets/get-refresh-history-in-group. :mod:`.refresh_requests` starts
them. An *enhanced* refresh can be read and cancelled by its id; a plain one is only in the history, and cannot be
cancelled.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from airflow_provider_fabric.api.error_detail import ErrorDetail
from airflow_provider_fabric.api.http.flow import Clock, Flow, Request, Service, quote_segment
from airflow_provider_fabric.api.http.headers import http_date
from airflow_provider_fabric.api.http.retry import ONCE, PATIENT, Replay, RetryBudget, send
from airflow_provider_fabric.api.jobs.job_types import REFRESH_SEMANTIC_MODEL
from airflow_provider_fabric.api.jobs.listing import started_since
from airflow_provider_fabric.api.jobs.polling import JobPoll, poll_job_instance
from airflow_provider_fabric.api.models import JobInstance, parse_time
from airflow_provider_fabric.api.plain_text import MAX_CODE, one_line
from airflow_provider_fabric.api.status import JobStatus
from airflow_provider_fabric.exceptions import (
    FabricBadRequestError,
    FabricError,
    FabricNotFoundError,
    FabricProtocolError,
)

_STATUSES: Mapping[str, JobStatus] = {
    "completed": JobStatus.COMPLETED,
    "failed": JobStatus.FAILED,
    "disabled": JobStatus.FAILED,
    "timedout": JobStatus.FAILED,
    "cancelled": JobStatus.CANCELLED,
    "unknown": JobStatus.IN_PROGRESS,
    "inprogress": JobStatus.IN_PROGRESS,
    "notstarted": JobStatus.NOT_STARTED,
}

ENHANCED, PLAIN = "ViaEnhancedApi", "ViaApi"


def _invoke_type(word: str, *, enhanced: bool) -> str:
    """Return how a refresh was started, in the terms of job instances; one that is not of a kind stays apart."""
    if word in ("", ENHANCED if enhanced else PLAIN):
        return "Manual"
    return word if word == "Scheduled" else f"{word} refresh"


def refreshes_path(workspace_id: str, model_id: str, refresh_id: str | None = None) -> str:
    groups = f"/v1.0/myorg/groups/{quote_segment(workspace_id, 'workspace_id')}"
    path = f"{groups}/datasets/{quote_segment(model_id, 'semantic_model')}/refreshes"
    return path if refresh_id is None else f"{path}/{quote_segment(refresh_id, 'refresh_id')}"


def power_bi_request(method: str, path: str, action: str, **more: Any) -> Request:
    return Request(method, path, action, service=Service.POWER_BI, **more)


def list_semantic_model_refreshes(
    workspace_id: str,
    model_id: str,
    *,
    since: float | None = None,
    enhanced: bool = True,
    budget: RetryBudget = PATIENT,
    clock: Clock = time.time,
) -> Flow[list[JobInstance]]:
    """Return a model's latest refreshes, newest first; Power BI keeps about 60.

    https://learn.microsoft.com/rest/api/power-bi/datasets/get-refresh-history-in-group

    :param since: epoch seconds by our clock; only refreshes started at or after it.
    :param enhanced: which kind has the ``invoke_type`` ``Manual``: enhanced refreshes, or plain ones by the API.
    :param budget: how long the call is attempted.
    :param clock: epoch seconds.
    """
    request = power_bi_request(
        "GET", refreshes_path(workspace_id, model_id), f"list refreshes of semantic model {model_id}"
    )
    answer = yield from send(request, replay=Replay.SAFE, budget=budget)
    entries = answer.json_object().get("value")
    if not isinstance(entries, list):
        raise FabricProtocolError(f"Could not {request.action}: the answer has no list 'value'.")
    found = [_instance(e, str(e.get("requestId")), model_id, enhanced=enhanced) for e in entries if isinstance(e, dict)]
    if since is None:
        return found
    service_now = http_date(answer.headers.get("date"))
    return started_since(found, since + (0.0 if service_now is None else service_now - clock()))


def get_semantic_model_refresh(
    workspace_id: str, model_id: str, refresh_id: str, *, budget: RetryBudget = PATIENT
) -> Flow[JobInstance]:
    """Return one refresh.

    https://learn.microsoft.com/rest/api/power-bi/datasets/get-refresh-execution-details-in-group

    One that a schedule or a person started has no details, and is looked for in the list.

    :raises FabricNotFoundError: no such refresh.
    """
    request = power_bi_request("GET", refreshes_path(workspace_id, model_id, refresh_id), f"read refresh {refresh_id}")
    try:
        answer = yield from send(request, replay=Replay.SAFE, budget=budget)
    except (FabricNotFoundError, FabricBadRequestError) as error:
        listed = yield from list_semantic_model_refreshes(workspace_id, model_id, budget=budget)
        found = [instance for instance in listed if instance.id == refresh_id.lower()]
        if not found:
            raise error
        return found[0]
    return _instance(answer.json_object(), refresh_id, model_id)


def cancel_semantic_model_refresh(
    workspace_id: str, model_id: str, refresh_id: str, *, budget: RetryBudget = PATIENT
) -> Flow[bool]:
    """Cancel a refresh.

    https://learn.microsoft.com/rest/api/power-bi/datasets/cancel-refresh-in-group

    :returns: ``False`` if it is over.
    :raises FabricBadRequestError: it goes on, and cannot be cancelled: it is no enhanced refresh.
    """
    path = refreshes_path(workspace_id, model_id, refresh_id)
    request = power_bi_request("DELETE", path, f"cancel refresh {refresh_id}")
    try:
        yield from send(request, replay=Replay.SAFE, budget=budget)
    except FabricBadRequestError as error:
        if error.status_code != 400:
            raise
        if (yield from _goes_on(workspace_id, model_id, refresh_id)):
            raise
        return False
    return True


def _goes_on(workspace_id: str, model_id: str, refresh_id: str) -> Flow[bool]:
    """Whether a refresh is known to be active. One call, and no patience: a task may be being killed."""
    try:
        listed = yield from list_semantic_model_refreshes(workspace_id, model_id, budget=ONCE)
    except FabricError:
        return False
    return any(i.id == refresh_id.lower() and not i.status.is_terminal for i in listed)


def poll_semantic_model_refresh(
    poll: JobPoll, *, clock: Clock = time.time, steady: Clock = time.monotonic
) -> Flow[JobInstance]:
    """Poll one refresh until it is over, at the intervals its JobPoll sets; see :func:`.polling.poll_job_instance`."""
    return poll_job_instance(poll, get=get_semantic_model_refresh, clock=clock, steady=steady)


def _instance(content: Mapping[str, Any], refresh_id: str, model_id: str, *, enhanced: bool = True) -> JobInstance:
    """Read a refresh, from the list or from its details, as a job instance."""
    words = [one_line(str(content[key]), MAX_CODE) for key in ("extendedStatus", "status") if content.get(key)]
    known = [_STATUSES[word.casefold()] for word in words if word.casefold() in _STATUSES]
    if not words:
        raise FabricProtocolError("The service's refresh has no 'status'.")
    status = known[0] if known else JobStatus.from_wire(words[-1])
    kind = one_line(str(content.get("refreshType") or ""), MAX_CODE)
    return JobInstance(
        id=one_line(refresh_id, MAX_CODE).lower(),
        item_id=model_id,
        job_type=REFRESH_SEMANTIC_MODEL,
        invoke_type=_invoke_type(kind, enhanced=enhanced),
        status=status,
        status_text=words[0] if status is JobStatus.UNKNOWN else status.value,
        start_time_utc=parse_time(content.get("startTime")),
        end_time_utc=parse_time(content.get("endTime")),
        failure_reason=_reason(content) if status is JobStatus.FAILED else None,
    )


def _reason(content: Mapping[str, Any]) -> ErrorDetail | None:
    """Read why a refresh failed: the details have messages, the list has JSON as text, in the last attempt too."""
    messages = _list(content.get("messages"))
    errors = [m for m in messages if not isinstance(m, dict) or m.get("type") != "Warning"]
    attempts = [a for a in reversed(_list(content.get("refreshAttempts"))) if isinstance(a, dict)]
    found = [content.get("serviceExceptionJson"), *errors, *(a.get("serviceExceptionJson") for a in attempts)]
    return ErrorDetail.from_wire(found)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
