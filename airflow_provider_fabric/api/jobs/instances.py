"""Job instances: one generator function per conversation.

https://learn.microsoft.com/rest/api/fabric/core/job-scheduler. There is no idempotency key: see :mod:`.submit` for how
a run is started once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, get_args

from airflow_provider_fabric.api.http.flow import Flow, Request, quote_segment
from airflow_provider_fabric.api.http.retry import PATIENT, Replay, RetryBudget, require_status, send
from airflow_provider_fabric.api.items.items import item_path
from airflow_provider_fabric.api.jobs.job_types import SubmitForm, job_type_remedy
from airflow_provider_fabric.api.jobs.submission import read_submission
from airflow_provider_fabric.api.models import JobInstance, Submission
from airflow_provider_fabric.exceptions import FabricApiError, FabricInputError


def instances_path(workspace_id: str, item_id: str, item_type: str | None = None, typed: bool = False) -> str:
    """Return the path of an item's job instances.

    :param typed: by way of the typed collection of ``item_type``, as Microsoft's article on copy jobs does.
    """
    return f"{item_path(workspace_id, item_id, item_type, typed)}/jobs/instances"


def run_item_job(
    workspace_id: str,
    item_id: str,
    job_type: str,
    body: Mapping[str, Any] | None = None,
    *,
    submit_form: SubmitForm = "auto",
) -> Flow[Submission]:
    """Start a job, once.

    https://learn.microsoft.com/rest/api/fabric/core/job-scheduler/run-on-demand-item-job. Some clusters do not know
    this form and accept only the older ``?jobType=``. They answer 400 ``InvalidJobType``, 405, or a 404 that says that
    the route is unknown; nothing was started then, so the older form is sent next.

    :param workspace_id: GUID.
    :param item_id: GUID.
    :param job_type: kind of job, such as ``Execute``.
    :param body: see :mod:`airflow_provider_fabric.api.jobs.payloads`.
    :param submit_form: ``"path"`` sends the newer form only, ``"query"`` the older form only.
    :raises FabricInputError: ``submit_form`` is none of these.
    :raises FabricAmbiguousError: no clear answer, or one without the id of the instance; it may be running.
    """
    check_submit(job_type, submit_form)
    action = f"start job {job_type!r} of item {item_id}"
    path = f"{item_path(workspace_id, item_id)}/jobs/{quote_segment(job_type, 'job_type')}/instances"
    path_form = Request("POST", path, action, json=body)
    query_form = replace(path_form, path=instances_path(workspace_id, item_id), params={"jobType": job_type})
    forms = {"path": (path_form,), "query": (query_form,), "auto": (path_form, query_form)}[submit_form]
    for form in forms:
        try:
            answer = yield from send(form, replay=Replay.IF_UNSENT)
        except FabricApiError as error:
            if not is_route_unknown(error):
                raise
            refused = error
        else:
            return read_submission(answer, action, item_id)
    remedy = job_type_remedy(job_type)
    refused.args = (f"{refused} {remedy}" if remedy else str(refused),)
    raise refused


def check_submit(job_type: str, submit_form: str) -> None:
    """Check what a submit is addressed with, before anything is sent.

    :raises FabricInputError: a value is wrong.
    """
    quote_segment(job_type, "job_type")
    if submit_form not in get_args(SubmitForm):
        raise FabricInputError(f"submit_form must be 'auto', 'path' or 'query', got {submit_form!r}.")


ROUTE_NOT_FOUND_CODES = frozenset({None, "EntityNotFound", "EndpointNotFound", "NotFound"})
"""Codes of a 404 that is about the route; an empty 404 has none. ``ItemNotFound`` and all others are about the item."""


def is_route_unknown(error: FabricApiError) -> bool:
    """Whether a refusal of the submit says that this form of the route is unknown, and not that the item is."""
    if error.status_code == 400:
        return error.error_code == "InvalidJobType"
    codes = {error.error_code, *(detail.get("errorCode") for detail in error.more_details)}
    if error.status_code == 405:
        return not any(str(code).endswith("NotFound") for code in codes - ROUTE_NOT_FOUND_CODES)
    return error.status_code == 404 and codes <= ROUTE_NOT_FOUND_CODES


def get_item_job_instance(
    workspace_id: str,
    item_id: str,
    job_instance_id: str,
    *,
    budget: RetryBudget = PATIENT,
    item_type: str | None = None,
    typed: bool = False,
) -> Flow[JobInstance]:
    """Return one job instance.

    https://learn.microsoft.com/rest/api/fabric/core/job-scheduler/get-item-job-instance

    :param budget: how long the call is tried.
    :param item_type: kind of item, for ``typed``.
    :param typed: use the kind's own collection.
    :raises FabricNotFoundError: no such instance; right after the submit it may not be visible yet.
    """
    instance = quote_segment(job_instance_id, "job_instance_id")
    path = f"{instances_path(workspace_id, item_id, item_type, typed)}/{instance}"
    request = Request("GET", path, f"read job instance {job_instance_id}")
    answer = yield from send(request, replay=Replay.SAFE, budget=budget)
    return JobInstance.from_wire(answer.json_object())


def cancel_item_job_instance(
    workspace_id: str,
    item_id: str,
    job_instance_id: str,
    *,
    budget: RetryBudget = PATIENT,
    item_type: str | None = None,
    typed: bool = False,
) -> Flow[bool]:
    """Ask the service to cancel a job instance; it does so later.

    https://learn.microsoft.com/rest/api/fabric/core/job-scheduler/cancel-item-job-instance

    :param budget: how long the call is tried.
    :param item_type: kind of item, for ``typed``.
    :param typed: use the kind's own collection.
    :returns: ``False`` if the instance was over already (``JobAlreadyCompleted``).
    """
    instance = quote_segment(job_instance_id, "job_instance_id")
    path = f"{instances_path(workspace_id, item_id, item_type, typed)}/{instance}/cancel"
    request = Request("POST", path, f"cancel job instance {job_instance_id}")
    try:
        answer = yield from send(request, replay=Replay.SAFE, budget=budget)
    except FabricApiError as error:
        if error.error_code == "JobAlreadyCompleted":
            return False
        raise
    require_status(answer, request.action, 200, 202)
    return True
