"""OpenLineage's own listener, client and file transport in a real Airflow: what they write about a copy job's task."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from devtools.airflow.stack import AirflowStack
from tests import openlineage

pytestmark = pytest.mark.e2e

DAG_ID = "lineage"
MODES = ("synchronous", "deferrable")


@pytest.fixture(scope="module")
def lineage(airflow_stack: AirflowStack, emulator: FabricEmulator) -> tuple[str, list[dict[str, Any]]]:
    """One run of the DAG: its id, and all events."""
    run_id = airflow_stack.trigger(DAG_ID)
    assert airflow_stack.wait_for_run(DAG_ID, run_id, timeout=180) == "success"
    file = Path(json.loads(airflow_stack.env["AIRFLOW__OPENLINEAGE__TRANSPORT"])["log_file_path"])

    def ends() -> list[dict[str, Any]]:
        lines = file.read_text().splitlines() if file.exists() else []
        events = [event for event in map(json.loads, lines) if event["job"]["name"].split(".")[0] == DAG_ID]
        names = {event["job"]["name"] for event in events if event["eventType"] == "COMPLETE"}
        return events if {f"{DAG_ID}.{mode}" for mode in MODES} <= names else []

    return run_id, airflow_stack.wait_until(ends, 60, "the tasks' last events", every=0.5)


def test_every_event_is_as_specified(lineage):
    _, events = lineage
    assert {event["eventType"] for event in events} >= {"START", "COMPLETE"}
    for event in events:
        openlineage.check(event)


@pytest.mark.parametrize("mode", MODES)
def test_the_last_event_tells_of_the_fabric_run(lineage, airflow_stack: AirflowStack, mode: str):
    run_id, events = lineage
    pushed = airflow_stack.xcoms(DAG_ID, run_id, mode)
    last = [event for event in events if event["job"]["name"] == f"{DAG_ID}.{mode}"][-1]
    assert last["eventType"] == "COMPLETE"
    facets = last["run"]["facets"]
    assert facets["fabric_run"]["jobInstanceId"] == facets["externalQuery"]["externalQueryId"]
    assert facets["fabric_run"]["jobInstanceId"] == pushed["job_instance_id"]
    assert facets["fabric_run"]["runUrl"] == pushed["run_url"]
    assert facets["fabric_run"]["status"] == "Completed"


@pytest.mark.parametrize("mode", MODES)
def test_the_last_event_names_what_was_read_and_written(lineage, mode: str):
    _, events = lineage
    last = [event for event in events if event["job"]["name"] == f"{DAG_ID}.{mode}"][-1]
    assert [(d["namespace"], d["name"]) for d in last["inputs"]] == [("fabric://connections/conn-1", "dbo.customers")]
    assert [(d["namespace"], d["name"]) for d in last["outputs"]] == [
        ("abfss://ws@onelake.dfs.fabric.microsoft.com", "lake/Tables/customers")
    ]
