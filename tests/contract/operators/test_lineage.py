"""OpenLineage: what its own client writes about a copy job, and that lineage never stands in a task's way."""

from __future__ import annotations

import json
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.exceptions import FabricJobFailed
from airflow_provider_fabric.operators.copy_job import FabricRunCopyJobOperator
from tests import openlineage
from tests.contract.operators.items import add_item, definition
from tests.task_runner import TaskRunner

COPY_JOB = {
    "properties": {
        "jobMode": "Batch",
        "source": {"connectionSettings": {"externalReferences": {"connection": "conn-1"}}},
        "destination": {
            "connectionSettings": {"type": "Lakehouse", "typeProperties": {"workspaceId": "ws", "artifactId": "lake"}}
        },
    },
    "activities": [
        {
            "properties": {
                "source": {"datasetSettings": {"schema": "dbo", "table": "customers"}},
                "destination": {"datasetSettings": {"table": "customers"}},
            }
        }
    ],
}


@pytest.fixture
def copy_job(tenant: FabricEmulator) -> str:
    return add_item(tenant, "CopyJob", "Customers", definition(copyjob_content__json=COPY_JOB))


class Run:
    """A copy job's task; ``operator`` is the one that ended it, as Airflow's listener sees it."""

    def __init__(self, **arguments: Any) -> None:
        self.operators: list[FabricRunCopyJobOperator] = []
        given = {"workspace": "Emulator workspace", "copy_job": "Customers", "check_interval": 0.1, **arguments}

        def make() -> FabricRunCopyJobOperator:
            self.operators.append(FabricRunCopyJobOperator(task_id="copy", **given))
            return self.operators[-1]

        self.task = TaskRunner(make)

    @property
    def operator(self) -> FabricRunCopyJobOperator:
        return self.operators[-1]


def emitted(folder: Path, lineage: Any) -> dict[str, Any]:
    """Have OpenLineage's own client write a task's last event into a file; return it."""
    from openlineage.client import OpenLineageClient
    from openlineage.client.event_v2 import Job, RunEvent, RunState
    from openlineage.client.event_v2 import Run as LineageRun
    from openlineage.client.transport.file import FileConfig, FileTransport

    target = folder / "events.json"
    client = OpenLineageClient(transport=FileTransport(FileConfig(log_file_path=str(target), append=True)))
    client.emit(
        RunEvent(
            eventType=RunState.COMPLETE,
            eventTime=datetime.now(timezone.utc).isoformat(),
            run=LineageRun(runId=str(uuid4()), facets=lineage.run_facets),
            job=Job(namespace="airflow", name="dag.copy", facets=lineage.job_facets),
            inputs=lineage.inputs,
            outputs=lineage.outputs,
            producer="https://github.com/apache/airflow",
        )
    )
    client.close()
    event: dict[str, Any] = json.loads(target.read_text().splitlines()[-1])
    return event


@pytest.mark.parametrize("deferrable", [False, True], ids=["synchronous", "deferrable"])
def test_a_copy_jobs_event(tenant: FabricEmulator, copy_job: str, deferrable: bool, tmp_path: Path):
    pytest.importorskip("airflow.providers.openlineage")
    run = Run(deferrable=deferrable)
    result = run.task.run()
    event = emitted(tmp_path, run.operator.get_openlineage_facets_on_complete(None))
    openlineage.check(event)
    assert [(d["namespace"], d["name"]) for d in event["inputs"]] == [("fabric://connections/conn-1", "dbo.customers")]
    assert [(d["namespace"], d["name"]) for d in event["outputs"]] == [
        ("abfss://ws@onelake.dfs.fabric.microsoft.com", "lake/Tables/customers")
    ]
    facet = event["run"]["facets"]["fabric_run"]
    assert facet["jobInstanceId"] == result["job_instance_id"]
    assert (facet["itemId"], facet["itemType"], facet["status"]) == (copy_job, "CopyJob", "Completed")
    assert facet["runUrl"] == run.task.xcoms["run_url"]
    query = event["run"]["facets"]["externalQuery"]
    assert (query["externalQueryId"], query["source"]) == (result["job_instance_id"], tenant.url)


def test_a_failed_run_says_why(tenant: FabricEmulator, copy_job: str, tmp_path: Path):
    pytest.importorskip("airflow.providers.openlineage")
    tenant.control.add_job_rule(outcome="Failed", failure_reason={"errorCode": "Boom", "message": "No"})
    run = Run()
    with pytest.raises(FabricJobFailed):
        run.task.run()
    event = emitted(tmp_path, run.operator.get_openlineage_facets_on_complete(None))
    assert event["run"]["facets"]["errorMessage"]["message"] == "Boom: No"


def test_a_definition_that_cannot_be_read_costs_the_datasets_only(tenant: FabricEmulator, copy_job: str):
    pytest.importorskip("airflow.providers.openlineage")
    run = Run()
    run.task.run()
    tenant.control.add_fault(path="*/getDefinition", status=403, error_code="InsufficientPrivileges", count=None)
    lineage = run.operator.get_openlineage_facets_on_complete(None)
    assert (lineage.inputs, lineage.outputs) == ([], [])
    assert "fabric_run" in lineage.run_facets


def test_without_openlineage_nothing_happens(tenant: FabricEmulator, copy_job: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "airflow.providers.openlineage", None)
    monkeypatch.setitem(sys.modules, "airflow.providers.openlineage.extractors", None)
    run = Run()
    run.task.run()
    assert run.operator.get_openlineage_facets_on_complete(None) is None


def test_a_task_that_started_no_run_has_nothing_to_tell():
    operator = FabricRunCopyJobOperator(task_id="copy", workspace="w", copy_job="c")
    assert operator.get_openlineage_facets_on_complete(None) is None
