"""One browser for all tests that ask for it; each finds it at an empty page with an empty console."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from devtools.docs.browser import MISSING, Browser, is_installed


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if not is_installed():
        pytest.skip(MISSING)
    with Browser() as running:
        yield running


@pytest.fixture
def browser(chromium: Browser) -> Browser:
    """A headless Chromium that nobody else uses."""
    chromium.open("about:blank")
    chromium.console()
    return chromium
