"""Items for the tenant of these tests."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

from airflow_provider_fabric.emulator import FabricEmulator


def add_item(tenant: FabricEmulator, item_type: str, name: str, definition: Any = None, **more: Any) -> str:
    """Add an item to the tenant's workspace; return its id."""
    entry = {"type": item_type, "displayName": name, "definition": definition, **more}
    seeded = tenant.control.seed(workspaces=[{"id": tenant.workspace_id, "items": [entry]}])
    return str(seeded["workspaces"][0]["items"][0]["id"])


def definition(**parts: Any) -> dict[str, Any]:
    """Return a definition on the wire, by part path (``__`` for a dot, ``_`` for a dash)."""
    return {
        "parts": [
            {
                "path": path.replace("__", ".").replace("_", "-"),
                "payload": base64.b64encode(
                    (content if isinstance(content, str) else json.dumps(content)).encode()
                ).decode(),
                "payloadType": "InlineBase64",
            }
            for path, content in parts.items()
        ]
    }


def wait_until_over(tenant: FabricEmulator, within: float = 60.0) -> None:
    """Wait until no run of the tenant is active, however slow this machine is.

    :raises TimeoutError: one still is.
    """
    deadline = time.monotonic() + within
    while active := [job["id"] for job in tenant.control.jobs() if job["active"]]:
        if time.monotonic() > deadline:
            raise TimeoutError(f"active after {within:g} s: {active}")
        time.sleep(0.02)
