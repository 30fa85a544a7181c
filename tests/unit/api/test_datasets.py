"""Which data a copy reads and writes, as far as a definition names it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_fabric.api.items.datasets import DatasetName, datasets_of

WS, LAKE, HOUSE, CONN = "ws-1", "lake-1", "house-1", "conn-1"
ONELAKE = f"abfss://{WS}@onelake.dfs.fabric.microsoft.com"


def place(artifact: str, **more: Any) -> dict[str, Any]:
    return {"type": "Lakehouse", "typeProperties": {"workspaceId": WS, "artifactId": artifact, **more}}


def linked(artifact: str, **settings: Any) -> dict[str, Any]:
    return {"datasetSettings": {"typeProperties": settings, "linkedService": {"properties": place(artifact)}}}


def copy(source: Any, sink: Any, name: str = "Copy") -> dict[str, Any]:
    return {"name": name, "type": "Copy", "typeProperties": {"source": source, "sink": sink}}


def pipeline(*activities: Any) -> dict[str, bytes]:
    return {"pipeline-content.json": json.dumps({"properties": {"activities": activities}}).encode()}


def copy_job(*activities: Any, source: Any, destination: Any) -> dict[str, bytes]:
    ends = {"source": {"connectionSettings": source}, "destination": {"connectionSettings": destination}}
    return {"copyjob-content.json": json.dumps({"properties": ends, "activities": activities}).encode()}


def table(source: str, destination: str, schema: str | None = None) -> dict[str, Any]:
    sides = {
        end: {"datasetSettings": {"table": name, **({"schema": schema} if schema else {})}}
        for end, name in (("source", source), ("destination", destination))
    }
    return {"properties": sides}


def test_a_copy_job_names_a_table_per_activity():
    external = {"externalReferences": {"connection": CONN}}
    parts = copy_job(
        table("orders", "orders_raw", "dbo"), table("lines", "lines_raw"), source=external, destination=place(LAKE)
    )
    inputs, outputs = datasets_of("CopyJob", parts)
    assert inputs == [
        DatasetName(f"fabric://connections/{CONN}", "dbo.orders"),
        DatasetName(f"fabric://connections/{CONN}", "lines"),
    ]
    assert outputs == [
        DatasetName(ONELAKE, f"{LAKE}/Tables/dbo/orders_raw"),
        DatasetName(ONELAKE, f"{LAKE}/Tables/lines_raw"),
    ]


def test_a_pipelines_copies_wherever_they_are_nested():
    inner = copy(linked(LAKE, table="orders"), linked(HOUSE, schema="dbo", table="orders"))
    files = linked(LAKE, location={"folderPath": "in/2026", "fileName": "a.csv"})
    other = copy(files, linked(LAKE, table="raw"))
    parts = pipeline(
        {"name": "Each", "type": "ForEach", "typeProperties": {"activities": [inner]}},
        {"name": "Case", "type": "Switch", "typeProperties": {"cases": [{"value": "x", "activities": [other]}]}},
        {"name": "If", "type": "IfCondition", "typeProperties": {"ifTrueActivities": [inner]}},
        {"name": "Wait", "type": "Wait"},
    )
    inputs, outputs = datasets_of("DataPipeline", parts)
    assert [d.name for d in inputs] == [f"{LAKE}/Tables/orders", f"{LAKE}/Files/in/2026/a.csv"]
    assert [d.name for d in outputs] == [f"{HOUSE}/Tables/dbo/orders", f"{LAKE}/Tables/raw"]


@pytest.mark.parametrize("value", [{"value": "@item()", "type": "Expression"}, "@item().name", None, 5])
def test_what_is_computed_is_not_named(value: Any):
    assert datasets_of("DataPipeline", pipeline(copy(linked(LAKE, table=value), linked(LAKE, table="raw")))) == (
        [],
        [DatasetName(ONELAKE, f"{LAKE}/Tables/raw")],
    )


@pytest.mark.parametrize("content", [{}, [], {"properties": None}, {"properties": {"activities": [5, {}]}}, 7])
def test_odd_definitions_name_nothing(content: Any):
    parts = {path: json.dumps(content).encode() for path in ("pipeline-content.json", "copyjob-content.json")}
    assert datasets_of("DataPipeline", parts) == ([], [])
    assert datasets_of("CopyJob", parts) == ([], [])


def test_other_items_name_nothing():
    assert datasets_of("Notebook", {"notebook-content.py": b"x"}) == ([], [])
    assert datasets_of(None, {}) == ([], [])
    assert datasets_of("CopyJob", {}) == ([], [])
