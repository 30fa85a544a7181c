"""Schedules of an item's jobs: when Fabric itself starts them.

https://learn.microsoft.com/rest/api/fabric/core/job-scheduler/create-item-schedule. A schedule is handed on as the
service's own mapping: its ``configuration`` has a shape per ``type`` (``Cron``, ``Daily``, ``Weekly``, ``Monthly``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_fabric.api.http.flow import Flow, Request, quote_segment
from airflow_provider_fabric.api.http.pages import list_all
from airflow_provider_fabric.api.http.retry import Replay, send
from airflow_provider_fabric.api.items.deletion import send_delete
from airflow_provider_fabric.api.items.items import item_path
from airflow_provider_fabric.exceptions import FabricInputError


def _path(workspace_id: str, item_id: str, job_type: str, schedule_id: str | None = None) -> str:
    path = f"{item_path(workspace_id, item_id)}/jobs/{quote_segment(job_type, 'job_type')}/schedules"
    return path if schedule_id is None else f"{path}/{quote_segment(schedule_id, 'schedule_id')}"


def _body(enabled: bool, configuration: Mapping[str, Any], execution_data: Mapping[str, Any] | None) -> dict[str, Any]:
    missing = [key for key in ("type", "startDateTime", "endDateTime", "localTimeZoneId") if not configuration.get(key)]
    if missing:
        raise FabricInputError(f"configuration of the schedule needs {', '.join(missing)}.")
    body = {"enabled": enabled, "configuration": dict(configuration)}
    return body if execution_data is None else {**body, "executionData": dict(execution_data)}


def list_item_schedules(workspace_id: str, item_id: str, job_type: str) -> Flow[list[dict[str, Any]]]:
    """Return an item's schedules of a job type, all pages."""
    request = Request("GET", _path(workspace_id, item_id, job_type), f"list schedules of item {item_id}")
    return (yield from list_all(request))


def create_item_schedule(
    workspace_id: str,
    item_id: str,
    job_type: str,
    *,
    enabled: bool,
    configuration: Mapping[str, Any],
    execution_data: Mapping[str, Any] | None = None,
) -> Flow[dict[str, Any]]:
    """Create a schedule.

    :param enabled: whether it starts jobs.
    :param configuration: ``{"type", "startDateTime", "endDateTime", "localTimeZoneId", …}``.
    :param execution_data: what the job type documents; each run gets it.
    :raises FabricAmbiguousError: no clear answer; it may have been created.
    """
    body = _body(enabled, configuration, execution_data)
    request = Request("POST", _path(workspace_id, item_id, job_type), f"schedule item {item_id}", json=body)
    return (yield from send(request, replay=Replay.IF_UNSENT)).json_object()


def get_item_schedule(workspace_id: str, item_id: str, job_type: str, schedule_id: str) -> Flow[dict[str, Any]]:
    """Return one schedule."""
    request = Request("GET", _path(workspace_id, item_id, job_type, schedule_id), f"read schedule {schedule_id}")
    return (yield from send(request, replay=Replay.SAFE)).json_object()


def update_item_schedule(
    workspace_id: str,
    item_id: str,
    job_type: str,
    schedule_id: str,
    *,
    enabled: bool,
    configuration: Mapping[str, Any],
    execution_data: Mapping[str, Any] | None = None,
) -> Flow[dict[str, Any]]:
    """Replace a schedule; without ``execution_data`` the service keeps what it has."""
    path = _path(workspace_id, item_id, job_type, schedule_id)
    body = _body(enabled, configuration, execution_data)
    request = Request("PATCH", path, f"update schedule {schedule_id}", json=body)
    return (yield from send(request, replay=Replay.SAFE)).json_object()


def delete_item_schedule(
    workspace_id: str, item_id: str, job_type: str, schedule_id: str, *, ignore_missing: bool = False
) -> Flow[None]:
    """Delete a schedule.

    If no clear answer comes, the call is repeated; a schedule that is not there then has been deleted by us.

    :param ignore_missing: a schedule that is not there is no error.
    :raises FabricNotFoundError: there is no such schedule.
    """
    request = Request("DELETE", _path(workspace_id, item_id, job_type, schedule_id), f"delete schedule {schedule_id}")
    yield from send_delete(request, ignore_missing=ignore_missing)
