"""Folders of items, written for tests."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

PIPELINE = {"properties": {"activities": []}}


def logical_id(number: int) -> str:
    return str(uuid.UUID(int=0x1111_0000_0000_4000_8000_0000_0000_0000 + number))


def write_item(
    root: Path,
    path: str,
    parts: dict[str, Any],
    number: int | str | None = 0,
    *,
    metadata: dict[str, Any] | None = None,
) -> Path:
    """Write an item's folder: ``Sales/Daily load.DataPipeline``."""
    folder = root / path
    folder.mkdir(parents=True)
    name, _, kind = folder.name.rpartition(".")
    config = {"version": "2.0", "logicalId": logical_id(number) if isinstance(number, int) else number}
    platform = {"metadata": {"type": kind, "displayName": name, **(metadata or {})}, "config": config}
    for part, content in {".platform": platform, **parts}.items():
        (folder / part).parent.mkdir(parents=True, exist_ok=True)
        data = content if isinstance(content, bytes) else content.encode() if isinstance(content, str) else None
        (folder / part).write_bytes(json.dumps(content).encode() if data is None else data)
    return folder


def write_pipeline(root: Path, path: str, number: int = 0, **properties: Any) -> Path:
    content = {"properties": {**PIPELINE["properties"], **properties}}
    return write_item(root, f"{path}.DataPipeline", {"pipeline-content.json": content}, number)
