"""A copy job whose lineage OpenLineage's provider reports, in both modes; of the other DAGs nothing is reported."""

from __future__ import annotations

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

from airflow.providers.openlineage.utils.selective_enable import enable_lineage

from airflow_provider_fabric.operators.copy_job import FabricRunCopyJobOperator
from airflow_provider_fabric.operators.item import FabricUpsertItemDefinitionOperator

WORKSPACE = "Emulator workspace"
LAKEHOUSE = {"type": "Lakehouse", "typeProperties": {"workspaceId": "ws", "artifactId": "lake"}}
CUSTOMERS = {
    "source": {"datasetSettings": {"schema": "dbo", "table": "customers"}},
    "destination": {"datasetSettings": {"table": "customers"}},
}
COPY_JOB = {
    "properties": {
        "jobMode": "Batch",
        "source": {"connectionSettings": {"externalReferences": {"connection": "conn-1"}}},
        "destination": {"connectionSettings": LAKEHOUSE},
    },
    "activities": [{"properties": CUSTOMERS}],
}

with DAG("lineage", schedule=None, catchup=False, default_args={"workspace": WORKSPACE}) as dag:
    deploy = FabricUpsertItemDefinitionOperator(
        task_id="deploy",
        item_type="CopyJob",
        display_name="With lineage",
        definition={"copyjob-content.json": COPY_JOB},
    )
    deploy >> [
        FabricRunCopyJobOperator(task_id=mode, copy_job="With lineage", deferrable=mode == "deferrable")
        for mode in ("synchronous", "deferrable")
    ]

enable_lineage(dag)
