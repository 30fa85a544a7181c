"""DAGs whose tasks share one item, from the JSON file beside this one."""

from __future__ import annotations

import json
import os
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

try:
    from airflow.sdk import DAG, get_parsing_context
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.utils.dag_parsing_context import get_parsing_context

from airflow_provider_fabric.operators.pipeline import FabricRunPipelineOperator

sys.path.insert(0, str(Path(__file__).parent))
from hold_at_end import HoldAtEnd

DAYS = {
    "schedule": "@daily",
    "start_date": datetime(2024, 1, 1, tzinfo=timezone.utc),
    "end_date": datetime(2024, 1, 5, tzinfo=timezone.utc),
}


class SetClock:
    """Sets the clock of the task's process wrong, in its first try: Airflow's ``pre_execute``."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds

    def __call__(self, context: Any) -> None:
        """Set it, by the library that is preloaded."""
        if context["ti"].try_number == 1:
            os.environ["CHAOS_CLOCK"] = str(self.seconds)


def task_of(entry: dict[str, Any]) -> None:
    """Add the task, or the mapped tasks."""
    arguments: dict[str, Any] = {
        "task_id": "run",
        "retries": entry["retries"],
        "retry_delay": timedelta(seconds=1),
        **entry["operator"],
    }
    if entry["clock"]:
        arguments["pre_execute"] = SetClock(entry["clock"])
    if entry["hold"]:
        arguments["post_execute"] = HoldAtEnd(entry["hold"])
    if entry["mapped"]:
        owners = [{"owner": f"{entry['dag_id']}/{number}"} for number in range(entry["mapped"])]
        FabricRunPipelineOperator.partial(**arguments).expand(parameters=owners)
    else:
        FabricRunPipelineOperator(parameters={"owner": "{{ dag.dag_id }}/{{ run_id }}"}, **arguments)


wanted = get_parsing_context().dag_id  # a task's process needs only its own

for entry in json.loads(Path(__file__).with_suffix(".json").read_text()):
    if wanted in (None, entry["dag_id"]):
        days = DAYS if entry["daily"] else {"schedule": None}
        with DAG(entry["dag_id"], description=entry["description"], catchup=False, max_active_runs=5, **days) as dag:
            task_of(entry)
        globals()[entry["dag_id"]] = dag
