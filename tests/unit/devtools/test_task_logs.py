"""Task logs: found in order, and written alike for Airflow 2 and 3."""

from __future__ import annotations

import json
from pathlib import Path

from devtools.airflow.task_logs import log_files, read_log


def test_the_workers_log_comes_before_the_triggerers(tmp_path: Path):
    folder = tmp_path / "dag_id=d" / "run_id=r" / "task_id=t"
    folder.mkdir(parents=True)
    for name in ("attempt=1.log.trigger.2.log", "attempt=1.log", "attempt=10.log", "attempt=2.log"):
        (folder / name).write_text(name)
    names = [path.name for path in log_files(tmp_path, "d", "r", "t", 1)]
    assert names == ["attempt=1.log", "attempt=1.log.trigger.2.log"]


def test_a_mapped_task_has_a_folder_of_its_own(tmp_path: Path):
    folder = tmp_path / "dag_id=d" / "run_id=r" / "task_id=t" / "map_index=3"
    folder.mkdir(parents=True)
    (folder / "attempt=1.log").write_text("x")
    assert log_files(tmp_path, "d", "r", "t", 1, 3) == [folder / "attempt=1.log"]
    assert log_files(tmp_path, "d", "r", "t", 1) == []


def test_records_and_lines_are_told_as_text(tmp_path: Path):
    error = {"exc_type": "FabricJobFailed", "exc_value": 'said "no"'}
    record = {"timestamp": "T", "level": "error", "event": "Task failed", "error_detail": [error]}
    file = tmp_path / "attempt=1.log"
    file.write_text(f"{json.dumps(record)}\n[T] plain\n42\n")
    assert read_log([file]).splitlines() == [
        "T ERROR - Task failed",
        'FabricJobFailed: said "no"',
        "[T] plain",
        "42",
    ]
