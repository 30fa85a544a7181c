"""Points in time, as users and Airflow write them, in epoch seconds."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from airflow_provider_fabric.exceptions import FabricInputError

ISO_8601 = re.compile(
    r"(?P<year>\d{4})(?P<dash>-?)(?P<month>\d\d)(?P=dash)(?P<day>\d\d)"
    r"(?:[Tt ](?P<hour>\d\d)(?::?(?P<minute>\d\d)(?::?(?P<second>\d\d)(?:[.,](?P<fraction>\d+))?)?)?)?"
    r"\s*(?P<offset>[Zz]|[+-]\d\d(?::?\d\d)?)?"
)
"""ISO 8601 in its extended and its basic form (``{{ ts }}``, ``{{ ts_nodash }}``, ``{{ ds_nodash }}``), which
``datetime.fromisoformat`` reads from Python 3.11 on."""

OF_SCHEDULES = ("scheduled", "backfill")
"""Kinds of DAG runs that Airflow 2 starts at the end of their data interval."""


def to_epoch(value: Any, name: str) -> float:
    """Return epoch seconds.

    :param value: a datetime, or ISO 8601 text; without an offset it is UTC, without a time midnight.
    :param name: what to call it in the error.
    :raises FabricInputError: it is something else.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)  # native rendering makes a number of {{ ds_nodash }}
    if isinstance(value, str):
        value = _parse(value.strip(), name)
    if not isinstance(value, datetime):
        raise FabricInputError(f"{name} must be a datetime or ISO 8601 text, got {type(value).__name__}.")
    return (value if value.tzinfo else value.replace(tzinfo=timezone.utc)).timestamp()


def _parse(text: str, name: str) -> datetime:
    found = ISO_8601.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        parts = [int(found[part] or 0) for part in ("year", "month", "day", "hour", "minute", "second")]
        fraction = int((found["fraction"] or "")[:6].ljust(6, "0"))
        return datetime(*parts, fraction, tzinfo=_offset(found["offset"]))  # type: ignore[misc, arg-type]
    except ValueError:
        raise FabricInputError(
            f"{name} must be a date or a time such as 2026-01-31T06:00:00Z, got {text[:80]!r}."
        ) from None


def _offset(text: str | None) -> timezone:
    if text is None or text in "Zz":
        return timezone.utc
    digits = text[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if text[0] == "-" else offset)


def dag_run_start(context: Mapping[str, Any]) -> float:
    """Return the beginning of what a DAG run is about, in epoch seconds.

    The beginning of its data interval; failing that (it was triggered, in Airflow 3) its logical date, or its start.
    """
    dag_run = context.get("dag_run")
    return _first(
        context.get("data_interval_start"),
        context.get("logical_date"),
        getattr(dag_run, "run_after", None),
        getattr(dag_run, "start_date", None),
    )


def dag_run_due(context: Mapping[str, Any]) -> float:
    """Return when a DAG run was to start, in epoch seconds: the same for a run that is cleared a week later.

    For a schedule that is its time (the end of the data interval, in Airflow 2), for a run that a person or an asset
    triggered the time of that.
    """
    dag_run = context.get("dag_run")
    of_schedule = getattr(dag_run, "run_type", None) in OF_SCHEDULES
    return _first(
        getattr(dag_run, "run_after", None),
        context.get("data_interval_end") if of_schedule else None,
        context.get("logical_date"),
        getattr(dag_run, "start_date", None),
    )


def _first(*candidates: Any) -> float:
    found = next((value for value in candidates if isinstance(value, datetime)), None)
    return found.timestamp() if found is not None else time.time()
