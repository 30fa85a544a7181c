"""Two hundred deferred runs on two triggerers: one dies, the other takes over, nobody notices."""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from devtools.airflow.metadata_db import TaskInstance
from devtools.airflow.servers import Postgres, postgres_folder
from devtools.airflow.stack import AirflowStack
from tests.chaos import report

pytestmark = pytest.mark.chaos

DAG_ID = "failover"
PIPELINES = 20
RUNS = 200
PATIENCE = 2400.0
TRIGGERER_CALLS = 90
"""Each triggerer's share of the 200 calls a minute of the identity that both use."""

SETTINGS = {
    "AIRFLOW__CORE__PARALLELISM": "12",
    "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
    "AIRFLOW__WORKERS__MAX_FAILED_HEARTBEATS": "20",
    "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": "64",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_POOL_SIZE": "40",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_MAX_OVERFLOW": "40",
    "AIRFLOW__SCHEDULER__MAX_TIS_PER_QUERY": "64",
}


@dataclass
class Story:
    """What happened.

    :param version: of Airflow.
    :param deferred_in: seconds until all runs were waited for.
    :param orphans: runs whose triggerer was killed.
    :param taken_over_in: seconds from the kill until the other triggerer held all of them: Airflow's part.
    :param looked_at_in: seconds from the kill until it had looked at each of them again.
    :param ended_in: seconds from the runs' end to the last task's.
    """

    version: str
    deferred_in: float
    orphans: int
    taken_over_in: float
    looked_at_in: float
    ended_in: float
    tasks: list[TaskInstance]
    jobs: list[dict[str, object]]
    ids: list[str]

    def __str__(self) -> str:
        green = sum(task.state == "success" for task in self.tasks)
        return (
            f"Airflow {self.version} {report.machine()}: {RUNS} deferred runs on two triggerers, "
            f"{TRIGGERER_CALLS} calls a minute each. One was killed with {self.orphans} of them. The other held all "
            f"after {self.taken_over_in:.0f} s and had polled each after {self.looked_at_in:.0f} s. {len(self.jobs)} "
            f"runs started, {green} tasks `success`, the last {self.ended_in:.0f} s after the runs."
        )


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Play it."""
    installed = postgres_folder()
    if installed is None:
        pytest.skip("PostgreSQL is not installed (Debian, Ubuntu: apt-get install postgresql)")
    dags = tmp_path_factory.mktemp("dags")
    with Postgres(installed) as database, FabricEmulator(job_seconds=36_000, retry_after_seconds=5) as emulator:
        seeded = emulator.control.seed(copies={"type": "DataPipeline", "count": PIPELINES})["workspaces"][0]
        ids = [item["id"] for item in seeded["items"]] * (RUNS // PIPELINES)
        (dags / "failover.json").write_text(json.dumps({"workspace": emulator.workspace_id, "pipelines": ids}))
        shutil.copy(Path(__file__).parent / "dags" / "failover.py", dags)
        connection = emulator.connection
        connection["extra"]["job_calls_per_minute"] = TRIGGERER_CALLS
        with AirflowStack(
            dags=dags,
            connections={"fabric_default": connection},
            env=SETTINGS,
            database=database.url,
            triggerers=2,
        ) as airflow:
            yield play(airflow, emulator)


def play(airflow: AirflowStack, emulator: FabricEmulator) -> Story:
    """Start the runs, kill a triggerer, let the runs end."""
    begun = time.monotonic()
    run_id = airflow.trigger(DAG_ID, timeout=120)

    def all_deferred() -> bool:
        tasks = airflow.task_instances(DAG_ID, run_id)
        return len(tasks) == RUNS and all(task.deferred for task in tasks) and None not in holder_of(airflow).values()

    airflow.wait_until(all_deferred, PATIENCE, f"{RUNS} tasks deferred", every=1)
    deferred_in = time.monotonic() - begun

    before = holder_of(airflow)
    airflow.component("triggerer-1").kill()
    killed, killed_at = time.time(), time.monotonic()
    airflow.wait_until(lambda: len(set(holder_of(airflow).values())) == 1, PATIENCE, "all triggers on one", every=0.5)
    taken_over_in = time.monotonic() - killed_at
    (survivor,) = set(holder_of(airflow).values())
    orphans = [trigger for trigger, holder in before.items() if holder != survivor]

    def looked_at() -> bool:
        log = emulator.control.request_log()
        lists = {entry["path"] for entry in log if entry["time"] > killed + taken_over_in and entry["method"] == "GET"}
        return len([path for path in lists if path.endswith("/jobs/instances")]) == PIPELINES

    airflow.wait_until(looked_at, PATIENCE, "all looked at again", every=0.5)
    looked_at_in = time.monotonic() - killed_at

    for job in emulator.control.jobs():
        emulator.control.force_job(job["id"], "Completed")
    ended = time.monotonic()
    airflow.wait_for_run(DAG_ID, run_id, timeout=PATIENCE)
    return Story(
        version=airflow.dialect.version,
        deferred_in=deferred_in,
        orphans=len(orphans),
        taken_over_in=taken_over_in,
        looked_at_in=looked_at_in,
        ended_in=time.monotonic() - ended,
        tasks=airflow.task_instances(DAG_ID, run_id),
        jobs=emulator.control.jobs(),
        ids=[airflow.xcoms(DAG_ID, run_id, "run", number)["return_value"]["job_instance_id"] for number in range(RUNS)],
    )


def holder_of(airflow: AirflowStack) -> dict[int, int | None]:
    """Return which triggerer job holds which trigger."""
    return {row["id"]: row["triggerer_id"] for row in airflow.db.rows("SELECT id, triggerer_id FROM trigger")}


def test_the_killed_one_held_some(story: Story) -> None:
    assert 0 < story.orphans < RUNS


def test_all_end_right_at_their_first_try(story: Story) -> None:
    assert Counter((task.state, task.try_number) for task in story.tasks) == {("success", 1): RUNS}


def test_each_was_submitted_once(story: Story) -> None:
    assert len(story.jobs) == RUNS
    assert {str(job["id"]) for job in story.jobs} == set(story.ids)
    assert len(set(story.ids)) == RUNS


def test_none_was_cancelled(story: Story) -> None:
    assert sum(int(str(job["cancel_requests"])) for job in story.jobs) == 0


def test_the_page_says_how_long_it_took(story: Story) -> None:
    print(f"\n{story}")
    report.write(f"failover {story.version}", str(story))
