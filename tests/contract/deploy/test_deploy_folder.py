"""``FabricDeployFolderOperator`` against the emulator: stages, failures and what is left of them, orphans, moves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.exceptions import FabricDeployError, FabricInputError, FabricNameError
from airflow_provider_fabric.hooks.fabric import FabricHook
from airflow_provider_fabric.operators.deploy import FabricDeployFolderOperator
from tests.contract.conftest import seed
from tests.task_runner import TaskRunner
from tests.unit.api.deploy.folders import logical_id, write_item, write_pipeline

ZEROS = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def hook(emulator: FabricEmulator) -> FabricHook:
    emulator.control.configure(force_lro=False)
    return FabricHook()


def outcomes(result: dict[str, Any]) -> dict[str, str]:
    return {f"{item['display_name']}.{item['item_type']}": item["outcome"] for item in result["items"]}


def writes(emulator: FabricEmulator) -> list[str]:
    reads = ("getDefinition",)
    return [
        f"{entry['method']} {entry['path']}"
        for entry in emulator.control.request_log()
        if entry["method"] != "GET" and entry["path"].startswith("/v1/") and not entry["path"].endswith(reads)
    ]


def part(emulator: FabricEmulator, name: str, path: str) -> str:
    """Return what the service holds of an item, looked up by its name."""
    items = emulator.world.items.of_workspace(emulator.workspace_id)
    item = next(item for item in items if item.display_name == name)
    return next(part.content.decode() for part in item.parts if part.path == path)


def missing_kinds(root: Path) -> None:
    """Write items of the kinds whose parts are programs."""
    lakehouse = {"lakehouse.metadata.json": {}, "shortcuts.metadata.json": []}
    write_item(root, "Store.Lakehouse", lakehouse, 1)
    meta = '# META   "default_lakehouse": "{}",\n# META   "default_lakehouse_workspace_id": "{}"\n'
    source = (
        "# Fabric notebook source\n" + meta.format(logical_id(1), ZEROS) + 'print(f"{{literal}} {%s}" % "{% if %}")\n'
    )
    write_item(
        root, "Code/Plain.Notebook", {"notebook-content.py": source, "Resources/builtin/rows.json": "{}\n{}\n"}, 2
    )
    cells = [{"cell_type": "code", "source": [f"lakehouse = '{logical_id(1)}'"], "metadata": {}, "outputs": []}]
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}
    write_item(root, "Code/Cells.Notebook", {"notebook-content.ipynb": notebook}, 3)
    spark = {"defaultLakehouseArtifactId": logical_id(1), "executableFile": "main.py"}
    write_item(
        root, "Code/Job.SparkJobDefinition", {"SparkJobDefinitionV1.json": spark, "Main/main.py": "print(1)\n"}, 4
    )
    functions = {"function_app.py": "import fabric\n", "definition.json": {}, ".resources/functions.json": []}
    write_item(root, "Code/Functions.UserDataFunction", functions, 5)
    model = {
        "definition.pbism": {"version": "4.0"},
        "definition/model.tmdl": "model Model\n",
        ".pbi/cache.abf": b"\0data",
    }
    write_item(root, "Sales.SemanticModel", model, 6)
    write_item(root, "Old.SemanticModel", {"definition.pbism": {"version": "4.0"}, "model.bim": {"model": {}}}, 7)


def test_kinds_whose_parts_are_programs(emulator: FabricEmulator, hook: FabricHook, tmp_path: Path) -> None:
    missing_kinds(tmp_path)
    first = hook.deploy_folder(emulator.workspace_id, tmp_path)
    assert first["counts"] == {"created": 7}
    assert hook.deploy_folder(emulator.workspace_id, tmp_path)["counts"] == {"unchanged": 7}
    store = next(item["item_id"] for item in first["items"] if item["display_name"] == "Store")
    source = part(emulator, "Plain", "notebook-content.py")
    assert f'"default_lakehouse": "{store}"' in source
    assert f'_workspace_id": "{emulator.workspace_id}"' in source
    assert 'print(f"{{literal}} {%s}" % "{% if %}")' in source
    assert store in part(emulator, "Cells", "notebook-content.ipynb")
    assert json.loads(part(emulator, "Job", "SparkJobDefinitionV1.json"))["defaultLakehouseArtifactId"] == store
    assert {item["folder"] for item in first["items"]} == {"", "Code"}


STAGES = """
find_replace:
  - find_value: sql-dev.example
    replace_value: {TEST: sql-test.example, PROD: sql-prod.example}
    item_type: DataPipeline
  - find_value: lakehouse-of-dev
    replace_value: {_ALL_: $items.Lakehouse.Store.id}
    file_path: "Load/*.DataPipeline/pipeline-content.json"
  - find_value: '"timeout":\\s*"(\\d+)"'
    replace_value: {PROD: "60"}
    is_regex: true
"""


def test_one_folder_three_stages(emulator: FabricEmulator, hook: FabricHook, tmp_path: Path) -> None:
    root = tmp_path / "repository"
    write_item(root, "Store.Lakehouse", {"lakehouse.metadata.json": {}}, 1)
    write_pipeline(root, "Load/Daily", 2, server="sql-dev.example", into="lakehouse-of-dev", timeout="5", note="{note}")
    values = {f"valueSets/{name}.json": {"name": name, "variableOverrides": []} for name in ("TEST", "PROD")}
    write_item(root, "Settings.VariableLibrary", {"variables.json": {"variables": []}, **values}, 3)
    (root / "parameter.yml").write_text(STAGES)
    found = {}
    for stage in (None, "TEST", "PROD"):
        workspace = emulator.control.seed(workspaces=[{"displayName": f"Sales {stage}"}])["workspaces"][0]["id"]
        task = TaskRunner(
            lambda stage=stage: FabricDeployFolderOperator(
                task_id="deploy",
                workspace=f"Sales {stage}",
                folder=str(root),
                environment=stage,
                replace={"{note}": "{{ ds }}"},
            )
        )
        result = task.run()
        assert result["counts"] == {"created": 3}
        items = {item.type: item for item in emulator.world.items.of_workspace(workspace)}
        (content,) = (p.content for p in items["DataPipeline"].parts if p.path == "pipeline-content.json")
        properties = json.loads(content)["properties"]
        found[stage] = (properties["server"], properties["timeout"], items["VariableLibrary"].active_value_set)
        assert properties["note"] == "2024-01-05"
        assert properties["into"] == ("lakehouse-of-dev" if stage is None else items["Lakehouse"].id)
        assert task.run()["counts"] == {"unchanged": 3}
    assert found == {
        None: ("sql-dev.example", "5", ""),
        "TEST": ("sql-test.example", "5", "TEST"),
        "PROD": ("sql-prod.example", "60", "PROD"),
    }


EXAMPLE = Path(__file__).parents[3] / "example_dags" / "definitions" / "Sales workspace"


@pytest.mark.parametrize(
    ("stage", "server", "value_set"),
    [(None, "orders-dev.example", ""), ("TEST", "orders-test.example", "TEST"), ("PROD", "orders.example", "PROD")],
)
def test_the_documented_folder_in_its_three_stages(
    emulator: FabricEmulator, hook: FabricHook, stage: str | None, server: str, value_set: str
) -> None:
    result = hook.deploy_folder(emulator.workspace_id, EXAMPLE, environment=stage)
    assert result["counts"] == {"created": 4}
    ids = {item["display_name"]: item["item_id"] for item in result["items"]}
    source = part(emulator, "Clean orders", "notebook-content.py")
    assert f'"Files/orders from {server}"' in source
    assert f'"default_lakehouse": "{ids["Orders"]}"' in source
    activity = json.loads(part(emulator, "Nightly", "pipeline-content.json"))["properties"]["activities"][0]
    assert activity["typeProperties"] == {"notebookId": ids["Clean orders"], "workspaceId": emulator.workspace_id}
    library = emulator.world.items.get(ids["Settings"])
    assert library is not None
    assert library.active_value_set == value_set
    assert hook.deploy_folder(emulator.workspace_id, EXAMPLE, environment=stage)["counts"] == {"unchanged": 4}


def test_a_failure_names_every_item_and_a_retry_goes_on(
    emulator: FabricEmulator, hook: FabricHook, tmp_path: Path
) -> None:
    write_item(tmp_path, "Store.Lakehouse", {"lakehouse.metadata.json": {}}, 1)
    write_pipeline(tmp_path, "A", 2, store=logical_id(1))
    write_pipeline(tmp_path, "B", 3, note="new")
    write_pipeline(tmp_path, "C", 4)
    seed(emulator, "DataPipeline", displayName="B")
    emulator.control.add_fault(method="POST", path="*/updateDefinition", status=400, error_code="Refused", count=1)
    task = TaskRunner(
        lambda: FabricDeployFolderOperator(task_id="deploy", workspace=emulator.workspace_id, folder=tmp_path)
    )
    with pytest.raises(FabricDeployError, match=r"1 of 4 items failed .*DataPipeline 'B'.*Refused"):
        task.run()
    pushed = task.xcoms["return_value"]
    assert outcomes(pushed) == {
        "Store.Lakehouse": "created",
        "A.DataPipeline": "created",
        "B.DataPipeline": "failed",
        "C.DataPipeline": "skipped",
    }
    assert pushed["counts"] == {"created": 2, "failed": 1, "skipped": 1}
    assert outcomes(task.run()) == {
        "Store.Lakehouse": "unchanged",
        "A.DataPipeline": "unchanged",
        "B.DataPipeline": "updated",
        "C.DataPipeline": "created",
    }


def test_on_failure_continue_leaves_out_what_needs_it(
    emulator: FabricEmulator, hook: FabricHook, tmp_path: Path
) -> None:
    write_item(tmp_path, "Store.Lakehouse", {"lakehouse.metadata.json": {}}, 1)
    write_pipeline(tmp_path, "A", 2, store=logical_id(1))
    write_pipeline(tmp_path, "B", 3)
    seed(emulator, "DataPipeline", displayName="Orphan")
    emulator.control.add_fault(method="POST", path="*/items", status=403, error_code="Refused", count=1)
    with pytest.raises(FabricDeployError) as caught:
        hook.deploy_folder(emulator.workspace_id, tmp_path, on_failure="continue", remove_orphans=True)
    assert outcomes(caught.value.result) == {
        "Store.Lakehouse": "failed",
        "A.DataPipeline": "skipped",
        "B.DataPipeline": "created",
        "Orphan.DataPipeline": "skipped",
    }
    errors = {item["display_name"]: item["error"] for item in caught.value.result["items"]}
    assert "needs Lakehouse 'Store'" in errors["A"]


def test_orphans_go_only_when_asked_for_and_never_with_data(
    emulator: FabricEmulator, hook: FabricHook, tmp_path: Path
) -> None:
    write_pipeline(tmp_path, "A", 1)
    write_pipeline(tmp_path, "B", 2)
    kinds = ("DataPipeline", "Lakehouse", "Warehouse", "KQLDatabase", "SQLEndpoint", "SemanticModel")
    left_over = [{"type": kind, "displayName": "Left"} for kind in kinds]
    emulator.control.seed(workspaces=[{"id": emulator.workspace_id, "items": left_over}])
    workspace = emulator.workspace_id
    assert hook.deploy_folder(workspace, tmp_path, items=["A.*"])["counts"] == {"created": 1}
    hook.deploy_folder(workspace, tmp_path)
    before = writes(emulator)
    with pytest.raises(FabricInputError, match="max_removals is 0, and 1 items"):
        hook.deploy_folder(workspace, tmp_path, remove_orphans=True, max_removals=0)
    dry = hook.deploy_folder(workspace, tmp_path, remove_orphans=True, dry_run=True)
    assert outcomes(dry) == {
        "A.DataPipeline": "unchanged",
        "B.DataPipeline": "unchanged",
        "Left.DataPipeline": "deleted",
    }
    assert hook.deploy_folder(workspace, tmp_path, remove_orphans=True, exclude=["Left.*"])["counts"] == {
        "unchanged": 2
    }
    assert hook.deploy_folder(workspace, tmp_path, remove_orphans=True, items=["A.*"])["counts"] == {"unchanged": 1}
    assert writes(emulator) == before
    assert hook.deploy_folder(workspace, tmp_path, remove_orphans=True)["counts"] == {"unchanged": 2, "deleted": 1}
    result = hook.deploy_folder(workspace, tmp_path, remove_orphans=True, removable_types=["Lakehouse"])
    assert outcomes(result)["Left.Lakehouse"] == "deleted"
    left = {item.type for item in emulator.world.items.of_workspace(workspace)} - {"DataPipeline"}
    assert left == {"Warehouse", "KQLDatabase", "SQLEndpoint", "SemanticModel"}


def test_folders_are_made_and_items_move(emulator: FabricEmulator, hook: FabricHook, tmp_path: Path) -> None:
    write_pipeline(tmp_path, "Load", 1)
    write_pipeline(tmp_path, "Eu/Daily/Ingest", 2, region="eu")
    write_pipeline(tmp_path, "Us/Ingest", 3, region="us")
    first = hook.deploy_folder(emulator.workspace_id, tmp_path)
    assert first["counts"] == {"created": 3}
    assert len({item["item_id"] for item in first["items"]}) == 3, "one name in two folders is two items"
    (tmp_path / "Us" / "Ingest.DataPipeline").rename(tmp_path / "Ingest.DataPipeline")
    assert (
        outcomes(hook.deploy_folder(emulator.workspace_id, tmp_path, dry_run=True))["Load.DataPipeline"] == "unchanged"
    )
    again = hook.deploy_folder(emulator.workspace_id, tmp_path)
    assert again["counts"] == {"unchanged": 2, "moved": 1}
    assert {item["item_id"] for item in again["items"]} == {item["item_id"] for item in first["items"]}
    assert hook.deploy_folder(emulator.workspace_id, tmp_path)["counts"] == {"unchanged": 3}
    with pytest.raises(FabricInputError, match="folders=False"):
        hook.deploy_folder(emulator.workspace_id, tmp_path, folders=False)


def test_what_is_not_clear_is_not_guessed(emulator: FabricEmulator, hook: FabricHook, tmp_path: Path) -> None:
    write_pipeline(tmp_path, "Nightly load", 1)
    seed(emulator, "DataPipeline", displayName="Nightly Load")
    before = writes(emulator)
    with pytest.raises(FabricNameError, match="differs only in case"):
        hook.deploy_folder(emulator.workspace_id, tmp_path)
    write_pipeline(tmp_path, "Other", 2, calls=logical_id(1))
    with pytest.raises(FabricInputError, match=r"'Other.DataPipeline' names 'Nightly load.DataPipeline'"):
        hook.deploy_folder(emulator.workspace_id, tmp_path, items=["Other.*"], folders=False)
    assert writes(emulator) == before


def test_an_item_that_names_itself(emulator: FabricEmulator, hook: FabricHook, tmp_path: Path) -> None:
    shortcut = [{"name": "x", "path": "/Files", "target": {"oneLake": {"itemId": logical_id(1), "workspaceId": ZEROS}}}]
    write_item(tmp_path, "L.Lakehouse", {"lakehouse.metadata.json": {}, "shortcuts.metadata.json": shortcut}, 1)
    result = hook.deploy_folder(emulator.workspace_id, tmp_path)
    assert result["counts"] == {"created": 1}
    (held,) = json.loads(part(emulator, "L", "shortcuts.metadata.json"))
    assert held["target"]["oneLake"] == {"itemId": result["items"][0]["item_id"], "workspaceId": emulator.workspace_id}
    assert hook.deploy_folder(emulator.workspace_id, tmp_path)["counts"] == {"unchanged": 1}


@pytest.mark.parametrize(("choice", "enabled"), [("deploy", [True]), ("disabled", [False]), ("leave", [])])
def test_schedules(
    emulator: FabricEmulator, hook: FabricHook, tmp_path: Path, choice: str, enabled: list[bool]
) -> None:
    times = {"startDateTime": "2025-07-01T12:00:00", "endDateTime": "2029-07-01T12:00:00", "localTimeZoneId": "UTC"}
    schedule = {"enabled": True, "jobType": "Execute", "configuration": {"type": "Cron", "interval": 15, **times}}
    folder = write_pipeline(tmp_path, "A", 1)
    (folder / ".schedules").write_text(json.dumps({"schedules": [schedule]}))
    result = hook.deploy_folder(emulator.workspace_id, tmp_path, schedules=choice)
    listed = hook.list_item_schedules(emulator.workspace_id, result["items"][0]["item_id"], "Execute")
    assert [entry["enabled"] for entry in listed] == enabled
    assert hook.deploy_folder(emulator.workspace_id, tmp_path, schedules=choice)["counts"] == {"unchanged": 1}


def test_a_dry_run_changes_nothing(emulator: FabricEmulator, hook: FabricHook, tmp_path: Path) -> None:
    missing_kinds(tmp_path)
    dry = hook.deploy_folder(emulator.workspace_id, tmp_path, dry_run=True)
    assert (dry["counts"], dry["dry_run"]) == ({"created": 7}, True)
    assert writes(emulator) == []
    hook.deploy_folder(emulator.workspace_id, tmp_path)
    (tmp_path / "Code" / "Plain.Notebook" / "notebook-content.py").write_text("print(2)\n")
    before = writes(emulator)
    dry = hook.deploy_folder(emulator.workspace_id, tmp_path, dry_run=True)
    assert dry["counts"] == {"unchanged": 6, "updated": 1}
    assert writes(emulator) == before


def test_an_environment_that_was_not_published_is_by_the_next_attempt(
    emulator: FabricEmulator, hook: FabricHook, tmp_path: Path
) -> None:
    write_item(tmp_path, "World.Environment", {"Setting/Sparkcompute.yml": "runtime_version: 1.3\n"}, 1)
    emulator.control.add_fault(method="POST", path="*/staging/publish", status=400, error_code="Refused", count=1)
    with pytest.raises(FabricDeployError, match="Refused"):
        hook.deploy_folder(emulator.workspace_id, tmp_path)
    assert hook.deploy_folder(emulator.workspace_id, tmp_path)["counts"] == {"updated": 1}
    assert hook.deploy_folder(emulator.workspace_id, tmp_path)["counts"] == {"unchanged": 1}
