"""What docs/capabilities/onelake.md says about reading and writing, as functions."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from airflow_provider_fabric.hooks.fabric import FabricHook

PAGE = Path(__file__).parents[3] / "docs" / "capabilities" / "onelake.md"


def recipe(name: str) -> Callable[..., Any]:
    """Return a function of the page."""
    block = next(b for b in re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.M | re.S) if f"def {name}(" in b)
    names: dict[str, Any] = {"__name__": "page"}
    exec(compile(block, str(PAGE), "exec"), names)
    found: Callable[..., Any] = names[name]
    return found


def files(workspace: str) -> dict[str, int | None]:
    """Return the files of the lakehouse ``Bronze`` with their sizes, as the hook finds them."""
    hook = FabricHook()
    item = hook.resolve_item(workspace, "Bronze", "Lakehouse")
    return {file.path: file.size for file in hook.find_onelake_files(workspace, item, "Files/**/*")}
