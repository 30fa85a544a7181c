"""Definitions full of braces arrive byte for byte: by a real scheduler and by ``dag.test()``, natively or not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.hooks.fabric import FabricHook
from devtools.airflow.stack import AirflowStack
from tests.e2e.dags.definitions import BRACES

pytestmark = pytest.mark.e2e

REPOSITORY = Path(__file__).resolve().parent.parent.parent
SUFFIXES = {"definitions_text": "", "definitions_native": " native"}


def check_what_arrived(emulator: FabricEmulator, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service holds what the DAG wrote."""
    monkeypatch.setenv("AIRFLOW_CONN_FABRIC_DEFAULT", emulator.connection_json)
    hook = FabricHook()
    ids = {item.display_name: item.id for item in hook.list_items(emulator.workspace_id)}
    names = ("Nested", "Whole", "Mapped 1", "Mapped 2", "Partial 1", "Partial 2")
    held = {name: hook.get_item_definition(emulator.workspace_id, ids[name + suffix]) for name in names}
    assert {name: parts.get("notebook-content.py") for name, parts in held.items()} == {
        "Nested": None,
        "Whole": BRACES.encode(),
        "Mapped 1": f"{BRACES}1".encode(),
        "Mapped 2": f"{BRACES}2".encode(),
        "Partial 1": BRACES.encode(),
        "Partial 2": BRACES.encode(),
    }
    assert held["Nested"]["mashup.pq"] == BRACES.encode()
    metadata = json.loads(held["Nested"]["queryMetadata.json"])
    assert metadata == {"queries": [{"name": "@value@", "at": "{{ 1.50 }}"}]}


@pytest.mark.parametrize("dag_id", SUFFIXES)
def test_deployed_by_a_scheduler(
    airflow_stack: AirflowStack, emulator: FabricEmulator, monkeypatch: pytest.MonkeyPatch, dag_id: str
) -> None:
    run_id = airflow_stack.trigger(dag_id)
    assert airflow_stack.wait_for_run(dag_id, run_id, timeout=180) == "success"
    check_what_arrived(emulator, SUFFIXES[dag_id], monkeypatch)


def test_deployed_by_dag_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with FabricEmulator(retry_after_seconds=0, lro_seconds=0) as emulator:
        environment = {
            **os.environ,
            "PYTHONPATH": str(REPOSITORY),
            "AIRFLOW_HOME": str(tmp_path),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "tests" / "e2e" / "dags"),
            "AIRFLOW_CONN_FABRIC_DEFAULT": emulator.connection_json,
        }
        for command in (["-m", "airflow", "db", "migrate"], ["tests/e2e/dags/definitions.py"]):
            done = subprocess.run(
                [sys.executable, *command], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        for suffix in SUFFIXES.values():
            check_what_arrived(emulator, suffix, monkeypatch)
