"""Activity runs: made from the pipeline's own definition."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import httpx
import pytest

from .conftest import PIPELINE, Service, definition, error_of

WINDOW = {"lastUpdatedAfter": "2025-01-01T00:00:00.1423888Z", "lastUpdatedBefore": "2026-01-01T00:00:00.738Z"}
QUERY = {"filters": [], "orderBy": [{"orderBy": "ActivityRunStart", "order": "DESC"}], **WINDOW}


def query(service: Service, url: str, body: Any = QUERY) -> httpx.Response:
    return service.post(f"/datapipelines/pipelineruns/{url.rsplit('/', 1)[1]}/queryactivityruns", body)


def test_a_run_that_completes(service: Service) -> None:
    url = service.run(service.create(definition=PIPELINE))
    (first,) = query(service, url).json()
    assert (first["activityName"], first["status"], first["activityRunEnd"]) == ("Wait1", "InProgress", None)
    service.clock.advance(3)
    last, first = query(service, url).json()
    assert (first["activityType"], first["status"], first["input"]) == ("Wait", "Succeeded", {"waitTimeInSeconds": 27})
    assert (last["activityName"], last["durationInMs"]) == ("Copy1", 1500)
    assert first["error"] == {"errorCode": "", "message": "", "failureType": "", "target": "Wait1", "details": ""}
    assert first["pipelineRunId"] == url.rsplit("/", 1)[1]
    assert not any(key.startswith("_") for key in first)


def test_a_run_that_fails_says_why_in_its_last_activity(service: Service) -> None:
    reason = {"errorCode": "2011", "message": "The file is gone"}
    service.control("POST", "jobs", {"outcome": "Failed", "failure_reason": reason})
    url = service.run(service.create(definition=PIPELINE))
    service.clock.advance(3)
    last, first = query(service, url).json()
    assert (first["status"], last["status"]) == ("Succeeded", "Failed")
    assert (last["error"]["errorCode"], last["error"]["message"]) == ("2011", "The file is gone")
    assert last["error"]["failureType"] == "UserError"


def test_a_cancelled_run(service: Service) -> None:
    url = service.run(service.create(definition=PIPELINE))
    service.post(f"{url}/cancel")
    service.clock.advance(1)
    assert [run["status"] for run in query(service, url).json()] == ["Cancelled", "Succeeded"]


def test_inner_activities_show_flat(service: Service) -> None:
    inner = [{"name": "Inner", "type": "Wait"}]
    loop = {"name": "Each", "type": "ForEach", "typeProperties": {"activities": inner}}
    switch = {"name": "Switch", "type": "Switch", "typeProperties": {"cases": [{"activities": [{"name": "Case"}]}]}}
    given = definition(pipeline_content__json={"properties": {"activities": [loop, switch]}})
    url = service.run(service.create(definition=given))
    service.clock.advance(3)
    found = query(service, url, {**QUERY, "orderBy": []}).json()
    assert [run["activityName"] for run in found] == ["Each", "Inner", "Switch", "Case"]


def test_activities_of_a_rule_and_the_paged_shape(service: Service) -> None:
    given = {"activityName": "Mine", "status": "Failed", "error": {"errorCode": "E"}}
    service.control("POST", "jobs", {"activities": [given]})
    service.control("POST", "config", {"activity_runs_shape": "page"})
    url = service.run(service.create())
    (found,) = query(service, url).json()["value"]
    assert (found["activityName"], found["status"], found["error"]) == ("Mine", "Failed", {"errorCode": "E"})


def test_details_are_gone_after_an_hour_and_outside_the_window(service: Service) -> None:
    url = service.run(service.create(definition=PIPELINE))
    service.clock.advance(3)
    early = {**QUERY, "lastUpdatedBefore": "2025-01-02T00:00:00Z"}
    assert query(service, url, early).json() == []
    service.clock.advance(3601)
    assert query(service, url).json() == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {**QUERY, "lastUpdatedAfter": "today"},
        {**QUERY, "filters": 1},
        {**QUERY, "orderBy": ["a"]},
        {**QUERY, "orderBy": [{"orderBy": "Colour"}]},
        {**QUERY, "filters": [{"operand": "Status", "operator": "Like", "values": ["F"]}]},
        {**QUERY, "filters": [{"operand": "Colour", "operator": "Equals", "values": []}]},
        {**QUERY, "lastUpdatedAfter": "2026-02-01T00:00:00Z"},
    ],
)
def test_bad_queries(service: Service, body: dict[str, Any]) -> None:
    assert error_of(query(service, service.run(service.create()), body)) == (400, "InvalidInput")


def test_times_of_any_offset_are_compared_as_times(service: Service) -> None:
    url = service.run(service.create(definition=PIPELINE))
    service.clock.advance(3)
    started = [run["activityRunStart"] for run in query(service, url).json()][
        -1
    ]  # such as 2025-06-01T00:00:00.0000000Z
    whole = datetime.fromisoformat(started[:19]).replace(tzinfo=timezone.utc)
    for hours in (-5, 0, 2, 14):
        local = whole.astimezone(timezone(timedelta(hours=hours)))
        span = {"lastUpdatedAfter": (local - timedelta(seconds=1)).isoformat(timespec="microseconds")}
        span["lastUpdatedBefore"] = (local + timedelta(seconds=9)).isoformat()
        assert len(query(service, url, {**QUERY, **span}).json()) == 2, hours
        late = {"lastUpdatedAfter": (local + timedelta(seconds=8)).isoformat()}
        assert query(service, url, {**QUERY, **late}).json() == [], hours


def test_filters_and_orders(service: Service) -> None:
    url = service.run(service.create(definition=PIPELINE))
    service.clock.advance(3)

    def names(**more: Any) -> list[str]:
        return [run["activityName"] for run in query(service, url, {**QUERY, **more}).json()]

    def where(operand: str, operator: str, *values: str) -> dict[str, Any]:
        return {"filters": [{"operand": operand, "operator": operator, "values": list(values)}]}

    assert names(**where("ActivityType", "Equals", "Wait")) == ["Wait1"]
    assert names(**where("ActivityName", "NotIn", "Wait1", "x")) == ["Copy1"]
    assert names(**where("Status", "Equals", "Failed")) == []
    assert names(orderBy=[{"orderBy": "ActivityName", "order": "ASC"}]) == ["Copy1", "Wait1"]
    assert names(orderBy=[{"orderBy": "Status"}, {"orderBy": "ActivityName", "order": "DESC"}]) == ["Wait1", "Copy1"]


def test_runs_of_other_items_have_no_activities(service: Service) -> None:
    assert error_of(query(service, service.run(service.create("CopyJob")))) == (404, "PipelineRunNotFound")
