"""The job scheduler over HTTP (``JobScheduler_*`` of the platform file, ``BackgroundJobs_*`` of the item files)."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from airflow_provider_fabric.emulator.errors import ServiceError, invalid_input, new_request_id, not_found
from airflow_provider_fabric.emulator.fabric.addressing import item_of
from airflow_provider_fabric.emulator.fabric.execution_data import check_run_body
from airflow_provider_fabric.emulator.http.pages import paged_response
from airflow_provider_fabric.emulator.http.request import ApiRequest
from airflow_provider_fabric.emulator.http.responses import empty_response, json_response
from airflow_provider_fabric.emulator.state.capacities import ACTIVE
from airflow_provider_fabric.emulator.state.ids import read_guid
from airflow_provider_fabric.emulator.state.items import Item
from airflow_provider_fabric.emulator.state.job_rules import JobRule
from airflow_provider_fabric.emulator.state.job_runs import check_may_run, invalid_job_type, read_job_type, start_run
from airflow_provider_fabric.emulator.state.jobs import JobInstance
from airflow_provider_fabric.emulator.state.times import service_time
from airflow_provider_fabric.emulator.state.world import World


def run_by_path(world: World, request: ApiRequest) -> Response:
    """``POST …/jobs/{jobType}/instances``."""
    return _run(world, request, request.params["jobType"], by_path=True)


def run_by_query(world: World, request: ApiRequest) -> Response:
    """``POST …/jobs/instances?jobType=``: the older form, and the only one that the pages of Data Factory print."""
    requested = request.query.get("jobType")
    if not requested:
        raise invalid_input("The query parameter jobType is required")
    return _run(world, request, requested, by_path=False)


def _run(world: World, request: ApiRequest, requested: str, *, by_path: bool) -> Response:
    item = item_of(world, request)
    _check_capacity(world, item, request.now)
    job_type = read_job_type(item, requested)
    rule = world.job_rules.find(item.id, item.type, (requested, job_type), item.display_name)
    if rule is not None:
        if by_path and rule.accept_only_query_form:
            raise invalid_job_type(item, requested)
        refusal = rule.refusal(world.config)
        if refusal is not None:
            rule.uses += 1
            raise refusal
    data = check_run_body(item.type, job_type, request.json_object(optional=True))
    check_may_run(world, item, request.caller, request.now)
    job = start_run(world, item, job_type, rule, data, submitter=request.caller.client_id, now=request.now)
    request.job_instance_id = job.id
    return _accepted(world, request, job)


def _check_capacity(world: World, item: Item, now: float) -> None:
    """Refuse a run on a capacity that is paused; the status is our guess, the code is Microsoft's."""
    workspace = world.workspaces.get(item.workspace_id)
    capacity = world.capacities.get(workspace.capacity_id or "") if workspace is not None else None
    if capacity is not None and capacity.state_at(now) != ACTIVE:
        text = "Unable to complete the action because this Fabric capacity is currently paused."
        raise ServiceError(400, "CapacityNotActive", text, is_retriable=False)


def _accepted(world: World, request: ApiRequest, job: JobInstance) -> Response:
    """Answer 202 with the instance's address; with a body only if a job rule asks for the one that Learn prints."""
    rule = job.rule
    headers = {"Retry-After": str(_retry_after(world, rule))}
    if rule is None or not rule.omit_location:
        headers["Location"] = instance_url(request, job)
    if rule is not None and rule.job_id_header:
        headers["x-ms-job-id"] = job.id
    if rule is None or not rule.body:
        return empty_response(202, headers)
    body = job.to_wire(request.now) | {"jobInstanceId": job.id, "invokeType": "OnDemand", "status": "Accepted"}
    return json_response([body | {"startTimeUtc": f"{service_time(job.started_at)[:19]}Z"}], 202, headers)


def _retry_after(world: World, rule: JobRule | None) -> int:
    return world.config.retry_after(None if rule is None else rule.retry_after)


def instance_url(request: ApiRequest, job: JobInstance) -> str:
    """Return the address of an instance, always in its ``/items`` form as in the specs' examples."""
    return request.url(f"/v1/workspaces/{job.workspace_id}/items/{job.item_id}/jobs/instances/{job.id}")


def get_instance(world: World, request: ApiRequest) -> Response:
    """``GET …/jobs/instances/{jobInstanceId}``."""
    job = _instance(world, request, check_visible=False)
    if request.now < job.visible_at:
        return json_response(_invisible(job, request))
    headers = None
    if job.rule is not None and job.rule.retry_after is not None and not job.is_over(request.now):
        headers = {"Retry-After": str(_retry_after(world, job.rule))}
    return json_response(job.to_wire(request.now) | _properties(job, request), headers=headers)


def _properties(job: JobInstance, request: ApiRequest) -> dict[str, Any]:
    """Return what only a notebook's own route shows: ``NotebookJobInstanceProperties`` of the notebook file."""
    if job.item_type != "Notebook" or "jobType" not in request.params:
        return {}
    properties: dict[str, Any] = {"compute": job.compute, "computeDetails": _compute_details(job)}
    if job.is_over(request.now) and job.rule is not None and job.rule.exit_value is not None:
        properties["exitValue"] = job.rule.exit_value
    return {"properties": properties}


def _compute_details(job: JobInstance) -> dict[str, Any]:
    portal = f"https://app.fabric.microsoft.com/groups/{job.workspace_id}/synapsenotebooks/{job.item_id}"
    info = {"executionSnapshotUrl": f"{portal}/snapshots/{job.id}"}
    if job.compute == "Spark":
        info |= {"sparkUiUrl": f"{portal}/sparkui/{job.id}", "driverLogUrl": f"{portal}/driverlog/{job.id}"}
    return {"monitoringInfo": info}


def _invisible(job: JobInstance, request: ApiRequest) -> dict[str, Any]:
    """Return what reads show of a new instance that cannot be read yet, as users of Microsoft's plugin reported."""
    shown = job.rule.invisible_as if job.rule is not None else "404"
    if shown == "404":
        raise not_found("ItemNotFound", "job instance", job.id)
    reason = {"errorCode": shown, "message": "The job instance cannot be read", "requestId": new_request_id()}
    return job.to_wire(request.now) | {"status": "Failed", "failureReason": reason}


def list_instances(world: World, request: ApiRequest) -> Response:
    """``GET …/jobs/instances``: all active and the most recently completed ones, newest first."""
    item = item_of(world, request)
    jobs = world.jobs.listed(item.id, request.now)
    if "jobType" in request.params:
        wanted = read_job_type(item, request.params["jobType"])
        jobs = [job for job in jobs if job.job_type == wanted]
    return paged_response(
        request, jobs, world.config.page_size, lambda job: job.to_wire(request.now), newest_first=True
    )


def cancel_instance(world: World, request: ApiRequest) -> Response:
    """``POST …/jobs/instances/{jobInstanceId}/cancel``: accepted at once, done a little later."""
    world.jobs.cancel_requests += 1
    job = _instance(world, request, check_visible=True)
    if job.is_over(request.now):
        raise ServiceError(
            400,
            "JobAlreadyCompleted",
            "Requested cancellation can not be processed as job instance run has completed",
            is_retriable=False,
        )
    takes = world.config.cancel_seconds
    if job.rule is not None and job.rule.cancel_seconds is not None:
        takes = job.rule.cancel_seconds
    job.cancel(request.now, world.config.scaled(takes))
    headers = {"Location": instance_url(request, job), "Retry-After": str(_retry_after(world, job.rule))}
    return empty_response(202, headers)


def _instance(world: World, request: ApiRequest, *, check_visible: bool) -> JobInstance:
    """Return the instance that a request names.

    :raises ServiceError: 404 ``ItemNotFound`` when it is not an instance of the item; the specs name no other code.
    """
    item = item_of(world, request)
    job_id = request.params["jobInstanceId"]
    job = world.jobs.get(job_id) or world.jobs.get(read_guid(job_id, "jobInstanceId"))
    if job is None or job.item_id != item.id or (check_visible and request.now < job.visible_at):
        raise not_found("ItemNotFound", "job instance", job_id)
    request.job_instance_id = job.id
    return job
