"""A day of a triggerer in virtual time; ``make soak`` lets seven pass."""

from __future__ import annotations

from benchmarks.soak import soak


def test_a_day_leaves_nothing_behind() -> None:
    made, problems = soak(days=1, waits=1000)
    assert problems == []
    assert made.secret >= 20
