"""The service's form of Python values: text, numbers, times and durations, as the API reference of each kind has them.

What has no form is refused before anything is sent.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from airflow_provider_fabric.exceptions import FabricInputError


@dataclass(frozen=True)
class TimeForm:
    """How an API writes times.

    :param digits: digits of a second's fraction that there is room for. Further ones of a time are cut off; a duration
        that has further ones is refused.
    :param keep_offset: write a datetime with its own offset, ``+02:00``, instead of in UTC, ``Z``.
    """

    digits: int = 6
    keep_offset: bool = False


FREE = TimeForm()
"""Where the value is text to the service: pipelines, notebooks, functions."""

WHOLE_SECONDS = TimeForm(digits=0)
"""``YYYY-MM-DDTHH:mm:ssZ``, as the job scheduler's API reference has it."""

DATAFLOW_FORMS: Mapping[str, TimeForm] = {
    "DateTime": TimeForm(digits=3),
    "DateTimeZone": TimeForm(digits=0, keep_offset=True),
    "Date": WHOLE_SECONDS,
    "Time": WHOLE_SECONDS,
    "Duration": WHOLE_SECONDS,
}
"""Declared type of a dataflow's parameter → its form:
https://learn.microsoft.com/rest/api/fabric/dataflow/items/discover-dataflow-parameters"""

TIMESPECS = {0: "seconds", 3: "milliseconds", 6: "microseconds"}

VARIABLE_REFERENCE = re.compile(r"\$\(/\*\*/[^/()]+/[^/()]+\)")
"""A variable of a variable library, ``$(/**/Library/Variable)``:
https://learn.microsoft.com/rest/api/fabric/variablelibrary/items"""


def parameter_value(value: Any, name: str, form: TimeForm = FREE) -> Any:
    """Return a parameter's value in a form JSON can carry.

    A datetime becomes ISO 8601 in UTC, dates and times ISO 8601, a ``timedelta`` an ISO 8601 duration (``P1DT12H``),
    ``UUID`` a string, ``Decimal`` a number if that loses nothing, else a string; any sequence a list.

    :param value: any plain Python value, nested lists and mappings included.
    :param name: the parameter's name, for errors.
    :param form: how times are written.
    :raises FabricInputError: NaN, infinity, or a value that has no JSON form.
    """
    if value is None or isinstance(value, bool | int | str):
        return value.value if isinstance(value, Enum) else value
    if isinstance(value, float | Decimal):
        return _number(value, name)
    if isinstance(value, date | time | timedelta):
        return _time(value, name, form)
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Enum):
        return parameter_value(value.value, name, form)
    if isinstance(value, Mapping):
        return {str(key): parameter_value(entry, f"{name}.{key}", form) for key, entry in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return [parameter_value(entry, f"{name}[{index}]", form) for index, entry in enumerate(value)]
    raise FabricInputError(
        f"parameters: {name!r} is a {type(value).__name__}, which has no JSON form. Give text, a number, a bool, "
        "a date, a time, a timedelta, a UUID, or lists and mappings of these."
    )


def _time(value: date | time | timedelta, name: str, form: TimeForm) -> str:
    if isinstance(value, timedelta):
        return duration_text(value, name, form)
    if isinstance(value, datetime):
        return _datetime(value, form)
    return value.isoformat(_timespec(value.microsecond, form)) if isinstance(value, time) else value.isoformat()


def _datetime(value: datetime, form: TimeForm) -> str:
    """Return a datetime; a naive one is taken as UTC, as Airflow's are."""
    aware = value if value.tzinfo else value.replace(tzinfo=timezone.utc)
    timespec = _timespec(aware.microsecond, form)
    offset = aware.utcoffset() or timedelta(0)
    if form.keep_offset and offset % timedelta(minutes=1) == timedelta(0):
        return aware.isoformat(timespec=timespec)
    text = aware.astimezone(timezone.utc).isoformat(timespec=timespec)
    return text if form.keep_offset else text.replace("+00:00", "Z")


def _timespec(microsecond: int, form: TimeForm) -> str:
    """Return how many digits of a second are written: as many as there is room for, or none."""
    return TIMESPECS[form.digits if microsecond // 10 ** (6 - form.digits) else 0]


def duration_text(value: timedelta, name: str, form: TimeForm = FREE) -> str:
    """Return an ISO 8601 duration in days, hours, minutes and seconds: ``P1DT12H``.

    :param value: not negative.
    :param name: the parameter's name, for errors.
    :param form: whether there is room for fractions of a second.
    :raises FabricInputError: it is negative, or has a fraction that there is no room for.
    """
    if value < timedelta(0):
        raise FabricInputError(
            f"parameters: {name!r} is a negative duration ({value}), which ISO 8601 has no form for."
        )
    if value.microseconds and not form.digits:
        raise FabricInputError(
            f"parameters: {name!r} is {value}; the service takes durations in whole seconds. Round it yourself."
        )
    hours, rest = divmod(value.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    fraction = f".{value.microseconds:06d}".rstrip("0") if value.microseconds else ""
    parts = [f"{hours}H" if hours else "", f"{minutes}M" if minutes else ""]
    parts.append(f"{seconds}{fraction}S" if seconds or fraction else "")
    clock = "".join(parts)
    days = f"{value.days}D" if value.days else ""
    return f"P{days}T{clock}" if clock else f"P{days or 'T0S'}"


def has_offset(value: Any) -> bool:
    """Whether a value is a datetime in another zone than UTC: then its form depends on the declared type."""
    return isinstance(value, datetime) and bool(value.utcoffset())


def _number(value: float | Decimal, name: str) -> float | int | str:
    if not (Decimal(value).is_finite() and math.isfinite(value)):  # math cannot take a signalling NaN
        raise FabricInputError(f"parameters: {name!r} is {value}, which JSON cannot carry.")
    if isinstance(value, float):
        return value
    if value == value.to_integral_value():
        return int(value)
    return float(value) if Decimal(repr(float(value))) == value else str(value)
