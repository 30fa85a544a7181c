"""Folders as Fabric's Git integration writes them, one by one: the same bytes, and nothing to do twice."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from airflow_provider_fabric.api.items.formats import format_of, has_definition
from airflow_provider_fabric.api.items.local_folder import find_part_files
from airflow_provider_fabric.emulator import EmulatorControl, FabricEmulator
from tests.conformance.tour import Ask

CORPUS = os.environ.get("FABRIC_CORPUS_DIR")
FOLDERS = sorted(path.parent for path in Path(CORPUS).rglob(".platform")) if CORPUS else []

pytestmark = pytest.mark.skipif(not CORPUS, reason="FABRIC_CORPUS_DIR is not set")


def needs_another_item(folder: Path) -> bool:
    """Whether a folder refers to another item by what only a workspace's deploy can resolve."""
    report = folder / "definition.pbir"
    by_path = report.is_file() and json.loads(report.read_text())["datasetReference"].get("byPath")
    return bool(by_path) or folder.suffix == ".KQLDatabase"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_folder_arrives_as_it_is(control: EmulatorControl, emulator: FabricEmulator, ask: Ask, folder: Path) -> None:
    if needs_another_item(folder):
        pytest.skip("it refers to another item: the deploy of a whole folder resolves that")
    control.configure(service_additions=False, force_lro=False)
    kind, name = folder.suffix[1:], folder.stem
    files = {path: file.read_bytes() for path, file in find_part_files(folder).items()}
    expected = format_of(kind, files)

    def upsert() -> dict[str, str]:
        done: dict[str, str] = ask(
            "upsert_item_definition",
            workspace_id=emulator.workspace_id,
            item_type=kind,
            display_name=name,
            definition=folder,
        )
        return done

    first = upsert()
    assert first["outcome"] == "created"
    if has_definition(kind):
        held = ask(
            "get_item_definition",
            workspace_id=emulator.workspace_id,
            item_id=first["item_id"],
            format=expected,
        )
        different = {path for path in set(held) | set(files) if held.get(path) != files.get(path)}
        assert different <= {".platform", ".schedules"}  # the service writes these itself
    assert upsert() == {**first, "outcome": "unchanged"}
    control.configure(service_additions=True)
    assert upsert()["outcome"] == "unchanged"


def test_the_corpus_is_all_there() -> None:
    assert len(FOLDERS) >= 32
