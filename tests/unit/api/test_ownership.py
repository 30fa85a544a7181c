"""What one listed instance says of a submit whose answer was lost."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from airflow_provider_fabric.api.jobs.ownership import Ownership, SubmitWindow, judge
from airflow_provider_fabric.api.models import JobInstance
from tests.flow_driver import instance

SENT = 1_750_000_000.0


def listed(after: float) -> JobInstance:
    """Return an instance that somebody asked for by a request, and that started so many seconds after ours was sent."""
    started = datetime.fromtimestamp(SENT + after, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")
    return JobInstance.from_wire(instance("InProgress", startTimeUtc=started, invokeType="Manual"))


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
    assert judge(listed(after), SubmitWindow(SENT, known=frozenset())) is expected


@pytest.mark.parametrize(
    ("after", "expected"),
    [(-60, Ownership.NOT_OURS), (1, Ownership.PROVABLE), (30, Ownership.POSSIBLE), (400, Ownership.NOT_OURS)],
)
def test_after_an_answer_the_window_is_short(after: float, expected: Ownership) -> None:
    assert judge(listed(after), SubmitWindow(SENT, until=SENT + 2, known=frozenset())) is expected
