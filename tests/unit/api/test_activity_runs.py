"""What the activities of a pipeline run did: the question, and both shapes of the answer."""

from __future__ import annotations

import itertools
from datetime import date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_fabric.api.http.flow import Response
from airflow_provider_fabric.api.jobs.activity_runs import query_activity_runs, utc_text
from airflow_provider_fabric.exceptions import FabricInputError, FabricProtocolError
from tests.flow_driver import HTML, JOB, WORKSPACE, drive, ok, page

AFTER, BEFORE = datetime(2024, 6, 22, 6, tzinfo=timezone.utc), datetime(2024, 6, 22, 8, tzinfo=timezone.utc)


def activity_runs(answers: Any) -> Any:
    return drive(query_activity_runs(WORKSPACE, JOB, after=AFTER, before=BEFORE), answers)


@pytest.mark.parametrize("answer", [ok([{"n": 1}, "no run"]), ok({"value": [{"n": 1}, "no run"]})])
def test_activity_runs_in_either_shape(answer: Response) -> None:
    talk = activity_runs([answer])
    assert talk.result() == [{"n": 1}]
    assert talk.paths == [f"POST /v1/workspaces/{WORKSPACE}/datapipelines/pipelineruns/{JOB}/queryactivityruns"]
    assert talk.requests[0].json == {
        "filters": [],
        "orderBy": [{"orderBy": "ActivityRunStart", "order": "DESC"}],
        "lastUpdatedAfter": "2024-06-22T06:00:00Z",
        "lastUpdatedBefore": "2024-06-22T08:00:00Z",
    }


def test_activity_runs_of_all_pages() -> None:
    talk = activity_runs([page({"n": 1}, token="t1"), page({"n": 2}, token="t2"), page({"n": 3})])
    assert talk.result() == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert [r.json.get("continuationToken") for r in talk.requests] == [None, "t1", "t2"]


def test_activity_runs_that_go_round_in_a_circle_end_with_what_there_is() -> None:
    circle = itertools.cycle("ab")
    talk = activity_runs(lambda _: page({"n": 1}, token=next(circle)))
    assert len(talk.result()) == 3


@pytest.mark.parametrize("answer", [HTML, ok({}), ok({"value": {}}), ok("text"), ok()])
def test_activity_runs_that_are_none(answer: Response) -> None:
    assert isinstance(activity_runs([answer]).error, FabricProtocolError)


BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("2024-05-22T14:02:04.1423888Z", "2024-05-22T14:02:04.1423888Z"),
        ("2024-05-24T13:21:27.738Z", "2024-05-24T13:21:27.738Z"),
        (" 2024-05-24t13:21:27z ", "2024-05-24T13:21:27Z"),
        ("2024-05-24 13:21:27.1234567+02:00", "2024-05-24T11:21:27.1234567Z"),
        ("2024-05-24T23:21:27.5-0400", "2024-05-25T03:21:27.5Z"),
        ("2024-05-24T13:21:27", "2024-05-24T13:21:27Z"),
        ("2024-05-24T13:21", "2024-05-24T13:21:00Z"),
        ("2024-05-24", "2024-05-24T00:00:00Z"),
        (datetime(2024, 5, 22, 14, 2, 4, 142388), "2024-05-22T14:02:04.142388Z"),
        (datetime(2024, 5, 22, 14, 2, 4, tzinfo=timezone.utc), "2024-05-22T14:02:04Z"),
        (datetime(2024, 5, 22, 14, 2, 4, 5, tzinfo=BERLIN), "2024-05-22T12:02:04.000005Z"),
        (datetime(2024, 1, 22, 23, 2, 4, tzinfo=NEW_YORK), "2024-01-23T04:02:04Z"),
        (datetime(2024, 5, 22, tzinfo=timezone(timedelta(hours=5, minutes=45))), "2024-05-21T18:15:00Z"),
        (date(2024, 5, 22), "2024-05-22T00:00:00Z"),
    ],
)
def test_times_are_sent_in_utc_with_every_digit(given: Any, sent: str) -> None:
    assert utc_text(given, "after") == sent


@pytest.mark.parametrize(
    "given",
    [
        "",
        "today",
        "2024-13-01T00:00:00Z",
        "2024-05-24T25:00:00Z",
        "22.05.2024",
        "1716386524",
        1716386524,
        None,
        1.5,
        "2024-05-24T13:21:27.Z",
        "2024-05-24T13:21:27+2",
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))),
    ],
)
@pytest.mark.parametrize("name", ["after", "before"])
def test_what_is_no_time_is_refused_by_the_arguments_name(name: str, given: Any) -> None:
    times = {"after": AFTER, "before": BEFORE, name: given}
    talk = drive(query_activity_runs(WORKSPACE, JOB, **times))
    with pytest.raises(FabricInputError, match=f"^{name} must be a datetime, or text such as 2024-05-22T14"):
        talk.result()
    assert talk.requests == []


def test_a_span_that_ends_before_it_starts_is_refused() -> None:
    talk = drive(
        query_activity_runs(WORKSPACE, JOB, after="2024-05-22T14:02:04.1423888Z", before="2024-05-22T14:02:04.1Z")
    )
    with pytest.raises(FabricInputError, match=r"after \(.*\) is later than before"):
        talk.result()
    same = drive(
        query_activity_runs(WORKSPACE, JOB, after="2024-05-22T14:02:04.10Z", before="2024-05-22T14:02:04.1Z"), [ok([])]
    )
    assert same.result() == []


def test_filters_and_order_are_sent() -> None:
    filters = [{"operand": "Status", "operator": "Equals", "values": ["Failed"]}]
    order = ({"orderBy": "ActivityName", "order": "ASC"},)
    talk = drive(
        query_activity_runs(WORKSPACE, JOB, after=AFTER, before=BEFORE, filters=filters, order_by=order), [ok([])]
    )
    assert talk.requests[0].json["filters"] == filters
    assert talk.requests[0].json["orderBy"] == list(order)


@pytest.mark.parametrize("name", ["filters", "order_by"])
@pytest.mark.parametrize("wrong", ["Status", ["Status"], {"operand": "Status"}, None, 5])
def test_what_is_no_list_of_objects_is_refused(name: str, wrong: Any) -> None:
    talk = drive(query_activity_runs(WORKSPACE, JOB, after=AFTER, before=BEFORE, **{name: wrong}))
    with pytest.raises(FabricInputError, match=f"{name} must be a list of mappings"):
        talk.result()
    assert talk.requests == []
