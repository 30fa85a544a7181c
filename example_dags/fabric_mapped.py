"""Dynamic task mapping: deploy and run as many pipelines as a task finds names for.

It needs a connection ``fabric_default`` and a workspace: the Airflow variable ``fabric_workspace``, or "Emulator
workspace", which the emulator has.
"""

from __future__ import annotations

from datetime import datetime, timezone

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.decorators import task

from airflow_provider_fabric.operators.item import FabricUpsertItemDefinitionOperator
from airflow_provider_fabric.operators.pipeline import FabricRunPipelineOperator

WORKSPACE = "{{ var.value.get('fabric_workspace', 'Emulator workspace') }}"
PIPELINE = {
    "properties": {
        "activities": [{"name": "Wait1", "type": "Wait", "typeProperties": {"waitTimeInSeconds": 1}}],
        "parameters": {"region": {"type": "string"}},
    }
}

with DAG(
    dag_id="fabric_mapped",
    description=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    tags=["fabric", "example"],
) as dag:

    @task
    def names() -> list[str]:
        """Return what to deploy and run."""
        return [f"Load {region}" for region in ("EU", "US", "APAC")]

    @task
    def arguments(names: list[str]) -> list[dict]:
        """Return the arguments of each run."""
        return [{"pipeline": name, "parameters": {"region": name.removeprefix("Load ")}} for name in names]

    found = names()
    deploy = FabricUpsertItemDefinitionOperator.partial(
        task_id="deploy",
        workspace=WORKSPACE,
        item_type="DataPipeline",
        definition={"pipeline-content.json": PIPELINE},
    ).expand(display_name=found)
    run = FabricRunPipelineOperator.partial(
        task_id="run", workspace=WORKSPACE, deferrable=True, check_interval=2
    ).expand_kwargs(arguments(found))
    deploy >> run
