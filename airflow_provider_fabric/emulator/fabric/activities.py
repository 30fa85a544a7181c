"""The query for the activity runs of a pipeline run.

https://learn.microsoft.com/fabric/data-factory/pipeline-rest-api-capabilities#query-activity-runs
"""

from __future__ import annotations

from starlette.responses import Response

from airflow_provider_fabric.emulator.errors import not_found
from airflow_provider_fabric.emulator.fabric.activity_query import read_activity_query
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
    query = read_activity_query(request.json_object())
    runs = query.select(activity_runs(world, job, request.now))
    values = [{key: value for key, value in run.items() if not key.startswith("_")} for run in runs]
    return json_response(values if world.config.activity_runs_shape == "list" else {"value": values})
