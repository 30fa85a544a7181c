"""Which data a copy reads and writes, as far as a definition names it.

Shapes: https://learn.microsoft.com/rest/api/fabric/articles/item-management/definitions/copyjob-definition and
…/datapipeline-definition. What is computed while the pipeline runs (expressions) is not named here, and left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

ONELAKE = "onelake.dfs.fabric.microsoft.com"
_INNER = ("activities", "ifTrueActivities", "ifFalseActivities", "defaultActivities")


@dataclass(frozen=True)
class DatasetName:
    """A dataset, named as OpenLineage does (https://openlineage.io/docs/spec/naming).

    :param namespace: where it lives: a OneLake workspace, or a Fabric connection.
    :param name: its path or table there.
    """

    namespace: str
    name: str


def datasets_of(item_type: str | None, parts: Mapping[str, bytes]) -> tuple[list[DatasetName], list[DatasetName]]:
    """Return what an item reads and what it writes, each once, in the order of the definition.

    :param item_type: kind of item; anything but copy jobs and pipelines names nothing.
    :param parts: its definition, by part path.
    """
    readers = {
        "CopyJob": ("copyjob-content.json", _of_copy_job),
        "DataPipeline": ("pipeline-content.json", _of_pipeline),
    }
    path, reader = readers.get(item_type or "", ("", None))
    if reader is None or path not in parts:
        return [], []
    content = json.loads(parts[path])
    pairs = list(reader(content)) if isinstance(content, dict) else []
    return _once(source for source, _ in pairs), _once(sink for _, sink in pairs)


Pair = tuple["DatasetName | None", "DatasetName | None"]


def _once(found: Iterator[DatasetName | None]) -> list[DatasetName]:
    return list(dict.fromkeys(dataset for dataset in found if dataset is not None))


def _of_copy_job(content: dict[str, Any]) -> Iterator[Pair]:
    """A copy job has one connection at each end, and a table or path per activity."""
    properties = _mapping(content.get("properties"))
    ends = [_mapping(properties.get(end)) for end in ("source", "destination")]
    for activity in _mappings(content.get("activities")):
        inner = _mapping(activity.get("properties"))
        source, sink = (
            _dataset(_mapping(end.get("connectionSettings")), _mapping(_mapping(inner.get(key)).get("datasetSettings")))
            for key, end in zip(("source", "destination"), ends, strict=True)
        )
        yield source, sink


def _of_pipeline(content: dict[str, Any]) -> Iterator[Pair]:
    for activity in _activities(_mapping(content.get("properties")).get("activities")):
        if activity.get("type") == "Copy":
            settings = _mapping(activity.get("typeProperties"))
            source, sink = (_mapping(_mapping(settings.get(end)).get("datasetSettings")) for end in ("source", "sink"))
            yield _dataset(_linked_service(source), source), _dataset(_linked_service(sink), sink)


def _activities(entries: Any) -> Iterator[dict[str, Any]]:
    for activity in _mappings(entries):
        yield activity
        inner = _mapping(activity.get("typeProperties"))
        for key in _INNER:
            yield from _activities(inner.get(key))
        for case in _mappings(inner.get("cases")):
            yield from _activities(case.get("activities"))


def _linked_service(dataset: Mapping[str, Any]) -> dict[str, Any]:
    linked = _mapping(_mapping(dataset.get("linkedService")).get("properties"))
    return linked or {"externalReferences": dataset.get("externalReferences")}


def _dataset(connection: Mapping[str, Any], dataset: Mapping[str, Any]) -> DatasetName | None:
    """Return a dataset's name from its connection and its own settings, if both say enough."""
    place = _mapping(connection.get("typeProperties"))
    own = {**dataset, **_mapping(dataset.get("typeProperties"))}
    table = ".".join(_texts(own, "schema", "table"))
    location = _mapping(own.get("location"))
    path = "/".join(part.strip("/") for part in _texts(location, "container", "fileSystem", "folderPath", "fileName"))
    workspace, artifact = (place.get(key) for key in ("workspaceId", "artifactId"))
    if isinstance(workspace, str) and isinstance(artifact, str):
        below = f"Tables/{table.replace('.', '/')}" if table else f"Files/{path}" if path else ""
        return DatasetName(f"abfss://{workspace}@{ONELAKE}", f"{artifact}/{below}") if below else None
    reference = _mapping(connection.get("externalReferences")).get("connection")
    name = table or path
    return DatasetName(f"fabric://connections/{reference}", name) if isinstance(reference, str) and name else None


def _texts(settings: Mapping[str, Any], *keys: str) -> list[str]:
    """Return the values that are plain text; an expression is a mapping, or begins with ``@``."""
    values = [settings.get(key) for key in keys]
    if any(isinstance(value, dict) or (isinstance(value, str) and value.startswith("@")) for value in values):
        return []
    return [value for value in values if isinstance(value, str) and value]


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _mappings(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
