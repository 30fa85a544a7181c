"""A DAG that starts when a Fabric job has completed, whoever started it (Airflow ≥ 3.0).

``fabric_events_load`` runs a pipeline; ``fabric_events_report`` is started by Fabric's word that a run of that pipeline
has completed, whether Airflow, Fabric's own schedule or a person started it.

It needs a connection ``fabric_default`` and the workspace "Emulator workspace", which the emulator has. The pipeline is
deployed by ``fabric_events_load``; until then the trigger waits for it to appear.
"""

from __future__ import annotations

from datetime import datetime, timezone

try:
    from airflow.sdk import DAG, AssetWatcher, task
except ImportError:  # Airflow 2 watches no assets: this file then has no DAG
    AssetWatcher = None

from airflow_provider_fabric.assets import fabric_asset, fabric_event_payloads
from airflow_provider_fabric.operators.item import FabricUpsertItemDefinitionOperator
from airflow_provider_fabric.operators.pipeline import FabricRunPipelineOperator
from airflow_provider_fabric.triggers.events import FabricJobEventTrigger

WORKSPACE = "Emulator workspace"
PIPELINE = {
    "properties": {"activities": [{"name": "Wait1", "type": "Wait", "typeProperties": {"waitTimeInSeconds": 1}}]}
}

if AssetWatcher is not None:
    loaded = fabric_asset(
        WORKSPACE,
        "Watched load",
        watchers=[
            AssetWatcher(
                name="watched_load_completed",
                trigger=FabricJobEventTrigger(
                    WORKSPACE, "Watched load", statuses=["Completed"], item_type="DataPipeline", check_interval=5
                ),
            )
        ],
    )

    with DAG(
        dag_id="fabric_events_load",
        description=__doc__,
        schedule=None,
        start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
        catchup=False,
        tags=["fabric", "example"],
        default_args={"workspace": WORKSPACE},
    ):
        FabricUpsertItemDefinitionOperator(
            task_id="deploy_pipeline",
            item_type="DataPipeline",
            display_name="Watched load",
            definition={"pipeline-content.json": PIPELINE},
        ) >> FabricRunPipelineOperator(
            task_id="run_pipeline", pipeline="Watched load", deferrable=True, check_interval=2
        )

    with DAG(
        dag_id="fabric_events_report",
        description=__doc__,
        schedule=[loaded],
        start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
        catchup=False,
        tags=["fabric", "example"],
    ):

        @task(inlets=[loaded])
        def report(*, triggering_asset_events: dict | None = None) -> list[str]:
            """Return which runs started this DAG run."""
            return [run["job_instance_id"] for run in fabric_event_payloads(triggering_asset_events)]

        report()
