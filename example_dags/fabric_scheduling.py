"""Fabric's own schedule, kept by a DAG: made, changed, switched off.

Let Airflow schedule what depends on other things; leave to Fabric what must run even if Airflow does not, and wait for
its runs with ``FabricItemJobSensor``. This DAG makes the schedule of a copy job be what is written here: it makes it if
there is none, and changes it if it differs; in the end it is switched off, so that a trial leaves nothing running.

It needs a connection ``fabric_default`` and the workspace "Emulator workspace"; the copy job is deployed first.
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
from airflow_provider_fabric.operators import FabricUpsertItemDefinitionOperator

WORKSPACE = "Emulator workspace"
DEFINITION = Path(__file__).parent / "definitions" / "Customers to lakehouse.CopyJob"

EVERY_MORNING = {
    "type": "Daily",
    "times": ["06:00"],
    "startDateTime": "2026-01-01T00:00:00",
    "endDateTime": "2036-01-01T00:00:00",
    "localTimeZoneId": "Central European Standard Time",  # a name of Windows, not of IANA
}


def keep_schedule(hook: FabricHook, item_id: str, configuration: dict, enabled: bool = True) -> str:
    """Make an item have this one schedule; return ``made``, ``changed`` or ``unchanged``."""
    workspace_id = hook.resolve_workspace(WORKSPACE)
    schedules = hook.list_item_schedules(workspace_id, item_id, "Execute")
    if not schedules:
        hook.create_item_schedule(workspace_id, item_id, "Execute", enabled=enabled, configuration=configuration)
        return "made"
    first, *others = schedules
    for other in others:
        hook.delete_item_schedule(workspace_id, item_id, "Execute", other["id"])
    held = {key: first["configuration"].get(key) for key in configuration}
    if not others and held == configuration and first["enabled"] is enabled:
        return "unchanged"
    hook.update_item_schedule(
        workspace_id, item_id, "Execute", first["id"], enabled=enabled, configuration=configuration
    )
    return "changed"


with DAG(
    dag_id="fabric_scheduling",
    description=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    tags=["fabric", "example"],
) as dag:
    deploy_copy_job = FabricUpsertItemDefinitionOperator(
        task_id="deploy_copy_job",
        workspace=WORKSPACE,
        item_type="CopyJob",
        display_name="Scheduled copy",
        definition=str(DEFINITION),
        description="Fabric runs it each morning",
    )

    @task
    def schedule(item: dict) -> str:
        """Make the schedule, or change it."""
        return keep_schedule(FabricHook(), item["item_id"], EVERY_MORNING)

    @task
    def move(item: dict) -> str:
        """Change the time of day."""
        return keep_schedule(FabricHook(), item["item_id"], {**EVERY_MORNING, "times": ["06:00", "18:00"]})

    @task
    def switch_off(item: dict) -> str:
        """Keep the schedule, and let it start nothing."""
        return keep_schedule(FabricHook(), item["item_id"], EVERY_MORNING, enabled=False)

    item = deploy_copy_job.output
    schedule(item) >> move(item) >> switch_off(item)
