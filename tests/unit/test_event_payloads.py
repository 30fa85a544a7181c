"""What started a DAG run, for tasks and templates."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_fabric.assets import fabric_event_payloads
from airflow_provider_fabric.operators.pipeline import FabricRunPipelineOperator

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

NOON = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)


def event(job: str | None, minutes: int = 0, **extra: Any) -> SimpleNamespace:
    payload = {"payload": {"job_instance_id": job}} if job else {}
    return SimpleNamespace(
        extra={"from_trigger": True, **payload, **extra}, timestamp=NOON + timedelta(minutes=minutes)
    )


def test_the_newest_is_last_and_none_is_there_twice():
    events = {"a": [event("2", 2), event("1", 1)], "b": [event("1", 1), event("3", 0)]}
    assert [payload["job_instance_id"] for payload in fabric_event_payloads(events)] == ["3", "1", "2"]


@pytest.mark.parametrize("events", [None, {}, {"a": []}, {"a": [event(None)]}, {"a": [SimpleNamespace(extra=None)]}])
def test_a_dag_run_that_no_run_of_fabric_started(events: Any):
    assert fabric_event_payloads(events) == []


def test_as_a_macro():
    macros = {"fabric_event_payloads": fabric_event_payloads}
    with DAG("dag", schedule=None, user_defined_macros=macros):
        operator = FabricRunPipelineOperator(
            task_id="run",
            workspace="w",
            pipeline="p",
            parameters={"run": "{{ (fabric_event_payloads(triggering_asset_events) | last).job_instance_id }}"},
        )
    operator.render_template_fields({"triggering_asset_events": {"a": [event("1"), event("2", 1)]}})
    assert operator.parameters == {"run": "2"}
