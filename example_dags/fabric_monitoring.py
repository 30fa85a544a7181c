"""Who is told when a pipeline fails, is cancelled, or takes too long.

``fabric_monitoring`` runs a pipeline: its callback gets the failed activities and the link of the run, and a task after
it compares how long the run took with what is usual. ``fabric_monitoring_alert`` (Airflow ≥ 3.0) starts when any run of
that pipeline has failed or was cancelled, whoever started it.

It needs a connection ``fabric_default`` and the workspace "Emulator workspace"; the pipeline is deployed first.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta, timezone
from typing import Any

try:
    from airflow.sdk import DAG, AssetWatcher, task
except ImportError:  # Airflow 2 watches no assets
    from airflow import DAG
    from airflow.decorators import task

    AssetWatcher = None

from airflow_provider_fabric.alerts import describe_fabric_run
from airflow_provider_fabric.assets import fabric_asset, fabric_event_payloads
from airflow_provider_fabric.operators import FabricRunPipelineOperator, FabricUpsertItemDefinitionOperator
from airflow_provider_fabric.triggers import FabricJobEventTrigger

WORKSPACE = "Emulator workspace"
PIPELINE = {
    "properties": {"activities": [{"name": "Wait1", "type": "Wait", "typeProperties": {"waitTimeInSeconds": 1}}]}
}
USUAL = timedelta(minutes=30)


def send(text: str) -> None:
    """Stand for a message to people: a chat, a mail, a pager."""
    logging.getLogger("fabric_monitoring").error(text)


def tell(context: Any) -> None:
    """Airflow's ``on_failure_callback``: why, which activities, and the page of the run."""
    send(describe_fabric_run(context))


def slowness(run: dict, usual: timedelta = USUAL) -> timedelta:
    """Return by how much a run took longer than usual; zero if it did not."""
    began, ended = (datetime.fromisoformat(run[key]) for key in ("start_time_utc", "end_time_utc"))
    return max(ended - began - usual, timedelta(0))


with DAG(
    dag_id="fabric_monitoring",
    description=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    tags=["fabric", "example"],
    default_args={"workspace": WORKSPACE},
) as dag:
    deploy_pipeline = FabricUpsertItemDefinitionOperator(
        task_id="deploy_pipeline",
        item_type="DataPipeline",
        display_name="Monitored load",
        definition={"pipeline-content.json": PIPELINE},
    )
    run_pipeline = FabricRunPipelineOperator(
        task_id="run_pipeline",
        pipeline="Monitored load",
        timeout=2 * USUAL.total_seconds(),  # then the task fails, and the callback tells it
        on_failure_callback=tell,
        deferrable=True,
        check_interval=2,
    )

    @task
    def compare_duration(run: dict) -> float:
        """Tell when a run that completed took longer than usual; return by how many seconds."""
        late = slowness(run)
        if late:
            send(f"The run {run['job_instance_id']} took {late} longer than usual.")
        return late.total_seconds()

    deploy_pipeline >> run_pipeline
    compare_duration(run_pipeline.output)

if AssetWatcher is not None:
    failed = fabric_asset(
        WORKSPACE,
        "Monitored load",
        watchers=[
            AssetWatcher(
                name="monitored_load_failed",
                trigger=FabricJobEventTrigger(
                    WORKSPACE,
                    "Monitored load",
                    statuses=["Failed", "Cancelled"],
                    item_type="DataPipeline",
                    check_interval=5,
                ),
            )
        ],
    )

    with DAG(
        dag_id="fabric_monitoring_alert",
        description=__doc__,
        schedule=[failed],
        start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
        catchup=False,
        tags=["fabric", "example"],
    ):

        @task(inlets=[failed])
        def alert(*, triggering_asset_events: dict | None = None) -> list[str]:
            """Tell about each run that failed or was cancelled."""
            runs = fabric_event_payloads(triggering_asset_events)
            for run in runs:
                send(f"Job instance {run['job_instance_id']}: {run['status']}. {run.get('failure_reason') or ''}")
            return [run["job_instance_id"] for run in runs]

        alert()
