"""Deploy a dataflow, a pipeline and a copy job to Microsoft Fabric, and run them one after the other.

It needs a connection ``fabric_default`` and a workspace: the Airflow variable ``fabric_workspace`` (name or GUID), or
"Emulator workspace", which the emulator has. Every wait is deferred to the triggerer.

On a real tenant its dataflow needs a connection that signs in as a user (``auth_type`` ``refresh_token``), and the copy
job in ``definitions/`` is a placeholder for your own.
"""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.decorators import task

from airflow_provider_fabric.operators.copy_job import FabricRunCopyJobOperator
from airflow_provider_fabric.operators.dataflow import FabricPublishDataflowOperator, FabricRunDataflowRefreshOperator
from airflow_provider_fabric.operators.item import FabricUpsertItemDefinitionOperator
from airflow_provider_fabric.operators.pipeline import FabricRunPipelineOperator

DEFINITIONS = Path(__file__).parent / "definitions"
WORKSPACE = "{{ var.value.get('fabric_workspace', 'Emulator workspace') }}"

with DAG(
    dag_id="fabric_data_factory",
    description=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    tags=["fabric", "example"],
    default_args={"workspace": WORKSPACE, "deferrable": True, "check_interval": 2},
) as dag:
    deploy_dataflow = FabricUpsertItemDefinitionOperator(
        task_id="deploy_dataflow",
        item_type="Dataflow",
        display_name="Customers",
        definition=str(DEFINITIONS / "Customers.Dataflow"),
    )
    deploy_pipeline = FabricUpsertItemDefinitionOperator(
        task_id="deploy_pipeline",
        item_type="DataPipeline",
        display_name="Daily load",
        definition=str(DEFINITIONS / "Daily load.DataPipeline"),
    )
    deploy_copy_job = FabricUpsertItemDefinitionOperator(
        task_id="deploy_copy_job",
        item_type="CopyJob",
        display_name="Customers to lakehouse",
        definition=str(DEFINITIONS / "Customers to lakehouse.CopyJob"),
    )
    publish_dataflow = FabricPublishDataflowOperator(
        task_id="publish_dataflow",
        dataflow="{{ ti.xcom_pull(task_ids='deploy_dataflow')['item_id'] }}",
    )
    refresh_dataflow = FabricRunDataflowRefreshOperator(
        task_id="refresh_dataflow",
        dataflow="Customers",
        apply_changes="skip",
    )
    run_pipeline = FabricRunPipelineOperator(
        task_id="run_pipeline",
        pipeline="Daily load",
        parameters={"region": "EU"},
    )
    run_copy_job = FabricRunCopyJobOperator(
        task_id="run_copy_job",
        copy_job="Customers to lakehouse",
    )

    @task
    def report(run: dict) -> str:
        """Stand for the rest of a DAG: a task that has nothing to do with Fabric."""
        return f"The copy job took from {run['start_time_utc']} to {run['end_time_utc']}."

    deploy_dataflow >> publish_dataflow >> refresh_dataflow >> run_pipeline >> run_copy_job
    deploy_pipeline >> run_pipeline
    deploy_copy_job >> run_copy_job
    report(run_copy_job.output)
