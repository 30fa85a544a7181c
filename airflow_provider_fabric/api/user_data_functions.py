"""User data functions: called, not scheduled.

https://learn.microsoft.com/fabric/data-engineering/user-data-functions/tutorial-invoke-from-python-app
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_fabric.api.http.flow import Flow, Request, quote_segment
from airflow_provider_fabric.api.http.retry import Replay, send
from airflow_provider_fabric.api.items.items import item_path
from airflow_provider_fabric.api.jobs.values import parameter_value
from airflow_provider_fabric.exceptions import FabricInputError, FabricOperationError


def invoke_user_data_function(
    workspace_id: str, item_id: str, function: str, parameters: Mapping[str, Any] | None = None
) -> Flow[dict[str, Any]]:
    """Call a function and return its answer: ``{functionName, invocationId, status, output, errors}``.

    :param workspace_id: GUID.
    :param item_id: GUID of the user data functions item.
    :param function: its name.
    :param parameters: its arguments.
    :raises FabricOperationError: it did not succeed.
    :raises FabricAmbiguousError: no clear answer; it may have run.
    """
    if parameters is not None and not isinstance(parameters, Mapping):
        raise FabricInputError(f"parameters must be a mapping of names to values, got {type(parameters).__name__}.")
    action = f"call function {function!r} of item {item_id}"
    path = item_path(workspace_id, item_id, "UserDataFunction", typed=True)
    arguments = {str(name): parameter_value(value, str(name)) for name, value in (parameters or {}).items()}
    request = Request("POST", f"{path}/functions/{quote_segment(function, 'function')}/invoke", action, json=arguments)
    answer = (yield from send(request, replay=Replay.IF_UNSENT)).json_object()
    if str(answer.get("status")).casefold() == "succeeded":
        return answer
    raise _failure(action, answer)


def _failure(action: str, answer: Mapping[str, Any]) -> FabricOperationError:
    errors = [error for error in answer.get("errors") or [] if isinstance(error, dict)]
    first = errors[0] if errors else {}
    why = ": ".join(str(part) for part in (first.get("name"), first.get("message")) if part) or "no reason given"
    invocation = answer.get("invocationId")
    return FabricOperationError(
        f"Could not {action}: {answer.get('status')}: {why.rstrip('.')} (invocation {invocation}).",
        operation_id=str(invocation) if invocation else None,
        error_code=str(first["name"]) if first.get("name") else None,
    )
