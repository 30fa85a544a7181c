"""``make bench`` and ``make bench-quick``: what waiting for a thousand runs costs; see ``docs/performance.md``.

It prints tables and criteria, writes ``benchmarks/results/*.json`` and, with ``--docs``, the tables of the page.
It ends with 1 when a criterion fails.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from typing import Any

from benchmarks import emulator_load, events, imports, report, stress
from benchmarks.report import Check, number
from benchmarks.scenarios import Scenario, measure, microsoft_python

SCALE = 10.0
BUDGET = 180

FREE = Scenario("1,000 runs, 50 items, every 5 s, no quota", 1000, 50, 5, (20, 80), budget=10_000)
FIFTY = Scenario(
    "1,000 runs, 50 items, quota 200/min", 1000, 50, 60, (120, 1800), quota=200, budget=BUDGET, scale=SCALE
)
THOUSAND = replace(FIFTY, name="1,000 runs, 1,000 items, quota 200/min", items=1000)
TWO = replace(FIFTY, name="1,000 runs, 50 items, two triggerers, one quota of 200/min", processes=2)
MEMORY = Scenario("5,000 runs, 100 items", 5000, 100, 60, (40, 60), budget=BUDGET, hold=25)
EMPTY = replace(MEMORY, name="5,000 empty triggers")

QUICK_FREE = replace(
    FREE, name="100 runs, 10 items, every 2 s, no quota", runs=100, items=10, interval=2, seconds=(6, 14)
)
QUICK_FIFTY = replace(
    FIFTY, name="200 runs, 10 items, quota 40/min", runs=200, items=10, quota=40, budget=36, seconds=(60, 300)
)


class Bench:
    """Runs scenarios, and gathers figures, tables and criteria.

    :param count: rounds of each scenario.
    :param docs: whether the page is rewritten.
    """

    def __init__(self, count: int, docs: bool) -> None:
        self.count = count
        self.figures: dict[str, Any] = {"machine": report.machine()}
        self.sections: dict[str, str] = {}
        self.checks: list[Check] = []
        self.docs = docs

    def measured(self, scenario: Scenario, kind: str = "ours", count: int | None = None, **more: Any) -> dict[str, Any]:
        """Measure a scenario, and say so."""
        results = []
        for turn in range(1, (count or self.count) + 1):
            say(f"… {scenario.name}: {kind}, round {turn}")
            results.append(measure(scenario, kind, **more))
            self.figures[f"{scenario.name}: {kind}"] = results
            report.write_json("latest", self.figures)  # what was measured is kept, whatever comes
        return report.rounds(results)

    def tell(self, section: str, title: str, text: str, checks: list[Check], *, on_page: bool = True) -> None:
        """Print a section, and keep it; what concerns contributors only is not on the page."""
        content = "\n\n".join(filter(None, [text, report.checks_table(checks) if checks else ""]))
        say(f"\n## {title}\n\n{content}\n")
        self.sections[section] = content
        self.checks += checks
        report.write_json("latest", self.figures)
        if self.docs and on_page:
            shown = "\n\n".join(filter(None, [text, report.checks_line(checks)])) if text else content
            report.write_page({section: shown, "machine": f"Measured on {self.figures['machine']}."})


def say(text: str) -> None:
    """Print, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def free(bench: Bench, scenario: Scenario) -> None:
    """Without a quota: what each way of waiting costs."""
    ours, naive = bench.measured(scenario), bench.measured(scenario, "naive")
    idle = bench.measured(scenario, "idle", 1)
    ways = {"this provider": ours, "naive poller": naive, "empty trigger": idle}
    python = microsoft_python()
    if python is None:
        say("Microsoft's provider is not installed in a side environment: left out (see docs/performance.md).")
    else:
        try:
            ways["Microsoft's provider 0.1.1"] = bench.measured(scenario, "microsoft", python=python)
        except RuntimeError as error:  # its environment is not ours to mend, and must not cost the others' figures
            say(f"Microsoft's provider could not be measured: {error}")
    heads = ("", "calls", "tokens", "TCP connections", "CPU s", "CPU ÷ naive", "lag median s", "lag p99 s",
             "longest stall ms", "of that CPU ms")  # fmt: skip
    rows = [
        (
            way, number(f["calls"]), number(f["tokens"]), number(f["connections"]), number(f["cpu_seconds"]),
            number(f["cpu_seconds"] / naive["cpu_seconds"]),
            *(("", "") if f is idle else (number(f["lag_median"]), number(f["lag_p99"]))),
            number(f["longest_stall_ms"]), number(f["longest_busy_ms"]),
        )
        for way, f in ways.items()
    ]  # fmt: skip
    checks = [
        Check("every run detected", f"{ours['detected']:.0f}", ours["endings"] == {"over": scenario.runs}),
        Check.at_most("calls ÷ one List per item and interval", ours["calls"] / ours["ideal_calls"], 1.2),
        Check.at_most("token requests", ours["tokens"], 1),
        Check.at_most("TCP connections", ours["connections"], 20),
        Check.at_most("CPU ÷ naive poller", ours["cpu_seconds"] / naive["cpu_seconds"], 0.5),
        Check.at_most("longest stall of the event loop", ours["longest_stall_ms"], 50, " ms"),
        Check.at_most("p99 lag", ours["lag_p99"], scenario.interval + 1, " s"),
    ]
    bench.tell("free", scenario.name, report.table(heads, rows), checks)


def quota(bench: Bench, section: str, scenario: Scenario, checks: Any) -> None:
    """Under a quota: lags, calls and refusals."""
    ours = bench.measured(scenario)
    heads = ("", "lag median s", "lag p99 s", "lag max s", "calls/min", "busiest minute", "answers 429", "all calls")
    rows = [
        (
            "this provider", number(ours["lag_median"]), number(ours["lag_p99"]), number(ours["lag_max"]),
            number(ours["calls_per_minute"]), number(ours["busiest_minute"]), number(ours["refused"]),
            number(ours["calls"]),
        )
    ]  # fmt: skip
    everybody = Check("every run detected", f"{ours['detected']:.0f}", ours["endings"] == {"over": scenario.runs})
    bench.tell(section, scenario.name, report.table(heads, rows), [everybody, *checks(ours)])


def fits(scenario: Scenario) -> Any:
    """Return the criteria of one triggerer within its quota."""
    return lambda ours: [
        Check.at_most("answers 429", ours["refused"], 0),
        Check.at_most("calls a minute, sustained", ours["calls_per_minute"], scenario.budget),
    ]


def fifty(bench: Bench, scenario: Scenario = FIFTY) -> None:
    """Many runs of few items."""
    quota(
        bench,
        "fifty",
        scenario,
        lambda ours: [
            *fits(scenario)(ours),
            Check.at_most("median lag", ours["lag_median"], 20, " s"),
            Check.at_most("p99 lag", ours["lag_p99"], 60, " s"),
        ],
    )


def thousand(bench: Bench) -> None:
    """As many items as runs: nothing to coalesce."""
    even_share = THOUSAND.items / THOUSAND.budget * 60
    quota(
        bench,
        "thousand",
        THOUSAND,
        lambda ours: [
            *fits(THOUSAND)(ours),
            Check.at_most(
                f"max lag (even share of the budget: {even_share:.0f} s)", ours["lag_max"], 2 * even_share, " s"
            ),
        ],
    )


def two(bench: Bench) -> None:
    """Two triggerers that know nothing of each other."""
    quota(
        bench,
        "two",
        TWO,
        lambda ours: [Check.at_most("answers 429 in % of calls", 100 * ours["refused"] / ours["calls"], 1)],
    )


def memory(bench: Bench) -> None:
    """What a waiting run takes."""
    ours, empty = bench.measured(MEMORY), bench.measured(EMPTY, "idle")
    each = {way: f["memory_bytes"] / MEMORY.runs / 1024 for way, f in (("this provider", ours), ("empty", empty))}
    rows = [
        ("this provider", number(each["this provider"]), number(ours["cpu_seconds"])),
        ("empty trigger", number(each["empty"]), number(empty["cpu_seconds"])),
    ]
    checks = [
        Check("every run detected", f"{ours['detected']:.0f}", ours["endings"] == {"over": MEMORY.runs}),
        Check.at_most(
            "memory of a waiting run above an empty trigger's", each["this provider"] - each["empty"], 25, " KB"
        ),
    ]
    bench.tell("memory", MEMORY.name, report.table(("", "KB a trigger", "CPU s"), rows), checks)


def importing(bench: Bench) -> None:
    """What a DAG file pays."""
    figures = bench.figures["imports"] = imports.measure(7)
    checks = [
        Check.at_most("import of an operator on top of airflow.sdk", figures["ms"], 30, " ms"),
        Check.at_most("modules it adds", figures["modules"], 25),
        Check("no HTTP library, msal or emulator", ", ".join(figures["heavy"]) or "none", not figures["heavy"]),
    ]
    bench.tell("imports", "Import of airflow_provider_fabric.operators.pipeline", "", checks)


def loaded(bench: Bench) -> None:
    """The emulator under load: is it the bottleneck?"""
    figures = bench.figures["emulator"] = emulator_load.measure()
    checks = [
        Check(
            "500 requests/s on one core with 10,000 live runs",
            f"{figures['per_second']:.0f}/s",
            figures["per_second"] >= 500,
        ),
        Check.at_most("growth of memory after 50,000 further requests", figures["growth_percent"], 10, " %"),
    ]
    heads = ("", "requests/s of its own CPU", "mean answer ms")
    rows = [(what, number(f["per_cpu_second"]), number(f["mean_ms"])) for what, f in figures["kinds"].items()]
    bench.tell("emulator", "The emulator", report.table(heads, rows), checks, on_page=False)


def stressed(bench: Bench) -> None:
    """Stress, in virtual time."""
    found = bench.figures["stress"] = stress.measure(bench.count)
    checks = stress.checks(found)
    bench.tell("stress", "Under stress, simulated", stress.rows(found), checks)


def announced(bench: Bench) -> None:
    """Job events beside polls, in virtual time."""
    found, watched = events.measure(bench.count)
    bench.figures["events"] = {
        "runs": {
            name: {way: [o.figures() for o in each] for way, each in ways.items()} for name, ways in found.items()
        },
        "watched": watched,
    }
    made = events.checks(found, watched)
    bench.tell("events", "Job events, simulated", events.rows(found, watched), made)


SECTIONS = {
    "imports": importing,
    "emulator": loaded,
    "free": lambda bench: free(bench, FREE),
    "fifty": fifty,
    "thousand": thousand,
    "two": two,
    "memory": memory,
    "stress": stressed,
    "events": announced,
}


def main() -> int:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="of each scenario (default: %(default)s)")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS), help="sections")
    parser.add_argument("--docs", action="store_true", help="rewrite the tables of docs/performance.md")
    parser.add_argument("--quick", action="store_true", help="small scenarios, one round, no page")
    options = parser.parse_args()
    bench = Bench(1 if options.quick else options.rounds, options.docs and not options.quick)
    if options.quick:
        importing(bench)
        free(bench, QUICK_FREE)
        fifty(bench, QUICK_FIFTY)
    else:
        for section in options.only:
            SECTIONS[section](bench)
    failed = [check for check in bench.checks if not check.holds]
    say(f"{len(bench.checks) - len(failed)} of {len(bench.checks)} criteria hold.")
    for check in failed:
        say(f"  fails: {check.what}: {check.figure}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
