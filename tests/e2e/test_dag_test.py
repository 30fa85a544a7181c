"""``dag.test()`` of a deferrable task, with a connection that only Airflow's database has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_fabric.emulator import FabricEmulator

DAG = """
from airflow.sdk import DAG
from airflow_provider_fabric.operators.pipeline import FabricRunPipelineOperator

with DAG("deferrable", schedule=None) as dag:
    FabricRunPipelineOperator(
        task_id="run", workspace="{workspace}", pipeline="{item}", deferrable=True, check_interval=1
    )

if __name__ == "__main__":
    print("STATE", dag.test().state)
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An Airflow of its own, on SQLite, that no variable tells of a connection."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    own.update(AIRFLOW_HOME=str(tmp_path), AIRFLOW__CORE__LOAD_EXAMPLES="False")
    return own


def run(environment: dict[str, str], *command: str) -> str:
    done = subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_a_deferrable_task_runs_with_a_connection_from_the_database(
    environment: dict[str, str], tmp_path: Path
) -> None:
    with FabricEmulator() as emulator:
        seeded = emulator.control.seed(copies={"type": "DataPipeline", "count": 1})
        item = seeded["workspaces"][0]["items"][0]["id"]
        emulator.control.add_job_rule(duration_seconds=[1, 1])
        run(environment, "-m", "airflow", "db", "migrate")
        run(
            environment, "-m", "airflow", "connections", "add", "fabric_default",
            "--conn-json", json.dumps(emulator.connection),
        )  # fmt: skip
        dag = tmp_path / "dags" / "deferrable.py"
        dag.parent.mkdir()
        dag.write_text(DAG.format(workspace=emulator.workspace_id, item=item))
        assert "STATE success" in run(environment, str(dag))
        assert not any("/cancel" in route for route in emulator.control.stats()["routes"])
