"""One DAG of one task for each cell of the chaos matrix, from the ``cells.json`` beside this file."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

try:
    from airflow.sdk import DAG, get_parsing_context
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.utils.dag_parsing_context import get_parsing_context

from airflow_provider_fabric.operators.pipeline import FabricRunPipelineOperator

HOLD_SECONDS = 600


class HoldAtEnd:
    """Stops the first try once its run is over: the moment between the run's end and the task's."""

    def __init__(self, sign: str) -> None:
        self.sign = Path(sign)

    def __call__(self, context: Any, result: Any = None) -> None:
        """Be Airflow's ``post_execute``."""
        if context["ti"].try_number == 1:
            self.sign.touch()
            time.sleep(HOLD_SECONDS)


def task_arguments(cell: dict[str, Any]) -> dict[str, Any]:
    """Return what is said of times in seconds, as Airflow wants it."""
    task: dict[str, Any] = {"retries": 2, "retry_delay": timedelta(seconds=1), **cell["task"]}
    if "execution_timeout" in task:
        task["execution_timeout"] = timedelta(seconds=task["execution_timeout"])
    if cell["hold"]:
        task["post_execute"] = HoldAtEnd(cell["hold"])
    return task


wanted = get_parsing_context().dag_id  # a task's process needs only its own

for cell in json.loads(Path(__file__).with_name("cells.json").read_text()):
    if wanted in (None, cell["dag_id"]):
        with DAG(cell["dag_id"], schedule=None, catchup=False) as dag:
            FabricRunPipelineOperator(task_id="run", **cell["operator"], **task_arguments(cell))
        globals()[cell["dag_id"]] = dag
