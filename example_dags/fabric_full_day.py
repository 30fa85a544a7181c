"""A whole day's work: resume the capacity, load, and suspend the capacity whatever became of it.

It needs a connection ``fabric_default``; a workspace: the Airflow variable ``fabric_workspace``, or "Emulator
workspace", which the emulator has; and the capacity of that workspace: the Airflow variable ``fabric_capacity``, or
"emulatorcapacity", which the emulator has. On a real tenant, deploy your own definitions: those below are placeholders.
"""

from __future__ import annotations

from datetime import datetime, timezone

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

from airflow_provider_fabric.operators.capacity import FabricResumeCapacityOperator, FabricSuspendCapacityOperator
from airflow_provider_fabric.operators.copy_job import FabricRunCopyJobOperator
from airflow_provider_fabric.operators.item import FabricUpsertItemDefinitionOperator
from airflow_provider_fabric.operators.lakehouse import FabricRefreshSqlEndpointOperator
from airflow_provider_fabric.sensors.onelake import FabricOneLakeFileSensor

CAPACITY = "{{ var.value.get('fabric_capacity', 'emulatorcapacity') }}"

with DAG(
    dag_id="fabric_full_day",
    description=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    tags=["fabric", "example"],
    default_args={"workspace": "{{ var.value.get('fabric_workspace', 'Emulator workspace') }}", "deferrable": True},
) as dag:
    resume = FabricResumeCapacityOperator(task_id="resume", capacity=CAPACITY)
    deploy = FabricUpsertItemDefinitionOperator(
        task_id="deploy",
        item_type="CopyJob",
        display_name="Full day copy",
        definition={"copyjob-content.json": {"properties": {"jobMode": "Batch"}, "activities": []}},
    )
    deploy_lakehouse = FabricUpsertItemDefinitionOperator(
        task_id="deploy_lakehouse",
        item_type="Lakehouse",
        display_name="Fullday",
        definition={"lakehouse.metadata.json": {"defaultSchema": "dbo"}},
    )
    wait_for_file = FabricOneLakeFileSensor(
        task_id="wait_for_file", item="Fullday", path="Files", poke_interval=30, timeout=3600
    )
    copy = FabricRunCopyJobOperator(task_id="copy", copy_job="Full day copy", check_interval=2)
    refresh_sql = FabricRefreshSqlEndpointOperator(task_id="refresh_sql", lakehouse="Fullday")
    suspend = FabricSuspendCapacityOperator(task_id="suspend", capacity=CAPACITY, retries=3)

    (
        resume
        >> [deploy, deploy_lakehouse]
        >> copy
        >> refresh_sql
        >> suspend.as_teardown(setups=resume, on_failure_fail_dagrun=True)
    )
