"""Deploy a notebook, run it with typed parameters in a session that others share, and go by what it exits with.

It needs a connection ``fabric_default`` and a workspace: the Airflow variable ``fabric_workspace``, or "Emulator
workspace", which the emulator has.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.decorators import task

from airflow_provider_fabric.operators.item import FabricUpsertItemDefinitionOperator
from airflow_provider_fabric.operators.notebook import FabricRunNotebookOperator

NOTEBOOK = """# Fabric notebook source

# PARAMETERS CELL ********************

region = "all"
limit = 10

# CELL ********************

import json

notebookutils.notebook.exit(json.dumps({"region": region, "rows": limit}))
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
        parameters={"region": "EU", "limit": 20},  # text, numbers and bools arrive as such
        session_tag="samples",  # runs with the same tag share a Spark session
        compute="Spark",
        compute_configuration={"numExecutors": 2},
        parse_exit_value=True,  # the notebook exits with JSON
        deferrable=True,
        check_interval=2,
    )

    @task.branch
    def were_there_rows(run: dict[str, Any]) -> str:
        """Choose by what the notebook has found."""
        return "report" if run["exit_value"]["rows"] else "nothing_new"

    @task
    def report(run: dict[str, Any]) -> str:
        """Say what the notebook has found."""
        return f"{run['exit_value']['rows']} rows of {run['exit_value']['region']}"

    @task
    def nothing_new() -> None:
        """Where the other branch ends."""

    choice = were_there_rows(run_notebook.output)
    deploy_notebook >> run_notebook
    choice >> [report(run_notebook.output), nothing_new()]
