"""Schedules: kept and checked; they do not fire."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Service, error_of

SPAN = {
    "startDateTime": "2024-04-28T00:00:00",
    "endDateTime": "2024-04-30T23:59:00",
    "localTimeZoneId": "Central Standard Time",
}
CRON = {**SPAN, "type": "Cron", "interval": 10}
DAILY = {**SPAN, "type": "Daily", "times": ["18:09", "17:12"]}
WEEKLY = {**DAILY, "type": "Weekly", "weekdays": ["Monday", "Tuesday"]}
BY_DAY = {**DAILY, "type": "Monthly", "recurrence": 1, "occurrence": {"occurrenceType": "DayOfMonth", "dayOfMonth": 3}}
ORDINAL = {"occurrenceType": "OrdinalWeekday", "weekIndex": "First", "weekday": "Friday"}
BY_WEEK = {**BY_DAY, "occurrence": ORDINAL}


@pytest.mark.parametrize("configuration", [CRON, DAILY, WEEKLY, BY_DAY, BY_WEEK])
def test_a_life(service: Service, configuration: dict[str, Any]) -> None:
    item_id = service.create("Dataflow")
    path = f"/items/{item_id}/jobs/Execute/schedules"
    body = {"enabled": True, "configuration": configuration, "executionData": {"a": 1}}
    created = service.post(path, body)
    assert created.status_code == 201
    schedule = created.json()
    assert created.headers["location"].endswith(f"{path}/{schedule['id']}")
    assert schedule["owner"]["type"] == "ServicePrincipal"
    assert (schedule["configuration"], schedule["executionData"]) == (configuration, {"a": 1})
    assert service.get(created.headers["location"]).json() == schedule
    assert service.get(f"/dataflows/{item_id}/jobs/execute/schedules").json() == {"value": [schedule]}
    assert service.get(f"/items/{item_id}/jobs/ApplyChanges/schedules").json() == {"value": []}
    changed = service.call("PATCH", f"{path}/{schedule['id']}", {"enabled": False, "configuration": CRON}).json()
    assert (changed["enabled"], changed["configuration"], changed["executionData"]) == (False, CRON, {"a": 1})
    assert service.call("DELETE", f"{path}/{schedule['id']}").status_code == 200
    assert error_of(service.get(f"{path}/{schedule['id']}")) == (404, "ItemNotFound")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"enabled": 1, "configuration": CRON},
        {"enabled": True},
        {"enabled": True, "configuration": CRON, "executionData": 1},
        {"enabled": True, "configuration": {**CRON, "type": "Hourly"}},
        {"enabled": True, "configuration": {**CRON, "interval": 0}},
        {"enabled": True, "configuration": {**CRON, "interval": True}},
        {"enabled": True, "configuration": {**CRON, "startDateTime": "yesterday"}},
        {"enabled": True, "configuration": {**CRON, "endDateTime": "2024-04-27T00:00:00"}},
        {"enabled": True, "configuration": {**CRON, "localTimeZoneId": ""}},
        {"enabled": True, "configuration": {**DAILY, "times": []}},
        {"enabled": True, "configuration": {**DAILY, "times": ["24:00"]}},
        {"enabled": True, "configuration": {**WEEKLY, "weekdays": ["Someday"]}},
        {"enabled": True, "configuration": {**BY_DAY, "recurrence": 13}},
        {"enabled": True, "configuration": {**BY_DAY, "occurrence": {}}},
        {"enabled": True, "configuration": {**BY_DAY, "occurrence": {**ORDINAL, "weekIndex": "Last"}}},
    ],
)
def test_bad_schedules(service: Service, body: dict[str, Any]) -> None:
    answer = service.post(f"/items/{service.create()}/jobs/Execute/schedules", body)
    assert error_of(answer) == (400, "InvalidInput")


def test_limits_and_job_types(service: Service) -> None:
    item_id = service.create()
    body = {"enabled": True, "configuration": CRON}
    for _ in range(20):
        assert service.post(f"/dataPipelines/{item_id}/jobs/execute/schedules", body).status_code == 201
    answer = service.post(f"/items/{item_id}/jobs/Execute/schedules", body)
    assert error_of(answer) == (400, "ScheduleExceedsLimit")
    assert error_of(service.post(f"/items/{item_id}/jobs/Dance/schedules", body)) == (400, "InvalidJobType")
