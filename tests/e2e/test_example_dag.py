"""The example DAG under a real scheduler and triggerer; the emulator's request log is the judge."""

from __future__ import annotations

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from devtools.airflow.stack import AirflowStack
from devtools.demo.report import TaskReport, task_reports
from devtools.demo.request_judge import Judgement, judge

pytestmark = pytest.mark.e2e

DAG_ID = "fabric_data_factory"
JOBS = {"publish_dataflow", "refresh_dataflow", "run_pipeline", "run_copy_job"}
DEPLOYMENTS = {"deploy_dataflow", "deploy_pipeline", "deploy_copy_job"}


@pytest.fixture(scope="module")
def finished(airflow_stack: AirflowStack, emulator: FabricEmulator) -> tuple[str, list[TaskReport], Judgement]:
    """One run of the DAG: its id, what Airflow says of it, and what the emulator saw."""
    before = emulator.control.requests()["next"]
    run_id = airflow_stack.trigger(DAG_ID)
    airflow_stack.wait_for_run(DAG_ID, run_id, timeout=180)
    seen = judge(emulator.control.requests(since=before)["value"], emulator.control.jobs())
    return run_id, task_reports(airflow_stack, DAG_ID, run_id), seen


def test_every_task_succeeds_at_its_first_try(finished, airflow_stack):
    _, reports, _ = finished
    tasks = JOBS | DEPLOYMENTS | {"report"}
    assert {(r.task, r.state) for r in reports} == {(task, "success") for task in tasks}
    assert {r.tries for r in reports} == {1} or not airflow_stack.dialect.counts_tries


def test_every_job_waits_in_the_triggerer(finished):
    _, reports, _ = finished
    assert {r.task for r in reports if r.deferred} == JOBS


def test_each_job_is_submitted_once(finished):
    _, reports, seen = finished
    assert seen.attempts == len(JOBS)
    assert set(seen.submits.values()) == {1}
    assert {r.job_instance_id for r in reports if r.task in JOBS} == set(seen.instances)


def test_nobody_polls_before_retry_after(finished):
    *_, seen = finished
    assert seen.polls >= len(JOBS)
    assert seen.early == []


def test_every_call_carries_a_token_and_each_process_asks_for_one(finished):
    *_, seen = finished
    assert seen.unauthorised == []
    # A worker process for each Fabric task, and one triggerer for all.
    assert 0 < seen.token_requests <= len(JOBS | DEPLOYMENTS) + 1


def test_the_result_and_the_link_are_in_xcom(finished, airflow_stack: AirflowStack, emulator: FabricEmulator):
    run_id, _, seen = finished
    for task in JOBS:
        pushed = airflow_stack.xcoms(DAG_ID, run_id, task)
        assert pushed["return_value"]["status"] == "Completed"
        assert pushed["return_value"]["workspace_id"] == emulator.workspace_id
        assert pushed["return_value"]["job_instance_id"] == pushed["job_instance_id"] in seen.instances
        assert pushed["run_url"].startswith(emulator.url)
        assert pushed["job_instance_id"] in pushed["run_url"]


def test_a_second_run_deploys_nothing_anew(airflow_stack: AirflowStack, finished):
    run_id = airflow_stack.trigger(DAG_ID)
    assert airflow_stack.wait_for_run(DAG_ID, run_id, timeout=180) == "success"
    outcomes = {task: airflow_stack.xcoms(DAG_ID, run_id, task)["return_value"]["outcome"] for task in DEPLOYMENTS}
    assert outcomes == dict.fromkeys(DEPLOYMENTS, "unchanged")
