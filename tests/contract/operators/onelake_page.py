"""What docs/capabilities/onelake.md says about reading and writing, as functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_provider_fabric.hooks.fabric import FabricHook
from tests.page_functions import page_function


def recipe(name: str) -> Callable[..., Any]:
    """Return a function of the page."""
    return page_function("capabilities/onelake.md", name)


def files(workspace: str) -> dict[str, int | None]:
    """Return the files of the lakehouse ``Bronze`` with their sizes, as the hook finds them."""
    hook = FabricHook()
    item = hook.resolve_item(workspace, "Bronze", "Lakehouse")
    return {file.path: file.size for file in hook.find_onelake_files(workspace, item, "Files/**/*")}
