"""User data functions: called, not scheduled; the answer holds the function's output.

Address and shape: https://learn.microsoft.com/fabric/data-engineering/user-data-functions/tutorial-invoke-from-python-app.
The emulator's functions return their arguments, unless a job rule for the type ``UserDataFunction`` (job type: the
function's name) says what they return, or makes them fail.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from airflow_provider_fabric.emulator.fabric.addressing import item_of
from airflow_provider_fabric.emulator.http.request import ApiRequest
from airflow_provider_fabric.emulator.http.responses import json_response
from airflow_provider_fabric.emulator.state.ids import new_id
from airflow_provider_fabric.emulator.state.world import World


def invoke_function(world: World, request: ApiRequest) -> Response:
    """``POST …/userDataFunctions/{itemId}/functions/{functionName}/invoke``."""
    item = item_of(world, request)
    arguments = request.json_object(optional=True)
    name = request.params["functionName"]
    body: dict[str, Any] = {
        "functionName": name,
        "invocationId": new_id(),
        "status": "Succeeded",
        "output": arguments,
        "errors": [],
    }
    rule = world.job_rules.find(item.id, item.type, (name,), item.display_name)
    if rule is None:
        return json_response(body)
    rule.uses += 1
    refusal = rule.refusal(world.config)
    if refusal is not None:
        raise refusal
    if rule.outcome in (None, "Completed"):
        return json_response(body | ({"output": rule.output} if "output" in rule.given else {}))
    reason = rule.failure_reason if isinstance(rule.failure_reason, dict) else {}
    error = {
        "name": str(reason.get("errorCode", "UserThrownError")),
        "message": str(reason.get("message", rule.failure_reason or "The function failed")),
        "properties": {},
    }
    return json_response(body | {"status": "Failed", "output": None, "errors": [error]})
