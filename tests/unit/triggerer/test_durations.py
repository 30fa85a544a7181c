"""When a run is likely to end."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_fabric.triggerer.durations import chance_of_ending, usual_seconds
from tests.flow_driver import instance


def ran(minutes: int, status: str = "Completed", **more: Any) -> dict[str, Any]:
    times = {"startTimeUtc": "2026-08-04T12:00:00", "endTimeUtc": f"2026-08-04T12:{minutes:02d}:00"}
    return instance(status, **{**times, **more})


def test_durations_of_completed_runs_are_learned() -> None:
    runs = [ran(9), ran(3), ran(5, "Failed"), ran(1, "Cancelled"), ran(4, endTimeUtc=None), ran(4, startTimeUtc="?")]
    assert usual_seconds(runs) == [180.0, 540.0]


TEN_MINUTES = [590.0, 600.0, 605.0, 620.0]


@pytest.mark.parametrize(
    ("age", "chance"),
    [(0, 0.0), (60, 0.0), (400, 0.0), (440, 1.0), (600, 1.0), (700, 1.0), (880, 1.0)],
)
def test_runs_that_take_alike_are_likely_to_end_around_then(age: float, chance: float) -> None:
    assert chance_of_ending(age, 60, TEN_MINUTES) == chance


def test_where_durations_differ_the_chance_is_in_between() -> None:
    mixed = [60.0, 120.0, 600.0, 1200.0, 1800.0]
    assert 0 < chance_of_ending(60, 60, mixed) < 1
    assert chance_of_ending(200, 60, mixed) == 0
    assert chance_of_ending(450, 60, mixed) == pytest.approx(1 / 3)


@pytest.mark.parametrize("usual", [[], [10.0, 600.0]])
def test_without_history_a_run_goes_on_for_as_long_as_it_has(usual: list[float]) -> None:
    chances = [chance_of_ending(age, 60, usual) for age in (0, 60, 600, 6000)]
    assert chances[:2] == [1.0, 0.5]
    assert chances == sorted(chances, reverse=True)
    assert chances[-1] < 0.01


def test_older_than_any_is_as_without_history() -> None:
    assert chance_of_ending(6000, 60, TEN_MINUTES) == chance_of_ending(6000, 60, [])


@pytest.mark.parametrize("usual", [[], [0.0, 0.0, 0.0], [0.1, 5.0, 600.0]])
@pytest.mark.parametrize("age", [0.0, 0.05, 1.0, 30.0, 1e6])
def test_a_chance_is_one(age: float, usual: list[float]) -> None:
    assert 0 <= chance_of_ending(age, 5.0, usual) <= 1
