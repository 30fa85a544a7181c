"""Two hundred runs of twenty pipelines, all waited for in the triggerers; ids come from ``failover.json``."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

from airflow_provider_fabric.operators.pipeline import FabricRunPipelineOperator

PLAN = json.loads(Path(__file__).with_name("failover.json").read_text())

with DAG("failover", schedule=None, catchup=False, max_active_tasks=64):
    FabricRunPipelineOperator.partial(
        task_id="run",
        workspace=PLAN["workspace"],
        deferrable=True,
        check_interval=10,
        retries=2,
        retry_delay=timedelta(seconds=5),
    ).expand(pipeline=PLAN["pipelines"])
