"""Schedules of an item's jobs (``JobScheduler_*Schedule*`` of the platform file). They are kept, they do not fire.

To act as Fabric's scheduler, a test starts a run with ``POST /_emulator/jobs/start``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from airflow_provider_fabric.emulator.errors import ServiceError, invalid_input, not_found
from airflow_provider_fabric.emulator.http.pages import paged
from airflow_provider_fabric.emulator.http.request import Call, empty_answer, json_answer
from airflow_provider_fabric.emulator.state.items import Item
from airflow_provider_fabric.emulator.state.job_runs import read_job_type
from airflow_provider_fabric.emulator.state.jobs import service_time
from airflow_provider_fabric.emulator.state.workspaces import new_id, read_guid

if TYPE_CHECKING:
    from airflow_provider_fabric.emulator.state.world import World

MAX_SCHEDULES = 20
WEEKDAYS = frozenset({"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"})
MAX_CRON_MINUTES = 5270400
"""Ten years in minutes, the documented end of the range of ``interval``."""


@dataclass(slots=True)
class Schedule:
    """One schedule."""

    id: str
    number: int
    job_type: str
    enabled: bool
    configuration: dict[str, Any]
    execution_data: dict[str, Any] | None
    created_at: float
    owner_id: str
    owner_type: str

    def to_wire(self) -> dict[str, Any]:
        """Return the OpenAPI ``ItemSchedule``."""
        body: dict[str, Any] = {
            "id": self.id,
            "enabled": self.enabled,
            "createdDateTime": service_time(self.created_at),
            "configuration": self.configuration,
            "owner": {"id": self.owner_id, "type": self.owner_type},
        }
        if self.execution_data is not None:
            body["executionData"] = self.execution_data
        return body


class ScheduleStore:
    """All schedules, by item."""

    def __init__(self) -> None:
        self._by_item: dict[str, dict[str, Schedule]] = {}
        self._numbers = 0

    def of_item(self, item_id: str, job_type: str) -> list[Schedule]:
        """Return the schedules of one job type of an item."""
        return [entry for entry in self._by_item.get(item_id, {}).values() if entry.job_type == job_type]

    def add(self, item_id: str, schedule: Schedule) -> None:
        """Keep a schedule."""
        self._numbers += 1
        schedule.number = self._numbers
        self._by_item.setdefault(item_id, {})[schedule.id] = schedule

    def get(self, item_id: str, schedule_id: str) -> Schedule | None:
        """Return one schedule."""
        return self._by_item.get(item_id, {}).get(schedule_id)

    def remove(self, item_id: str, schedule_id: str) -> None:
        """Forget a schedule."""
        del self._by_item[item_id][schedule_id]


def list_schedules(world: World, call: Call) -> Response:
    """``GET …/jobs/{jobType}/schedules``."""
    item, job_type = _addressed(world, call)
    return paged(call, world.schedules.of_item(item.id, job_type), world.config.page_size, Schedule.to_wire)


def create_schedule(world: World, call: Call) -> Response:
    """``POST …/jobs/{jobType}/schedules``."""
    item, job_type = _addressed(world, call)
    enabled, configuration, data = _read(call)
    if len(world.schedules.of_item(item.id, job_type)) >= MAX_SCHEDULES:
        raise ServiceError(400, "ScheduleExceedsLimit", "The number of schedules of the item exceeds the limit")
    caller = call.caller
    owner_type = "ServicePrincipal" if caller.is_app else "User"
    created = Schedule(new_id(), 0, job_type, enabled, configuration, data, call.now, caller.object_id, owner_type)
    world.schedules.add(item.id, created)
    path = f"/v1/workspaces/{item.workspace_id}/items/{item.id}/jobs/{call.params['jobType']}/schedules/{created.id}"
    return json_answer(created.to_wire(), 201, {"Location": call.url(path)})


def get_schedule(world: World, call: Call) -> Response:
    """``GET …/schedules/{scheduleId}``."""
    return json_answer(_schedule(world, call)[1].to_wire())


def update_schedule(world: World, call: Call) -> Response:
    """``PATCH …/schedules/{scheduleId}``: replaces everything but the id."""
    _, schedule = _schedule(world, call)
    schedule.enabled, schedule.configuration, data = _read(call)
    if data is not None:
        schedule.execution_data = data
    return json_answer(schedule.to_wire())


def delete_schedule(world: World, call: Call) -> Response:
    """``DELETE …/schedules/{scheduleId}``."""
    item, schedule = _schedule(world, call)
    world.schedules.remove(item.id, schedule.id)
    return empty_answer()


def _addressed(world: World, call: Call) -> tuple[Item, str]:
    item = world.items.addressed(call, world.workspaces.visible(call).id)
    return item, read_job_type(item, call.params["jobType"])


def _schedule(world: World, call: Call) -> tuple[Item, Schedule]:
    item, job_type = _addressed(world, call)
    schedule_id = read_guid(call.params["scheduleId"], "scheduleId")
    found = world.schedules.get(item.id, schedule_id)
    if found is None or found.job_type != job_type:
        raise not_found("ItemNotFound", "schedule", schedule_id)
    return item, found


def _read(call: Call) -> tuple[bool, dict[str, Any], dict[str, Any] | None]:
    body = call.json_object()
    enabled, configuration, data = body.get("enabled"), body.get("configuration"), body.get("executionData")
    if not isinstance(enabled, bool):
        raise invalid_input("enabled must be true or false")
    if not isinstance(configuration, dict):
        raise invalid_input("configuration must be an object")
    if not isinstance(data, (dict, type(None))):
        raise invalid_input("executionData must be an object")
    _check_configuration(configuration)
    return enabled, configuration, data


def _check_configuration(configuration: dict[str, Any]) -> None:
    start, end = (_read_moment(configuration, key) for key in ("startDateTime", "endDateTime"))
    if end <= start:
        raise invalid_input("endDateTime must be after startDateTime")
    zone = configuration.get("localTimeZoneId")
    if not isinstance(zone, str) or not zone:
        raise invalid_input("localTimeZoneId is required")
    kind = configuration.get("type")
    if kind not in ("Cron", "Daily", "Weekly", "Monthly"):
        raise invalid_input("type must be Cron, Daily, Weekly or Monthly")
    if kind == "Cron":
        _check_number(configuration, "interval", MAX_CRON_MINUTES)
        return
    _check_times(configuration.get("times"))
    if kind == "Weekly":
        _check_weekdays(configuration.get("weekdays"))
    if kind == "Monthly":
        _check_number(configuration, "recurrence", 12)
        _check_occurrence(configuration.get("occurrence"))


def _read_moment(configuration: dict[str, Any], key: str) -> datetime:
    try:
        return datetime.fromisoformat(str(configuration.get(key)).removesuffix("Z")).replace(tzinfo=None)
    except ValueError as problem:
        raise invalid_input(f"{key} must be a date and time in UTC") from problem


def _check_number(configuration: dict[str, Any], key: str, most: int) -> None:
    value = configuration.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise invalid_input(f"{key} must be a number from 1 to {most}")


def _check_times(times: Any) -> None:
    if not isinstance(times, list) or not 1 <= len(times) <= 100:
        raise invalid_input("times must hold 1 to 100 slots")
    if not all(isinstance(slot, str) and re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", slot) for slot in times):
        raise invalid_input("times must be written hh:mm")


def _check_weekdays(days: Any) -> None:
    if not isinstance(days, list) or not days or not WEEKDAYS.issuperset(map(str, days)):
        raise invalid_input("weekdays must hold days of the week")


def _check_occurrence(occurrence: Any) -> None:
    kind = occurrence.get("occurrenceType") if isinstance(occurrence, dict) else None
    if kind == "DayOfMonth":
        _check_number(occurrence, "dayOfMonth", 31)
    elif kind == "OrdinalWeekday":
        if occurrence.get("weekIndex") not in ("First", "Second", "Third", "Fourth", "Fifth"):
            raise invalid_input("weekIndex must be First to Fifth")
        _check_weekdays([occurrence.get("weekday")])
    else:
        raise invalid_input("occurrenceType must be DayOfMonth or OrdinalWeekday")
