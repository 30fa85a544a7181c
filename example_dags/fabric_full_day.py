"""A whole day's work: resume the capacity, load, and suspend the capacity whatever became of it.

It needs a connection ``fabric_default``; a workspace: the Airflow variable ``fabric_workspace``, or "Emulator
workspace", which the emulator has; and the capacity of that workspace: the Airflow variable ``fabric_capacity``, or
"emulatorcapacity", which the emulator has. On a real tenant, deploy your own definitions: those below are placeholders.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.decorators import task

from airflow_provider_fabric.operators.capacity import FabricResumeCapacityOperator, FabricSuspendCapacityOperator
from airflow_provider_fabric.operators.copy_job import FabricRunCopyJobOperator
from airflow_provider_fabric.operators.item import FabricUpsertItemDefinitionOperator
from airflow_provider_fabric.operators.lakehouse import FabricRefreshSqlEndpointOperator
from airflow_provider_fabric.operators.notebook import FabricRunNotebookOperator
from airflow_provider_fabric.operators.semantic_model import FabricRefreshSemanticModelOperator
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
    deploy_notebook = FabricUpsertItemDefinitionOperator(
        task_id="deploy_notebook",
        item_type="Notebook",
        display_name="Full day notebook",
        definition={"notebook-content.py": "notebookutils.notebook.exit('17 new rows')\n"},
    )
    deploy_model = FabricUpsertItemDefinitionOperator(
        task_id="deploy_model",
        item_type="SemanticModel",
        display_name="Full day model",
        definition={"definition.pbism": {"version": "4.2"}, "model.bim": {"model": {"tables": []}}},
    )
    wait_for_file = FabricOneLakeFileSensor(
        task_id="wait_for_file", item="Fullday", path="Files", poke_interval=30, timeout=3600
    )
    copy = FabricRunCopyJobOperator(task_id="copy", copy_job="Full day copy", check_interval=2)
    clean = FabricRunNotebookOperator(
        task_id="clean", notebook="Full day notebook", session_tag="full-day", check_interval=2
    )

    @task.branch
    def is_there_news(run: dict[str, Any]) -> str | None:
        """Go on, unless the notebook has found nothing new. One that exits with nothing has the value ``None``."""
        return None if run["exit_value"] == "nothing new" else "refresh_sql"

    news = is_there_news(clean.output)
    refresh_sql = FabricRefreshSqlEndpointOperator(task_id="refresh_sql", lakehouse="Fullday")
    refresh_model = FabricRefreshSemanticModelOperator(
        task_id="refresh_model", semantic_model="Full day model", check_interval=2
    )
    suspend = FabricSuspendCapacityOperator(task_id="suspend", capacity=CAPACITY, retries=3)

    @task
    def done() -> None:
        """Fail the DAG run with the work: Airflow judges it by its last tasks, and ``suspend`` alone may be green."""

    resume >> [deploy, deploy_lakehouse, deploy_notebook, deploy_model] >> wait_for_file
    wait_for_file >> copy >> clean >> news >> refresh_sql >> refresh_model >> [done(), suspend]
    suspend.as_teardown(setups=resume, on_failure_fail_dagrun=True)
