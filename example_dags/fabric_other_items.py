"""Refresh a semantic model, call a user data function, run any other item's job, reset a copy job, delete an item.

It needs a connection ``fabric_default`` and a workspace: the Airflow variable ``fabric_workspace``, or "Emulator
workspace", which the emulator has. On a real tenant, deploy your own definitions: those below are only placeholders.
"""

from __future__ import annotations

from datetime import datetime, timezone

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

from airflow_provider_fabric.operators.copy_job import FabricResetCopyJobOperator
from airflow_provider_fabric.operators.dbt import FabricRunDbtJobOperator
from airflow_provider_fabric.operators.item import FabricDeleteItemOperator, FabricUpsertItemDefinitionOperator
from airflow_provider_fabric.operators.job import FabricRunItemJobOperator
from airflow_provider_fabric.operators.semantic_model import FabricRefreshSemanticModelOperator
from airflow_provider_fabric.operators.user_data_function import FabricInvokeUserDataFunctionOperator

PLACEHOLDERS = {
    "SemanticModel": {"definition.pbism": {"version": "4.2"}, "model.bim": {"model": {"tables": []}}},
    "UserDataFunction": {"definition.json": {"runtime": "PYTHON"}},
    "DataBuildToolJob": {"dbt-content.json": {"project": {}}},
    "CopyJob": {"copyjob-content.json": {"properties": {"jobMode": "Batch"}, "activities": []}},
}

with DAG(
    dag_id="fabric_other_items",
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
    deploy = {
        item_type: FabricUpsertItemDefinitionOperator(
            task_id=f"deploy_{item_type}",
            item_type=item_type,
            display_name=f"My {item_type}",
            definition=definition,
        )
        for item_type, definition in PLACEHOLDERS.items()
    }
    refresh_model = FabricRefreshSemanticModelOperator(
        task_id="refresh_model", semantic_model="My SemanticModel", refresh_type="Full"
    )
    call_function = FabricInvokeUserDataFunctionOperator(
        task_id="call_function",
        user_data_function="My UserDataFunction",
        function="hello",
        parameters={"name": "Ada"},
    )
    run_dbt_job = FabricRunDbtJobOperator(task_id="run_dbt_job", dbt_job="My DataBuildToolJob")
    run_any_item = FabricRunItemJobOperator(
        task_id="run_any_item", item="My DataBuildToolJob", item_type="DataBuildToolJob", job_type="Execute"
    )
    reset_copy_job = FabricResetCopyJobOperator(task_id="reset_copy_job", copy_job="My CopyJob")
    delete_copy_job = FabricDeleteItemOperator(task_id="delete_copy_job", item="My CopyJob", item_type="CopyJob")

    deploy["SemanticModel"] >> refresh_model
    deploy["UserDataFunction"] >> call_function
    deploy["DataBuildToolJob"] >> run_dbt_job >> run_any_item
    deploy["CopyJob"] >> reset_copy_job >> delete_copy_job
