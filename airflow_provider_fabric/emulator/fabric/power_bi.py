"""Semantic model refreshes: Power BI's own API, with its own token audience and answers.

Source: Learn, *Datasets - Refresh Dataset In Group* and *Get Refresh Execution Details In Group*. Every refresh here is
an enhanced one, so it can be looked at by its id.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from airflow_provider_fabric.emulator.errors import ServiceError, invalid_input, new_request_id
from airflow_provider_fabric.emulator.http.request import Call, empty_answer, json_answer
from airflow_provider_fabric.emulator.state.items import Item
from airflow_provider_fabric.emulator.state.job_rules import plan
from airflow_provider_fabric.emulator.state.workspaces import new_id

if TYPE_CHECKING:
    from airflow_provider_fabric.emulator.state.world import World

REFRESH_TYPES = frozenset({"Full", "ClearValues", "Calculate", "DataOnly", "Automatic", "Defragment"})
LISTED = 60


@dataclass(slots=True)
class Refresh:
    """One refresh. Its job rule (type ``SemanticModel``, job type ``Refresh``) decides how it goes."""

    id: str
    started_at: float
    ends_at: float
    outcome: str
    error: Any
    refresh_type: str

    def is_over(self, now: float) -> bool:
        """Say whether it has ended."""
        return now >= self.ends_at

    def to_wire(self, now: float) -> dict[str, Any]:
        """Return Power BI's refresh entry; a running one has the status ``Unknown``."""
        body: dict[str, Any] = {
            "requestId": self.id,
            "id": int(self.started_at * 1000),
            "refreshType": "ViaEnhancedApi",
            "type": self.refresh_type,
            "startTime": _instant(self.started_at),
            "status": self.outcome if self.is_over(now) else "Unknown",
            "extendedStatus": self.outcome if self.is_over(now) else "InProgress",
        }
        if self.is_over(now):
            body["endTime"] = _instant(self.ends_at)
            if self.error is not None:
                body["serviceExceptionJson"] = self.error
        return body


class RefreshStore:
    """All refreshes, by semantic model."""

    def __init__(self) -> None:
        self._by_item: dict[str, dict[str, Refresh]] = {}

    def of_item(self, item_id: str) -> dict[str, Refresh]:
        """Return the refreshes of a model, the oldest first."""
        return self._by_item.setdefault(item_id, {})


def start_refresh(world: World, call: Call) -> Response:
    """``POST /v1.0/myorg/groups/{workspaceId}/datasets/{itemId}/refreshes``."""
    item = _model(world, call)
    body = call.json_object(optional=True)
    kind = body.get("type", "Automatic")
    if kind not in REFRESH_TYPES and str(kind).capitalize() not in REFRESH_TYPES:
        raise invalid_input(f"'{kind}' is no type of refresh")
    refreshes = world.refreshes.of_item(item.id)
    if any(not refresh.is_over(call.now) for refresh in refreshes.values()):
        raise ServiceError(400, "RefreshInProgressException", "Another refresh request is already executing")
    started = _started(world, item, str(kind), len(refreshes) + 1, call.now)
    refreshes[started.id] = started
    if len(refreshes) > LISTED:
        del refreshes[next(iter(refreshes))]
    headers = {
        "RequestId": started.id,
        "x-ms-request-id": started.id,
        "Location": call.url(f"{call.path}/{started.id}"),
    }
    return empty_answer(202, headers)


def _started(world: World, item: Item, kind: str, number: int, now: float) -> Refresh:
    """Begin a refresh as its job rule says.

    :raises ServiceError: when the rule refuses it.
    """
    rule = world.job_rules.find(item.id, item.type, ("Refresh",))
    outcome, error = "Completed", None
    if rule is not None:
        rule.uses += 1
        refusal = rule.refusal(world.config)
        if refusal is not None:
            raise refusal
        outcome = rule.outcome or outcome
        reason = rule.failure_reason or {"errorCode": "ModelRefreshFailed"}
        error = (reason if isinstance(reason, str) else json.dumps(reason)) if outcome == "Failed" else None
    ends_at = plan(rule, world.config, now, outcome, number)[-1][0]
    return Refresh(new_id(), now, ends_at, outcome, error, kind)


def list_refreshes(world: World, call: Call) -> Response:
    """``GET …/refreshes?$top=``: newest first."""
    item = _model(world, call)
    top = call.query.get("$top", str(LISTED))
    if not top.isdigit() or int(top) < 1:
        raise invalid_input("$top must be a number of at least 1")
    newest = list(world.refreshes.of_item(item.id).values())[::-1][: int(top)]
    return json_answer({"value": [refresh.to_wire(call.now) for refresh in newest]})


def get_refresh(world: World, call: Call) -> Response:
    """``GET …/refreshes/{refreshId}``: 202 while it runs, 200 once it is over."""
    refresh = _refresh(world, call)
    body = refresh.to_wire(call.now)
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
    if refresh.is_over(call.now):
        details["endTime"] = body["endTime"]
        if refresh.error is not None:
            details["messages"] = [{"message": refresh.error, "type": "Error"}]
    return json_answer(details, 200 if refresh.is_over(call.now) else 202)


def cancel_refresh(world: World, call: Call) -> Response:
    """``DELETE …/refreshes/{refreshId}``."""
    refresh = _refresh(world, call)
    if refresh.is_over(call.now):
        raise ServiceError(400, "BadRequest", "The refresh is over")
    refresh.ends_at, refresh.outcome, refresh.error = call.now, "Cancelled", None
    return empty_answer()


def _refresh(world: World, call: Call) -> Refresh:
    found = world.refreshes.of_item(_model(world, call).id).get(call.params["refreshId"])
    if found is None:
        raise ServiceError(404, "PowerBIEntityNotFound", "The refresh was not found")
    call.job_instance_id = found.id
    return found


def _model(world: World, call: Call) -> Item:
    workspace = world.workspaces.visible(call)
    item = world.items.get(call.params["itemId"])
    if item is None or item.workspace_id != workspace.id or item.type != "SemanticModel":
        raise ServiceError(404, "PowerBIEntityNotFound", "The semantic model was not found")
    return item


def power_bi_error(error: ServiceError) -> Response:
    """Answer in Power BI's envelope: ``{"error": {"code", "message"}}``."""
    headers = {"x-powerbi-error-info": error.code, "requestid": new_request_id()}
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    return json_answer({"error": {"code": error.code, "message": error.message}}, error.status, headers)


def _instant(moment: float) -> str:
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")[:-4] + "Z"
