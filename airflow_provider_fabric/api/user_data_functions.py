"""User data functions: called, not scheduled.

https://learn.microsoft.com/fabric/data-engineering/user-data-functions/tutorial-invoke-from-python-app. There is no
way to find out later whether a call was carried out, so one whose answer was lost is not repeated.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_fabric.api.error_detail import ErrorDetail
from airflow_provider_fabric.api.http.flow import Flow, Request, quote_segment
from airflow_provider_fabric.api.http.retry import Replay, send
from airflow_provider_fabric.api.items.items import item_path
from airflow_provider_fabric.api.jobs.values import parameter_value
from airflow_provider_fabric.api.plain_text import MAX_CODE, one_line
from airflow_provider_fabric.exceptions import (
    FabricAmbiguousError,
    FabricInputError,
    FabricOperationError,
    FabricProtocolError,
)

REFUSED = frozenset({"failed", "badrequest"})
"""Statuses of a call that ended, and not well. After ``Timeout`` and ``ResponseTooLarge`` the function may have run."""


def invoke_user_data_function(
    workspace_id: str,
    item_id: str,
    function: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    replay_safe: bool = False,
) -> Flow[dict[str, Any]]:
    """Call a function and return its answer: ``{functionName, invocationId, status, output, errors}``.

    :param workspace_id: GUID.
    :param item_id: GUID of the user data functions item.
    :param function: its name.
    :param parameters: its arguments.
    :param replay_safe: calling it twice does no harm: it is called again when an answer was lost.
    :raises FabricOperationError: it did not succeed.
    :raises FabricAmbiguousError: no clear answer; it may have run.
    """
    action = f"call function {function!r} of item {item_id}"
    path = item_path(workspace_id, item_id, "UserDataFunction", typed=True)
    arguments = function_arguments(parameters)
    request = Request("POST", f"{path}/functions/{quote_segment(function, 'function')}/invoke", action, json=arguments)
    try:
        answer = (yield from send(request, replay=Replay.SAFE if replay_safe else Replay.IF_UNSENT)).json_object()
    except (FabricAmbiguousError, FabricProtocolError) as error:
        raise _may_have_run(str(error), replay_safe) from error
    status = str(answer.get("status")).casefold()
    if status == "succeeded":
        return answer
    if status in REFUSED:
        raise _failure(action, answer)
    detail = one_line(f"{answer.get('status')}: {_reason(answer)}").rstrip(".")
    raise _may_have_run(f"Could not {action}: {detail}.", replay_safe)


def function_arguments(parameters: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a function's arguments as they are sent.

    :raises FabricInputError: they are no mapping, or one of them cannot be sent.
    """
    if parameters is not None and not isinstance(parameters, Mapping):
        raise FabricInputError(f"parameters must be a mapping of names to values, got {type(parameters).__name__}.")
    return {str(name): parameter_value(value, str(name)) for name, value in (parameters or {}).items()}


def _may_have_run(text: str, replay_safe: bool) -> FabricAmbiguousError:
    hint = "" if replay_safe else " It is not called again; replay_safe=True would allow that."
    return FabricAmbiguousError(f"{text} The function may have run.{hint}", must_not_repeat=not replay_safe)


def _failure(action: str, answer: Mapping[str, Any]) -> FabricOperationError:
    invocation = one_line(str(answer.get("invocationId") or ""), MAX_CODE) or None
    reason = _reason(answer)
    status = one_line(str(answer.get("status")), MAX_CODE)
    return FabricOperationError(
        f"Could not {action}: {status}: {reason} (invocation {invocation}).",
        operation_id=invocation,
        error_code=reason.error_code,
        is_retriable=reason.is_retriable,
    )


def _reason(answer: Mapping[str, Any]) -> ErrorDetail:
    """Read ``errors``: ``[{"name", "message"}]``."""
    errors = answer.get("errors")
    if isinstance(errors, list):
        errors = [{"errorCode": e["name"], **e} if isinstance(e, dict) and "name" in e else e for e in errors]
    return ErrorDetail.from_wire(errors) or ErrorDetail()
