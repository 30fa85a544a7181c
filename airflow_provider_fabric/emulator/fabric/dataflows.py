"""What is special about dataflows: publishing, parameters.

A run uses the revision that was published last; with ``ApplyChangesIfNeeded`` it publishes first. A dataflow that
never was published fails its run with ``DataflowNeverPublishedError`` (dataflow seed of 2025, *Dataflow Lifecycle*;
what users report in fabric-cicd #420).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from airflow_provider_fabric.emulator.errors import ServiceError
from airflow_provider_fabric.emulator.http.pages import page_answer, read_cursor
from airflow_provider_fabric.emulator.http.request import Call
from airflow_provider_fabric.emulator.state.definitions import Parts
from airflow_provider_fabric.emulator.state.items import Item

if TYPE_CHECKING:
    from airflow_provider_fabric.emulator.state.world import World

PUBLISH_JOBS = frozenset({"ApplyChanges", "Publish"})
NEVER_PUBLISHED = {
    "errorCode": "DataflowNeverPublishedError",
    "message": "The dataflow was never published. Publish it before it is refreshed.",
}


def published_revision(item: Item, now: float) -> int:
    """Return the revision that a run starting at ``now`` would use; 0 is none."""
    waiting = []
    for job, revision in item.publishing:
        if not job.is_over(now):
            waiting.append((job, revision))
        elif job.status(now) == "Completed":
            item.published_revision = max(item.published_revision, revision)
    item.publishing = waiting
    return item.published_revision


def publishes(job_type: str, data: dict[str, Any]) -> bool:
    """Say whether such a job publishes the dataflow when it completes."""
    return job_type in PUBLISH_JOBS or data.get("executeOption") == "ApplyChangesIfNeeded"


_PARAMETER = re.compile(
    r"shared\s+(?P<name>#\"(?:[^\"]|\"\")+\"|[\w.]+)\s*=\s*(?P<value>(?:\"(?:[^\"]|\"\")*\"|[^\"\[\];])+?)"
    r"\s*meta\s*\[(?P<meta>[^\]]*)\]\s*;",
    re.DOTALL,
)
_TYPE_NAMES = {
    "text": "String",
    "logical": "Boolean",
    "number": "Number",
    "datetime": "DateTime",
    "datetimezone": "DateTimeZone",
    "date": "Date",
    "time": "Time",
    "duration": "Duration",
    "int64.type": "Integer",
}
_DESCRIPTION = re.compile(r"description\s*=\s*\"((?:[^\"]|\"\")*)\"", re.IGNORECASE)
_TYPE = re.compile(r"\bType\s*=\s*(?:type\s+)?(?:nullable\s+)?(?:\"(\w+)\"|([\w.]+))", re.IGNORECASE)


def list_parameters(world: World, call: Call) -> Response:
    """``GET …/dataflows/{dataflowId}/parameters``, read from the ``IsParameterQuery`` records of the mashup."""
    item = world.items.addressed(call, world.workspaces.visible(call).id)
    parameters = read_parameters(item.parts)
    if not parameters:
        raise ServiceError(400, "DataflowNotParametricError", "The requested dataflow is not parametric")
    start = read_cursor(call) or 0
    page = parameters[start : start + world.config.page_size]
    more = len(parameters) > start + len(page)
    return page_answer(call, page, start + len(page) if more else None)


def read_parameters(parts: Parts) -> list[dict[str, Any]]:
    """Return the parameters that a dataflow's mashup declares, as the API lists them."""
    return [
        _parameter(found)
        for found in _PARAMETER.finditer(_mashup(parts))
        if re.search(r"IsParameterQuery\s*=\s*true", found["meta"])
    ]


def _mashup(parts: Parts) -> str:
    for part in parts:
        if part.path == "mashup.pq":
            return part.content.decode("utf-8", "replace")
        if part.path == "dataflow-content.json":
            session = part.json().get("editingSessionMashup") or {}
            return str(session.get("mashupDocument") or "")
    return ""


def _parameter(found: re.Match[str]) -> dict[str, Any]:
    name, meta = found["name"], found["meta"]
    if name.startswith('#"'):
        name = name[2:-1].replace('""', '"')
    description = _DESCRIPTION.search(meta)
    kind = _parameter_type(meta, found["value"].strip())
    return {
        "name": name,
        "isRequired": re.search(r"IsParameterQueryRequired\s*=\s*true", meta) is not None,
        "description": description[1].replace('""', '"') if description else "",
        "type": kind,
        "defaultValue": _default_value(kind, found["value"].strip()),
    }


def _parameter_type(meta: str, value: str) -> str:
    named = _TYPE.search(meta)
    kind = _TYPE_NAMES.get((named[1] or named[2]).lower(), "String") if named else "String"
    return "Integer" if kind == "Number" and re.fullmatch(r"-?\d+", value) else kind


def _default_value(kind: str, value: str) -> Any:
    if kind == "String" or value.startswith('"'):
        return value[1:-1].replace('""', '"') if value.startswith('"') else value
    if kind in ("Boolean", "Integer", "Number"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
