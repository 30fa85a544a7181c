"""DAGs whose tasks share one item, from the ``ownership.json`` beside this file."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

from airflow_provider_fabric.operators.pipeline import FabricRunPipelineOperator

for entry in json.loads(Path(__file__).with_name("ownership.json").read_text()):
    with DAG(entry["dag_id"], schedule=None, catchup=False, max_active_runs=5) as dag:
        arguments = {
            "task_id": "run",
            "retries": entry["retries"],
            "retry_delay": timedelta(seconds=1),
            **entry["operator"],
        }
        if entry["mapped"]:
            owners = [{"owner": f"{entry['dag_id']}/{number}"} for number in range(entry["mapped"])]
            FabricRunPipelineOperator.partial(**arguments).expand(parameters=owners)
        else:
            FabricRunPipelineOperator(parameters={"owner": "{{ dag.dag_id }}/{{ run_id }}"}, **arguments)
    globals()[entry["dag_id"]] = dag
