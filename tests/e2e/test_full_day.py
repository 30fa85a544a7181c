"""A whole day under a real scheduler: whatever becomes of the work in the middle, the capacity is suspended."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.emulator.state.capacities import CAPACITY_NAME
from devtools.airflow.stack import AirflowStack

pytestmark = [pytest.mark.e2e, pytest.mark.examples]

DAG_ID = "fabric_full_day"
AFTER_THE_BRANCH = ("refresh_sql", "refresh_model", "done")


@pytest.fixture
def paused(emulator: FabricEmulator) -> Iterator[FabricEmulator]:
    """A tenant whose capacity is paused; other tests run jobs on it."""
    emulator.control.seed(capacities=[{"name": CAPACITY_NAME, "state": "Paused"}])
    yield emulator
    emulator.control.seed(capacities=[{"name": CAPACITY_NAME, "state": "Active"}])


class Day:
    """One run of the DAG, to its end."""

    def __init__(self, airflow: AirflowStack, emulator: FabricEmulator) -> None:
        before = emulator.control.requests()["next"]
        self.run_id = airflow.trigger(DAG_ID, timeout=120)
        self.state = airflow.wait_for_run(DAG_ID, self.run_id, timeout=300)
        self.tasks = {task.task_id: task.state for task in airflow.task_instances(DAG_ID, self.run_id)}
        self.returned = lambda task_id: airflow.xcoms(DAG_ID, self.run_id, task_id)["return_value"]
        requests = emulator.control.requests(since=before)["value"]
        self.capacity_calls = [
            entry["path"].rsplit("/", 1)[-1]
            for entry in requests
            if entry["method"] == "POST" and "/arm/" in entry["path"] and entry["status"] < 300
        ]
        self.logs = lambda: "\n".join(
            f"{task_id}: {state}\n{airflow.task_log(DAG_ID, self.run_id, task_id)[-2000:]}"
            for task_id, state in self.tasks.items()
            if state != "success"
        )


def test_the_day_goes_well(airflow_stack: AirflowStack, paused: FabricEmulator) -> None:
    paused.control.add_job_rule(item_type="Notebook", exit_value="17 new rows", count=1)
    day = Day(airflow_stack, paused)
    assert set(day.tasks.values()) == {"success"}, day.logs()
    assert day.state == "success"
    assert day.returned("clean")["exit_value"] == "17 new rows"
    assert day.capacity_calls == ["resume", "suspend"]
    assert (day.returned("resume")["state"], day.returned("suspend")["state"]) == ("Active", "Paused")


def test_a_day_without_news_skips_the_rest_and_suspends(airflow_stack: AirflowStack, paused: FabricEmulator) -> None:
    paused.control.add_job_rule(item_type="Notebook", exit_value="nothing new", count=1)
    day = Day(airflow_stack, paused)
    assert [day.tasks[task_id] for task_id in AFTER_THE_BRANCH] == ["skipped"] * 3, day.logs()
    assert (day.state, day.tasks["suspend"]) == ("success", "success")
    assert day.capacity_calls == ["resume", "suspend"]


def test_a_failure_in_the_middle_still_suspends(airflow_stack: AirflowStack, paused: FabricEmulator) -> None:
    paused.control.add_job_rule(item_type="Notebook", outcome="Failed", count=1)
    day = Day(airflow_stack, paused)
    assert day.tasks["clean"] == "failed", day.logs()
    assert [day.tasks[task_id] for task_id in AFTER_THE_BRANCH] == ["upstream_failed"] * 3
    assert (day.state, day.tasks["suspend"]) == ("failed", "success")
    assert day.capacity_calls == ["resume", "suspend"]
    assert day.returned("suspend")["state"] == "Paused"
