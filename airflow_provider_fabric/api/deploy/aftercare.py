"""What some kinds need after their definition: environments are published, variable libraries get their value set."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping

from airflow_provider_fabric.api.deploy.properties import get_properties
from airflow_provider_fabric.api.http.flow import Flow, Request, Sleep, quote_segment
from airflow_provider_fabric.api.http.retry import Replay, send
from airflow_provider_fabric.api.items.items import workspace_path
from airflow_provider_fabric.api.operations import operation_id_of, wait_for_operation
from airflow_provider_fabric.exceptions import FabricApiError, FabricOperationError

PUBLISHED = "Success"
GOING_ON = frozenset({"Running", "Waiting", "Cancelling"})
PUBLISH_TIMEOUT = 5400.0
"""Seconds: libraries may take more than 20 minutes to install."""

PAUSE = 15.0


def publish_state(workspace_id: str, environment_id: str) -> Flow[str | None]:
    """Return the state of an environment's last publish; ``None`` if there was none.

    https://learn.microsoft.com/rest/api/fabric/environment/items/get-environment
    """
    properties = yield from get_properties(workspace_id, "environments", environment_id)
    details = properties.get("publishDetails")
    state = details.get("state") if isinstance(details, dict) else None
    return state if isinstance(state, str) else None


def publish_environment(workspace_id: str, environment_id: str) -> Flow[str | None]:
    """Begin to publish an environment, and return the operation's id if there is one.

    https://learn.microsoft.com/rest/api/fabric/environment/items/publish-environment
    """
    path = f"{workspace_path(workspace_id)}/environments/{quote_segment(environment_id, 'item_id')}/staging/publish"
    request = Request("POST", path, f"publish environment {environment_id}", params={"beta": "false"})
    try:
        answer = yield from send(request, replay=Replay.SAFE)  # publishing twice has the same end
    except FabricApiError:
        if (yield from publish_state(workspace_id, environment_id)) in GOING_ON:  # a lost answer: it goes on
            return None
        raise
    return operation_id_of(answer)


def wait_for_publish(
    workspace_id: str, environment_id: str, operation_id: str | None, *, clock: Callable[[], float] = time.time
) -> Flow[None]:
    """Wait until an environment is published.

    :raises FabricOperationError: it failed, or did not end within 90 minutes.
    """
    deadline = clock() + PUBLISH_TIMEOUT
    if operation_id is not None:
        action = f"publish environment {environment_id}"
        yield from wait_for_operation(operation_id, action=action, deadline=deadline, clock=clock)
    while True:
        state = yield from publish_state(workspace_id, environment_id)
        if state not in GOING_ON or clock() >= deadline:
            break
        yield Sleep(PAUSE, jitter=0.1)
    if state not in (PUBLISHED, None):
        raise FabricOperationError(
            f"Environment {environment_id} was deployed, but its publish is {state}. See its libraries in the portal, "
            "or publish it there.",
            operation_id=operation_id,
        )


def value_set_for(parts: Mapping[str, bytes], environment: str | None) -> str | None:
    """Return the value set of a variable library that is called like the environment, if there is one."""
    for path, content in parts.items():
        if environment is not None and path.startswith("valueSets/"):
            body = json.loads(content)
            if isinstance(body, dict) and body.get("name") == environment:
                return environment
    return None


def activate_value_set(workspace_id: str, library_id: str, name: str) -> Flow[bool]:
    """Make a value set the active one, and return whether it was not.

    https://learn.microsoft.com/rest/api/fabric/variablelibrary/items/update-variable-library
    """
    properties = yield from get_properties(workspace_id, "variableLibraries", library_id)
    if properties.get("activeValueSetName") == name:
        return False
    path = f"{workspace_path(workspace_id)}/variableLibraries/{quote_segment(library_id, 'item_id')}"
    body = {"properties": {"activeValueSetName": name}}
    request = Request("PATCH", path, f"activate value set {name!r} of variable library {library_id}", json=body)
    yield from send(request, replay=Replay.SAFE)
    return True
