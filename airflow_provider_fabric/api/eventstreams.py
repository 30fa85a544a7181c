"""Eventstreams that carry job events to a custom endpoint: built from items, read back, found where they are read.

https://learn.microsoft.com/rest/api/fabric/articles/item-management/definitions/eventstream-definition and the
eventstream file of Microsoft's OpenAPI specs. A job-events source names one item; an update replaces the definition
whole and answers before it takes effect, so what counts is the topology.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_fabric.api.http.flow import Flow, Request, quote_segment
from airflow_provider_fabric.api.http.retry import Replay, send
from airflow_provider_fabric.api.jobs.events import EventKind
from airflow_provider_fabric.api.models import is_guid
from airflow_provider_fabric.exceptions import FabricInputError, FabricProtocolError

DEFINITION = "eventstream.json"
PROPERTIES = "eventstreamProperties.json"
SOURCE_TYPE, DESTINATION_TYPE = "FabricJobEvents", "CustomEndpoint"
SOURCE_PREFIX, STREAM, DESTINATION = "airflow-job-events-", "airflow-job-events-stream", "airflow-endpoint"
RUNNING = "Running"
EVENT_TYPES = [f"Microsoft.Fabric.JobEvents.{kind.value}" for kind in EventKind]

CU_PER_ITEM = 0.0222
"""Capacity units that a listener costs all the time, by https://learn.microsoft.com/fabric/real-time-hub/fabric-events-capacity-consumption."""

CU_PER_STREAM = 0.2222
"""Capacity units of an eventstream while events flow."""

ItemKey = tuple[str, str]


@dataclass(frozen=True)
class Topology:
    """What an eventstream is at present.

    :param carried: workspace and item of each job-events source that runs.
    :param status: status of each source and destination by its name.
    :param endpoint: id of the custom endpoint, if there is one.
    """

    carried: frozenset[ItemKey]
    status: Mapping[str, str]
    endpoint: str | None

    @property
    def is_running(self) -> bool:
        """Whether every node runs, and there is an endpoint to read from."""
        return self.endpoint is not None and all(status == RUNNING for status in self.status.values())


def get_topology(workspace_id: str, eventstream_id: str) -> Flow[Topology]:
    """Return what an eventstream is at present.

    :param workspace_id: GUID.
    :param eventstream_id: GUID.
    """
    path = f"{_path(workspace_id, eventstream_id)}/topology"
    answer = yield from send(Request("GET", path, "read the eventstream's topology"), replay=Replay.SAFE)
    content = answer.json_object()
    nodes = [node for kind in ("sources", "destinations") for node in _nodes(content, kind)]
    ends = [node for node in _nodes(content, "destinations") if node.get("type") == DESTINATION_TYPE]
    endpoint = next((node for node in ends if node.get("name") == DESTINATION), ends[0] if ends else {})
    sources = [node for node in _nodes(content, "sources") if node.get("status") == RUNNING]
    runs = endpoint.get("status") == RUNNING
    return Topology(
        carried=frozenset(key for node in sources if (key := _whole_source(node)) is not None) if runs else frozenset(),
        status={str(node.get("name")): str(node.get("status")) for node in nodes},
        endpoint=str(endpoint["id"]) if is_guid(endpoint.get("id")) else None,
    )


def get_endpoint(workspace_id: str, eventstream_id: str, destination_id: str) -> Flow[tuple[str, str, str]]:
    """Return namespace, event hub and consumer group of a custom endpoint. The keys in the answer are dropped.

    :param workspace_id: GUID.
    :param eventstream_id: GUID.
    :param destination_id: GUID of the custom endpoint.
    """
    end = quote_segment(destination_id, "destination_id")
    path = f"{_path(workspace_id, eventstream_id)}/destinations/{end}/connection"
    answer = yield from send(Request("GET", path, "read the endpoint's connection"), replay=Replay.SAFE)
    content = answer.json_object()
    found = [content.get(name) for name in ("fullyQualifiedNamespace", "eventHubName", "consumerGroupName")]
    if not all(isinstance(text, str) and text for text in found):
        raise FabricProtocolError("The service's connection of the endpoint lacks namespace, hub or consumer group.")
    return str(found[0]), str(found[1]), str(found[2])


def build_definition(items: Iterable[ItemKey], held: Mapping[str, bytes] | None = None) -> dict[str, Any]:
    """Return the definition of an eventstream that carries the job events of these items, and of no others.

    What else an eventstream holds stays as it is: sources of other kinds, operators, further streams and destinations.

    :param items: workspace and item of each.
    :param held: the definition that it has now, by part path.
    :raises FabricInputError: that is no eventstream's.
    """
    now = _read(held)
    kept = [node for node in now["sources"] if _key(node) is None]
    ours = [_source(*key) for key in sorted(set(items))]
    names = [node["name"] for node in ours]
    stream = next((node for node in now["streams"] if node.get("type") == "DefaultStream"), None)
    if stream is None:
        stream = {"name": STREAM, "type": "DefaultStream", "properties": {}, "inputNodes": []}
        now["streams"].append(stream)
    gone = {str(node.get("name")) for node in now["sources"] if _key(node) is not None}
    inputs = [node for node in stream.get("inputNodes", []) if node.get("name") not in gone]
    stream["inputNodes"] = [*inputs, *({"name": name} for name in names)]
    if not any(node.get("type") == DESTINATION_TYPE for node in now["destinations"]):
        end = {"name": DESTINATION, "type": DESTINATION_TYPE, "properties": {}}
        now["destinations"].append({**end, "inputNodes": [{"name": stream["name"]}], "inputSchemas": []})
    parts: dict[str, Any] = {path: content for path, content in (held or {}).items() if path != ".platform"}
    parts.setdefault(PROPERTIES, {"retentionTimeInDays": 1, "eventThroughputLevel": "Low"})
    return {**parts, DEFINITION: {**now, "sources": [*kept, *ours]}}


def carried_by(held: Mapping[str, bytes]) -> set[ItemKey]:
    """Return the items whose job events a definition carries.

    :param held: contents by part path.
    """
    return {key for node in _read(held)["sources"] if (key := _key(node)) is not None}


def _read(held: Mapping[str, bytes] | None) -> dict[str, Any]:
    try:
        content = json.loads((held or {}).get(DEFINITION) or b"{}")
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise FabricInputError(f"The eventstream's {DEFINITION} is no JSON object: make a new eventstream.")
    lists = {kind: _nodes(content, kind) for kind in ("sources", "destinations", "operators", "streams")}
    return {"compatibilityLevel": "1.1", **content, **lists}


def _source(workspace_id: str, item_id: str) -> dict[str, Any]:
    properties = {
        "eventScope": "Item",
        "workspaceId": workspace_id,
        "itemId": item_id,
        "includedEventTypes": EVENT_TYPES,
        "filters": [],
    }
    return {"name": f"{SOURCE_PREFIX}{item_id}", "type": SOURCE_TYPE, "properties": properties}


def _key(node: Mapping[str, Any]) -> ItemKey | None:
    """Return workspace and item of a job-events source; ``None`` for any other node."""
    properties = node.get("properties")
    if node.get("type") != SOURCE_TYPE or not isinstance(properties, Mapping):
        return None
    ids = properties.get("workspaceId"), properties.get("itemId")
    return (str(ids[0]).lower(), str(ids[1]).lower()) if all(map(is_guid, ids)) else None


def _whole_source(node: Mapping[str, Any]) -> ItemKey | None:
    """Return the item of a source that leaves no event out that we need."""
    properties = node.get("properties") or {}
    types = [str(each).rpartition(".")[2] for each in properties.get("includedEventTypes") or []]
    needed = {EventKind.CREATED.value, EventKind.SUCCEEDED.value, EventKind.FAILED.value}
    is_whole = properties.get("eventScope") == "Item" and not properties.get("filters")
    return _key(node) if is_whole and (not types or needed <= set(types)) else None


def _nodes(content: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    found = content.get(kind)
    return [node for node in found if isinstance(node, dict)] if isinstance(found, list) else []


def _path(workspace_id: str, eventstream_id: str) -> str:
    workspace, stream = quote_segment(workspace_id, "workspace_id"), quote_segment(eventstream_id, "eventstream_id")
    return f"/v1/workspaces/{workspace}/eventstreams/{stream}"
