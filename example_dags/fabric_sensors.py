"""Wait for runs that something else starts: Fabric's own schedule, a person, or, here, another task.

``FabricJobInstanceSensor`` waits for a run whose id is known, ``FabricItemJobSensor`` for whichever run of an item
begins after a moment: by default the beginning of the DAG run's data interval.

It needs a connection ``fabric_default`` and a workspace: the Airflow variable ``fabric_workspace``, or "Emulator
workspace", which the emulator has.
"""

from __future__ import annotations

from datetime import datetime, timezone

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.decorators import task

from airflow_provider_fabric.hooks.fabric import FabricHook
from airflow_provider_fabric.operators.item import FabricUpsertItemDefinitionOperator
from airflow_provider_fabric.sensors.job import FabricItemJobSensor, FabricJobInstanceSensor

WORKSPACE = "{{ var.value.get('fabric_workspace', 'Emulator workspace') }}"
PIPELINE = {
    "properties": {"activities": [{"name": "Wait1", "type": "Wait", "typeProperties": {"waitTimeInSeconds": 1}}]}
}

with DAG(
    dag_id="fabric_sensors",
    description=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    tags=["fabric", "example"],
    default_args={"workspace": WORKSPACE},
) as dag:
    deploy_pipeline = FabricUpsertItemDefinitionOperator(
        task_id="deploy_pipeline",
        item_type="DataPipeline",
        display_name="Started elsewhere",
        definition={"pipeline-content.json": PIPELINE},
    )

    @task
    def start_elsewhere(deployed: dict) -> dict:
        """Stand for whoever starts the pipeline without Airflow."""
        workspace, item = deployed["workspace_id"], deployed["item_id"]
        started = FabricHook().run_item_job(workspace, item, "Execute")
        return {"item": item, "job_instance_id": started.job_instance_id}

    started = start_elsewhere(deploy_pipeline.output)
    FabricJobInstanceSensor(
        task_id="wait_for_this_run",
        item="{{ ti.xcom_pull(task_ids='start_elsewhere')['item'] }}",
        job_instance_id="{{ ti.xcom_pull(task_ids='start_elsewhere')['job_instance_id'] }}",
        item_type="DataPipeline",
        mode="reschedule",
        poke_interval=2,
        timeout=600,
    ).set_upstream(started)
    deploy_pipeline >> FabricItemJobSensor(
        task_id="wait_for_any_run",
        item="Started elsewhere",
        item_type="DataPipeline",
        since="{{ dag_run.start_date.isoformat() }}",
        deferrable=True,
        poke_interval=2,
        timeout=600,
    )
