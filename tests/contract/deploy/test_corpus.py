"""A real workspace as Fabric's Git integration writes it, deployed whole: complete, resolved, and once."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.hooks.fabric import FabricHook
from tests.contract.conftest import Ask

CORPUS = os.environ.get("FABRIC_CORPUS_DIR", "")
LOGICAL_ID = re.compile(r'"logicalId":\s*"([0-9a-f-]{36})"')
ZEROS = "00000000-0000-0000-0000-000000000000"
MISSING_NOTEBOOK = "99b570c5-0c79-9dc4-4c9b-fa16c621384c"
"""A notebook of the original workspace that is not in the sample: nothing in it can be resolved."""

pytestmark = pytest.mark.skipif(not CORPUS, reason="FABRIC_CORPUS_DIR does not name the sample folders")


@pytest.fixture
def corpus(emulator: FabricEmulator) -> Path:
    emulator.control.configure(force_lro=False)
    return Path(CORPUS)


def folders_of(corpus: Path) -> list[Path]:
    return sorted(platform.parent for platform in corpus.rglob(".platform"))


def logical_ids(corpus: Path) -> set[str]:
    return {LOGICAL_ID.findall((folder / ".platform").read_text())[0] for folder in folders_of(corpus)}


def held(emulator: FabricEmulator) -> dict[str, dict[str, bytes]]:
    """Return what the service stores of each item."""
    items = emulator.world.items.of_workspace(emulator.workspace_id)
    return {f"{item.display_name}.{item.type}": {part.path: part.content for part in item.parts} for item in items}


def requests_of(emulator: FabricEmulator) -> list[dict[str, Any]]:
    return [entry for entry in emulator.control.request_log() if entry["path"].startswith("/v1/")]


def test_all_of_it_and_nothing_the_second_time(emulator: FabricEmulator, ask: Ask, corpus: Path) -> None:
    first = ask("deploy_folder", workspace_id=emulator.workspace_id, folder=corpus)
    assert first["counts"] == {"created": len(folders_of(corpus))}
    emulator.control.configure(force_lro=None)
    before = len(requests_of(emulator))
    second = ask("deploy_folder", workspace_id=emulator.workspace_id, folder=corpus)
    assert second["counts"] == {"unchanged": len(folders_of(corpus))}
    assert [item["item_id"] for item in second["items"]] == [item["item_id"] for item in first["items"]]
    assert len(requests_of(emulator)) - before <= 45


def test_nothing_in_the_workspace_names_git(emulator: FabricEmulator, corpus: Path) -> None:
    FabricHook().deploy_folder(emulator.workspace_id, corpus)
    contents = [c for parts in held(emulator).values() for path, c in parts.items() if path != ".platform"]
    assert [one for one in logical_ids(corpus) if any(one.encode() in content for content in contents)] == []
    places = [found for content in contents for found in re.findall(rb".{0,16}" + ZEROS.encode(), content)]
    assert places == [b"semanticmodelid=" + ZEROS.encode()], "a report's own placeholder"


def test_references_name_what_they_did_in_git(emulator: FabricEmulator, corpus: Path) -> None:
    result = FabricHook().deploy_folder(emulator.workspace_id, corpus)
    ids = {f"{item['display_name']}.{item['item_type']}": item["item_id"] for item in result["items"]}
    parts = held(emulator)
    copy_job = json.loads(parts["Sample_CopyJob.CopyJob"]["copyjob-content.json"])
    target = copy_job["properties"]["destination"]["connectionSettings"]["typeProperties"]
    assert (target["workspaceId"], target["artifactId"]) == (emulator.workspace_id, ids["Diabetes_LH.Lakehouse"])
    database = json.loads(parts["TaxiDB.KQLDatabase"]["DatabaseProperties.json"])
    assert database["parentEventhouseItemId"] == ids["SampleEventhouse.Eventhouse"]
    (queryset,) = json.loads(parts["SampleKQLQueryset.KQLQueryset"]["RealTimeQueryset.json"])["queryset"]["dataSources"]
    assert queryset["databaseItemId"] == ids["TaxiDB.KQLDatabase"]
    assert queryset["clusterUri"].startswith("https://trd-")
    (source,) = json.loads(parts["NewRTDashboard_1.KQLDashboard"]["RealTimeDashboard.json"])["dataSources"]
    assert source["database"] == ids["TelemetryDataEH.KQLDatabase"]
    assert source["clusterUri"].startswith("https://trd-")
    for report in ("ABC.Report", "ABCD.Report"):
        reference = json.loads(parts[report]["definition.pbir"])["datasetReference"]
        assert reference["byConnection"]["pbiModelDatabaseName"] == ids["ABC.SemanticModel"]
    pipeline = json.loads(parts["Run Hello World.DataPipeline"]["pipeline-content.json"])
    assert pipeline["properties"]["activities"][0]["typeProperties"]["notebookId"] == MISSING_NOTEBOOK
    order = [f"{item['display_name']}.{item['item_type']}" for item in result["items"]]
    for later, earlier in (
        ("ABC.Report", "ABC.SemanticModel"),
        ("SampleEventstream.Eventstream", "SampleDataActivator.Reflex"),
        ("TargetForShortcutLH.Lakehouse", "SourceForShortcutLH.Lakehouse"),
        ("SampleKQLQueryset.KQLQueryset", "TaxiDB.KQLDatabase"),
    ):
        assert order.index(later) > order.index(earlier)


def test_what_needs_more_than_a_definition(emulator: FabricEmulator, corpus: Path) -> None:
    hook = FabricHook()
    result = hook.deploy_folder(emulator.workspace_id, corpus)
    items = {(item["item_type"], item["display_name"]): item["item_id"] for item in result["items"]}
    environment = emulator.world.items.get(items["Environment", "World"])
    assert environment is not None
    assert environment.publish_ends_at is not None
    pipeline = items["DataPipeline", "Run Hello World"]
    assert [s["enabled"] for s in hook.list_item_schedules(emulator.workspace_id, pipeline, "Execute")] == [True]
    library = emulator.world.items.get(items["VariableLibrary", "Vars"])
    assert library is not None
    assert library.active_value_set == ""
    again = hook.deploy_folder(
        emulator.workspace_id, corpus, environment="PROD", parameter_file=corpus / "parameter.yml"
    )
    assert library.active_value_set == "PROD"
    changed = {f"{i['display_name']}.{i['item_type']}" for i in again["items"] if i["outcome"] == "updated"}
    assert changed == {"ABC Paginated.PaginatedReport", "ByConnection.Report", "Vars.VariableLibrary"}
    report = held(emulator)["ByConnection.Report"]["definition.pbir"].decode()
    assert f"myorg/{emulator.workspace_id};initial catalog=ABC;" in report
    assert f"semanticmodelid={items['SemanticModel', 'ABC']}" in report
    assert b"contoso-production-override" in held(emulator)["Vars.VariableLibrary"]["valueSets/PROD.json"]
