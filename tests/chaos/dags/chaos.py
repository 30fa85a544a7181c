"""One DAG of one task for each case of the chaos matrix, from the ``cases.json`` beside this file."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

try:
    from airflow.sdk import DAG, get_parsing_context
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.utils.dag_parsing_context import get_parsing_context

sys.path.insert(0, str(Path(__file__).parent))
from hold_at_end import HoldAtEnd


def task_arguments(case: dict[str, Any]) -> dict[str, Any]:
    """Return what is said of times in seconds, as Airflow wants it."""
    task: dict[str, Any] = {"retries": 2, "retry_delay": timedelta(seconds=1), **case["task"]}
    if "execution_timeout" in task:
        task["execution_timeout"] = timedelta(seconds=task["execution_timeout"])
    if case["hold"]:
        task["post_execute"] = HoldAtEnd(case["hold"])
    return task


def operator(case: dict[str, Any]) -> Any:
    """Return the class of the case's operator."""
    module, _, name = case["class"].rpartition(".")
    return getattr(import_module(module), name)


wanted = get_parsing_context().dag_id  # a task's process needs only its own

for case in json.loads(Path(__file__).with_name("cases.json").read_text()):
    if wanted in (None, case["dag_id"]):
        with DAG(case["dag_id"], schedule=None, catchup=False) as dag:
            operator(case)(task_id="run", **case["operator"], **task_arguments(case))
        globals()[case["dag_id"]] = dag
