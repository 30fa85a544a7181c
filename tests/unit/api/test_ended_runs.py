"""Which ends of runs are news."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from airflow_provider_fabric.api.jobs.ended_runs import EndedRuns, read_statuses
from airflow_provider_fabric.api.jobs.listing import list_with_clock
from airflow_provider_fabric.api.models import JobInstance
from airflow_provider_fabric.exceptions import FabricInputError
from tests.flow_driver import ITEM, WORKSPACE, FakeClock, drive, instance, page

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


def test_the_services_clock_counts():
    """It is five minutes ahead: what it says ended at minute 7 ended at minute 2 by ours."""
    assert [i.id[:8] for i in EndedRuns(DAY + 120).new([run(6), run(7)], DONE, ahead=300)] == ["00000007"]


def test_the_clocks_are_compared_by_the_date_of_the_answer():
    clock = FakeClock(DAY)
    date = "Thu, 01 Jan 2026 00:05:00 GMT"
    listed, ahead = drive(list_with_clock(WORKSPACE, ITEM, clock=clock), [page(date=date)], clock).result()
    assert (listed, ahead) == ([], 300.0)


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


def test_what_is_remembered_is_not_told_again_and_what_ended_meanwhile_is():
    seen = EndedRuns(DAY)
    seen.new([run(1)], DONE)
    again = EndedRuns.from_state(seen.to_state(), now=DAY + 3600)
    assert [i.id[:8] for i in again.new([run(1), run(2)], DONE)] == ["00000002"]


@pytest.mark.parametrize("state", [None, {}, "x", {"ids": None, "since": 1}, {"ids": []}, {"since": "x", "ids": []}, 5])
def test_a_state_that_is_none_is_a_fresh_start(state: Any):
    assert EndedRuns.from_state(state, now=DAY) == EndedRuns(DAY)


def test_what_is_remembered_does_not_grow():
    seen = EndedRuns(DAY)
    for first in range(50):
        seen.new([run(number) for number in range(first, first + 10)], DONE)
    assert len(seen.to_state()["ids"]) == 10


def test_statuses_are_ends():
    assert read_statuses(["Completed", "Failed"]) == ("Completed", "Failed")
    assert read_statuses("Failed") == ("Failed",)
    for wrong in ([], ["InProgress"], ["completed"], ["Unknown"]):
        with pytest.raises(FabricInputError, match="statuses must be some of Completed, Failed, Cancelled, Deduped"):
            read_statuses(wrong)
