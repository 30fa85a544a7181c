"""The tenant that the documentation's snippets speak of: its workspaces, items, files, and how their runs end."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.emulator.state.capacities import CAPACITY_ID
from airflow_provider_fabric.hooks.fabric import FabricHook

REPOSITORY = Path(__file__).resolve().parents[2]
DEFINITIONS = REPOSITORY / "example_dags" / "definitions"
SALES = "1f69e798-5e3c-4b0e-9d3c-2a4f9c1c8d11"
"""The workspace "Sales"; docs/scale.md names its id."""

ATTACHED = "One at a time"
"""A pipeline whose run is to be met while it is active."""

FLAKY = "Partner load"
"""A pipeline whose run fails because a file is missing."""

LOADED = "Load the lakehouse"
"""A pipeline whose runs tell how many rows they wrote."""

MASHUP = 'section Section1;\nshared since = "2026-01-01" meta [IsParameterQuery = true, Type = type text];\n'
PARAMETERS = {name: {"type": "string", "defaultValue": ""} for name in ("region", "day")}
DAILY_LOAD = {"properties": {"activities": [], "parameters": PARAMETERS}}
NOTEBOOK = "# Fabric notebook source\n\n# CELL ********************\n\nlakehouse = '<lakehouse id>'\n"


PIPELINES = ("Customers", "Orders", "Stock", "Report", "New thing", "Old load")

ELSEWHERE = "Started elsewhere"
"""A pipeline for whose runs a sensor waits that defers before the task that starts one."""


def seed_examples(emulator: FabricEmulator, *, attached_seconds: float) -> None:
    """Add what the example DAGs do not deploy themselves, and say how their runs end.

    :param attached_seconds: how long the runs of :data:`ATTACHED` take.
    """
    attached, flaky, loaded = _pipelines(emulator, ATTACHED, FLAKY, LOADED)
    emulator.control.add_job_rule(item_id=attached, duration_seconds=attached_seconds)
    emulator.control.add_job_rule(item_name="Sample rows", exit_value='{"region": "EU", "rows": 20}')
    error = {"errorCode": "UserErrorFileNotFound", "message": "prices.csv is not there", "failureType": "UserError"}
    activity = {"activityName": "Copy prices", "activityType": "Copy", "status": "Failed", "error": error}
    emulator.control.add_job_rule(item_id=flaky, outcome="Failed", activities=[activity])
    output = {"rowsRead": 30, "rowsCopied": 30}
    copied = {"activityName": "Copy orders", "activityType": "Copy", "status": "Succeeded", "output": output}
    emulator.control.add_job_rule(item_id=loaded, activities=[copied])


def _pipelines(emulator: FabricEmulator, *names: str) -> list[str]:
    """Add pipelines to the emulator's own workspace; return their ids."""
    items = [{"displayName": name, "type": "DataPipeline"} for name in names]
    seeded = emulator.control.seed(workspaces=[{"id": emulator.workspace_id, "items": items}])
    return [entry["id"] for entry in seeded["workspaces"][0]["items"]]


@contextmanager
def runs_from_elsewhere(emulator: FabricEmulator, every: float = 2.0) -> Iterator[None]:
    """Start runs of :data:`ELSEWHERE` again and again: ``dag.test()`` waits in one task before it starts the next.

    :param every: seconds between the runs.
    """
    (item,) = _pipelines(emulator, ELSEWHERE)
    over = Event()

    def start() -> None:
        while not over.wait(every):
            emulator.control.start_job(item)

    thread = Thread(target=start, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _definition(**parts: Any) -> dict[str, Any]:
    """Return a definition as the API takes it; ``__`` in a name stands for a dot."""
    texts = {
        name.replace("__", "."): part if isinstance(part, str) else json.dumps(part) for name, part in parts.items()
    }
    return {
        "parts": [
            {
                "path": name.replace("_content", "-content"),
                "payload": base64.b64encode(text.encode()).decode(),
                "payloadType": "InlineBase64",
            }
            for name, text in texts.items()
        ]
    }


def _items(today: datetime) -> list[dict[str, Any]]:
    days = [f"{today + timedelta(days=number):%Y-%m-%d}" for number in (-1, 0, 1)]
    files = {f"Files/in/{day}{name}": "id\n1\n" for day in days for name in (".csv", "/orders.csv")}
    dataflow = _definition(mashup__pq=MASHUP, queryMetadata__json={"formatVersion": "202502"})
    revenue = _definition(mashup__pq="section Section1;\nshared Revenue = 1;\n", queryMetadata__json={})
    pipelines = [{"type": "DataPipeline", "displayName": name} for name in PIPELINES]
    return [
        {
            "type": "DataPipeline",
            "displayName": "Daily load",
            "definition": _definition(pipeline_content__json=DAILY_LOAD),
        },
        *pipelines,
        {"type": "CopyJob", "displayName": "Customers to lakehouse"},
        {"type": "Dataflow", "displayName": "Customers", "definition": dataflow},
        {"type": "Dataflow", "displayName": "Revenue by region", "definition": revenue},
        {"type": "Lakehouse", "displayName": "Bronze", "files": files, "tables": [{"name": "orders"}]},
        {"type": "Notebook", "displayName": "Clean orders"},
        {"type": "SparkJobDefinition", "displayName": "Rank customers"},
        {"type": "DataBuildToolJob", "displayName": "Marts"},
        {"type": "SemanticModel", "displayName": "Revenue"},
        {"type": "UserDataFunction", "displayName": "Prices"},
        {"type": "Environment", "displayName": "Spark 3"},
        {"type": "MirroredDatabase", "displayName": "Orders", "tables": [{"name": "lines"}]},
    ]


def seed_sales(emulator: FabricEmulator, today: datetime) -> None:
    """Add what the pages' snippets name: "Sales", its items, its files, its stages, its capacity.

    :param today: the files are of this day and its neighbours.
    """
    control = emulator.control
    control.seed(
        workspaces=[
            {"id": SALES, "displayName": "Sales", "items": _items(today), "git": {"changes": []}},
            {"displayName": "Sales dev"},
            {"displayName": "Sales test"},
        ],
        capacities=[{"name": "salescapacity", "state": "Paused"}],
    )
    hook = FabricHook()
    stages = [{"displayName": "Development"}, {"displayName": "Test"}]
    made = hook.request(
        "POST", "/deploymentPipelines", json={"displayName": "Sales", "stages": stages}, replay_safe=False
    )
    for stage, workspace in zip(made["stages"], ("Sales dev", "Sales test"), strict=True):
        path = f"/deploymentPipelines/{made['id']}/stages/{stage['id']}/assignWorkspace"
        body = {"workspaceId": hook.resolve_workspace(workspace)}
        hook.request("POST", path, json=body, replay_safe=True)
    assert hook.request("GET", f"/workspaces/{SALES}")["capacityId"] == CAPACITY_ID  # a paused one would run nothing
    for name in ("Daily load", "Revenue"):  # over at the first poll: the second comes after a minute, by default
        control.add_job_rule(item_name=name, duration_seconds=0)
    daily_load = hook.resolve_item(SALES, "Daily load", "DataPipeline")
    control.start_job(daily_load)  # the run of Fabric's own schedule


def write_definitions(folder: Path) -> None:
    """Write the folder ``/opt/airflow/fabric`` of the pages."""
    _item(folder / "Daily load.DataPipeline", "pipeline-content.json", json.dumps(DAILY_LOAD))
    _item(folder / "test" / "Daily load.Notebook", "notebook-content.py", NOTEBOOK)


def write_workspace(folder: Path) -> None:
    """Write the folder of a whole workspace, with values for the stages of docs/use-cases/deployment.md."""
    shutil.copytree(DEFINITIONS / "Sales workspace", folder)
    file = folder / "parameter.yml"
    file.write_text(re.sub("( +)TEST: (.*)", r"\1dev: \2\n\1test: \2", file.read_text()).replace("PROD:", "prod:"))


def _item(folder: Path, part: str, content: str) -> None:
    name, item_type = folder.name.rsplit(".", 1)
    folder.mkdir(parents=True)
    metadata = {"type": item_type, "displayName": name}
    config = {"version": "2.0", "logicalId": "00000000-0000-0000-0000-000000000000"}
    (folder / ".platform").write_text(json.dumps({"metadata": metadata, "config": config}))
    (folder / part).write_text(content)
