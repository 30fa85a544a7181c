"""The harness itself: what a person and an accident do to a real Airflow, without Fabric."""

from __future__ import annotations

import os
import signal

import pytest

from devtools.airflow.processes import marked
from devtools.airflow.stack import AirflowStack

pytestmark = pytest.mark.e2e

DAG_ID = "without_fabric"


def test_a_deferred_task_outlives_its_triggerer(airflow_stack: AirflowStack):
    run_id = airflow_stack.trigger(DAG_ID)
    airflow_stack.wait_until(lambda: airflow_stack.task(DAG_ID, run_id, "wait").deferred, 60, "deferred")
    triggerer = airflow_stack.component("triggerer-1")
    killed = triggerer.pid
    triggerer.kill()
    assert not triggerer.running
    triggerer.start()
    assert triggerer.pid != killed
    assert airflow_stack.wait_for_run(DAG_ID, run_id, timeout=90) == "success"


def test_a_scheduler_that_dies_by_itself_is_started_again(airflow_stack: AirflowStack):
    scheduler = airflow_stack.component("scheduler")
    died = scheduler.pid
    assert died is not None
    before = len(airflow_stack.deaths)
    os.kill(died, signal.SIGKILL)
    scheduler.wait(10)
    run_id = airflow_stack.trigger(DAG_ID)
    assert airflow_stack.wait_for_run(DAG_ID, run_id, timeout=120) == "success"
    assert scheduler.pid != died
    assert [death.splitlines()[0] for death in airflow_stack.deaths[before:]] == ["scheduler ended by itself:"]


def test_mark_failed_then_clear(airflow_stack: AirflowStack):
    run_id = airflow_stack.trigger(DAG_ID, conf={"seconds": 2})
    airflow_stack.wait_until(lambda: airflow_stack.task(DAG_ID, run_id, "wait").deferred, 60, "deferred")
    airflow_stack.set_state(DAG_ID, run_id, "wait", "failed")
    assert airflow_stack.wait_for_run(DAG_ID, run_id, timeout=60) == "failed"
    assert airflow_stack.task(DAG_ID, run_id, "work").state == "upstream_failed"

    airflow_stack.clear(DAG_ID, run_id)
    airflow_stack.wait_until(lambda: airflow_stack.run_state(DAG_ID, run_id) != "failed", 30, "cleared")
    assert airflow_stack.wait_for_run(DAG_ID, run_id, timeout=60) == "success"
    assert airflow_stack.task(DAG_ID, run_id, "wait").try_number == 2
    assert "worked" in airflow_stack.task_log(DAG_ID, run_id, "work")
    assert airflow_stack.xcoms(DAG_ID, run_id, "work") == {"return_value": "worked"}


def test_its_processes_are_known_by_their_home(airflow_stack: AirflowStack):
    pids = {process.pid for process in marked(airflow_stack.home)}
    assert {component.pid for component in airflow_stack.components.values()} <= pids
