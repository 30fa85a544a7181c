"""Refreshes of semantic models over HTTP: Power BI's own API, with its own token audience and error envelope.

https://learn.microsoft.com/rest/api/power-bi/datasets/refresh-dataset-in-group
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from airflow_provider_fabric.emulator.errors import ServiceError, invalid_input, new_request_id
from airflow_provider_fabric.emulator.fabric.addressing import workspace_of
from airflow_provider_fabric.emulator.http.request import ApiRequest
from airflow_provider_fabric.emulator.http.responses import empty_response, json_response
from airflow_provider_fabric.emulator.state.items import Item
from airflow_provider_fabric.emulator.state.refreshes import LISTED, REFRESH_TYPES, Refresh
from airflow_provider_fabric.emulator.state.world import World

NOTIFY = "notifyOption"
SHARED_A_DAY = 8


def start_refresh(world: World, request: ApiRequest) -> Response:
    """``POST /v1.0/myorg/groups/{workspaceId}/datasets/{itemId}/refreshes``."""
    item = _model(world, request)
    body = request.json_object(optional=True)
    enhanced, shared = bool(set(body) - {NOTIFY}), workspace_of(world, request).capacity_id is None
    if enhanced and (shared or NOTIFY in body):
        target = NOTIFY if NOTIFY in body else sorted(set(body))[0]
        details = [{"message": f"{target} is not allowed", "target": target}]
        raise ServiceError(400, "BadRequest", "Bad Request", more_details=details)
    kind = body.get("type", "Automatic")
    if kind not in REFRESH_TYPES and str(kind).capitalize() not in REFRESH_TYPES:
        raise invalid_input(f"'{kind}' is no type of refresh")
    rule = world.job_rules.find(item.id, item.type, ("Refresh",), item.display_name)
    started = world.refreshes.start(
        item.id, str(kind), rule, world.config, request.now, enhanced=enhanced, a_day=SHARED_A_DAY if shared else None
    )
    if not enhanced:  # its id is in no documented header; whether the request's own is the same, a job rule says
        named = rule is None or not rule.omit_location
        return empty_response(202, {"RequestId": started.id if named else new_request_id()})
    headers = {
        "RequestId": started.id,
        "x-ms-request-id": started.id,
        "Location": request.url(f"{request.path}/{started.id}"),
    }
    return empty_response(202, headers)


def get_group(world: World, request: ApiRequest) -> Response:
    """``GET /v1.0/myorg/groups/{workspaceId}``: whether the workspace is on a capacity of its own."""
    workspace = workspace_of(world, request)
    shown = {"id": workspace.id, "name": workspace.display_name, "isReadOnly": False}
    if workspace.capacity_id is None:
        return json_response({**shown, "isOnDedicatedCapacity": False})
    return json_response({**shown, "isOnDedicatedCapacity": True, "capacityId": workspace.capacity_id})


def list_refreshes(world: World, request: ApiRequest) -> Response:
    """``GET …/refreshes?$top=``: newest first."""
    item = _model(world, request)
    top = request.query.get("$top", str(LISTED))
    if not top.isdigit() or int(top) < 1:
        raise invalid_input("$top must be a number of at least 1")
    newest = world.refreshes.of_item(item.id)[::-1][: int(top)]
    return json_response({"value": [refresh.to_wire(request.now) for refresh in newest]})


def get_refresh(world: World, request: ApiRequest) -> Response:
    """``GET …/refreshes/{refreshId}``: 202 while it runs, 200 once it is over."""
    refresh = _refresh(world, request)
    if not refresh.enhanced:
        raise ServiceError(404, "PowerBIEntityNotFound", "There are no details of this refresh")
    body = refresh.to_wire(request.now)
    details = {
        "startTime": body["startTime"],
        "type": body["type"],
        "commitMode": "Transactional",
        "status": body["status"],
        "extendedStatus": body["extendedStatus"],
        "currentRefreshType": body["type"],
        "numberOfAttempts": 0,
        "objects": [],
        "messages": [],
    }
    if refresh.is_over(request.now):
        details["endTime"] = body["endTime"]
        if refresh.error is not None:
            details["messages"] = [{"message": refresh.error, "type": "Error"}]
    return json_response(details, 200 if refresh.is_over(request.now) else 202)


def cancel_refresh(world: World, request: ApiRequest) -> Response:
    """``DELETE …/refreshes/{refreshId}``."""
    refresh = _refresh(world, request)
    if refresh.is_over(request.now) or not refresh.enhanced:
        raise ServiceError(400, "BadRequest", "The refresh is over, or is not an enhanced one")
    refresh.ends_at, refresh.outcome, refresh.error = request.now, "Cancelled", None
    return empty_response()


def _refresh(world: World, request: ApiRequest) -> Refresh:
    found = world.refreshes.get(_model(world, request).id, request.params["refreshId"])
    if found is None:
        raise ServiceError(404, "PowerBIEntityNotFound", "The refresh was not found")
    request.job_instance_id = found.id
    return found


def _model(world: World, request: ApiRequest) -> Item:
    workspace = workspace_of(world, request)
    item = world.items.get(request.params["itemId"])
    if item is None or item.workspace_id != workspace.id or item.type != "SemanticModel":
        raise ServiceError(404, "PowerBIEntityNotFound", "The semantic model was not found")
    return item


def power_bi_error(error: ServiceError) -> Response:
    """Answer in Power BI's envelope: ``{"error": {"code", "message"}}``."""
    headers = {"x-powerbi-error-info": error.code, "requestid": new_request_id()}
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    body: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.more_details:
        body["details"] = error.more_details
    return json_response({"error": body}, error.status, headers)
