"""A day's sales, end to end: what a DAG of some twenty tasks makes of this provider.

Deploying in a task group, parameters from TaskFlow and Jinja, a copy job, a dataflow that is published and refreshed,
mapped pipeline runs, a branch, runs that something else starts, an item that is set up and torn down again, a notebook,
and a summary. ``fabric_daily_sales_report`` is started by Fabric's event that the load has completed, whoever started
it (Airflow ≥ 3.0).

It needs a connection ``fabric_default`` and the workspace "Emulator workspace", which the emulator has. On a real
tenant its dataflow needs a connection that signs in as a user (``auth_type`` ``refresh_token``).
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

try:
    from airflow.sdk import DAG, AssetWatcher, TaskGroup, task
except ImportError:  # Airflow 2 watches no assets: there is no report
    from airflow import DAG
    from airflow.decorators import task
    from airflow.utils.task_group import TaskGroup

    AssetWatcher = None

from airflow_provider_fabric.assets import fabric_asset, fabric_event_payloads
from airflow_provider_fabric.hooks.fabric import FabricHook
from airflow_provider_fabric.operators.copy_job import FabricRunCopyJobOperator
from airflow_provider_fabric.operators.dataflow import FabricPublishDataflowOperator, FabricRunDataflowRefreshOperator
from airflow_provider_fabric.operators.item import FabricDeleteItemOperator, FabricUpsertItemDefinitionOperator
from airflow_provider_fabric.operators.notebook import FabricRunNotebookOperator
from airflow_provider_fabric.operators.pipeline import FabricRunPipelineOperator
from airflow_provider_fabric.sensors.job import FabricItemJobSensor, FabricJobInstanceSensor
from airflow_provider_fabric.triggers.events import FabricJobEventTrigger

WORKSPACE = "Emulator workspace"
DAY = "{{ dag_run.run_after | default(logical_date) | ds }}"
"""The day that a DAG run was due, in every kind of DAG run. Asset-triggered ones have no logical date, so no ``ds``."""

WAIT = {"name": "Wait", "type": "Wait", "typeProperties": {"waitTimeInSeconds": 1}}
LOAD = {
    "properties": {
        "activities": [WAIT],
        "parameters": {
            "day": {"type": "string"},
            "region": {"type": "string", "defaultValue": "all"},
            "limit": {"type": "int", "defaultValue": 1000},
            "runs": {"type": "array", "defaultValue": []},
        },
    }
}
REPORT = {"properties": {"activities": [WAIT], "parameters": {"loaded_by": {"type": "string"}}}}
MASHUP = """section Section1;
shared since = #date(2026, 1, 1) meta [IsParameterQuery = true, IsParameterQueryRequired = true, Type = type date];
shared Customers = let Source = #table({"Id"}, { {1} }) in Source;
"""
NOTEBOOK = """# Fabric notebook source

# PARAMETERS CELL ********************

day = "2026-01-01"
keep = 30
"""
# The run whose event started the DAG run; empty in a run that somebody started by hand.
LOADED_BY = "{{ (fabric_event_payloads(triggering_asset_events) | last | default({})).job_instance_id | default('') }}"
WAITING = {"workspace": WORKSPACE, "deferrable": True}
RUNNING = {**WAITING, "check_interval": 2}
POLLING = {**WAITING, "poke_interval": 2, "timeout": 600}


def deploy(name: str, kind: str, definition: dict) -> FabricUpsertItemDefinitionOperator:
    """Return a task that deploys an item."""
    return FabricUpsertItemDefinitionOperator(
        task_id=name.lower().replace(" ", "_"),
        workspace=WORKSPACE,
        item_type=kind,
        display_name=f"Daily sales {name}",
        definition=definition,
    )


with DAG(
    dag_id="fabric_daily_sales",
    description=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    render_template_as_native_obj=True,
    tags=["fabric", "example"],
    params={"limit": 500},
) as dag:

    @task
    def regions() -> list[str]:
        """Return the regions that sold something."""
        return ["EU", "US"]

    @task
    def load_arguments(region: str) -> dict:
        """Return the parameters of one region's load."""
        return {"day": "2026-01-31", "region": region, "limit": 10}

    @task.branch
    def full_or_quick(region_count: int) -> str:
        """Choose how to load what the regions share."""
        return "load.full" if region_count > 1 else "load.quick"

    @task(trigger_rule="none_failed_min_one_success")
    def loaded() -> str:
        """Join the branches."""
        return "loaded"

    @task
    def start_elsewhere(deployed: dict) -> dict:
        """Stand for Fabric's own schedule, or a person."""
        item = deployed["item_id"]
        started = FabricHook().run_item_job(deployed["workspace_id"], item, "Execute")
        return {"item": item, "job_instance_id": started.job_instance_id}

    @task
    def summarize(by_region: list[dict], export: dict) -> dict:
        """Return what ran."""
        return {"regions": [run["status"] for run in by_region], "export": export["job_instance_id"]}

    with TaskGroup("deploy") as deployed:
        copy_job = deploy("Orders", "CopyJob", {"copyjob-content.json": {"properties": {"jobMode": "Batch"}}})
        dataflow = deploy(
            "Customers", "Dataflow", {"mashup.pq": MASHUP, "queryMetadata.json": {"formatVersion": "202502"}}
        )
        load_pipeline = deploy("Load", "DataPipeline", {"pipeline-content.json": LOAD})
        report_pipeline = deploy("Report", "DataPipeline", {"pipeline-content.json": REPORT})
        export_pipeline = deploy("Export", "DataPipeline", {"pipeline-content.json": {"properties": {}}})
        notebook = deploy("Clean up", "Notebook", {"notebook-content.py": NOTEBOOK})

    set_up = deploy("Staging", "DataPipeline", {"pipeline-content.json": {"properties": {"activities": [WAIT]}}})
    tear_down = FabricDeleteItemOperator(
        task_id="drop_staging", workspace=WORKSPACE, item="Daily sales Staging", item_type="DataPipeline"
    )

    with TaskGroup("ingest") as ingest:
        FabricRunCopyJobOperator(task_id="copy_orders", copy_job="Daily sales Orders", **RUNNING)
        FabricPublishDataflowOperator(
            task_id="publish_customers", dataflow="Daily sales Customers", **RUNNING
        ) >> FabricRunDataflowRefreshOperator(
            task_id="refresh_customers",
            dataflow="Daily sales Customers",
            parameters={"since": DAY},
            validate_parameters=True,
            **RUNNING,
        )
        FabricRunPipelineOperator(task_id="fill_staging", pipeline="Daily sales Staging", **RUNNING)

    found = regions()
    with TaskGroup("load") as load:
        by_region = FabricRunPipelineOperator.partial(
            task_id="by_region", pipeline="Daily sales Load", validate_parameters=True, **RUNNING
        ).expand(parameters=load_arguments.expand(region=found))
        full = FabricRunPipelineOperator(
            task_id="full",
            pipeline="Daily sales Load",
            parameters={"day": DAY, "limit": "{{ params.limit }}", "runs": by_region.output["job_instance_id"]},
            validate_parameters=True,
            **RUNNING,
        )
        quick = FabricRunPipelineOperator(
            task_id="quick", pipeline="Daily sales Load", parameters={"day": DAY}, **RUNNING
        )
        by_region >> full_or_quick("{{ ti.xcom_pull(task_ids='regions') | length }}") >> [full, quick]

    exported = start_elsewhere(export_pipeline.output)
    this_export = FabricJobInstanceSensor(
        task_id="wait_for_this_export",
        item=exported["item"],
        job_instance_id=exported["job_instance_id"],
        item_type="DataPipeline",
        **POLLING,
    )
    any_export = FabricItemJobSensor(
        task_id="wait_for_any_export",
        item="Daily sales Export",
        item_type="DataPipeline",
        lookback=timedelta(hours=1),
        **POLLING,
    )
    clean_up = FabricRunNotebookOperator(
        task_id="clean_up",
        notebook="Daily sales Clean up",
        parameters={"day": DAY, "keep": 30},
        validate_parameters=True,
        **RUNNING,
    )

    deployed >> set_up >> ingest >> found
    set_up.as_setup() >> ingest >> tear_down.as_teardown(setups=set_up)
    exported >> any_export
    [full, quick] >> loaded() >> clean_up
    [this_export, any_export, clean_up] >> summarize(by_region.output, this_export.output)

if AssetWatcher is not None:
    with DAG(
        dag_id="fabric_daily_sales_report",
        description=__doc__,
        schedule=[
            fabric_asset(
                WORKSPACE,
                "Daily sales Load",
                watchers=[
                    AssetWatcher(
                        name="daily_sales_loaded",
                        trigger=FabricJobEventTrigger(
                            WORKSPACE,
                            "Daily sales Load",
                            statuses=["Completed"],
                            item_type="DataPipeline",
                            check_interval=5,
                        ),
                    )
                ],
            )
        ],
        start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
        catchup=False,
        user_defined_macros={"fabric_event_payloads": fabric_event_payloads},
        tags=["fabric", "example"],
    ):
        FabricRunPipelineOperator(
            task_id="report",
            pipeline="Daily sales Report",
            parameters={"loaded_by": LOADED_BY},
            validate_parameters=True,
            **RUNNING,
        )
