"""An Airflow whose deferred tasks an older wheel started is upgraded, and they end as if nothing had happened."""

from __future__ import annotations

import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from devtools.airflow.stack import AirflowStack

pytestmark = pytest.mark.upgrade

REPOSITORY = Path(__file__).resolve().parents[2]
OLDER = "78bca4cc88f4d579437ef12a2155ef4bc8c546c4"
"""The last commit before the modules and the fields of what is deferred got their present names."""

NIGHTLY = "6d3a1b52-9c1e-4f0a-8b7d-2e5f6a7b8c9d"

DAG = """\
    from airflow import DAG

    from airflow_provider_fabric.operators.pipeline import FabricRunPipelineOperator
    from airflow_provider_fabric.sensors.job import FabricItemJobSensor

    WORKSPACE = {"workspace": "Emulator workspace", "deferrable": True}

    with DAG(dag_id="upgrade", schedule=None, default_args=WORKSPACE):
        FabricRunPipelineOperator(task_id="run", pipeline="Daily load", check_interval=5)
        FabricItemJobSensor(task_id="wait", item="Nightly", item_type="DataPipeline", poke_interval=5)
"""


@dataclass(frozen=True)
class Upgrade:
    """An Airflow in which both tasks are deferred."""

    airflow: AirflowStack
    emulator: FabricEmulator
    run_id: str


def package_of(commit: str, folder: Path) -> Path:
    """Unpack the package of a commit.

    :raises pytest.skip.Exception: this clone does not have it.
    """
    archive = folder.with_suffix(".tar")
    command = ["git", "archive", "--output", str(archive), commit, "airflow_provider_fabric"]
    if subprocess.run(command, cwd=REPOSITORY, capture_output=True).returncode:
        pytest.skip(f"this clone has no commit {commit[:7]}")
    with tarfile.open(archive) as packed:
        packed.extractall(folder)
    return folder


@pytest.fixture
def upgrade(tmp_path: Path) -> Iterator[Upgrade]:
    older = package_of(OLDER, tmp_path / "older")
    dags = tmp_path / "dags"
    dags.mkdir()
    (dags / "upgrade.py").write_text(dedent(DAG))
    with FabricEmulator(job_seconds=3600, retry_after_seconds=1) as emulator:
        items = [{"displayName": "Daily load"}, {"displayName": "Nightly", "id": NIGHTLY}]
        pipelines = [{"type": "DataPipeline", **item} for item in items]
        emulator.control.seed(workspaces=[{"id": emulator.workspace_id, "items": pipelines}])
        connections = {"fabric_default": emulator.connection}
        with AirflowStack(dags=dags, connections=connections, env={"PYTHONPATH": str(older)}) as airflow:
            run_id = airflow.trigger("upgrade", timeout=300)
            for task in ("run", "wait"):

                def deferred(task: str = task) -> bool:
                    return airflow.task("upgrade", run_id, task).state == "deferred"

                airflow.wait_until(deferred, 300, f"{task} is deferred")
            yield Upgrade(airflow, emulator, run_id)


def test_deferred_tasks_of_an_older_wheel_end_after_the_upgrade(upgrade: Upgrade) -> None:
    airflow, control = upgrade.airflow, upgrade.emulator.control
    upgraded = [one for name, one in airflow.components.items() if name != "api-server"]  # it runs none of our code
    for component in upgraded:
        component.stop(120)
        component.env["PYTHONPATH"] = str(REPOSITORY)
    control.configure(job_seconds=1)
    control.start_job(NIGHTLY)
    (ours,) = [job for job in control.jobs() if job["itemId"] != NIGHTLY]
    control.force_job(ours["id"], status="Completed")
    for component in upgraded:
        component.start()
    airflow.wait_ready()
    state = airflow.wait_for_run("upgrade", upgrade.run_id, 300)
    logs = [airflow.task_log("upgrade", upgrade.run_id, task) for task in ("run", "wait")]
    assert state == "success", "\n".join([*logs, airflow.component("scheduler").tail(80)])
    assert len(control.jobs()) == 2  # nothing was started twice
    assert {task.try_number for task in airflow.task_instances("upgrade", upgrade.run_id)} == {1}
    assert airflow.xcoms("upgrade", upgrade.run_id, "run")["job_instance_id"] == ours["id"]
