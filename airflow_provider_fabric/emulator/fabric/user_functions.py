"""User data functions: called, not scheduled; the answer holds the function's output.

Address and shape: Learn, *Invoke user data functions from an application*. The emulator's functions return their
arguments, unless a job rule for the type ``UserDataFunction`` (job type: the function's name) makes them fail.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from airflow_provider_fabric.emulator.http.request import Call, json_answer
from airflow_provider_fabric.emulator.state.workspaces import new_id

if TYPE_CHECKING:
    from airflow_provider_fabric.emulator.state.world import World


def invoke_function(world: World, call: Call) -> Response:
    """``POST …/userDataFunctions/{itemId}/functions/{functionName}/invoke``."""
    item = world.items.addressed(call, world.workspaces.visible(call).id)
    arguments = call.json_object(optional=True)
    name = call.params["functionName"]
    body: dict[str, Any] = {
        "functionName": name,
        "invocationId": new_id(),
        "status": "Succeeded",
        "output": arguments,
        "errors": [],
    }
    rule = world.job_rules.find(item.id, item.type, (name,))
    if rule is None:
        return json_answer(body)
    rule.uses += 1
    refusal = rule.refusal(world.config)
    if refusal is not None:
        raise refusal
    if rule.outcome in (None, "Completed"):
        return json_answer(body)
    reason = rule.failure_reason if isinstance(rule.failure_reason, dict) else {}
    error = {
        "name": str(reason.get("errorCode", "UserThrownError")),
        "message": str(reason.get("message", rule.failure_reason or "The function failed")),
        "properties": {},
    }
    return json_answer(body | {"status": "Failed", "output": None, "errors": [error]})
