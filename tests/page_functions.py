"""Functions that pages of the documentation define, as the pages have them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

PAGES = Path(__file__).parents[1] / "docs"


def page_function(page: str, name: str) -> Callable[..., Any]:
    """Return a function that a page defines.

    :param page: its path below ``docs``.
    :param name: the function's.
    """
    path = PAGES / page
    block = next(b for b in re.findall(r"^```python\n(.*?)^```", path.read_text(), re.M | re.S) if f"def {name}(" in b)
    names: dict[str, Any] = {"__name__": "page"}
    exec(compile(block, str(path), "exec"), names)
    found: Callable[..., Any] = names[name]
    return found
