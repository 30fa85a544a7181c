"""A failed run fails its task, and the task says why and where, in both modes."""

from __future__ import annotations

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from devtools.airflow.stack import AirflowStack
from devtools.demo.request_judge import Judgement, judge

pytestmark = pytest.mark.e2e

DAG_ID = "failing_jobs"
MODES = ("synchronous", "deferrable")
REASON = {
    "errorCode": "UserErrorSqlBulkCopyInvalidColumnLength",
    "message": "The column 'name' is longer than the sink allows",
    "requestId": "5a6c9c0e-0000-4000-8000-00000000beef",
}


@pytest.fixture(scope="module")
def failed(airflow_stack: AirflowStack, emulator: FabricEmulator) -> tuple[str, Judgement]:
    """One run in which both pipelines fail."""
    items = [{"displayName": f"Fails {mode}", "type": "DataPipeline"} for mode in MODES]
    seeded = emulator.control.seed(workspaces=[{"id": emulator.workspace_id, "items": items}])
    for item in seeded["workspaces"][0]["items"]:
        emulator.control.add_job_rule(item_id=item["id"], outcome="Failed", failure_reason=REASON)
    before = emulator.control.requests()["next"]
    run_id = airflow_stack.trigger(DAG_ID)
    assert airflow_stack.wait_for_run(DAG_ID, run_id, timeout=120) == "failed"
    return run_id, judge(emulator.control.requests(since=before)["value"], emulator.control.jobs())


@pytest.mark.parametrize("mode", MODES)
def test_the_task_fails_and_says_why_and_where(failed, airflow_stack: AirflowStack, mode: str):
    run_id, _ = failed
    assert airflow_stack.task(DAG_ID, run_id, mode).state == "failed"
    pushed = airflow_stack.xcoms(DAG_ID, run_id, mode)
    log = airflow_stack.task_log(DAG_ID, run_id, mode)
    error = next(line for line in log.splitlines() if "FabricJobFailed:" in line)
    for said in (REASON["errorCode"], REASON["message"], REASON["requestId"], f"Fails {mode}"):
        assert said in error
    assert pushed["job_instance_id"] in error
    assert pushed["run_url"] in error


def test_the_two_modes_waited_in_different_processes(failed, airflow_stack: AirflowStack):
    run_id, _ = failed
    triggered = {
        mode: any(".trigger." in file.name for file in airflow_stack.task_log_files(DAG_ID, run_id, mode))
        for mode in MODES
    }
    assert triggered == {"synchronous": False, "deferrable": True}


def test_each_was_submitted_once_and_polled_in_time(failed):
    _, seen = failed
    assert seen.attempts == 2
    assert set(seen.submits.values()) == {1}
    assert seen.early == []
    assert seen.unauthorised == []
