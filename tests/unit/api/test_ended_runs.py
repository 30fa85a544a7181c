"""Which ends of runs are new."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest

from airflow_provider_fabric.api.jobs.ended_runs import KEPT, EndedRuns, read_statuses
from airflow_provider_fabric.api.jobs.visibility import VISIBILITY_GRACE
from airflow_provider_fabric.api.models import JobInstance
from airflow_provider_fabric.api.status import JobStatus
from airflow_provider_fabric.exceptions import FabricInputError
from tests.flow_driver import instance

DAY = datetime(2026, 1, 1, tzinfo=timezone.utc).timestamp()
DONE = ("Completed",)


def run(number: int, status: str = "Completed", **more: Any) -> JobInstance:
    end = f"2026-01-01T00:{number:02d}:00.0000000" if status in {"Completed", "Failed"} else None
    job = f"{number:08d}-0000-4000-8000-000000000000"
    return JobInstance.from_wire(instance(status, job=job, endTimeUtc=end, **more))


def test_what_had_ended_before_is_old():
    seen = EndedRuns(DAY + 120)
    assert [i.id[:8] for i in seen.new([run(1), run(2), run(3, "InProgress")], DONE)] == ["00000002"]
    assert [i.id[:8] for i in seen.new([run(1), run(2), run(3)], DONE)] == ["00000003"]
    assert seen.new([run(1), run(2), run(3)], DONE) == []


def test_news_come_in_the_order_of_their_ends():
    seen = EndedRuns(DAY)
    assert [i.id[:8] for i in seen.new([run(9), run(3), run(5)], DONE)] == ["00000003", "00000005", "00000009"]


def test_only_wanted_ends_and_jobs_are_news():
    seen = EndedRuns(DAY)
    listed = [
        run(1, "Failed"),
        run(2, jobType="ApplyChanges"),
        run(3, jobType="Refresh"),
        run(4, "Deduped", startTimeUtc="2026-01-01T00:00:30"),
    ]
    assert [i.id[:8] for i in seen.new(listed, DONE, "Execute")] == ["00000003"]
    assert [i.id[:8] for i in EndedRuns(DAY).new(listed, ("Failed", "Deduped"))] == ["00000004", "00000001"]


def test_what_is_remembered_is_not_reported_again_and_what_ended_meanwhile_is():
    seen = EndedRuns(DAY)
    seen.new([run(1)], DONE)
    again = EndedRuns.from_state(json.loads(json.dumps(seen.to_state())))
    assert [i.id[:8] for i in again.new([run(1), run(2)], DONE)] == ["00000002"]


@pytest.mark.parametrize("between", [[], [run(7)], [run(1, "InProgress")]])
def test_what_was_reported_stays_reported_whatever_a_list_leaves_out(between: list[JobInstance]):
    seen, hundred = EndedRuns(DAY), [run(number) for number in range(1, 60)]
    assert len(seen.new(hundred, DONE)) == 59
    assert seen.new(hundred, DONE) == []
    seen.new(between, DONE)
    again = EndedRuns.from_state(seen.to_state())
    assert seen.new(hundred, DONE) == []
    assert again.new(hundred, DONE) == []


def test_a_run_that_seemed_to_fail_and_completed_is_reported():
    """Right after the submit Fabric may say that a run has failed, which runs."""
    seen = EndedRuns(DAY)
    assert seen.new([run(1, "Failed")], DONE) == []
    assert len(seen.new([run(1)], DONE)) == 1


@pytest.mark.parametrize("code", ["NotFound", "RequestExecutionFailed"])
def test_a_failure_is_reported_once_the_run_is_old_enough_to_be_visible(code: str):
    seen, ended = EndedRuns(DAY), DAY + 60
    failed = run(1, "Failed", startTimeUtc="2026-01-01T00:00:50", failureReason={"errorCode": code, "message": "no"})
    assert seen.new([failed], ("Failed",), now=ended + 5) == []
    assert seen.new([failed], ("Failed",), now=ended + VISIBILITY_GRACE - 1) == []
    assert seen.new([failed], ("Failed",), now=ended + VISIBILITY_GRACE + 1) == [failed]
    assert seen.new([failed], ("Failed",), now=ended + VISIBILITY_GRACE + 60) == []


def test_a_run_that_is_listed_twice_is_reported_once():
    assert len(EndedRuns(DAY).new([run(1), run(2), run(1)], DONE)) == 2


def test_a_failure_of_another_kind_is_reported_at_once():
    failed = run(1, "Failed", failureReason={"errorCode": "ActivityFailed", "message": "no"})
    assert EndedRuns(DAY).new([failed], ("Failed",), now=DAY + 65) == [failed]


@pytest.mark.parametrize(
    "state",
    [None, {}, "x", {"reported": None, "since": 1}, {"reported": {}}, {"since": "x", "reported": {}}, 5,
     {"since": 1, "reported": {"a": "x"}}, {"since": float("nan"), "reported": {}}],
)  # fmt: skip
def test_a_state_that_is_none_is_said_to_be_none(state: Any):
    assert EndedRuns.from_state(state) is None


def test_what_is_remembered_does_not_grow_and_what_is_forgotten_is_old():
    seen = EndedRuns(DAY)

    def ended(number: int) -> JobInstance:
        end = datetime.fromtimestamp(DAY + number, timezone.utc).replace(tzinfo=None).isoformat()
        return JobInstance.from_wire(
            instance("Completed", job=f"{number:08d}-0000-4000-8000-000000000000", endTimeUtc=end)
        )

    for first in range(0, 3 * KEPT, 10):
        assert len(seen.new([ended(number) for number in range(first, first + 10)], DONE)) == 10
    assert len(seen.to_state()["reported"]) == KEPT
    assert seen.new([ended(number) for number in range(3 * KEPT)], DONE) == []


@pytest.mark.parametrize(
    "statuses",
    [
        {"Completed", "Failed", "Cancelled"},
        ("Cancelled", "Failed", "Completed"),
        ["Failed", "Cancelled", "Completed", "Failed"],
        iter(["Cancelled", "Completed", "Failed"]),
        [JobStatus.CANCELLED, "Failed", JobStatus.COMPLETED],
        {"Failed": 1, "Completed": 2, "Cancelled": 3},
    ],
)
def test_statuses_are_a_set(statuses: Any):
    assert read_statuses(statuses) == ("Completed", "Failed", "Cancelled")


@pytest.mark.parametrize("wrong", [None, 5, [None], [5], [["Failed"]]])
def test_what_is_no_status_is_named(wrong: Any):
    with pytest.raises(FabricInputError, match="statuses must be some of"):
        read_statuses(wrong)


def test_statuses_are_ends():
    assert read_statuses(["Completed", "Failed"]) == ("Completed", "Failed")
    assert read_statuses("Failed") == ("Failed",)
    for wrong in ([], ["InProgress"], ["completed"], ["Unknown"]):
        with pytest.raises(FabricInputError, match="statuses must be some of Completed, Failed, Cancelled, Deduped"):
            read_statuses(wrong)
