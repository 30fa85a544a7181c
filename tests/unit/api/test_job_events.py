"""Job events as they come through an eventstream: read where they are whole, left out where they are not."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_fabric.api.jobs.events import MAX_BYTES, EventKind, read_events
from airflow_provider_fabric.api.status import JobStatus

WORKSPACE = "cfafbeb1-8037-4d0c-896e-a46fb27ff229"
ITEM = "5b218778-e7a5-4d73-8187-f10824047715"
RUN = "3f8b1e39-fb87-4fd1-b75e-4f5d5a1a6b0a"


def cloud_event(kind: str = "Microsoft.Fabric.JobEvents.ItemJobSucceeded", **changes: Any) -> dict[str, Any]:
    """Return an event as Fabric writes it."""
    data = {
        "itemId": ITEM,
        "itemKind": "Pipeline",
        "itemName": "Daily load",
        "workspaceId": WORKSPACE,
        "workspaceName": "Sales",
        "executingPricipalId": "ef2a9a86-4b1a-4cc0-a01b-1b7b6e1d2b0f",
        "jobInstanceId": RUN,
        "jobType": "Pipeline",
        "jobInovkeType": "Manual",
        "jobStatus": "Completed",
        "jobScheduleTime": "2026-05-01T09:59:58Z",
        "jobStartTime": "2026-05-01T10:00:00.1234567Z",
        "jobEndTime": "2026-05-01T10:05:00Z",
    }
    content = {
        "specversion": "1.0",
        "id": "c2a7b2a2-0b0a-4b59-8f37-6f8de1d3ea8b",
        "source": "ef2a9a86-4b1a-4cc0-a01b-1b7b6e1d2b0f",
        "subject": f"/workspaces/{WORKSPACE}/items/{ITEM}/jobs/instances/{RUN}",
        "type": kind,
        "time": "2026-05-01T10:05:01Z",
        "datacontenttype": "application/json",
        "data": {**data, **changes.pop("data", {})},
    }
    return {**content, **changes}


def read(*contents: Any) -> list[EventKind]:
    return [event.kind for content in contents for event in read_events(json.dumps(content).encode())]


@pytest.mark.parametrize(
    "prefix", ["Microsoft.Fabric.JobEvents.", "Microsoft.Fabric.", "", "microsoft.fabric.jobevents."]
)
@pytest.mark.parametrize("kind", list(EventKind))
def test_a_type_is_known_by_its_last_word(prefix: str, kind: EventKind) -> None:
    assert read(cloud_event(prefix + kind.value)) == [kind]


def test_every_field_is_read() -> None:
    (event,) = read_events(json.dumps(cloud_event()))
    assert (event.workspace_id, event.item_id, event.run_id, event.job_type) == (WORKSPACE, ITEM, RUN, "Pipeline")
    assert event.at == datetime(2026, 5, 1, 10, 5, 1, tzinfo=timezone.utc)
    assert event.started == datetime(2026, 5, 1, 10, 0, 0, 123456, tzinfo=timezone.utc)
    instance = event.as_instance()
    assert instance.status is JobStatus.COMPLETED
    assert instance.end_time_utc == datetime(2026, 5, 1, 10, 5, tzinfo=timezone.utc)


def test_ids_are_compared_in_lower_case() -> None:
    upper = {"itemId": ITEM.upper(), "workspaceId": WORKSPACE.upper(), "jobInstanceId": RUN.upper()}
    (event,) = read_events(json.dumps(cloud_event(data=upper)))
    assert (event.item, event.run_id) == ((WORKSPACE, ITEM), RUN)


def test_a_message_may_hold_a_list() -> None:
    assert read([cloud_event("X.ItemJobCreated"), 7, None, cloud_event()]) == [EventKind.CREATED, EventKind.SUCCEEDED]


@pytest.mark.parametrize(
    "content",
    [
        cloud_event("Microsoft.Fabric.ItemJobDeleted"),
        cloud_event("ItemJobSucceeded.Microsoft"),
        cloud_event(type=None),
        cloud_event(data={"jobInstanceId": "not-a-guid"}),
        cloud_event(data={"jobInstanceId": None}),
        cloud_event(data={"itemId": [ITEM]}),
        cloud_event(data={"jobInstanceId": WORKSPACE}),  # the subject names another run
        cloud_event(subject=f"/workspaces/{WORKSPACE}/items/{RUN}/jobs/instances/{RUN}"),
        {**cloud_event(), "data": "text"},
        {**cloud_event(), "data": None},
        [],
        "text",
        None,
        12,
    ],
)
def test_what_is_no_whole_job_event_is_left_out(content: Any) -> None:
    assert read(content) == []


@pytest.mark.parametrize(
    "message", [b"", b"\xff\xfe\x00", b"{", b"[" * 100_000, b"NaN", b" " * (MAX_BYTES + 1), b'"' + b"a" * 2_000_000]
)
def test_what_is_no_json_is_left_out(message: bytes) -> None:
    assert read_events(message) == []


@given(
    st.binary()
    | st.recursive(
        st.none() | st.text() | st.integers(),
        lambda x: st.lists(x) | st.dictionaries(st.sampled_from(["type", "data", "subject", "time", "itemId"]), x),
    ).map(json.dumps)
)
def test_no_message_raises(message: bytes | str) -> None:
    assert read_events(message) == []
