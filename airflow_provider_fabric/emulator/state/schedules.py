"""Schedules of an item's jobs: they are kept, and never start a run.

To act as Fabric's scheduler, a test starts a run with ``POST /_emulator/jobs/start``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_provider_fabric.emulator.state.times import service_time


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

    def all_of_item(self, item_id: str) -> list[Schedule]:
        """Return every schedule of an item."""
        return list(self._by_item.get(item_id, {}).values())

    def replace(self, item_id: str, schedules: list[Schedule]) -> None:
        """Keep these schedules of an item and no others."""
        self._by_item.pop(item_id, None)
        for schedule in schedules:
            self.add(item_id, schedule)

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
