"""What the service's answers mean, as plain immutable values."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_fabric.api.models import Item, JobInstance, JobRef, Workspace, is_guid, parse_time, require_guid
from airflow_provider_fabric.api.status import JobStatus
from airflow_provider_fabric.exceptions import FabricInputError, FabricProtocolError
from tests.flow_driver import ITEM, JOB, WORKSPACE, instance


@given(st.uuids())
def test_a_guid_in_any_case(guid: UUID) -> None:
    assert is_guid(str(guid))
    assert require_guid(str(guid).upper(), "item_id") == str(guid)


@pytest.mark.parametrize(
    "value",
    [
        None,
        5,
        "",
        "x",
        ITEM + " ",
        ITEM + "\n",
        f"{{{ITEM}}}",
        ITEM.replace("-", ""),
        ITEM[:-1],
        ITEM[:-1] + "g",
        f"../{ITEM}",
        ITEM.encode(),
        UUID(ITEM),
    ],
)
def test_what_is_no_guid(value: Any) -> None:
    assert not is_guid(value)
    with pytest.raises(FabricInputError, match="item_id must be a GUID"):
        require_guid(value, "item_id")


UTC = timezone.utc


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-06-22T06:35:00.7812154", datetime(2024, 6, 22, 6, 35, 0, 781215, UTC)),
        ("2024-06-22T06:35:00", datetime(2024, 6, 22, 6, 35, tzinfo=UTC)),
        ("2024-06-22T06:35:00Z", datetime(2024, 6, 22, 6, 35, tzinfo=UTC)),
        ("2024-06-22T06:35:00.5Z", datetime(2024, 6, 22, 6, 35, 0, 500000, UTC)),
        ("2024-06-22T06:35:00.000001", datetime(2024, 6, 22, 6, 35, 0, 1, UTC)),
        ("2024-06-22T06:35:00.7812154+09:00", datetime(2024, 6, 21, 21, 35, 0, 781215, UTC)),
        (" 2024-06-22T06:35:00 ", datetime(2024, 6, 22, 6, 35, tzinfo=UTC)),
    ],
)
def test_times_of_the_service_are_utc(text: str, moment: datetime) -> None:
    parsed = parse_time(text)
    assert parsed == moment
    assert parsed is not None
    assert parsed.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "text",
    [
        None,
        5,
        "",
        "soon",
        "2024-06-22",
        "2024-13-22T06:35:00",
        "2024-06-22T25:35:00",
        "2024-06-22T06:35:00.",
        "0001-01-01T00:00:00",
        "0001-01-01T00:00:00+05:00",
        "2024-06-22T06:35:00+99:00",
        "2024-06-22T06:35:00 GMT",
    ],
)
def test_what_is_no_time_is_none(text: Any) -> None:
    assert parse_time(text) is None


@given(
    st.datetimes(min_value=datetime(2, 1, 3), max_value=datetime(9999, 12, 29)),
    st.integers(0, 9),
    st.sampled_from([None, 0, 330, -480, 540]),
)
def test_any_time_with_any_digits_and_offset(moment: datetime, digits: int, offset: int | None) -> None:
    fraction = f"{moment.microsecond:06d}000"[:digits]
    written = moment.replace(microsecond=0).isoformat() + (f".{fraction}" if digits else "")
    if offset is not None:
        sign, minutes = ("-" if offset < 0 else "+"), abs(offset)
        written += f"{sign}{minutes // 60:02d}:{minutes % 60:02d}"
    expected = moment.replace(microsecond=int(fraction[:6].ljust(6, "0"))) - timedelta(minutes=offset or 0)
    assert parse_time(written) == expected.replace(tzinfo=UTC)


@given(st.text() | st.from_regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?", fullmatch=True))
@example("9999-12-31T23:59:59-23:59")
@example("2024-06-22T06:35:0\u0660")
def test_no_text_breaks_the_reading_of_times(text: str) -> None:
    parsed = parse_time(text)
    assert parsed is None or parsed.tzinfo is UTC


def test_an_instance_in_full() -> None:
    reason = {"errorCode": "UserError", "message": "m", "requestId": "r"}
    wire = instance("Failed", JOB.upper(), endTimeUtc="2024-06-22T07:00:00", failureReason=reason)
    job = JobInstance.from_wire({**wire, "itemId": ITEM.upper()})
    assert (job.id, job.item_id, job.invoke_type) == (JOB, ITEM, "Manual")
    assert job.result(WORKSPACE) == {
        "workspace_id": WORKSPACE,
        "item_id": ITEM,
        "job_instance_id": JOB,
        "job_type": "Execute",
        "status": "Failed",
        "start_time_utc": "2024-06-22T06:35:00.781215+00:00",
        "end_time_utc": "2024-06-22T07:00:00+00:00",
        "root_activity_id": "c3c2f3a1-0000-4000-8000-000000000000",
        "failure_reason": reason,
    }


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (None, None),
        ({}, None),
        ("it broke", {"message": "it broke"}),
        ({"errorCode": "A"}, {"errorCode": "A"}),
        ({"error": {"code": "A"}}, {"errorCode": "A"}),
    ],
)
def test_failure_reasons_of_each_shape(reason: Any, expected: Any) -> None:
    result = JobInstance.from_wire(instance("Failed", failureReason=reason)).result(WORKSPACE)
    assert result["failure_reason"] == expected
    json.dumps(result)


def test_an_instance_with_little() -> None:
    job = JobInstance.from_wire({"id": JOB, "status": "NotStarted"})
    assert set(job.result(WORKSPACE).values()) == {WORKSPACE, JOB, "NotStarted", "", None}


@pytest.mark.parametrize(
    ("word", "expected"),
    [("completed", "Completed"), ("FAILED", "Failed"), ("Queued", "Queued"), ("dehydrated", "dehydrated")],
)
def test_a_known_status_is_given_in_our_spelling_and_an_unknown_one_in_theirs(word: str, expected: str) -> None:
    """The operators decide by this word."""
    job = JobInstance.from_wire(instance(word))
    assert job.result(WORKSPACE)["status"] == expected
    assert job.status_text == word


@pytest.mark.parametrize("missing", ["id", "status"])
@pytest.mark.parametrize("value", [None, "", 5, {}])
def test_what_has_no_id_or_status_is_no_instance(missing: str, value: Any) -> None:
    with pytest.raises(FabricProtocolError, match=f"job instance has no '{missing}'"):
        JobInstance.from_wire({**instance(), missing: value})


def test_an_error_body_is_no_instance() -> None:
    with pytest.raises(FabricProtocolError):
        JobInstance.from_wire({"errorCode": "RequestBlocked", "message": "m", "isRetriable": True})


def test_items_and_workspaces_with_little() -> None:
    assert Item.from_wire({"id": "i"}) == Item("i", "", "", "")
    assert Item.from_wire({"id": "i", "description": None, "folderId": None}).folder_id is None
    assert Workspace.from_wire({"id": "w"}) == Workspace("w", "")
    for model, what in ((Item, "item"), (Workspace, "workspace")):
        with pytest.raises(FabricProtocolError, match=f"{what} has no 'id'"):
            model.from_wire({"displayName": "x"})


def test_a_reference_crosses_processes() -> None:
    ref = JobRef(WORKSPACE, ITEM, JOB)
    assert JobRef.from_state(json.loads(json.dumps(ref.to_state()))) == ref
    shouted = {name: value.upper() for name, value in ref.to_state().items()}
    assert JobRef.from_state(shouted) == ref


@pytest.mark.parametrize("name", ["workspace_id", "item_id", "job_instance_id"])
@pytest.mark.parametrize("value", [None, "", "Sales", f"{ITEM}/../x", 5])
def test_a_reference_is_checked_on_arrival(name: str, value: Any) -> None:
    with pytest.raises(FabricInputError, match=name):
        JobRef.from_state({**JobRef(WORKSPACE, ITEM, JOB).to_state(), name: value})


def test_values_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        JobInstance.from_wire(instance()).status = JobStatus.COMPLETED  # type: ignore[misc]
