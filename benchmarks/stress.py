"""The stress scenarios of ``make bench``: the poller and the naive one in the same simulated hours, as ratios."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from statistics import median
from typing import Any

from benchmarks.report import Check, number, table
from benchmarks.simulation import (
    INTERVAL,
    MostOverdueFirst,
    NaiveStage,
    Stage,
    after_cancelled_sensors,
    beside_sensors,
    full_budget,
    garbled_list,
    killed,
    show,
)

Figures = dict[str, float]
Scenario = Callable[[int], Coroutine[Any, Any, Figures]]

OVERDUE = partial(Stage, order=MostOverdueFirst)

SCENARIOS: dict[str, dict[str, Scenario]] = {
    "200 runs alone": {"ours": lambda seed: beside_sensors(Stage, 200, 0, seed=seed)},
    "200 runs beside 400 sensors": {
        "ours": lambda seed: beside_sensors(Stage, 200, 400, seed=seed),
        "naive": lambda seed: beside_sensors(NaiveStage, 200, 400, seed=seed),
    },
    "100 runs alone": {"ours": lambda seed: after_cancelled_sensors(Stage, 0, seed=seed)},
    "100 runs after 1,000 waiters were cancelled": {
        "ours": lambda seed: after_cancelled_sensors(Stage, seed=seed),
        "naive": lambda seed: after_cancelled_sensors(NaiveStage, seed=seed),
    },
    "800 runs of an item, one List garbled": {
        "ours": lambda seed: garbled_list(Stage, seed=seed),
        "naive": lambda seed: garbled_list(NaiveStage, seed=seed),
    },
    "300 tasks marked failed at once": {
        "ours": lambda _: killed(Stage),
        "naive": lambda _: killed(NaiveStage),
    },
    "600 items, realistic durations": {
        "ours": lambda seed: full_budget(Stage, "lognormal", seed),
        "most overdue first": lambda seed: full_budget(OVERDUE, "lognormal", seed),
        "naive": lambda seed: full_budget(NaiveStage, "lognormal", seed),
    },
    "600 items, memoryless durations": {
        "ours": lambda seed: full_budget(Stage, "memoryless", seed),
        "most overdue first": lambda seed: full_budget(OVERDUE, "memoryless", seed),
        "naive": lambda seed: full_budget(NaiveStage, "memoryless", seed),
    },
}


def measure(rounds: int) -> dict[str, dict[str, list[Figures]]]:
    """Run every scenario, each way of waiting with the same seeds; side by side, for virtual time is not disturbed."""
    with ProcessPoolExecutor() as pool:
        found = {
            name: {way: [pool.submit(_round, name, way, seed) for seed in range(1, rounds + 1)] for way in ways}
            for name, ways in SCENARIOS.items()
        }
        return {
            name: {way: [each.result() for each in made] for way, made in ways.items()} for name, ways in found.items()
        }


def _round(name: str, way: str, seed: int) -> Figures:
    logging.disable(logging.WARNING)
    return show(f"… {name}: {way}, round {seed}", SCENARIOS[name][way](seed), seed)


def ratio(ours: list[Figures], others: list[Figures], what: str) -> float:
    """Return the median of the rounds' ratios."""
    return median(mine[what] / theirs[what] for mine, theirs in zip(ours, others, strict=True))


def rows(found: dict[str, dict[str, list[Figures]]]) -> str:
    """Return the table: medians of the rounds."""
    heads = ("under 180 calls a minute", "", "lag median s", "lag p99 s", "÷ naive", "answers 429")
    lines = []
    for name, ways in found.items():
        naive = ways.get("naive")
        for way, figures in ways.items():
            lag = "median" if "median" in figures[0] else "seconds"
            lines.append(
                (
                    name if way == "ours" else "",
                    {"ours": "this provider", "naive": "naive poller"}.get(way, way),
                    *(_middle(figures, what) for what in ("median", "p99")),
                    number(ratio(figures, naive, lag)) if naive and lag == "median" else "",
                    _middle(figures, "answers 429"),
                )
            )
    return table(heads, lines)


def _middle(rounds: list[Figures], what: str) -> str:
    return number(median(each[what] for each in rounds)) if what in rounds[0] else ""


def checks(found: dict[str, dict[str, list[Figures]]]) -> list[Check]:
    """Return the criteria."""
    alone, beside = found["200 runs alone"]["ours"], found["200 runs beside 400 sensors"]["ours"]
    after = found["100 runs after 1,000 waiters were cancelled"]["ours"]
    garbled = found["800 runs of an item, one List garbled"]["ours"]
    kills = found["300 tasks marked failed at once"]
    made = [
        Check.at_most("200 runs beside 400 sensors: median lag ÷ alone", ratio(beside, alone, "median"), 1.5),
        Check.at_most(
            "1,000 waiters cancelled: median lag after ÷ without them",
            ratio(after, found["100 runs alone"]["ours"], "median"),
            1.05,
        ),
        Check.at_most(
            "garbled List: intervals until the item is listed again",
            max(each["listed again after"] for each in garbled) / INTERVAL,
            5,
        ),
        *(
            Check(
                f"300 tasks marked failed, {way}: cancels accepted, runs active after 3 min",
                " and ".join(number(pick(each[what] for each in kills[kind])) for what, pick in worst),
                kind == "naive" or all(each["accepted"] == 300 and each["active after"] == 0 for each in kills[kind]),
            )
            for kind, way in (("ours", "this provider"), ("naive", "naive poller, for comparison"))
            for worst in [(("accepted", min), ("active after", max))]
        ),
    ]
    for kind, most in (("realistic", (0.5, 1.0)), ("memoryless", (1.05, 1.05))):
        ways = found[f"600 items, {kind} durations"]
        for what, limit in zip(("median", "p99"), most, strict=True):
            value = ratio(ways["ours"], ways["most overdue first"], what)
            made.append(Check.at_most(f"{kind} durations: {what} lag ÷ most overdue first", value, limit))
    return made
