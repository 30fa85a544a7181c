"""Every operation of Microsoft's articles, in every dialect, through both drivers, answered at once and with 202."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from airflow_provider_fabric.api.models import Item, JobInstance, Operation, Submission, Workspace
from airflow_provider_fabric.api.status import JobStatus, OperationStatus
from airflow_provider_fabric.emulator import FabricEmulator
from devtools.docs.rest_operations import Call, SeedOperation, seed_operations
from tests.conformance.tour import Ask, Tour
from tests.contract.conftest import seed

CASES = [
    pytest.param(operation, call, id=f"{operation.id}-{number}")
    for operation in seed_operations()
    for number, call in enumerate(operation.calls, 1)
]


def _is_item(result: Any) -> bool:
    return isinstance(result, Item) and bool(result.id and result.display_name)


def _is_schedule(result: Any) -> bool:
    return isinstance(result, dict) and bool(result["id"]) and result["configuration"]["type"] == "Weekly"


RESULTS: Mapping[str, Callable[[Any], bool]] = {
    "create_item": lambda r: _is_item(r) and r.display_name == "New",
    "get_item": lambda r: _is_item(r) and r.display_name == "Seeded",
    "list_items": lambda r: [item.display_name for item in r] == ["Seeded"],
    "get_item_definition": lambda r: isinstance(r, dict) and b"" not in r.values(),
    "update_item": lambda r: r.display_name == "Renamed" and r.description == "Changed by a test",
    "update_item_definition": lambda r: r is None,
    "delete_item": lambda r: r is None,
    "run_item_job": lambda r: isinstance(r, Submission) and not r.adopted,
    "get_item_job_instance": lambda r: isinstance(r, JobInstance) and r.status is not JobStatus.UNKNOWN,
    "list_item_job_instances": lambda r: r == [],
    "cancel_item_job_instance": lambda r: r is True,
    "query_activity_runs": lambda r: isinstance(r, list),
    "reset_copy_job": lambda r: r is None,
    "list_item_schedules": lambda r: r == [],
    "create_item_schedule": _is_schedule,
    "get_item_schedule": _is_schedule,
    "update_item_schedule": lambda r: _is_schedule(r) and r["enabled"] is True,
    "delete_item_schedule": lambda r: r is None,
    "list_workspaces": lambda r: bool(r) and all(isinstance(workspace, Workspace) for workspace in r),
    "get_operation_state": lambda r: isinstance(r, Operation) and r.status is OperationStatus.SUCCEEDED,
    "get_operation_result": lambda r: "definition" in r,
}


@pytest.mark.parametrize("force_lro", [False, True], ids=["at-once", "with-202"])
@pytest.mark.parametrize(("operation", "call"), CASES)
def test_operation(operation: SeedOperation, call: Call, force_lro: bool, emulator: FabricEmulator, ask: Ask) -> None:
    result = Tour(emulator, operation, ask).make(call, force_lro=force_lro)
    assert RESULTS[call.method](result)


def test_a_run_is_seen_from_its_start_to_its_end(emulator: FabricEmulator, ask: Ask) -> None:
    one = {"workspace_id": emulator.workspace_id, "item_id": seed(emulator, "CopyJob")}
    run = ask("run_item_job", **one, job_type="Execute").job_instance_id
    ended = ask("wait_for_job_instance", **one, job_instance_id=run, check_interval=0.1)
    assert (ended.id, ended.status) == (run, JobStatus.COMPLETED)
    assert [instance.id for instance in ask("list_item_job_instances", **one)] == [run]
    assert ask("cancel_item_job_instance", **one, job_instance_id=run) is False, "it was over already"


def test_names_lead_to_ids(emulator: FabricEmulator, ask: Ask) -> None:
    item = seed(emulator, "Dataflow")
    assert ask("resolve_workspace", workspace="Emulator workspace") == emulator.workspace_id
    assert ask("resolve_item", workspace_id=emulator.workspace_id, item="Seeded", item_type="Dataflow") == item
