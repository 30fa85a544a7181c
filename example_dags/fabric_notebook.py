"""Deploy a notebook and run it with typed parameters.

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
from airflow_provider_fabric.operators.notebook import FabricRunNotebookOperator

NOTEBOOK = """# Fabric notebook source

# PARAMETERS CELL ********************

region = "all"
limit = 10

# CELL ********************

print(f"{limit} rows of {region}")
"""

with DAG(
    dag_id="fabric_notebook",
    description=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    tags=["fabric", "example"],
    default_args={"workspace": "{{ var.value.get('fabric_workspace', 'Emulator workspace') }}"},
) as dag:
    deploy_notebook = FabricUpsertItemDefinitionOperator(
        task_id="deploy_notebook",
        item_type="Notebook",
        display_name="Sample rows",
        definition={"notebook-content.py": NOTEBOOK},
    )
    run_notebook = FabricRunNotebookOperator(
        task_id="run_notebook",
        notebook="Sample rows",
        parameters={"region": "EU", "limit": 20},
        configuration={"useStarterPool": True},
        deferrable=True,
        check_interval=2,
    )
    deploy_notebook >> run_notebook
