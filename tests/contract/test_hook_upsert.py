"""The upsert: created, updated or unchanged, over all pages and through every race."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_fabric.emulator import EmulatorControl, FabricEmulator
from airflow_provider_fabric.exceptions import FabricConflictError, FabricNameError, FabricOperationError
from devtools.docs.rest_operations import DEFINITIONS
from tests.conformance.tour import Ask
from tests.contract.conftest import seed

NAME = "Daily load"
CHANGED = {"pipeline-content.json": {"properties": {"activities": []}}}
COPY_JOB_CHANGED = {"copyjob-content.json": {"properties": {"jobMode": "CDC"}, "activities": []}}
OTHERS = {
    "DataPipeline": CHANGED,
    "CopyJob": COPY_JOB_CHANGED,
    "Dataflow": {**DEFINITIONS["Dataflow"], "mashup.pq": "section Section1;\nshared Other = 1;\n"},
}
TAKEN = {"method": "POST", "path": "*/items", "status": 400, "error_code": "ItemDisplayNameAlreadyInUse"}


def upsert(emulator: FabricEmulator, ask: Ask, item_type: str = "DataPipeline", **more: Any) -> dict[str, str]:
    arguments = {"definition": DEFINITIONS[item_type], **more}
    found: dict[str, str] = ask(
        "upsert_item_definition",
        workspace_id=emulator.workspace_id,
        item_type=item_type,
        display_name=NAME,
        **arguments,
    )
    return found


def calls(control: EmulatorControl, ending: str) -> int:
    return sum(
        entry["method"] == "POST" and entry["path"].endswith(ending) and entry["status"] < 300
        for entry in control.request_log()
    )


@pytest.mark.parametrize("force_lro", [False, True], ids=["at-once", "with-202"])
@pytest.mark.parametrize("item_type", DEFINITIONS)
def test_created_unchanged_updated(
    control: EmulatorControl, emulator: FabricEmulator, ask: Ask, item_type: str, force_lro: bool
) -> None:
    control.configure(force_lro=force_lro)
    first = upsert(emulator, ask, item_type)
    again = upsert(emulator, ask, item_type)
    changed = upsert(emulator, ask, item_type, definition=OTHERS[item_type], description="Now described")
    assert [r["outcome"] for r in (first, again, changed)] == ["created", "unchanged", "updated"]
    assert len({r["item_id"] for r in (first, again, changed)}) == 1
    assert calls(control, "/updateDefinition") == 1
    item = ask("get_item", workspace_id=emulator.workspace_id, item_id=first["item_id"])
    assert (item.type, item.display_name, item.description) == (item_type, NAME, "Now described")


def test_from_a_folder_with_its_platform_file(emulator: FabricEmulator, ask: Ask, tmp_path: Path) -> None:
    folder = tmp_path / f"{NAME}.DataPipeline"
    folder.mkdir()
    (folder / "pipeline-content.json").write_text(json.dumps(CHANGED["pipeline-content.json"]))
    platform = {"metadata": {"type": "DataPipeline", "displayName": NAME, "description": "From the folder"}}
    (folder / ".platform").write_text(json.dumps(platform))
    assert upsert(emulator, ask, definition=folder)["outcome"] == "created"
    assert upsert(emulator, ask, definition=folder, update_metadata=True)["outcome"] == "unchanged"
    platform["metadata"]["description"] = "Changed in the folder"
    (folder / ".platform").write_text(json.dumps(platform))
    assert upsert(emulator, ask, definition=folder)["outcome"] == "unchanged"
    assert upsert(emulator, ask, definition=folder, update_metadata=True)["outcome"] == "updated"
    (item,) = ask("list_items", workspace_id=emulator.workspace_id, item_type="DataPipeline")
    assert item.description == "Changed in the folder"


def test_found_on_a_late_page(control: EmulatorControl, emulator: FabricEmulator, ask: Ask) -> None:
    control.configure(page_size=2)
    control.seed(copies={"type": "DataPipeline", "count": 5, "workspace_id": emulator.workspace_id})
    created = upsert(emulator, ask)
    assert upsert(emulator, ask) == {**created, "outcome": "unchanged"}
    assert calls(control, "/items") == 1


def test_names_are_of_a_kind(emulator: FabricEmulator, ask: Ask) -> None:
    outcomes = [upsert(emulator, ask, item_type)["outcome"] for item_type in DEFINITIONS]
    assert outcomes == ["created"] * 3


def test_a_lost_race_ends_with_our_definition(control: EmulatorControl, emulator: FabricEmulator, ask: Ask) -> None:
    """Another process creates the item between our look and our create."""
    seed(emulator, "DataPipeline", displayName=NAME)
    control.add_fault(method="GET", path="*/items", status=200, body={"value": []})
    assert upsert(emulator, ask)["outcome"] == "updated"
    assert calls(control, "/updateDefinition") == 1


def test_a_name_taken_by_what_we_cannot_see(control: EmulatorControl, emulator: FabricEmulator, ask: Ask) -> None:
    control.add_fault(**TAKEN)
    with pytest.raises(FabricNameError, match="no DataPipeline of that name is visible"):
        upsert(emulator, ask)


@pytest.mark.parametrize("status", [400, 409])
def test_a_name_that_is_reserved_for_a_while(
    control: EmulatorControl, emulator: FabricEmulator, ask: Ask, status: int
) -> None:
    code = "ItemDisplayNameNotAvailableYet"
    control.add_fault(
        method="POST", path="*/items", status=status, error_code=code, count=2, retry_after=0.05, is_retriable=True
    )
    assert upsert(emulator, ask)["outcome"] == "created"


def test_another_conflict_is_told(control: EmulatorControl, emulator: FabricEmulator, ask: Ask) -> None:
    control.add_fault(method="POST", path="*/items", status=409, error_code="WorkspaceItemsLimitExceeded")
    with pytest.raises(FabricConflictError) as caught:
        upsert(emulator, ask)
    assert caught.value.error_code == "WorkspaceItemsLimitExceeded"


def test_an_operation_that_fails_is_told(control: EmulatorControl, emulator: FabricEmulator, ask: Ask) -> None:
    control.configure(force_lro=True)
    reason = {"errorCode": "ConversionFailed", "message": "No.", "requestId": "r-1"}
    control.add_fault(path="*/operations/*", status=200, body={"status": "Failed", "error": reason})
    with pytest.raises(FabricOperationError) as caught:
        upsert(emulator, ask)
    assert (caught.value.error_code, caught.value.request_id) == ("ConversionFailed", "r-1")


def test_two_of_one_name_are_never_guessed_at(control: EmulatorControl, emulator: FabricEmulator, ask: Ask) -> None:
    control.configure(duplicate_names_allowed=["Dataflow"])
    for number in (1, 2):
        seed(emulator, "Dataflow", displayName=NAME, id=f"3333333{number}-3333-4333-8333-333333333333")
    with pytest.raises(FabricNameError, match="2 items"):
        upsert(emulator, ask, "Dataflow")
