"""What one listed instance says of a submit whose answer was lost."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from airflow_provider_fabric.api.jobs.ownership import Ownership, SubmitWindow, judge, window_before
from airflow_provider_fabric.api.models import JobInstance
from tests.flow_driver import JOB, OTHER_JOB, instance

SENT = 1_750_000_000.0


def listed(after: float) -> JobInstance:
    """Return an instance that somebody asked for by a request, and that started so many seconds after ours was sent."""
    return JobInstance.from_wire(instance("InProgress", startTimeUtc=listed_start(after), invokeType="Manual"))


def listed_start(after: float) -> str:
    """Return such a start in the service's form."""
    return datetime.fromtimestamp(SENT + after, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (-60, Ownership.NOT_OURS),
        (1, Ownership.PROVABLE),
        (330, Ownership.POSSIBLE),
        (3000, Ownership.POSSIBLE),
        (4000, Ownership.NOT_OURS),
    ],
)
def test_a_dead_workers_run_may_have_waited_in_the_queue(after: float, expected: Ownership) -> None:
    """Its retry comes after minutes: a run that started by then must not be taken for nobody's, or a second follows."""
    assert judge(listed(after), SubmitWindow(SENT, known=frozenset()), "Execute") is expected


@pytest.mark.parametrize(
    ("after", "expected"),
    [(-60, Ownership.NOT_OURS), (1, Ownership.PROVABLE), (30, Ownership.POSSIBLE), (400, Ownership.NOT_OURS)],
)
def test_after_an_answer_the_window_is_short(after: float, expected: Ownership) -> None:
    assert judge(listed(after), SubmitWindow(SENT, until=SENT + 2, known=frozenset()), "Execute") is expected


def test_without_the_services_clock_no_time_tells_anything() -> None:
    """Neither ours, which may be hours off, nor a start makes a run ours, or rules it out."""
    window = window_before([listed(-3600)], None, stale=False)
    assert window == SubmitWindow(None, known=frozenset({JOB}))
    assert not window.can_prove
    assert SubmitWindow.from_state(window.to_state()) == window
    new = JobInstance.from_wire(instance(job=OTHER_JOB, startTimeUtc=listed_start(-7200)))
    assert judge(new, window, "Execute") is Ownership.POSSIBLE
    for after in (-3600.0, 0.0, 1.0, 7200.0):
        assert judge(listed(after), window, "Execute") is Ownership.NOT_OURS  # it was listed before
        assert judge(listed(after), SubmitWindow(None), "Execute") is Ownership.POSSIBLE


@pytest.mark.parametrize(
    ("asked", "word", "expected"),
    [
        ("Execute", "CopyJob", Ownership.PROVABLE),
        ("Execute", "dbt", Ownership.POSSIBLE),
        ("Execute", "", Ownership.POSSIBLE),
        ("Execute", "ApplyChanges", Ownership.NOT_OURS),
        ("ApplyChanges", "Refresh", Ownership.NOT_OURS),
        ("ApplyChanges", "DataflowPublish", Ownership.POSSIBLE),
        ("ApplyChanges", "DefaultJob", Ownership.POSSIBLE),
        ("MyJob", "myjob", Ownership.PROVABLE),
        ("MyJob", "Execute", Ownership.POSSIBLE),
        ("TableMaintenance", "RefreshMaterializedLakeViews", Ownership.NOT_OURS),
        ("TableMaintenance", "DefaultJob", Ownership.POSSIBLE),
    ],
)
def test_only_names_that_are_known_tell_jobs_apart(asked: str, word: str, expected: Ownership) -> None:
    run = JobInstance.from_wire(instance(startTimeUtc=listed_start(1), jobType=word))
    assert judge(run, SubmitWindow(SENT, until=SENT + 2, known=frozenset()), asked) is expected
