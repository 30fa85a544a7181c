"""Schedules of an item's jobs."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_fabric.api.jobs.schedules import (
    create_item_schedule,
    delete_item_schedule,
    get_item_schedule,
    list_item_schedules,
    update_item_schedule,
)
from airflow_provider_fabric.exceptions import (
    FabricAmbiguousError,
    FabricInputError,
    FabricNotFoundError,
    FabricProtocolError,
)
from tests.flow_driver import HTML, ITEM, LOST, WORKSPACE, drive, ok, page, refusal

SCHEDULES = f"/v1/workspaces/{WORKSPACE}/items/{ITEM}/jobs/Execute/schedules"
ARGS = (WORKSPACE, ITEM, "Execute")
DAILY = {
    "type": "Daily",
    "startDateTime": "2024-04-28T00:00:00",
    "endDateTime": "2024-04-30T23:59:00",
    "localTimeZoneId": "Central Standard Time",
    "times": ["04:30", "16:30"],
}
WIRE = {"id": "s", "enabled": True, "configuration": DAILY}


def test_all_schedules_of_all_pages() -> None:
    talk = drive(list_item_schedules(*ARGS), [page(WIRE, token="t"), page({**WIRE, "id": "s2"})])
    assert [schedule["id"] for schedule in talk.result()] == ["s", "s2"]
    assert talk.paths == [f"GET {SCHEDULES}"] * 2


def test_a_schedule_is_created_once() -> None:
    talk = drive(create_item_schedule(*ARGS, enabled=True, configuration=DAILY), [ok(WIRE, 201)])
    assert talk.result() == WIRE
    assert talk.paths == [f"POST {SCHEDULES}"]
    assert talk.requests[0].json == {"enabled": True, "configuration": DAILY}
    for unclear in (LOST, refusal(503)):
        talk = drive(create_item_schedule(*ARGS, enabled=True, configuration=DAILY), [unclear])
        assert isinstance(talk.error, FabricAmbiguousError)


def test_a_schedule_is_read_replaced_and_deleted() -> None:
    assert drive(get_item_schedule(*ARGS, "s"), [ok(WIRE)]).paths == [f"GET {SCHEDULES}/s"]
    talk = drive(update_item_schedule(*ARGS, "s", enabled=False, configuration=DAILY), [refusal(503), ok(WIRE)])
    assert talk.paths == [f"PATCH {SCHEDULES}/s"] * 2
    assert talk.requests[0].json == {"enabled": False, "configuration": DAILY}
    assert drive(delete_item_schedule(*ARGS, "a/b"), [ok()]).paths == [f"DELETE {SCHEDULES}/a%2Fb"]


@pytest.mark.parametrize("missing", ["type", "startDateTime", "endDateTime", "localTimeZoneId"])
@pytest.mark.parametrize("value", [None, ""])
def test_a_schedule_without_what_it_needs_sends_nothing(missing: str, value: Any) -> None:
    configuration = {**DAILY, missing: value}
    for flow in (
        create_item_schedule(*ARGS, enabled=True, configuration=configuration),
        update_item_schedule(*ARGS, "s", enabled=True, configuration=configuration),
    ):
        with pytest.raises(FabricInputError, match=f"needs {missing}"):
            drive(flow).result()


def test_what_is_no_schedule_is_refused() -> None:
    assert isinstance(drive(get_item_schedule(*ARGS, "s"), [HTML]).error, FabricProtocolError)
    assert isinstance(drive(get_item_schedule(*ARGS, ""), []).error, FabricInputError)


@pytest.mark.parametrize("code", ["ScheduleNotFound", "ItemNotFound", None])
def test_a_delete_whose_answer_was_lost_and_whose_repeat_says_404_has_succeeded(code: str | None) -> None:
    gone = refusal(404, code)
    assert drive(delete_item_schedule(*ARGS, "s"), [LOST, gone]).result() is None
    assert isinstance(drive(delete_item_schedule(*ARGS, "s"), [gone]).error, FabricNotFoundError)
    assert drive(delete_item_schedule(*ARGS, "s", ignore_missing=True), [gone]).result() is None
