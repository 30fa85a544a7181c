"""The scenarios of the shared watcher, and what is measured in each.

Times are in service seconds: with a ``scale`` of 10 the emulator, its quota and the watcher's budget live ten times as
fast, and lags are multiplied by ten afterwards. The latency of calls is not scaled, so scaled figures err to the worse.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.processes import Triggerers, emulator

LEAD = 4.0
"""Real seconds from the last start of a run to the first look."""


@dataclass(frozen=True)
class Scenario:
    """What is waited for, by whom.

    :param runs: how many.
    :param items: spread over so many items.
    :param interval: ``check_interval``, in service seconds.
    :param seconds: shortest and longest run, in service seconds, evenly spread.
    :param quota: job-scheduler calls a minute that the emulator accepts; ``None`` is no limit.
    :param budget: ``job_calls_per_minute`` of the connection.
    :param scale: service seconds in a real one.
    :param processes: triggerers on one identity.
    :param hold: real seconds after the first look at which memory is measured.
    """

    name: str
    runs: int
    items: int
    interval: float
    seconds: tuple[float, float]
    quota: int | None = None
    budget: int = 180
    scale: float = 1.0
    processes: int = 1
    hold: float | None = None


def measure(scenario: Scenario, kind: str = "ours", python: str = sys.executable) -> dict[str, Any]:
    """Run a scenario once.

    :param kind: ``ours``, ``naive``, ``microsoft`` or ``idle``.
    :param python: interpreter of the triggerers.
    """
    with emulator(time_scale=scenario.scale, quotas={"job_scheduler": scenario.quota}) as server:
        connection = server.connection
        connection["extra"]["job_calls_per_minute"] = scenario.budget
        given = connection
        if kind == "microsoft":
            from benchmarks.microsoft import connection as microsoft

            given = microsoft(connection)
        waiting = Triggerers(server, scenario.processes, given, python)
        try:
            runs = server.start_runs(scenario.runs, scenario.items, list(scenario.seconds))
            ends = server.ends()
            now = time.time()
            spec = {
                "kind": kind,
                "connection": connection,
                "interval": scenario.interval / scenario.scale,
                "scale": scenario.scale,
                "submitted_at": now,
                "first_poll_after": now + LEAD,
                "until": max(ends.values()),
                "hold": None if scenario.hold is None else now + LEAD + scenario.hold,
            }
            results = waiting.run([{**spec, "runs": runs[n :: scenario.processes]} for n in range(scenario.processes)])
        finally:
            waiting.stop()
        return figures(scenario, server.control("GET", "stats"), results, ends, runs, now + LEAD)


def figures(
    scenario: Scenario,
    stats: dict[str, Any],
    results: list[dict[str, Any]],
    ends: dict[str, float],
    runs: list[list[str]],
    first: float,
) -> dict[str, Any]:
    """Return what came of one run of a scenario; lags and minutes in service time."""
    stamps = {job: moment for result in results for job, moment in result["stamps"].items()}
    lags = sorted(scenario.scale * (moment - ends[job]) for job, moment in stamps.items())
    statuses: dict[str, int] = {}
    for route, counts in stats["routes"].items():
        if "/jobs/instances" in route:
            for status, count in counts.items():
                statuses[status] = statuses.get(status, 0) + count
    calls = stats["calls"]["job_scheduler"]
    span = scenario.scale * (max(stamps.values(), default=first) - first) / 60
    endings: dict[str, int] = {}
    for result in results:
        for ending, count in result["endings"].items():
            endings[ending] = endings.get(ending, 0) + count
    return {
        "detected": len(stamps),
        "endings": endings,
        "failures": [failure for result in results for failure in result["failures"]],
        "calls": calls,
        "ideal_calls": _ideal(scenario, ends, runs, first),
        "calls_per_minute": calls / span if span else 0.0,
        "busiest_minute": stats["peak_calls_per_minute"].get("job_scheduler", 0),
        "statuses": statuses,
        "refused": statuses.get("429", 0),
        "tokens": stats["tokens_issued"],
        "connections": stats["connections"]["opened"],
        "lag_median": lags[len(lags) // 2] if lags else None,
        "lag_p99": lags[int(0.99 * len(lags))] if lags else None,
        "lag_max": lags[-1] if lags else None,
        "cpu_seconds": sum(result["cpu_seconds"] for result in results),
        "longest_stall_ms": max(result["longest_stall_ms"] for result in results),
        "p999_stall_ms": max(result["p999_stall_ms"] for result in results),
        "longest_busy_ms": max(result["longest_busy_ms"] for result in results),
        "memory_bytes": results[0]["memory_bytes"],
    }


def _ideal(scenario: Scenario, ends: dict[str, float], runs: list[list[str]], first: float) -> int:
    """Return the calls of one List per item and interval, from the first look to the item's last end."""
    last: dict[str, float] = {}
    for _, item, job in runs:
        last[item] = max(last.get(item, 0.0), ends[job])
    interval = scenario.interval / scenario.scale
    return sum(1 + int(max(0.0, -((first - end) // interval))) for end in last.values())


def microsoft_python() -> str | None:
    """Return the interpreter of a side environment with Microsoft's provider, if there is one."""
    named = os.environ.get("MICROSOFT_PYTHON")
    usual = Path(__file__).resolve().parent / ".microsoft" / "bin" / "python"
    return named or (str(usual) if usual.exists() else None)
