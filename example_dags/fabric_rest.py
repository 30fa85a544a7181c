"""Call operations of the Fabric REST API that have no operator: read a list, read a definition, change a description.

It needs a connection ``fabric_default`` and a workspace: the Airflow variable ``fabric_workspace``, or "Emulator
workspace", which the emulator has.
"""

from __future__ import annotations

from datetime import datetime, timezone

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

from airflow_provider_fabric.operators.item import FabricUpsertItemDefinitionOperator
from airflow_provider_fabric.operators.rest import FabricRestOperator

with DAG(
    dag_id="fabric_rest",
    description=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    tags=["fabric", "example"],
    default_args={"workspace": "{{ var.value.get('fabric_workspace', 'Emulator workspace') }}"},
) as dag:
    deploy = FabricUpsertItemDefinitionOperator(
        task_id="deploy",
        item_type="DataPipeline",
        display_name="Called by REST",
        definition={"pipeline-content.json": {"properties": {"activities": []}}},
    )
    list_pipelines = FabricRestOperator(
        task_id="list_pipelines",
        method="GET",
        path="/workspaces/{workspace}/dataPipelines",
        pages=True,
        response_filter=lambda pipelines: sorted(pipeline["displayName"] for pipeline in pipelines),
    )
    read_definition = FabricRestOperator(  # a long-running operation is followed to its end
        task_id="read_definition",
        method="POST",
        path="/workspaces/{workspace}/items/{item}/getDefinition",
        item="Called by REST",
        item_type="DataPipeline",
        replay_safe=True,
        deferrable=True,
        response_filter=lambda answer: [part["path"] for part in answer["definition"]["parts"]],
    )
    describe = FabricRestOperator(
        task_id="describe",
        method="PATCH",
        path="/workspaces/{workspace}/items/{item}",
        item="Called by REST",
        item_type="DataPipeline",
        json={"description": "Described by Airflow"},
    )

    deploy >> [list_pipelines, read_definition] >> describe
