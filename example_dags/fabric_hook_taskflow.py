"""TaskFlow: everything the REST API offers, as methods of ``FabricHook``, in ordinary Python tasks.

It needs a connection ``fabric_default`` and a workspace: the Airflow variable ``fabric_workspace``, or "Emulator
workspace", which the emulator has.
"""

from __future__ import annotations

from datetime import datetime, timezone

try:
    from airflow.sdk import DAG, Variable, task
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.decorators import task
    from airflow.models import Variable

from airflow_provider_fabric.hooks.fabric import FabricHook

PIPELINE = {
    "properties": {"activities": [{"name": "Wait1", "type": "Wait", "typeProperties": {"waitTimeInSeconds": 1}}]}
}

with DAG(
    dag_id="fabric_hook_taskflow",
    description=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    tags=["fabric", "example"],
) as dag:

    @task
    def deploy() -> dict:
        """Create or update a pipeline."""
        hook = FabricHook()
        workspace = hook.resolve_workspace(Variable.get("fabric_workspace", "Emulator workspace"))
        return hook.upsert_item_definition(
            workspace, "DataPipeline", "From a task", {"pipeline-content.json": PIPELINE}
        )

    @task
    def run(item: dict) -> dict:
        """Start the pipeline and wait for it, in this worker."""
        hook = FabricHook()
        workspace, pipeline = item["workspace_id"], item["item_id"]
        started = hook.run_item_job(workspace, pipeline, "Execute")
        ended = hook.wait_for_job_instance(workspace, pipeline, started.job_instance_id, check_interval=2, timeout=600)
        return ended.result(workspace)

    @task
    def names(run: dict) -> list[str]:
        """List what the workspace holds."""
        return sorted(item.display_name for item in FabricHook().list_items(run["workspace_id"], "DataPipeline"))

    names(run(deploy()))
