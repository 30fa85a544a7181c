"""The query for the activity runs of a pipeline run.

https://learn.microsoft.com/fabric/data-factory/pipeline-rest-api-capabilities#query-activity-runs
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from starlette.responses import Response

from airflow_provider_fabric.emulator.errors import invalid_input, not_found
from airflow_provider_fabric.emulator.fabric.addressing import workspace_of
from airflow_provider_fabric.emulator.http.request import ApiRequest
from airflow_provider_fabric.emulator.http.responses import json_response
from airflow_provider_fabric.emulator.state.activities import activity_runs
from airflow_provider_fabric.emulator.state.ids import read_guid
from airflow_provider_fabric.emulator.state.world import World


def query_activity_runs(world: World, request: ApiRequest) -> Response:
    """``POST …/datapipelines/pipelineruns/{jobInstanceId}/queryactivityruns``."""
    workspace = workspace_of(world, request)
    job_id = read_guid(request.params["jobInstanceId"], "jobInstanceId")
    job = world.jobs.get(job_id)
    if job is None or job.workspace_id != workspace.id or job.item_type != "DataPipeline":
        raise not_found("PipelineRunNotFound", "pipeline run", job_id)
    request.job_instance_id = job.id
    after, before, descending = _read_query(request.json_object())
    runs = [run for run in activity_runs(world, job, request.now) if after <= run["_end"] and run["_start"] <= before]
    runs.sort(key=lambda run: run["_start"], reverse=descending)
    values = [{key: value for key, value in run.items() if not key.startswith("_")} for run in runs]
    return json_response(values if world.config.activity_runs_shape == "list" else {"value": values})


def _read_query(body: dict[str, Any]) -> tuple[float, float, bool]:
    """Return the window and the order that the body asks for.

    :raises ServiceError: 400 for missing or malformed times and filters.
    """
    after, before = (_read_time(body, key) for key in ("lastUpdatedAfter", "lastUpdatedBefore"))
    if not isinstance(body.get("filters", []), list):
        raise invalid_input("filters must be a list")
    order = body.get("orderBy", [])
    if not isinstance(order, list) or not all(isinstance(entry, dict) for entry in order):
        raise invalid_input("orderBy must be a list of objects")
    return after, before, bool(order) and order[0].get("order") == "DESC"


def _read_time(body: dict[str, Any], key: str) -> float:
    text = body.get(key)
    try:
        head, dot, fraction = str(text).removesuffix("Z").partition(".")
        read = datetime.fromisoformat(head)
        if read.tzinfo is None:
            read = read.replace(tzinfo=timezone.utc)
        return read.timestamp() + (float(f"0.{fraction.partition('+')[0]}") if dot else 0.0)
    except ValueError as problem:
        raise invalid_input(f"{key} must be a date and time") from problem
