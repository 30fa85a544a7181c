"""What the ``configuration`` of a schedule may hold (OpenAPI ``ScheduleConfig`` and its kinds)."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from airflow_provider_fabric.emulator.errors import invalid_input

WEEKDAYS = frozenset({"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"})
MAX_CRON_MINUTES = 5270400
"""Ten years in minutes, the documented end of the range of ``interval``."""


def check_configuration(configuration: dict[str, Any]) -> None:
    """Check when a schedule is to start its job.

    :raises ServiceError: 400 for what the service refuses.
    """
    start, end = (_read_time(configuration, key) for key in ("startDateTime", "endDateTime"))
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


def _read_time(configuration: dict[str, Any], key: str) -> datetime:
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
