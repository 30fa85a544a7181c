"""``.schedules``, the part of a definition that holds an item's schedules: into the schedule list, and out of it.

https://learn.microsoft.com/fabric/cicd/git-integration/source-code-format#schedule-file: it counts when an item is
created and when its definition is updated; a definition without it leaves the schedules alone.
"""

from __future__ import annotations

import json
from typing import Any

from airflow_provider_fabric.emulator.errors import invalid_input
from airflow_provider_fabric.emulator.state.definitions import Part, Parts
from airflow_provider_fabric.emulator.state.ids import new_id
from airflow_provider_fabric.emulator.state.item_types import ItemType
from airflow_provider_fabric.emulator.state.schedules import Schedule

SCHEDULES_PART = ".schedules"
SCHEMA = "https://developer.microsoft.com/json-schemas/fabric/gitIntegration/schedules/1.0.0/schema.json"


def split_schedules(parts: Parts) -> tuple[Parts, Part | None]:
    """Return a definition without ``.schedules``, and that part."""
    rest = tuple(part for part in parts if part.path != SCHEDULES_PART)
    return rest, next((part for part in parts if part.path == SCHEDULES_PART), None)


def read_schedules(item_type: ItemType, part: Part, now: float, owner_id: str, owner_type: str) -> list[Schedule]:
    """Return the schedules that a part holds.

    :raises ServiceError: 400 for what is no such part.
    """
    try:
        entries = part.json()["schedules"]
        return [_read(item_type, entry, now, owner_id, owner_type) for entry in entries]
    except (ValueError, KeyError, TypeError) as problem:
        raise invalid_input(f"The part '{SCHEDULES_PART}' cannot be read: {problem!r}") from problem


def _read(item_type: ItemType, entry: dict[str, Any], now: float, owner_id: str, owner_type: str) -> Schedule:
    job_type = item_type.job_type(entry["jobType"])
    if job_type is None:
        raise invalid_input(f"Items of type {item_type.name} run no job of type '{entry['jobType']}'")
    if not isinstance(entry["enabled"], bool) or not isinstance(entry["configuration"], dict):
        raise invalid_input(f"A schedule of the part '{SCHEDULES_PART}' needs 'enabled' and 'configuration'")
    return Schedule(new_id(), 0, job_type, entry["enabled"], entry["configuration"], None, now, owner_id, owner_type)


def schedules_part(schedules: list[Schedule]) -> Parts:
    """Return the part that holds schedules; nothing if there are none."""
    if not schedules:
        return ()
    entries = [
        {"enabled": entry.enabled, "jobType": entry.job_type, "configuration": entry.configuration}
        for entry in schedules
    ]
    return (Part(SCHEDULES_PART, json.dumps({"$schema": SCHEMA, "schedules": entries}, indent=2).encode()),)
