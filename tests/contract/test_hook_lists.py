"""Lists over all their pages, throttled and interrupted; operations that take their time."""

from __future__ import annotations

import time
from typing import Any

import pytest

from airflow_provider_fabric.emulator import EmulatorControl, FabricEmulator
from airflow_provider_fabric.exceptions import FabricBadRequestError, FabricNameError, FabricOperationError
from devtools.docs.rest_operations import CONFIGURATION
from tests.conformance.tour import Ask
from tests.contract.conftest import seed

COUNT = 7


def make_items(emulator: FabricEmulator, ask: Ask) -> dict[str, Any]:
    emulator.control.seed(copies={"type": "CopyJob", "count": COUNT, "workspace_id": emulator.workspace_id})
    return {"workspace_id": emulator.workspace_id, "item_type": "CopyJob"}


def make_workspaces(emulator: FabricEmulator, ask: Ask) -> dict[str, Any]:
    emulator.control.seed(workspaces=[{"displayName": f"Workspace {number}"} for number in range(1, COUNT)])
    return {}


def make_instances(emulator: FabricEmulator, ask: Ask) -> dict[str, Any]:
    item = seed(emulator, "DataPipeline")
    for _ in range(COUNT):
        emulator.control.start_job(item_id=item)
    return {"workspace_id": emulator.workspace_id, "item_id": item}


def make_schedules(emulator: FabricEmulator, ask: Ask) -> dict[str, Any]:
    place = {"workspace_id": emulator.workspace_id, "item_id": seed(emulator, "Dataflow"), "job_type": "Execute"}
    for _ in range(COUNT):
        ask("create_item_schedule", **place, enabled=False, configuration=CONFIGURATION)
    return place


LISTS = {
    "list_items": make_items,
    "list_workspaces": make_workspaces,
    "list_item_job_instances": make_instances,
    "list_item_schedules": make_schedules,
}


@pytest.mark.parametrize("method", LISTS)
@pytest.mark.parametrize("page_size", [1, 3, COUNT, 100])
def test_all_pages(control: EmulatorControl, emulator: FabricEmulator, ask: Ask, method: str, page_size: int) -> None:
    arguments = LISTS[method](emulator, ask)
    control.configure(page_size=page_size)
    before = len(control.request_log())
    found = ask(method, **arguments)
    ids = [entry["id"] if isinstance(entry, dict) else entry.id for entry in found]
    assert len(set(ids)) == len(ids) == COUNT
    pages = [e for e in control.request_log()[before:] if e["method"] == "GET" and e["path"].startswith("/v1/")]
    assert len(pages) == -(-COUNT // page_size)


@pytest.mark.parametrize(
    "fault",
    [{"status": 429, "retry_after": 0}, {"status": 503, "retry_after": 0}, {"action": "drop"}],
    ids=["throttled", "unavailable", "cut"],
)
def test_a_page_is_asked_for_again(
    control: EmulatorControl, emulator: FabricEmulator, ask: Ask, fault: dict[str, Any]
) -> None:
    arguments = make_items(emulator, ask)
    control.configure(page_size=3)
    control.add_fault(method="GET", path="*/items", skip=1, **fault)
    assert len(ask("list_items", **arguments)) == COUNT


def test_pages_without_an_end(control: EmulatorControl, emulator: FabricEmulator, ask: Ask) -> None:
    page = {"value": [], "continuationToken": "again", "continuationUri": f"{emulator.url}/v1/workspaces"}
    control.add_fault(path="/v1/workspaces", status=200, body=page, count=None)
    with pytest.raises(Exception, match="pages do not end"):
        ask("list_workspaces")


def test_a_name_on_a_late_page(control: EmulatorControl, emulator: FabricEmulator, ask: Ask) -> None:
    make_items(emulator, ask)
    control.configure(page_size=2)
    place = {"workspace_id": emulator.workspace_id, "item_type": "CopyJob"}
    assert ask("resolve_item", **place, item="CopyJob 0007")
    with pytest.raises(FabricNameError, match="Did you mean"):
        ask("resolve_item", **place, item="CopyJob 007")


def test_an_operation_that_takes_its_time(control: EmulatorControl, emulator: FabricEmulator, ask: Ask) -> None:
    control.configure(force_lro=True, lro_seconds=0.2)
    item = seed(emulator, "DataPipeline")
    assert ask("get_item_definition", workspace_id=emulator.workspace_id, item_id=item)
    states = [entry for entry in control.request_log() if "/operations/" in entry["path"]]
    assert len(states) == 3, "looked at, looked at again after its Retry-After, fetched"


@pytest.fixture
def operation(control: EmulatorControl, emulator: FabricEmulator, ask: Ask) -> str:
    """An operation that goes on for a while."""
    control.configure(force_lro=True, lro_seconds=0)
    ask("get_item_definition", workspace_id=emulator.workspace_id, item_id=seed(emulator, "DataPipeline"))
    path = next(entry["path"] for entry in control.request_log() if "/operations/" in entry["path"])
    return str(path.split("/operations/")[1].split("/")[0])


def test_an_operation_is_taken_up_by_its_id(ask: Ask, operation: str) -> None:
    result = ask("wait_for_operation", operation_id=operation)
    assert "definition" in result


def test_an_undefined_state_is_not_the_end(control: EmulatorControl, ask: Ask, operation: str) -> None:
    control.add_fault(path="*/operations/*", status=200, body={"status": "Undefined"}, retry_after=0)
    assert "definition" in ask("wait_for_operation", operation_id=operation)


def test_a_deadline(control: EmulatorControl, ask: Ask, operation: str) -> None:
    control.add_fault(path="*/operations/*", status=200, body={"status": "Running"}, retry_after=0, count=None)
    with pytest.raises(FabricOperationError, match="goes on") as caught:
        ask("wait_for_operation", operation_id=operation, deadline=time.time())
    assert caught.value.operation_id == operation


def test_a_result_that_is_not_there(control: EmulatorControl, emulator: FabricEmulator, ask: Ask) -> None:
    control.configure(force_lro=True, lro_seconds=0)
    item = {"workspace_id": emulator.workspace_id, "item_id": seed(emulator, "CopyJob"), "item_type": "CopyJob"}
    definition = {"copyjob-content.json": {"properties": {}, "activities": []}}
    assert ask("update_item_definition", **item, definition=definition) is None
    (state,) = [entry["path"] for entry in control.request_log() if "/operations/" in entry["path"]]
    with pytest.raises(FabricBadRequestError) as caught:
        ask("get_operation_result", operation_id=state.rsplit("/", 1)[-1])
    assert caught.value.error_code == "OperationHasNoResult"
