"""Which ends of runs are news."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_fabric.api.models import JobInstance
from airflow_provider_fabric.api.seen_runs import SeenRuns, read_statuses
from airflow_provider_fabric.exceptions import FabricInputError
from tests.flow_driver import instance

DONE = ("Completed",)


def run(number: int, status: str = "Completed", **more: Any) -> JobInstance:
    end = f"2026-01-01T00:{number:02d}:00.0000000" if status in {"Completed", "Failed"} else None
    job = f"{number:08d}-0000-4000-8000-000000000000"
    return JobInstance.from_wire(instance(status, job=job, endTimeUtc=end, **more))


def test_what_had_ended_before_is_old():
    seen = SeenRuns()
    assert seen.news([run(1), run(2, "InProgress")], DONE) == []
    assert [i.id[:8] for i in seen.news([run(1), run(2)], DONE)] == ["00000002"]
    assert seen.news([run(1), run(2)], DONE) == []


def test_news_come_in_the_order_of_their_ends():
    seen = SeenRuns(frozenset())
    assert [i.id[:8] for i in seen.news([run(9), run(3), run(5)], DONE)] == ["00000003", "00000005", "00000009"]


def test_only_wanted_ends_and_jobs_are_news():
    seen = SeenRuns(frozenset())
    listed = [run(1, "Failed"), run(2, jobType="ApplyChanges"), run(3, jobType="Refresh"), run(4, "Deduped")]
    assert [i.id[:8] for i in seen.news(listed, DONE, "Execute")] == ["00000003"]
    assert [i.id[:8] for i in SeenRuns(frozenset()).news(listed, ("Failed", "Deduped"))] == ["00000004", "00000001"]


def test_what_is_remembered_is_not_told_again_and_what_ended_meanwhile_is():
    seen = SeenRuns(frozenset())
    seen.news([run(1)], DONE)
    again = SeenRuns.from_state(seen.to_state())
    assert [i.id[:8] for i in again.news([run(1), run(2)], DONE)] == ["00000002"]


@pytest.mark.parametrize("state", [None, {}, "x", {"ids": None}, {"ids": "abc"}, 5])
def test_a_state_that_is_none_is_a_fresh_start(state: Any):
    assert SeenRuns.from_state(state).ids is None


def test_what_is_remembered_does_not_grow():
    seen = SeenRuns()
    for first in range(50):
        seen.news([run(number) for number in range(first, first + 10)], DONE)
    assert len(seen.to_state()["ids"]) == 10


def test_statuses_are_ends():
    assert read_statuses(["Completed", "Failed"]) == ("Completed", "Failed")
    assert read_statuses("Failed") == ("Failed",)
    for wrong in ([], ["InProgress"], ["completed"], ["Unknown"]):
        with pytest.raises(FabricInputError, match="statuses must be some of Completed, Failed, Cancelled, Deduped"):
            read_statuses(wrong)
