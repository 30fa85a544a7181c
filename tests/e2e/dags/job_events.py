"""A run that is polled every ten minutes, and whose end is announced."""

from __future__ import annotations

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

from airflow_provider_fabric.operators.pipeline import FabricRunPipelineOperator

with DAG("job_events", schedule=None, catchup=False):
    FabricRunPipelineOperator(
        task_id="run",
        workspace="Emulator workspace",
        pipeline="Announced",
        fabric_conn_id="fabric_events",
        deferrable=True,
        check_interval=600,
    )
