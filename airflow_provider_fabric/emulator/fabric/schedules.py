"""Schedules of an item's jobs over HTTP (``JobScheduler_*Schedule*`` of the platform file)."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from airflow_provider_fabric.emulator.errors import ServiceError, invalid_input, not_found
from airflow_provider_fabric.emulator.fabric.addressing import item_of
from airflow_provider_fabric.emulator.fabric.schedule_configuration import check_configuration
from airflow_provider_fabric.emulator.http.pages import paged_response
from airflow_provider_fabric.emulator.http.request import ApiRequest
from airflow_provider_fabric.emulator.http.responses import empty_response, json_response
from airflow_provider_fabric.emulator.state.ids import new_id, read_guid
from airflow_provider_fabric.emulator.state.items import Item
from airflow_provider_fabric.emulator.state.job_runs import read_job_type
from airflow_provider_fabric.emulator.state.schedules import Schedule
from airflow_provider_fabric.emulator.state.world import World

MAX_SCHEDULES = 20


def list_schedules(world: World, request: ApiRequest) -> Response:
    """``GET …/jobs/{jobType}/schedules``."""
    item, job_type = _item_and_job_type(world, request)
    return paged_response(request, world.schedules.of_item(item.id, job_type), world.config.page_size, Schedule.to_wire)


def create_schedule(world: World, request: ApiRequest) -> Response:
    """``POST …/jobs/{jobType}/schedules``."""
    item, job_type = _item_and_job_type(world, request)
    enabled, configuration, data = _read(request)
    if len(world.schedules.of_item(item.id, job_type)) >= MAX_SCHEDULES:
        raise ServiceError(400, "ScheduleExceedsLimit", "The number of schedules of the item exceeds the limit")
    caller = request.caller
    owner_type = "ServicePrincipal" if caller.is_app else "User"
    created = Schedule(new_id(), 0, job_type, enabled, configuration, data, request.now, caller.object_id, owner_type)
    world.schedules.add(item.id, created)
    path = f"/v1/workspaces/{item.workspace_id}/items/{item.id}/jobs/{request.params['jobType']}/schedules/{created.id}"
    return json_response(created.to_wire(), 201, {"Location": request.url(path)})


def get_schedule(world: World, request: ApiRequest) -> Response:
    """``GET …/schedules/{scheduleId}``."""
    return json_response(_schedule(world, request)[1].to_wire())


def update_schedule(world: World, request: ApiRequest) -> Response:
    """``PATCH …/schedules/{scheduleId}``: replaces everything but the id."""
    _, schedule = _schedule(world, request)
    schedule.enabled, schedule.configuration, data = _read(request)
    if data is not None:
        schedule.execution_data = data
    return json_response(schedule.to_wire())


def delete_schedule(world: World, request: ApiRequest) -> Response:
    """``DELETE …/schedules/{scheduleId}``."""
    item, schedule = _schedule(world, request)
    world.schedules.remove(item.id, schedule.id)
    return empty_response()


def _item_and_job_type(world: World, request: ApiRequest) -> tuple[Item, str]:
    item = item_of(world, request)
    return item, read_job_type(item, request.params["jobType"])


def _schedule(world: World, request: ApiRequest) -> tuple[Item, Schedule]:
    item, job_type = _item_and_job_type(world, request)
    schedule_id = read_guid(request.params["scheduleId"], "scheduleId")
    found = world.schedules.get(item.id, schedule_id)
    if found is None or found.job_type != job_type:
        raise not_found("ItemNotFound", "schedule", schedule_id)
    return item, found


def _read(request: ApiRequest) -> tuple[bool, dict[str, Any], dict[str, Any] | None]:
    body = request.json_object()
    enabled, configuration, data = body.get("enabled"), body.get("configuration"), body.get("executionData")
    if not isinstance(enabled, bool):
        raise invalid_input("enabled must be true or false")
    if not isinstance(configuration, dict):
        raise invalid_input("configuration must be an object")
    if not isinstance(data, (dict, type(None))):
        raise invalid_input("executionData must be an object")
    check_configuration(configuration)
    return enabled, configuration, data
