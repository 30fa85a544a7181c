"""Data of two sources in one lakehouse: two copy jobs side by side, and what follows once both are done.

A copy job has one connection at each end, so a database and a folder of files are two copy jobs. The database's is of
the mode ``CDC``: each run copies what changed since the run before. The files' is of the mode ``Batch``: each run
copies everything. Both definitions are folders in ``definitions/``; the ids of connections and of the lakehouse in them
are placeholders for your own.

It needs a connection ``fabric_default``, the workspace "Emulator workspace" and in it the lakehouse "Sales", which the
first task makes.
"""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.decorators import task

from airflow_provider_fabric.hooks.fabric import FabricHook
from airflow_provider_fabric.operators import (
    FabricRunCopyJobOperator,
    FabricRunTableMaintenanceOperator,
    FabricUpsertItemDefinitionOperator,
)

DEFINITIONS = Path(__file__).parent / "definitions"
WORKSPACE = "Emulator workspace"

with DAG(
    dag_id="fabric_data_integration",
    description=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    tags=["fabric", "example"],
    default_args={"workspace": WORKSPACE},
) as dag:

    @task
    def make_lakehouse() -> None:
        """Make the lakehouse "Sales", if it is not there yet."""
        hook = FabricHook()
        workspace_id = hook.resolve_workspace(WORKSPACE)
        if not any(item.display_name == "Sales" for item in hook.list_items(workspace_id, "Lakehouse")):
            hook.create_item(workspace_id, "Sales", "Lakehouse")

    @task
    def report(runs: list[dict]) -> list[str]:
        """Return what each source's run says of itself."""
        return [f"{run['job_type']} {run['status']} at {run['end_time_utc']}" for run in runs]

    copies = []
    for source in ("Shop database", "Partner files"):
        name = source.lower().replace(" ", "_")
        deploy = FabricUpsertItemDefinitionOperator(
            task_id=f"deploy_{name}",
            item_type="CopyJob",
            display_name=source,
            definition=str(DEFINITIONS / f"{source}.CopyJob"),
        )
        copy = FabricRunCopyJobOperator(
            task_id=f"copy_{name}",
            copy_job=source,
            if_running="attach",  # Fabric's own schedule, or a person, may have started it
            deferrable=True,
            check_interval=2,
        )
        deploy >> copy
        copies.append(copy)

    tidy = FabricRunTableMaintenanceOperator(
        task_id="optimize_orders", lakehouse="Sales", table="orders", v_order=True, deferrable=True, check_interval=2
    )
    make_lakehouse() >> copies >> tidy
    report([copy.output for copy in copies])
