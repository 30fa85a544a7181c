"""Every way to sign in under a real Airflow, logging at DEBUG; then a search for every secret and every token."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from devtools.airflow.stack import AirflowStack
from tests.e2e.identities import WRONG_SECRET, secrets

pytestmark = pytest.mark.e2e

DAG_ID = "sign_in"


@pytest.fixture(scope="module")
def states(airflow_stack: AirflowStack, emulator: FabricEmulator) -> dict[str, str]:
    """One run of the DAG: task → state."""
    item = {"displayName": "Signs in", "type": "DataPipeline"}
    emulator.control.seed(workspaces=[{"id": emulator.workspace_id, "items": [item]}])
    run_id = airflow_stack.trigger(DAG_ID)
    assert airflow_stack.wait_for_run(DAG_ID, run_id, timeout=240) == "failed"  # because of the wrong secret
    states = {ti.task_id: ti.state for ti in airflow_stack.task_instances(DAG_ID, run_id)}
    for task_id in (task_id for task_id, state in states.items() if state == "failed" and task_id != "wrong"):
        print(airflow_stack.task_log(DAG_ID, run_id, task_id))
    return states


def test_every_way_to_sign_in_runs_a_pipeline(states: dict[str, str]) -> None:
    good = [
        "client_secret",
        "client_certificate",
        "workload_identity",
        "managed_identity",
        "refresh_token",
        "access_token",
    ]
    assert states == {**dict.fromkeys(good, "success"), "wrong": "failed"}


def test_no_secret_and_no_token_is_written_anywhere(
    states: dict[str, str], airflow_stack: AirflowStack, emulator: FabricEmulator, all_connections: dict
) -> None:
    """Task logs, component logs, and the metadata database with its XComs, rendered fields and triggers."""
    wanted = {*secrets(all_connections), *emulator.issued_tokens()}
    assert WRONG_SECRET in wanted
    assert len(wanted) > 20
    files = [path for path in airflow_stack.home.rglob("*") if path.is_file()]
    assert any(path.suffix == ".db" for path in files)
    assert sum("DEBUG" in text or "debug" in text for text in map(_text, files)) > 5, "nothing was logged at DEBUG"
    found = [(path.name, secret[:6]) for path in files for secret in wanted if secret in _text(path)]
    assert not found


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "replace")
