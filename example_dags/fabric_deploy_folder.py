"""Deploy a workspace that is kept in Git: look first, deploy, then run what was deployed.

It needs a connection ``fabric_default`` and a workspace: the Airflow variable ``fabric_workspace``, or "Emulator
workspace", which the emulator has. The stage is the variable ``fabric_stage``, by default ``TEST``.
"""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

from airflow_provider_fabric.operators.deploy import FabricDeployFolderOperator
from airflow_provider_fabric.operators.pipeline import FabricRunPipelineOperator

FOLDER = str(Path(__file__).parent / "definitions" / "Sales workspace")
STAGE = "{{ var.value.get('fabric_stage', 'TEST') }}"

with DAG(
    dag_id="fabric_deploy_folder",
    description=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    tags=["fabric", "example"],
    default_args={"workspace": "{{ var.value.get('fabric_workspace', 'Emulator workspace') }}"},
) as dag:
    look = FabricDeployFolderOperator(task_id="look", folder=FOLDER, environment=STAGE, dry_run=True)
    deploy = FabricDeployFolderOperator(task_id="deploy", folder=FOLDER, environment=STAGE, schedules="disabled")
    run = FabricRunPipelineOperator(task_id="run", pipeline="Nightly", deferrable=True)

    look >> deploy >> run
