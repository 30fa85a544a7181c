"""Parameters: Python values in, the right form for each item out, and misspelt names found before anything runs.

It needs a connection ``fabric_default`` and a workspace: the Airflow variable ``fabric_workspace``, or "Emulator
workspace", which the emulator has.

On a real tenant its dataflow needs a connection that signs in as a user (``auth_type`` ``refresh_token``).
"""

from __future__ import annotations

from datetime import date, datetime, timezone
from decimal import Decimal

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

from airflow_provider_fabric.operators.dataflow import FabricRunDataflowRefreshOperator
from airflow_provider_fabric.operators.item import FabricUpsertItemDefinitionOperator
from airflow_provider_fabric.operators.pipeline import FabricRunPipelineOperator

PIPELINE = {
    "properties": {
        "activities": [{"name": "Wait1", "type": "Wait", "typeProperties": {"waitTimeInSeconds": 1}}],
        "parameters": {"day": {"type": "string"}, "factor": {"type": "float"}, "full": {"type": "bool"}},
    }
}
MASHUP = """section Section1;
shared region = "all" meta [IsParameterQuery = true, IsParameterQueryRequired = true, Type = type text];
shared Query = let Source = Table.FromRows({{1, region}}, {"Id", "Region"}) in Source;
"""

with DAG(
    dag_id="fabric_parameters",
    description=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    tags=["fabric", "example"],
    default_args={
        "workspace": "{{ var.value.get('fabric_workspace', 'Emulator workspace') }}",
        "deferrable": True,
        "check_interval": 2,
    },
) as dag:
    deploy_pipeline = FabricUpsertItemDefinitionOperator(
        task_id="deploy_pipeline",
        item_type="DataPipeline",
        display_name="With parameters",
        definition={"pipeline-content.json": PIPELINE},
    )
    deploy_dataflow = FabricUpsertItemDefinitionOperator(
        task_id="deploy_dataflow",
        item_type="Dataflow",
        display_name="With a parameter",
        definition={"mashup.pq": MASHUP, "queryMetadata.json": {"formatVersion": "202502", "queriesMetadata": {}}},
    )
    run_pipeline = FabricRunPipelineOperator(
        task_id="run_pipeline",
        pipeline="With parameters",
        parameters={"day": date(2026, 1, 31), "factor": Decimal("1.25"), "full": True},
        validate_parameters=True,
        log_activities=True,
    )
    refresh_dataflow = FabricRunDataflowRefreshOperator(
        task_id="refresh_dataflow",
        dataflow="With a parameter",
        parameters={"region": "{{ dag_run.run_id }}"},
        validate_parameters=True,
    )
    deploy_pipeline >> run_pipeline
    deploy_dataflow >> refresh_dataflow
