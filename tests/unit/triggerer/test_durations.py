"""When a run is likely to end."""

from __future__ import annotations

import random
from typing import Any

import pytest

from airflow_provider_fabric.api.models import JobInstance
from airflow_provider_fabric.triggerer.durations import (
    LATEST,
    TELLING,
    Durations,
    History,
    chance_of_ending,
    gain_of_poll,
    usual_seconds,
)
from tests.flow_driver import instance


def ran(minutes: int, status: str = "Completed", **more: Any) -> dict[str, Any]:
    times = {"startTimeUtc": "2026-08-04T12:00:00", "endTimeUtc": f"2026-08-04T12:{minutes:02d}:00"}
    return instance(status, **{**times, **more})


def test_durations_of_completed_runs_are_learned() -> None:
    runs = [ran(9), ran(3), ran(5, "Failed"), ran(1, "Cancelled"), ran(4, endTimeUtc=None), ran(4, startTimeUtc="?")]
    assert usual_seconds(runs) == [540.0, 180.0]


TEN_MINUTES = Durations.of([590.0, 600.0, 605.0, 620.0] * 5)


def test_runs_that_take_alike_are_likely_to_end_around_then() -> None:
    early, before, around = (chance_of_ending(age, 60, TEN_MINUTES) for age in (60, 400, 570))
    assert max(early, before) < 0.1 < 0.3 < around


def test_a_few_of_any_length_do_not_blur_the_picture() -> None:
    hung = Durations.of([590.0, 600.0, 605.0, 620.0] * 5 + [7200.0])
    assert chance_of_ending(570, 60, hung) == pytest.approx(chance_of_ending(570, 60, TEN_MINUTES), abs=0.05)


def test_durations_that_say_nothing_are_no_reason_to_wait() -> None:
    source = random.Random(1)
    usual = Durations.of([source.expovariate(1 / 600) for _ in range(30)])
    chances = [chance_of_ending(age, 60, usual) for age in (100, 300, 600, 1200)]
    assert max(chances) < 3 * min(chances)


@pytest.mark.parametrize("usual", [[], [10.0, 600.0]])
def test_without_history_a_run_goes_on_for_as_long_as_it_has(usual: list[float]) -> None:
    chances = [chance_of_ending(age, 60, Durations.of(usual)) for age in (0, 60, 600, 6000)]
    assert chances[:2] == [1.0, 0.5]
    assert chances == sorted(chances, reverse=True)
    assert chances[-1] < 0.01


def test_older_than_any_may_go_on() -> None:
    assert 0 < chance_of_ending(6000, 60, TEN_MINUTES) < 0.05


@pytest.mark.parametrize("usual", [[], [0.0, 0.0, 0.0], [0.1, 5.0, 600.0]])
@pytest.mark.parametrize("age", [0.0, 0.05, 1.0, 30.0, 1e6])
def test_a_chance_is_one(age: float, usual: list[float]) -> None:
    assert 0 <= chance_of_ending(age, 5.0, Durations.of(usual)) <= 1


def test_durations_tell_something_if_they_are_alike_and_enough() -> None:
    source = random.Random(1)
    spread = [source.expovariate(1 / 600) for _ in range(30)]
    alike = [600 * source.lognormvariate(0, 0.3) for _ in range(30)]
    enough, few, wide = (Durations.of(seconds) for seconds in (alike, alike[: TELLING - 1], spread))
    assert enough is not None
    assert enough.tell
    assert few is not None
    assert not few.tell
    assert wide is not None
    assert not wide.tell


def test_a_poll_is_worth_most_where_an_end_is_fresh_or_has_waited_for_long() -> None:
    share = 200.0
    at_the_end, before, after = (gain_of_poll(age, 40, TEN_MINUTES, share) for age in (580, 300, 900))
    assert at_the_end > 5 * max(before, after)
    stale = gain_of_poll(560, 150, TEN_MINUTES, share)
    assert stale < at_the_end, "that end is not fresh any more"
    assert gain_of_poll(560, 195, TEN_MINUTES, share) > 1, "but nobody waits for it longer than an even share"


def test_what_an_item_takes_is_kept_while_nobody_waits_and_goes_with_the_times() -> None:
    history, item = History(items=2), ("w", "i")
    history.listed(item, [100.0] * 50)
    assert history.knows(item)
    for _ in range(LATEST):
        history.ended(item, JobInstance.from_wire(ran(10)))
    usual = history.of(item)
    assert usual is not None
    assert usual.middle == pytest.approx(600)
    for other in ("a", "b"):
        history.listed(("w", other), [])
    assert not history.knows(item)


def test_failed_runs_say_nothing_of_how_long_it_takes() -> None:
    history, item = History(), ("w", "i")
    history.listed(item, [100.0] * 3)
    for _ in range(LATEST):
        history.ended(item, JobInstance.from_wire(ran(10, "Failed")))
    assert history.of(item) == Durations.of([100.0] * 3)
