"""The metrics that the documentation names: the tables of ``docs/scale.md`` and of job events."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE = DOCS / "scale.md"
OF_JOB_EVENTS = DOCS / "capabilities" / "events-push.md"
"""These come where a connection names a stream."""
KINDS = {"gauge": "g", "counter": "c", "timer": "ms"}
"""The documentation's words, and StatsD's."""


def documented_metrics(page: Path = PAGE) -> dict[str, str]:
    """Return name → StatsD's kind, as a page has it."""
    rows = re.findall(r"^\| `(fabric\.\w+)` \| (\w+) \|", page.read_text(), re.MULTILINE)
    return {name: KINDS[kind] for name, kind in rows}
