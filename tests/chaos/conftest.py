"""Chaos runs only when asked for: ``make chaos``, or ``pytest -m chaos``."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a few cases be chosen."""
    parser.addoption("--case", action="append", default=[], help="chaos cases whose name holds this word")
    parser.addoption("--missing", action="store_true", help="only the chaos cases that are not recorded as good yet")


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", "chaos: everything that can go wrong goes wrong, in real Airflows")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave chaos out unless the marker expression names it."""
    if "chaos" in config.option.markexpr:
        return
    chaos = [item for item in items if item.get_closest_marker("chaos")]
    items[:] = [item for item in items if not item.get_closest_marker("chaos")]
    config.hook.pytest_deselected(items=chaos)
