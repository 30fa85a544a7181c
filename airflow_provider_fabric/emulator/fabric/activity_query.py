"""The body of a query for activity runs: a time span, filters and orders.

https://learn.microsoft.com/fabric/data-factory/pipeline-rest-api-capabilities#query-activity-runs prints times in UTC
with ``Z``; operands, operators and orders are those of
https://learn.microsoft.com/rest/api/datafactory/activity-runs/query-by-pipeline-run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from airflow_provider_fabric.emulator.errors import invalid_input

OPERANDS = {
    "ActivityName": "activityName",
    "ActivityType": "activityType",
    "Status": "status",
    "ActivityRunStart": "activityRunStart",
    "ActivityRunEnd": "activityRunEnd",
}
"""Operand or order → key of an activity run."""

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,7}))?(Z|[+-]\d\d:\d\d)?")


@dataclass(frozen=True)
class ActivityQuery:
    """What a query asks for: epoch seconds; filters of key, operator and values; orders of key and descending."""

    after: float
    before: float
    filters: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    orders: tuple[tuple[str, bool], ...] = ()

    def select(self, runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the runs that the query is about, in its order."""
        found = [run for run in runs if self.after <= run["_end"] and run["_start"] <= self.before]
        found = [run for run in found if all(_matches(run, *entry) for entry in self.filters)]
        found.sort(key=lambda run: float(run["_start"]))
        for key, descending in reversed(self.orders):
            found.sort(key=lambda run: str(run.get(key) or ""), reverse=descending)
        return found


def read_activity_query(body: dict[str, Any]) -> ActivityQuery:
    """Read a query.

    :raises ServiceError: 400 for missing or malformed times, filters and orders.
    """
    after, before = (_read_time(body, key) for key in ("lastUpdatedAfter", "lastUpdatedBefore"))
    if after > before:
        raise invalid_input("lastUpdatedAfter must not be later than lastUpdatedBefore")
    filters = tuple(_read_filter(entry) for entry in _objects(body, "filters"))
    return ActivityQuery(after, before, filters, tuple(_read_order(entry) for entry in _objects(body, "orderBy")))


def _matches(run: dict[str, Any], key: str, operator: str, values: tuple[str, ...]) -> bool:
    return (str(run.get(key)) in values) is (operator in ("Equals", "In"))


def _objects(body: dict[str, Any], key: str) -> list[dict[str, Any]]:
    entries = body.get(key) or []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise invalid_input(f"{key} must be a list of objects")
    return entries


def _read_filter(entry: dict[str, Any]) -> tuple[str, str, tuple[str, ...]]:
    key, operator, values = OPERANDS.get(entry.get("operand", "")), entry.get("operator"), entry.get("values")
    if key is None or operator not in ("Equals", "NotEquals", "In", "NotIn") or not isinstance(values, list):
        raise invalid_input("A filter needs operand, operator and values")
    return key, operator, tuple(str(value) for value in values)


def _read_order(entry: dict[str, Any]) -> tuple[str, bool]:
    key, order = OPERANDS.get(entry.get("orderBy", "")), entry.get("order", "ASC")
    if key is None or order not in ("ASC", "DESC"):
        raise invalid_input("An order needs orderBy, and order ASC or DESC")
    return key, order == "DESC"


def _read_time(body: dict[str, Any], key: str) -> float:
    match = _TIME.fullmatch(str(body.get(key)))
    try:
        if match is None:
            raise ValueError(key)
        whole, fraction, zone = match.groups()
        read = datetime.fromisoformat(whole + (zone or "Z").replace("Z", "+00:00"))
        return read.astimezone(timezone.utc).timestamp() + float(f"0.{fraction or 0}")
    except (ValueError, OverflowError) as problem:
        raise invalid_input(f"{key} must be a date and time") from problem
