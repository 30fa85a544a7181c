"""Deployment pipelines over HTTP (platform file: ``DeploymentPipelines_*``): stages, their items, deploying them."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from airflow_provider_fabric.emulator.errors import ServiceError, invalid_input, not_found
from airflow_provider_fabric.emulator.fabric.operations import accepted_response
from airflow_provider_fabric.emulator.http.pages import paged_response
from airflow_provider_fabric.emulator.http.request import ApiRequest
from airflow_provider_fabric.emulator.http.responses import empty_response, json_response
from airflow_provider_fabric.emulator.state.deployment_pipelines import DeploymentPipeline, Stage
from airflow_provider_fabric.emulator.state.ids import new_id
from airflow_provider_fabric.emulator.state.items import Item
from airflow_provider_fabric.emulator.state.names import read_description, read_name
from airflow_provider_fabric.emulator.state.times import service_time
from airflow_provider_fabric.emulator.state.world import World


def list_pipelines(world: World, request: ApiRequest) -> Response:
    """``GET /v1/deploymentPipelines``."""
    pipelines = world.deployment_pipelines.all()
    return paged_response(request, pipelines, world.config.page_size, DeploymentPipeline.to_wire)


def create_pipeline(world: World, request: ApiRequest) -> Response:
    """``POST /v1/deploymentPipelines``."""
    body = request.json_object()
    stages = body.get("stages")
    if not isinstance(stages, list) or not 2 <= len(stages) <= 10 or not all(isinstance(s, dict) for s in stages):
        raise invalid_input("stages must be a list of 2 to 10 objects")
    for stage in stages:
        read_name(stage.get("displayName"))
    name, text = read_name(body.get("displayName")), read_description(body.get("description"))
    return json_response(_with_stages(world.deployment_pipelines.create(name, text, stages)), 201)


def get_pipeline(world: World, request: ApiRequest) -> Response:
    """``GET /v1/deploymentPipelines/{deploymentPipelineId}``."""
    return json_response(_with_stages(_pipeline(world, request)))


def _with_stages(pipeline: DeploymentPipeline) -> dict[str, Any]:
    return {**pipeline.to_wire(), "stages": [stage.to_wire() for stage in pipeline.stages]}


def list_stages(world: World, request: ApiRequest) -> Response:
    """``GET …/stages``."""
    return paged_response(request, _pipeline(world, request).stages, world.config.page_size, Stage.to_wire)


def list_stage_items(world: World, request: ApiRequest) -> Response:
    """``GET …/stages/{stageId}/items``."""
    stage = _pipeline(world, request).stage(request.params["stageId"])
    items = world.items.of_workspace(stage.workspace_id or "")
    return paged_response(request, items, world.config.page_size, lambda item: _stage_item(stage, item))


def _stage_item(stage: Stage, item: Item) -> dict[str, Any]:
    shown = {"itemId": item.id, "itemDisplayName": item.display_name, "itemType": item.type}
    if item.id not in stage.deployed:
        return shown
    source, time = stage.deployed[item.id]
    return {**shown, "sourceItemId": source, "lastDeploymentTime": f"{service_time(time)}Z"}


def assign_workspace(world: World, request: ApiRequest) -> Response:
    """``POST …/stages/{stageId}/assignWorkspace``."""
    stage = _pipeline(world, request).stage(request.params["stageId"])
    workspace_id = str(request.json_object().get("workspaceId"))
    stage.workspace_id = world.workspaces.visible_to(request.caller, workspace_id).id
    return empty_response()


def list_operations(world: World, request: ApiRequest) -> Response:
    """``GET …/operations``: the newest first, without their plans."""
    shown = [{k: v for k, v in o.items() if k != "executionPlan"} for o in _pipeline(world, request).operations[::-1]]
    return json_response({"value": shown[: world.config.page_size]})


def get_operation(world: World, request: ApiRequest) -> Response:
    """``GET …/operations/{operationId}``."""
    wanted = request.params["operationId"]
    for operation in _pipeline(world, request).operations:
        if operation["id"] == wanted:
            return json_response(operation)
    raise not_found("EntityNotFound", "deployment", wanted)


def deploy(world: World, request: ApiRequest) -> Response:
    """``POST …/deploy``: copy the items of one stage, or the chosen ones, into the workspace of another."""
    pipeline, body = _pipeline(world, request), request.json_object()
    source, target = pipeline.stage(body.get("sourceStageId")), pipeline.stage(body.get("targetStageId"))
    if abs(source.number - target.number) != 1:
        raise invalid_input("The stages must be next to each other")
    if source.workspace_id is None or target.workspace_id is None:
        raise ServiceError(400, "WorkspaceNotAssigned", "A stage has no workspace assigned", is_retriable=False)
    items = _chosen(world, source.workspace_id, body.get("items"))
    steps = [_copy(world, item, target, index, request.now) for index, item in enumerate(items)]
    time = service_time(request.now) + "Z"
    states = [step["preDeploymentDiffState"] for step in steps]
    deployment = {
        "id": new_id(),
        "type": "Deploy",
        "status": "Succeeded",
        "lastUpdatedTime": time,
        "executionStartTime": time,
        "executionEndTime": time,
        "sourceStageId": source.id,
        "targetStageId": target.id,
        "preDeploymentDiffInformation": {
            "newItemsCount": states.count("New"),
            "differentItemsCount": states.count("Different"),
            "noDifferenceItemsCount": states.count("NoDifference"),
        },
        "executionPlan": {"steps": steps},
    }
    if "note" in body:
        deployment["note"] = {"content": str(body["note"])}
    pipeline.operations.append(deployment)
    if not world.config.is_long_running("deploy_stage", by_default=True):
        return json_response(deployment)
    answer = accepted_response(world, request, deployment)
    answer.headers["deployment-id"] = str(deployment["id"])
    return answer


def _chosen(world: World, workspace_id: str, chosen: Any) -> list[Item]:
    if chosen is None:
        return list(world.items.of_workspace(workspace_id))
    if not isinstance(chosen, list) or not chosen or not all(isinstance(entry, dict) for entry in chosen):
        raise invalid_input("items must be a list of objects")
    return [world.items.find(workspace_id, str(e.get("sourceItemId")), e.get("itemType")) for e in chosen]


def _copy(world: World, item: Item, target: Stage, index: int, now: float) -> dict[str, Any]:
    there = [
        other
        for other in world.items.of_workspace(target.workspace_id or "")
        if (other.type, other.display_name) == (item.type, item.display_name)
    ]
    if not there:
        state = "New"
        copied = world.items.create(target.workspace_id or "", item.type, item.display_name, parts=item.parts)
    else:
        copied = there[0]
        state = "NoDifference" if copied.parts == item.parts else "Different"
        copied.parts, copied.revision = item.parts, copied.revision + (state == "Different")
    copied.description = item.description
    target.deployed[copied.id] = (item.id, now)
    return {
        "index": index,
        "description": f"{item.type}Deployment",
        "status": "Succeeded",
        "preDeploymentDiffState": state,
        "sourceAndTarget": {
            "sourceItemId": item.id,
            "sourceItemDisplayName": item.display_name,
            "targetItemId": copied.id,
            "targetItemDisplayName": copied.display_name,
            "itemType": item.type,
        },
    }


def _pipeline(world: World, request: ApiRequest) -> DeploymentPipeline:
    return world.deployment_pipelines.get(request.params["deploymentPipelineId"])
