"""Whose turn it is when the budget is too small for all: a third of the benchmark's size (``benchmarks/stress.py``)."""

from __future__ import annotations

from functools import partial

import pytest

from benchmarks.simulation import MostOverdueFirst, Stage, full_budget
from tests.unit.virtual_time import run_virtually

ITEMS, HOURS = 200, 3.0


@pytest.mark.parametrize(("kind", "most_median", "most_p99"), [("lognormal", 0.6, 1.1), ("memoryless", 1.1, 1.1)])
def test_turns_go_where_ends_are_likely(kind: str, most_median: float, most_p99: float) -> None:
    ours, overdue = (
        run_virtually(full_budget(stage, kind, 1, items=ITEMS, hours=HOURS, per_minute=60))
        for stage in (Stage, partial(Stage, order=MostOverdueFirst))
    )
    assert ours["median"] <= most_median * overdue["median"]
    assert ours["p99"] <= most_p99 * overdue["p99"]
