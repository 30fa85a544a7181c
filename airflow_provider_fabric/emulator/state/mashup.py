"""The parameters that a dataflow's Power Query text (its mashup) declares in ``IsParameterQuery`` records."""

from __future__ import annotations

import json
import re
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from airflow_provider_fabric.emulator.state.definitions import Part, Parts

CONTENT_PART = "dataflow-content.json"
_QUERY = re.compile(r"^shared\s+(\w+)\s*=", re.MULTILINE)

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


def read_parameters(parts: Parts) -> list[dict[str, Any]]:
    """Return the parameters that a dataflow's mashup declares, as the API lists them."""
    return [
        _parameter(found)
        for found in _PARAMETER.finditer(_mashup(parts))
        if re.search(r"IsParameterQuery\s*=\s*true", found["meta"])
    ]


def query_names(parts: Parts, document: object = None) -> list[str]:
    """Return the names of a dataflow's queries.

    :param document: a mashup document that counts instead of the dataflow's own.
    """
    return _QUERY.findall(document if isinstance(document, str) else _mashup(parts))


def in_two_parts(parts: Parts) -> Parts:
    """Return a dataflow written as ``dataflow-content.json`` as ``queryMetadata.json`` and ``mashup.pq``.

    That is what *Get Dataflow with definition* of
    https://learn.microsoft.com/fabric/data-factory/dataflow-gen2-public-apis prints as the API's answer.
    """
    content = next((part for part in parts if part.path == CONTENT_PART), None)
    if content is None:
        return parts
    session = content.json().get("editingSessionMashup") or {}
    queries = session.get("queriesMetadata")
    if queries is None:
        names = _QUERY.findall(_mashup(parts))
        queries = {name: {"queryId": str(uuid5(NAMESPACE_OID, name)), "queryName": name} for name in names}
    metadata = {
        "formatVersion": "202502",
        "computeEngineSettings": {},
        "name": session.get("mashupName") or "",
        "queryGroups": session.get("queryGroups") or [],
        "documentLocale": session.get("documentLocale") or "en-US",
        "queriesMetadata": queries,
    }
    others = tuple(part for part in parts if part is not content)
    mashup = Part("mashup.pq", str(session.get("mashupDocument") or "").encode())
    return (Part("queryMetadata.json", json.dumps(metadata).encode()), mashup, *others)


def _mashup(parts: Parts) -> str:
    for part in parts:
        if part.path == "mashup.pq":
            return part.content.decode("utf-8", "replace")
        if part.path == CONTENT_PART:
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
