"""What the task of a case does: which operator, on which item, and what counts as having done it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

ITEM = "Daily load"


@dataclass(frozen=True)
class Target:
    """What a task does.

    :param operator: class of its operator.
    :param item_type: kind of the item in the case's workspace.
    :param item_argument: argument of the operator that names the item; empty if none does.
    :param has_workspace: it takes a workspace.
    :param polls: it takes a ``check_interval``.
    :param arguments: more of its arguments.
    :param capacity: state in which the case has a capacity of its own, the operator's ``capacity``; empty for none.
    :param seed: more of the item.
    :param call: end of the path of the POST that is counted; empty if runs of the item are.
    """

    operator: str
    item_type: str = "DataPipeline"
    item_argument: str = ""
    has_workspace: bool = True
    polls: bool = False
    arguments: dict[str, Any] = field(default_factory=dict)
    capacity: str = ""
    seed: dict[str, Any] = field(default_factory=dict)
    call: str = ""


OPERATORS = "airflow_provider_fabric.operators"

PIPELINE = Target(f"{OPERATORS}.pipeline.FabricRunPipelineOperator", item_argument="pipeline", polls=True)

NOTEBOOK = Target(
    f"{OPERATORS}.notebook.FabricRunNotebookOperator",
    "Notebook",
    "notebook",
    polls=True,
    arguments={"session_tag": "etl"},
)

PUBLISH = Target(
    f"{OPERATORS}.rest.FabricRestOperator",
    "Environment",
    "item",
    arguments={
        "method": "POST",
        "path": "/workspaces/{workspace}/environments/{item}/staging/publish",
        "query": {"beta": False},
        "replay_safe": False,
    },
    call="/staging/publish",
)
"""A REST call that must not be sent twice, and starts an operation."""

DEFINITION = Target(
    f"{OPERATORS}.rest.FabricRestOperator",
    "DataPipeline",
    "item",
    arguments={"method": "POST", "path": "/workspaces/{workspace}/items/{item}/getDefinition", "replay_safe": True},
    call="/getDefinition",
)
"""A REST call that may be sent twice."""

SQL_ENDPOINT = Target(
    f"{OPERATORS}.lakehouse.FabricRefreshSqlEndpointOperator",
    "Lakehouse",
    "lakehouse",
    seed={"tables": [{"name": "orders"}]},
    call="/refreshMetadata",
)

SUSPEND = Target(
    f"{OPERATORS}.capacity.FabricSuspendCapacityOperator",
    has_workspace=False,
    polls=True,
    arguments={"force": True},
    capacity="Active",
    call="/suspend",
)
