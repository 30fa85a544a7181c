"""The metrics that the documentation names: the table of ``docs/scale.md``."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent / "docs" / "scale.md"
KINDS = {"gauge": "g", "counter": "c", "timer": "ms"}
"""The documentation's words, and StatsD's."""


def documented_metrics() -> dict[str, str]:
    """Return name → StatsD's kind."""
    rows = re.findall(r"^\| `(fabric\.\w+)` \| (\w+) \|", PAGE.read_text(), re.MULTILINE)
    return {name: KINDS[kind] for name, kind in rows}
