"""One run at a time: attach to a run that is active already, give up in time, and retry only what may pass.

It needs a connection ``fabric_default`` and a workspace: the Airflow variable ``fabric_workspace``, or "Emulator
workspace", which the emulator has.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

from airflow_provider_fabric.compat import RetryPolicy
from airflow_provider_fabric.operators.item import FabricUpsertItemDefinitionOperator
from airflow_provider_fabric.operators.pipeline import FabricRunPipelineOperator
from airflow_provider_fabric.retry_policies import fabric_retry_policy

PIPELINE = {
    "properties": {"activities": [{"name": "Wait1", "type": "Wait", "typeProperties": {"waitTimeInSeconds": 120}}]}
}
# Airflow 3.3 brought retry policies: a missing right fails at once, a throttled call waits as told.
POLICY = {"retry_policy": fabric_retry_policy()} if RetryPolicy is not None else {}

with DAG(
    dag_id="fabric_attach_and_retry",
    description=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    tags=["fabric", "example"],
    default_args={
        "workspace": "{{ var.value.get('fabric_workspace', 'Emulator workspace') }}",
        "deferrable": True,
        "check_interval": 2,
        "retries": 3,
        "retry_delay": timedelta(minutes=5),
        **POLICY,
    },
) as dag:
    deploy_pipeline = FabricUpsertItemDefinitionOperator(
        task_id="deploy_pipeline",
        item_type="DataPipeline",
        display_name="One at a time",
        definition={"pipeline-content.json": PIPELINE},
    )
    start_pipeline = FabricRunPipelineOperator(
        task_id="start_pipeline",
        pipeline="One at a time",
        wait_for_termination=False,
    )
    run_or_attach = FabricRunPipelineOperator(
        task_id="run_or_attach",
        pipeline="One at a time",
        if_running="attach",
        timeout=3600,
    )
    deploy_pipeline >> start_pipeline >> run_or_attach
