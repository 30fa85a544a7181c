"""A browser for each test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from devtools.browser import MISSING, Browser, is_installed


@pytest.fixture
def browser() -> Iterator[Browser]:
    """A headless Chromium with an empty profile."""
    if not is_installed():
        pytest.skip(MISSING)
    with Browser() as running:
        yield running
