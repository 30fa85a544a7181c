"""How many examples hypothesis tries: few, so that the suite is quick.

Many: ``pytest tests/unit --hypothesis-profile=thorough``.
"""

from __future__ import annotations

import pytest
from hypothesis import settings

settings.register_profile("quick", max_examples=40, deadline=None)
settings.register_profile("thorough", max_examples=2000, deadline=None)


def pytest_configure(config: pytest.Config) -> None:
    """Choose the quick profile, unless another is asked for."""
    if not config.getoption("--hypothesis-profile", None):
        settings.load_profile("quick")
