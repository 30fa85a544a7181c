"""What a wait writes into the log: changes, not looks."""

from __future__ import annotations

import logging

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.operators.pipeline import FabricRunPipelineOperator
from tests.contract.operators.items import add_item, definition
from tests.task_runner import TaskRunner

ACTIVITIES = [{"name": "Wait", "type": "Wait"}, {"name": "Copy", "type": "Copy"}]


@pytest.fixture
def pipeline(tenant: FabricEmulator) -> str:
    content = {"properties": {"activities": ACTIVITIES}}
    return add_item(tenant, "DataPipeline", "Daily load", definition(pipeline_content__json=content))


def lines(operator: FabricRunPipelineOperator, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Have the operator write into a list instead of Airflow's log."""
    written: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(record.getMessage())

    log = logging.Logger("of this test")
    log.addHandler(Handler())
    monkeypatch.setattr(type(operator), "log", log, raising=False)
    return written


def run(monkeypatch: pytest.MonkeyPatch, **arguments: object) -> list[str]:
    operators: list[FabricRunPipelineOperator] = []
    written: list[list[str]] = []

    def make() -> FabricRunPipelineOperator:
        operator = FabricRunPipelineOperator(
            task_id="run", workspace="Emulator workspace", pipeline="Daily load", check_interval=0.1, **arguments
        )
        operators.append(operator)
        written.append(lines(operator, monkeypatch))
        return operator

    TaskRunner(make).run()
    return [line for part in written for line in part]


@pytest.mark.parametrize("deferrable", [False, True])
def test_completed_is_reported_once_and_names_are_beside_ids(
    tenant: FabricEmulator, pipeline: str, monkeypatch: pytest.MonkeyPatch, deferrable: bool
):
    written = run(monkeypatch, deferrable=deferrable)
    assert len([line for line in written if "completed" in line.lower()]) == 1
    [started] = [line for line in written if "https://" in line]
    assert "('Execute' of DataPipeline 'Daily load' in workspace 'Emulator workspace')" in started


def test_each_status_once(tenant: FabricEmulator, pipeline: str, monkeypatch: pytest.MonkeyPatch):
    tenant.control.add_job_rule(duration_seconds=1.0, statuses=[[0.0, "NotStarted"], [0.4, "InProgress"]])
    said = [line.rpartition(": ")[2] for line in run(monkeypatch) if line.startswith("Job instance ")]
    statuses = [word for word in said if not word.startswith("https")]
    assert statuses[:3] == ["NotStarted.", "InProgress.", "Completed."]
    looks = [e for e in tenant.control.request_log() if e["method"] == "GET" and "/instances/" in e["path"]]
    assert len(looks) > 4, "it looked more often than it spoke"


def test_activities_as_they_go(tenant: FabricEmulator, pipeline: str, monkeypatch: pytest.MonkeyPatch):
    tenant.control.add_job_rule(duration_seconds=1.2)
    said = [line for line in run(monkeypatch, log_activities=True) if line.startswith("Activity ")]
    assert said[0] == "Activity 'Wait' (Wait): InProgress"
    assert said[1].startswith("Activity 'Wait' (Wait): Succeeded after 0.6 s")
    assert said[2] == "Activity 'Copy' (Copy): InProgress"
    assert said[3].startswith("Activity 'Copy' (Copy): Succeeded after")
    assert len(said) == 4


def test_activities_in_the_end_after_a_deferred_wait(
    tenant: FabricEmulator, pipeline: str, monkeypatch: pytest.MonkeyPatch
):
    said = [line for line in run(monkeypatch, log_activities=True, deferrable=True) if line.startswith("Activity ")]
    assert [line.split(" after")[0] for line in said] == [
        "Activity 'Wait' (Wait): Succeeded",
        "Activity 'Copy' (Copy): Succeeded",
    ]


def test_activities_that_cannot_be_read_are_no_obstacle(
    tenant: FabricEmulator, pipeline: str, monkeypatch: pytest.MonkeyPatch
):
    tenant.control.add_fault(path="*queryactivityruns", status=403, count=None)
    said = run(monkeypatch, log_activities=True)
    assert any(line.startswith("Could not read the activities: ") for line in said)
