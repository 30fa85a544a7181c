"""Item definitions: what the service accepts, and the form in which it gives them back.

Parts are ``{path, payload, payloadType}`` with standard base64 (OpenAPI ``ItemDefinitionPart``; Learn warns not to use
the URL-safe alphabet). The specs name ``CorruptedPayload`` for what cannot be decoded or lacks its parts. Two slips of
the documents' own requests are accepted: spaces around a payload (*Update Dataflow with definition* of
https://learn.microsoft.com/fabric/data-factory/dataflow-gen2-public-apis) and missing padding (platform file,
``UpdateItemDefinition.json``).
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from airflow_provider_fabric.emulator.errors import ServiceError, invalid_input
from airflow_provider_fabric.emulator.state.item_types import ItemType

PLATFORM_PART = ".platform"
PLATFORM_SCHEMA = (
    "https://developer.microsoft.com/json-schemas/fabric/gitIntegration/platformProperties/2.0.0/schema.json"
)


@dataclass(frozen=True)
class Part:
    """One decoded file of a definition."""

    path: str
    content: bytes

    def json(self) -> Any:
        """Parse the content.

        :raises ValueError: when it is not JSON.
        """
        return json.loads(self.content)

    def to_wire(self) -> dict[str, str]:
        """Return the part as the API carries it."""
        payload = base64.b64encode(self.content).decode("ascii")
        return {"path": self.path, "payload": payload, "payloadType": "InlineBase64"}


Parts = tuple[Part, ...]


def read_definition(item_type: ItemType, definition: Any) -> Parts:
    """Decode and check the ``definition`` of a request.

    :raises ServiceError: 400 ``InvalidInput`` for a wrong shape, ``CorruptedPayload`` for wrong contents.
    """
    if not isinstance(definition, dict) or not isinstance(definition.get("parts"), list):
        raise invalid_input("The definition must be an object with 'parts'")
    if not isinstance(definition.get("format"), (str, type(None))):
        raise invalid_input("The definition's format must be a string")
    if not definition["parts"]:
        raise invalid_input("The definition must have at least one part")
    parts = tuple(_read_part(entry) for entry in definition["parts"])
    paths = [part.path for part in parts]
    if len(set(paths)) != len(paths):
        raise invalid_input("The definition names a part twice")
    _check_part_set(item_type, set(paths))
    for part in parts:
        if part.path in item_type.json_parts:
            _check_json(part)
    return parts


def _read_part(entry: Any) -> Part:
    if not isinstance(entry, dict):
        raise invalid_input("A definition part must be an object")
    path, payload = entry.get("path"), entry.get("payload")
    if not isinstance(path, str) or not path.strip():
        raise invalid_input("A definition part needs a path")
    if path.startswith("/") or ".." in path.split("/"):
        raise invalid_input(f"The path '{path}' leaves the definition")
    if entry.get("payloadType") != "InlineBase64":
        raise invalid_input(f"The payload type of part '{path}' must be InlineBase64")
    if not isinstance(payload, str):
        raise invalid_input(f"Part '{path}' needs a payload")
    try:
        text = payload.strip(" \t")
        return Part(path, base64.b64decode(text + "=" * (-len(text) % 4), validate=True))
    except (binascii.Error, ValueError) as problem:
        raise _corrupted(f"The payload of part '{path}' is not standard base64") from problem


def _check_part_set(item_type: ItemType, paths: set[str]) -> None:
    sets = item_type.part_sets
    if sets and not any(paths.issuperset(required) for required in sets):
        wanted = " or ".join(" + ".join(required) for required in sets)
        raise _corrupted(f"The definition of a {item_type.name} needs the parts {wanted}")


def _check_json(part: Part) -> None:
    try:
        value = part.json()
    except ValueError as problem:
        raise _corrupted(f"The part '{part.path}' is not valid JSON: {problem}") from problem
    if not isinstance(value, dict):
        raise _corrupted(f"The part '{part.path}' must hold a JSON object")


def _corrupted(message: str) -> ServiceError:
    return ServiceError(
        400,
        "CorruptedPayload",
        "The provided payload is corrupted",
        more_details=[{"errorCode": "InvalidDefinitionPart", "message": message}],
        is_retriable=False,
    )


def platform_metadata(parts: Parts) -> dict[str, Any]:
    """Return ``metadata`` of the ``.platform`` part, ``{}`` when absent.

    The specs' own examples send the text ``dotPlatformBase64String`` as that part, so contents that are not JSON
    count as no metadata.
    """
    for part in parts:
        if part.path == PLATFORM_PART:
            try:
                metadata = part.json()["metadata"]
            except (ValueError, KeyError, TypeError):
                return {}
            return metadata if isinstance(metadata, dict) else {}
    return {}


def platform_part(item_type: str, display_name: str, description: str, logical_id: str) -> Part:
    """Build the ``.platform`` part that the service writes itself."""
    metadata = {"type": item_type, "displayName": display_name}
    if description:
        metadata["description"] = description
    body = {
        "$schema": PLATFORM_SCHEMA,
        "metadata": metadata,
        "config": {"version": "2.0", "logicalId": logical_id},
    }
    return Part(PLATFORM_PART, json.dumps(body, indent=2).encode())


def default_parts(item_type: str) -> Parts:
    """Return what an item holds that was created without a definition."""
    contents: dict[str, dict[str, Any]] = {
        "DataPipeline": {"pipeline-content.json": {"properties": {"activities": []}}},
        "CopyJob": {"copyjob-content.json": {"properties": {"jobMode": "Batch"}, "activities": []}},
    }
    parts = [Part(path, json.dumps(body).encode()) for path, body in contents.get(item_type, {}).items()]
    if item_type == "Dataflow":
        metadata = {"formatVersion": "202502", "computeEngineSettings": {}, "queriesMetadata": {}}
        parts.append(Part("queryMetadata.json", json.dumps(metadata).encode()))
        parts.append(Part("mashup.pq", b"section Section1;"))
    return tuple(parts)


def initial_parts(item_type: str, creation_payload: dict[str, Any] | None) -> Parts:
    """Return what an item holds that was created from a payload, or from nothing."""
    if item_type != "Lakehouse":
        return default_parts(item_type)
    schema = {"defaultSchema": "dbo"} if (creation_payload or {}).get("enableSchemas") else {}
    metadata = Part("lakehouse.metadata.json", json.dumps(schema).encode())
    return (metadata, Part("shortcuts.metadata.json", b"[]"))


#: Where the author's own files lie: they come back byte for byte.
AUTHORS_FILES = (
    "Resources/",
    "builtin/",
    "Main/",
    "Libs/",
    "dags/",
    "plugins/",
    "Libraries/CustomLibraries/",
    "StaticResources/RegisteredResources/",
)


def without_keys(part: Part, keys: list[str]) -> Part:
    """Return a JSON part without keys that the service does not keep, wherever in it they stand."""
    if not keys or not part.path.endswith(".json") or part.path.startswith(AUTHORS_FILES):
        return part
    try:
        return Part(part.path, json.dumps(_pruned(part.json(), frozenset(keys))).encode())
    except ValueError:
        return part


def _pruned(value: Any, keys: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {key: _pruned(entry, keys) for key, entry in value.items() if key not in keys}
    return [_pruned(entry, keys) for entry in value] if isinstance(value, list) else value


def as_stored(part: Part, modified_by: str, modified_at: str) -> Part:
    """Return ``part`` the way the service gives it back: same meaning, other bytes.

    JSON is written anew, Power Query text ends its lines with CR LF, and a pipeline's properties carry who changed
    it last and when (both keys are found in pipelines exported from Fabric). Clients that compare must normalise.
    """
    if part.path.endswith(".pq"):
        return Part(part.path, part.content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    if not part.path.endswith(".json") or part.path.startswith(AUTHORS_FILES):
        return part
    try:
        body = part.json()
    except ValueError:
        return part
    if part.path == "pipeline-content.json" and isinstance(body.get("properties"), dict):
        stamp = {"lastModifiedByObjectId": modified_by, "lastPublishTime": modified_at}
        body["properties"] = {**body["properties"], **stamp}
    return Part(part.path, json.dumps(body, indent=2).encode())
