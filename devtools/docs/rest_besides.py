"""What the hook calls besides the operations of the four articles, as conversations: a method, and what is answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from devtools.docs.rest_operations import ITEM, JOB, WORKSPACE

SUBSCRIPTION = "11111111-1111-4111-8111-111111111111"
CAPACITY = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/group/providers/Microsoft.Fabric/capacities/capacity"
SQL_ENDPOINT = "22222222-2222-4222-8222-222222222222"


@dataclass(frozen=True)
class Besides:
    """One conversation.

    :param name: what it is for.
    :param method: name of the hook's method.
    :param arguments: its arguments, with placeholders.
    :param answers: JSON of the answers to all requests but the last.
    """

    name: str
    method: str
    arguments: Mapping[str, Any] = field(hash=False)
    answers: tuple[Any, ...] = ()


def _capacity(state: str) -> dict[str, Any]:
    return {"id": CAPACITY, "name": "capacity", "properties": {"state": state}}


LAKEHOUSE = {"properties": {"sqlEndpointProperties": {"id": SQL_ENDPOINT, "provisioningStatus": "Success"}}}
_MODEL = {"workspace_id": WORKSPACE, "model_id": ITEM}

BESIDES = (
    Besides("list capacities", "list_capacities", {}),
    Besides("read a capacity", "get_capacity", {"capacity": CAPACITY}),
    Besides("resume a capacity", "resume_capacity", {"capacity": CAPACITY}, (_capacity("Paused"),)),
    Besides("suspend a capacity", "suspend_capacity", {"capacity": CAPACITY}, (_capacity("Active"),)),
    Besides("find a lakehouse's SQL endpoint", "get_sql_endpoint", {"workspace_id": WORKSPACE, "lakehouse_id": ITEM}),
    Besides(
        "refresh a SQL endpoint",
        "refresh_sql_endpoint",
        {"workspace_id": WORKSPACE, "lakehouse_id": ITEM},
        (LAKEHOUSE,),
    ),
    Besides(
        "read a notebook's run",
        "get_notebook_run",
        {"workspace_id": WORKSPACE, "notebook_id": ITEM, "job_instance_id": JOB},
    ),
    Besides(
        "list a notebook's parameters", "list_notebook_parameters", {"workspace_id": WORKSPACE, "notebook_id": ITEM}
    ),
    Besides(
        "call a user data function",
        "invoke_user_data_function",
        {"workspace_id": WORKSPACE, "item_id": ITEM, "function": "{function}"},
    ),
    Besides("list refreshes of a semantic model", "list_semantic_model_refreshes", _MODEL),
    Besides("read a refresh", "get_semantic_model_refresh", {**_MODEL, "refresh_id": "{refreshId}"}),
    Besides("cancel a refresh", "cancel_semantic_model_refresh", {**_MODEL, "refresh_id": "{refreshId}"}),
    Besides(
        "find files in OneLake",
        "find_onelake_files",
        {"workspace_id": WORKSPACE, "item_id": ITEM, "path": "Files/in/orders.csv"},
    ),
    Besides("list folders", "list_folders", {"workspace_id": WORKSPACE}),
)

COMPOSED = {
    "request",
    "wait_for_job_instance",
    "wait_for_operation",
    "resolve_workspace",
    "resolve_item",
    "resolve_items",
    "resolve_folder",
    "find_item",
    "upsert_item_definition",
    "deploy_folder",
    "create_folder",
    "move_item",
    "list_active_runs",
    "refresh_semantic_model",
    "list_dataflow_parameters",
    "list_pipeline_parameters",
}
"""Methods that are made of the others, or call what their caller says."""
