"""From figures to tables: on the terminal, as JSON, and between the markers of ``docs/performance.md``."""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"
PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"

WORST = {"refused": max, "lag_max": max, "busiest_minute": max, "detected": min}
"""Of these figures the worst of all rounds is shown; of the others the median."""


@dataclass(frozen=True)
class Check:
    """One criterion and what came of it.

    :param what: the criterion.
    :param figure: what was measured, in words.
    :param holds: whether it holds.
    """

    what: str
    figure: str
    holds: bool

    @classmethod
    def at_most(cls, what: str, value: float | None, limit: float, unit: str = "") -> Check:
        """Return the check that a figure is not above a limit."""
        text = "none" if value is None else f"{number(value)}{unit}"
        return cls(f"{what} ≤ {number(limit)}{unit}", text, value is not None and value <= limit)


def rounds(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return one set of figures for several rounds of a scenario."""
    merged = dict(results[-1])
    for name, value in results[-1].items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            known = [result[name] for result in results if result[name] is not None]
            merged[name] = WORST.get(name, median)(known)
    return merged


def number(value: float | None) -> str:
    """Return a figure with as many digits as it deserves."""
    if value is None:
        return ""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table that can be read as it is."""
    lines = [list(heads), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    first, *others = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]
    return "\n".join([first, "| " + " | ".join("-" * width for width in widths) + " |", *others])


def checks_table(checks: Iterable[Check]) -> str:
    """Return the table of criteria."""
    return table(
        ("criterion", "measured", ""), [(c.what, c.figure, "holds" if c.holds else "**fails**") for c in checks]
    )


def checks_line(checks: Sequence[Check]) -> str:
    """Return how many criteria hold, and those that do not."""
    if not checks:
        return ""
    failing = [f"{check.what}: **{check.figure}**" for check in checks if not check.holds]
    line = f"{len(checks) - len(failing)} of {len(checks)} criteria hold."
    return " ".join([line, *(["Not:", "; ".join(failing)] if failing else [])])


def write_page(sections: dict[str, str]) -> None:
    """Replace what stands between the markers of ``docs/performance.md``."""
    text = PAGE.read_text()
    for name, content in sections.items():
        pattern = re.compile(rf"(<!-- bench:{name} -->\n).*?(<!-- /bench:{name} -->)", re.DOTALL)
        text, count = pattern.subn(lambda match, content=content: f"{match[1]}{content}\n{match[2]}", text)
        if count != 1:
            raise RuntimeError(f"{PAGE.name} has no marker for {name}")
    PAGE.write_text(text)


def write_json(name: str, content: Any) -> Path:
    """Keep all figures; the directory is not committed."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    return path


def machine() -> str:
    """Return where the figures come from, in a line."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    import airflow

    return (
        f"{model[1] if model else platform.machine()}, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, Airflow {airflow.__version__}"
    )
