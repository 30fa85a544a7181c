"""A run that a triggerer waits for and reports on."""

from __future__ import annotations

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

from airflow_provider_fabric.operators.pipeline import FabricRunPipelineOperator

with DAG("metrics", schedule=None, catchup=False):
    FabricRunPipelineOperator(
        task_id="run", workspace="Emulator workspace", pipeline="Measured", deferrable=True, check_interval=1
    )
