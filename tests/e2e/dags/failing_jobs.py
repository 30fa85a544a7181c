"""The same failing pipeline run, waited for in both modes."""

from __future__ import annotations

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

from airflow_provider_fabric.operators.pipeline import FabricRunPipelineOperator

with DAG("failing_jobs", schedule=None, catchup=False):
    for mode in ("synchronous", "deferrable"):
        FabricRunPipelineOperator(
            task_id=mode,
            workspace="Emulator workspace",
            pipeline=f"Fails {mode}",
            deferrable=mode == "deferrable",
            check_interval=1,
        )
