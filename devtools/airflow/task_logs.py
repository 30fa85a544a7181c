"""Task logs as Airflow writes them to disk, as text: JSON lines of 3.x are written as 2.x writes them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def log_files(logs: Path, dag_id: str, run_id: str, task_id: str, try_number: int, map_index: int = -1) -> list[Path]:
    """Return the log files of one try: the worker's first, then the triggerers' (``….trigger.<job id>.log``)."""
    folder = logs / f"dag_id={dag_id}" / f"run_id={run_id}" / f"task_id={task_id}"
    if map_index >= 0:
        folder /= f"map_index={map_index}"
    name = f"attempt={try_number}.log"
    return sorted(folder.glob(f"{name}*"), key=lambda path: (path.name != name, path.name))


def read_log(files: list[Path]) -> str:
    """Return the files as one text."""
    return "\n".join(line for path in files for line in _lines(path))


def _lines(path: Path) -> Iterator[str]:
    for line in path.read_text(errors="replace").splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        if isinstance(record, dict) and "event" in record:
            yield from _tell(record)
        else:
            yield line


def _tell(record: dict[str, Any]) -> Iterator[str]:
    """Tell one structured record: its message, then the exception with its causes."""
    yield f"{record.get('timestamp', '')} {str(record.get('level', '')).upper()} - {record['event']}"
    for error in record.get("error_detail") or []:
        yield f"{error.get('exc_type')}: {error.get('exc_value')}"
        for note in error.get("exc_notes") or []:
            yield str(note)
