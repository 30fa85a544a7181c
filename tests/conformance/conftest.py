"""The figures that the suite prints at its end."""

from __future__ import annotations

import pytest

from tests.conformance.figures import FIGURES


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was compared."""
    lines = FIGURES.lines()
    if lines:
        terminalreporter.section("conformance with what Microsoft publishes")
        for line in lines:
            terminalreporter.write_line(line)
