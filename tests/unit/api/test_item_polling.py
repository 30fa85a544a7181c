"""Watching an item's list for a run that somebody else starts."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from airflow_provider_fabric.api.jobs.item_polling import ItemPoll, poll_item, poll_item_once, verdict
from airflow_provider_fabric.api.models import JobInstance
from airflow_provider_fabric.api.status import JobStatus
from airflow_provider_fabric.exceptions import FabricJobTimeout, FabricNotFoundError, FabricPermissionError
from tests.flow_driver import ITEM, LOST, NO_SUCH_HOST, WORKSPACE, Answer, FakeClock, drive, instance, page, refusal


def at(clock: FakeClock, seconds: float, status: str = "Completed", **more: Any) -> dict[str, Any]:
    moment = datetime.fromtimestamp(clock.now + seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f0")
    return instance(status, startTimeUtc=moment, **more)


def poll(clock: FakeClock, **more: Any) -> ItemPoll:
    return ItemPoll(WORKSPACE, ITEM, **{"job_type": None, "since": clock.now, "check_interval": 60.0, **more})


def statuses(*words: str) -> list[JobInstance]:
    return [
        JobInstance.from_wire(instance(word, job=f"{n:08d}-0000-4000-8000-000000000000"))
        for n, word in enumerate(words)
    ]


@pytest.mark.parametrize(
    ("found", "index"),
    [
        ([], None),
        (["Completed"], 0),
        (["Failed", "Completed", "Completed"], 1),
        (["InProgress", "Completed"], 1),
        (["Failed"], 0),
        (["Cancelled", "Failed"], 0),
        (["InProgress", "Failed"], None),
        (["NotStarted"], None),
        (["Paused", "Failed"], None),
        (["Deduped"], None),
        (["Deduped", "Failed"], 1),
    ],
)
def test_which_run_ends_the_wait(found: list[str], index: int | None):
    runs = statuses(*found)
    assert verdict(runs, allow_failed=False) == (None if index is None else runs[index])


@pytest.mark.parametrize(("found", "index"), [(["Failed"], None), (["Failed", "Completed"], 1), (["Cancelled"], None)])
def test_failed_runs_may_be_waited_past(found: list[str], index: int | None):
    runs = statuses(*found)
    assert verdict(runs, allow_failed=True) == (None if index is None else runs[index])


def test_only_runs_since_the_moment_and_of_the_job_type_count():
    clock = FakeClock()
    entries = [at(clock, -60), at(clock, 5, jobType="ApplyChanges")]
    assert drive(poll_item_once(poll(clock, job_type="Execute"), clock=clock), [page(*entries)], clock).result() is None
    found = drive(poll_item_once(poll(clock, job_type="Refresh"), clock=clock), [page(at(clock, 5))], clock).result()
    assert found is not None, "Refresh is another word for Execute"


def test_it_looks_at_the_interval_until_a_run_has_completed():
    clock = FakeClock()
    answers = [page(), page(at(clock, 30, "InProgress")), page(at(clock, 30))]
    talk = drive(poll_item(poll(clock), clock=clock), answers, clock)
    assert talk.result().status.value == "Completed"
    assert talk.sleeps == [60.0, 60.0]


def test_a_run_that_is_said_to_have_failed_before_it_can_be_visible_ends_nothing():
    clock = FakeClock()
    reason = {"errorCode": "RequestExecutionFailed", "message": "no"}
    failed = page(at(clock, 1, "Failed", failureReason=reason))
    talk = drive(poll_item(poll(clock), clock=clock), [failed, page(at(clock, 1))], clock)
    assert talk.result().status is JobStatus.COMPLETED
    clock = FakeClock()
    believed = drive(poll_item(poll(clock), clock=clock), lambda _: failed, clock)
    assert believed.result().status is JobStatus.FAILED
    assert 240 < sum(believed.sleeps) <= 360


def test_errors_pass_and_retry_after_is_obeyed():
    clock = FakeClock()
    answers = [LOST, refusal(503), refusal(429, "RequestBlocked", retry_after="90"), page(at(clock, 200))]
    talk = drive(poll_item(poll(clock), clock=clock), answers, clock)
    assert talk.result()
    assert talk.sleeps == [60.0, 60.0, 90.0]


@pytest.mark.parametrize(
    "passing", [refusal(403, "CapacityNotActive"), refusal(404, "Gone", {"isRetriable": True}), NO_SUCH_HOST]
)
def test_a_paused_capacity_and_an_outage_are_waited_out(passing: Answer):
    clock = FakeClock()
    talk = drive(poll_item(poll(clock), clock=clock), [passing, passing, page(at(clock, 200))], clock)
    assert talk.result()


@pytest.mark.parametrize(("status", "error"), [(404, FabricNotFoundError), (403, FabricPermissionError)])
def test_what_looking_on_cannot_mend_ends_it(status: int, error: type[Exception]):
    clock = FakeClock()
    with pytest.raises(error):
        drive(poll_item(poll(clock), clock=clock), [refusal(status, "ItemNotFound")], clock).result()


def test_the_deadline_has_a_last_look():
    clock = FakeClock()
    talk = drive(poll_item(poll(clock, deadline=clock.now + 90), clock=clock), [page()] * 3, clock)
    assert talk.sleeps == [60.0, 30.0]
    with pytest.raises(
        FabricJobTimeout, match=r"There was not a completed run of item .* since 2025-06-15T15:06:40Z in"
    ):
        talk.result()


def test_the_first_poll_is_not_hours_away_where_clocks_are_apart() -> None:
    clock = FakeClock()
    talk = drive(poll_item(poll(clock, next_poll_at=clock.now + 3600), clock=clock), [page(at(clock, 30))], clock)
    assert talk.result().status is JobStatus.COMPLETED
    assert talk.sleeps == [60.0]
