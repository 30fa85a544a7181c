"""A lakehouse as an asset between a pipeline and a semantic model, in two DAGs that need not know each other.

The pipeline's task has the lakehouse among its outlets, so when its run has completed, Airflow records an event of that
asset, which tells which run it was, when, and how many rows it wrote. The event starts ``fabric_assets_model``, which
reads it and refreshes the semantic model on that lakehouse.

It needs a connection ``fabric_default`` and the workspace "Emulator workspace"; pipeline and semantic model are
deployed first.
"""

from __future__ import annotations

from datetime import datetime, timezone

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2, where an asset is a dataset
    from airflow import DAG
    from airflow.decorators import task

from airflow_provider_fabric.assets import fabric_asset, fabric_event_payloads
from airflow_provider_fabric.operators import (
    FabricRefreshSemanticModelOperator,
    FabricRunPipelineOperator,
    FabricUpsertItemDefinitionOperator,
)

WORKSPACE = "Emulator workspace"
LAKEHOUSE = fabric_asset(WORKSPACE, "Sales lakehouse")
COPY = {
    "name": "Copy orders",
    "type": "Copy",
    "typeProperties": {"source": {"type": "SqlServerSource"}, "sink": {"type": "LakehouseTableSink"}},
}
COMMON = {
    "schedule": None,
    "start_date": datetime(2026, 1, 1, tzinfo=timezone.utc),
    "catchup": False,
    "tags": ["fabric", "example"],
    "description": __doc__,
    "default_args": {"workspace": WORKSPACE},
}

with DAG(dag_id="fabric_assets", **COMMON) as dag:
    deploy_pipeline = FabricUpsertItemDefinitionOperator(
        task_id="deploy_pipeline",
        item_type="DataPipeline",
        display_name="Load the lakehouse",
        definition={"pipeline-content.json": {"properties": {"activities": [COPY]}}},
    )
    deploy_model = FabricUpsertItemDefinitionOperator(
        task_id="deploy_model",
        item_type="SemanticModel",
        display_name="Lakehouse model",
        definition={"definition.pbism": {"version": "4.2"}, "model.bim": {"model": {"tables": []}}},
    )
    load = FabricRunPipelineOperator(
        task_id="load", pipeline="Load the lakehouse", outlets=[LAKEHOUSE], deferrable=True, check_interval=2
    )
    [deploy_pipeline, deploy_model] >> load

with DAG(dag_id="fabric_assets_model", **{**COMMON, "schedule": [LAKEHOUSE]}):

    @task
    def loaded_by(**context) -> list[dict]:
        """Return the runs whose events have started this DAG run, as small as a log line."""
        events = context.get("triggering_asset_events") or context.get("triggering_dataset_events")
        runs = fabric_event_payloads(events)
        return [{key: run.get(key) for key in ("item", "job_instance_id", "end_time_utc", "rows")} for run in runs]

    loaded_by() >> FabricRefreshSemanticModelOperator(
        task_id="refresh", semantic_model="Lakehouse model", deferrable=True, check_interval=2
    )
