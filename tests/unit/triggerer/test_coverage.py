"""What a stream covers: learned from events, lost at the first sign that one is missing."""

from __future__ import annotations

from datetime import datetime, timezone
from math import inf

import pytest

from airflow_provider_fabric.api.jobs.events import EventKind, JobEvent
from airflow_provider_fabric.triggerer.coverage import DOUBT, GRACE, LATE, SILENCE, TOPOLOGY_SECONDS, Coverage
from tests.unit.virtual_time import EPOCH, WORKSPACE, guid

ITEM = (WORKSPACE, guid(1))


def at(wall: float) -> datetime:
    return datetime.fromtimestamp(wall, timezone.utc)


class Stream:
    """A coverage on a clock."""

    def __init__(self, kept: int = 100) -> None:
        self.coverage = Coverage(kept)
        self.now = 100.0
        self.coverage.connected(self.wall)

    @property
    def wall(self) -> float:
        return EPOCH + self.now

    def event(self, kind: EventKind, run: int = 1, item: int = 1, delay: float = 1.0, age: float = 2.0) -> None:
        happened = self.wall - delay
        event = JobEvent(kind, WORKSPACE, guid(item), guid(run), at(happened), started=at(happened - age))
        self.coverage.record(event, self.now, self.wall)

    def after(self, seconds: float) -> None:
        self.now += seconds
        self.coverage.settle(self.now)

    def covers(self, run: int = 1, item: int = 1) -> bool:
        return self.coverage.covers_run((WORKSPACE, guid(item), guid(run)), self.now)

    def busy(self, seconds: float) -> None:
        """Let time pass in which whole runs of another item are announced."""
        for step in range(int(seconds // 10)):
            self.after(10.0)
            self.event(EventKind.CREATED, 9000 + step, 9)
            self.event(EventKind.SUCCEEDED, 9000 + step, 9)


@pytest.fixture
def stream() -> Stream:
    stream = Stream()
    stream.after(10)
    return stream


def test_a_run_is_covered_from_its_creation_until_its_end(stream: Stream) -> None:
    assert not stream.covers()
    stream.event(EventKind.CREATED)
    assert stream.covers()
    assert not stream.covers(run=2)
    assert not stream.covers(item=2)
    assert stream.coverage.end_of((*ITEM, guid(1))) is None
    stream.event(EventKind.FAILED)
    end = stream.coverage.end_of((*ITEM, guid(1)))
    assert end is not None
    assert end.kind is EventKind.FAILED


def test_a_change_of_status_alone_covers_nothing(stream: Stream) -> None:
    stream.event(EventKind.STATUS_CHANGED)
    assert not stream.covers()


def test_a_line_that_is_down_covers_nothing(stream: Stream) -> None:
    stream.event(EventKind.CREATED)
    stream.coverage.lost()
    assert not stream.covers()
    stream.coverage.connected(stream.wall)
    assert stream.covers()


def test_silence_covers_no_run(stream: Stream) -> None:
    stream.event(EventKind.CREATED)
    stream.after(SILENCE - 1)
    assert stream.covers()
    assert stream.coverage.next_change(stream.now) == stream.now + 1
    stream.after(1)
    assert not stream.covers()
    stream.event(EventKind.CREATED, run=2)
    assert stream.covers()


def test_a_late_event_makes_the_others_doubtful(stream: Stream) -> None:
    stream.now += 1000
    stream.event(EventKind.CREATED, delay=LATE + 1)
    assert not stream.covers()
    stream.busy(LATE)
    assert stream.covers()


def test_old_events_read_at_the_start_are_not_late(stream: Stream) -> None:
    stream.event(EventKind.CREATED, delay=300)
    assert stream.covers()


def test_an_event_whose_predecessor_never_comes_is_a_gap(stream: Stream) -> None:
    stream.event(EventKind.CREATED)
    stream.event(EventKind.STATUS_CHANGED, run=2)
    stream.after(GRACE - 1)
    assert stream.covers()
    stream.after(1)
    assert not stream.covers()
    assert stream.coverage.gaps == 1
    stream.busy(DOUBT + 20)
    assert stream.covers()


def test_events_in_another_order_are_no_gap(stream: Stream) -> None:
    stream.event(EventKind.CREATED)
    stream.event(EventKind.SUCCEEDED, run=2)
    stream.after(GRACE - 1)
    stream.event(EventKind.CREATED, run=2)
    stream.after(2)
    assert stream.covers()
    assert stream.coverage.gaps == 0


def test_runs_from_before_the_stream_was_read_are_no_gap(stream: Stream) -> None:
    stream.event(EventKind.CREATED)
    stream.event(EventKind.SUCCEEDED, run=2, age=3600)
    stream.after(GRACE + 1)
    assert stream.covers()


def test_a_run_found_over_without_an_event_uncovers_its_item(stream: Stream) -> None:
    stream.event(EventKind.CREATED, run=1)
    stream.event(EventKind.CREATED, run=3, item=3)
    stream.coverage.found_over((*ITEM, guid(2)), stream.now)
    stream.after(GRACE - 1)
    assert stream.covers()
    stream.after(1)
    assert not stream.covers()
    assert stream.covers(run=3, item=3)
    stream.event(EventKind.CREATED, run=4)
    assert not stream.covers(run=4)
    stream.event(EventKind.SUCCEEDED, run=4)
    assert stream.covers(run=1)


def test_an_end_that_comes_late_does_not_cover_its_item_again(stream: Stream) -> None:
    stream.coverage.found_over((*ITEM, guid(2)), stream.now)
    stream.after(GRACE)
    stream.event(EventKind.CREATED)
    stream.event(EventKind.SUCCEEDED, run=2, delay=GRACE + 1)
    assert not stream.covers()


def test_an_end_that_a_poll_found_first_is_no_gap(stream: Stream) -> None:
    stream.event(EventKind.CREATED, run=1)
    stream.event(EventKind.CREATED, run=2)
    stream.coverage.found_over((*ITEM, guid(2)), stream.now)
    stream.after(GRACE - 1)
    stream.event(EventKind.SUCCEEDED, run=2)
    stream.after(2)
    assert stream.covers()


def test_a_lost_end_is_a_gap_of_the_stream(stream: Stream) -> None:
    stream.event(EventKind.CREATED, run=1)
    stream.event(EventKind.CREATED, run=2, item=2)
    stream.coverage.found_over((*ITEM, guid(1)), stream.now)
    stream.after(GRACE)
    assert not stream.covers(run=2, item=2)


def test_an_item_is_covered_by_the_topology_in_silence_and_not_by_an_old_one(stream: Stream) -> None:
    assert not stream.coverage.covers_item(ITEM, stream.now)
    stream.coverage.carries([ITEM], stream.now)
    stream.after(SILENCE + 1)
    assert stream.coverage.covers_item(ITEM, stream.now)
    stream.after(TOPOLOGY_SECONDS)
    assert not stream.coverage.covers_item(ITEM, stream.now)


def test_an_item_is_covered_by_its_events_unless_the_topology_leaves_it_out(stream: Stream) -> None:
    stream.event(EventKind.SUCCEEDED)
    assert stream.coverage.covers_item(ITEM, stream.now)
    stream.coverage.carries([], stream.now)
    assert not stream.coverage.covers_item(ITEM, stream.now)


def test_a_bounded_number_of_runs_is_remembered() -> None:
    stream = Stream(kept=10)
    for run in range(1000):
        stream.event(EventKind.CREATED, run, item=run)
    assert len(stream.coverage._runs) == 10
    assert len(stream.coverage._items) == 10
    assert stream.covers(run=999, item=999)
    assert not stream.covers(run=1, item=1)


def test_time_alone_changes_nothing_where_nothing_was_seen() -> None:
    assert Coverage().next_change(0.0) == inf
