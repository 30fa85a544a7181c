"""Eventstreams over HTTP: topology, pausing, and where the events of a custom endpoint are read (eventstream file)."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from starlette.responses import Response

from airflow_provider_fabric.emulator.errors import ServiceError
from airflow_provider_fabric.emulator.fabric.addressing import item_of
from airflow_provider_fabric.emulator.http.request import ApiRequest
from airflow_provider_fabric.emulator.http.responses import empty_response, json_response
from airflow_provider_fabric.emulator.state.eventstreams import hub_name
from airflow_provider_fabric.emulator.state.ids import derived_id
from airflow_provider_fabric.emulator.state.items import Item
from airflow_provider_fabric.emulator.state.world import World

Node = dict[str, Any]


def get_topology(world: World, request: ApiRequest) -> Response:
    """``GET …/eventstreams/{itemId}/topology``: the definition's nodes, with ids and status."""
    item = item_of(world, request)
    nodes = _nodes(world, item, request.now)
    return json_response({**nodes, "compatibilityLevel": "1.1"})


def _nodes(world: World, item: Item, now: float) -> dict[str, list[Node]]:
    world.eventstreams.know(item)
    ready_at = item.modified_at + world.config.scaled(world.config.lro_seconds)
    shown = world.eventstreams.topology(item)
    for kind in ("sources", "destinations"):
        shown[kind] = [
            {
                **node,
                "id": derived_id(item.id, f"{kind[:-1]} {node['name']}"),
                "status": world.eventstreams.status(item, node["name"], ready_at, now),
            }
            for node in shown[kind]
        ]
    shown["streams"] = [{**node, "id": derived_id(item.id, f"stream {node['name']}")} for node in shown["streams"]]
    return shown


def _node(world: World, request: ApiRequest, kind: str) -> tuple[Item, Node]:
    item = item_of(world, request)
    wanted = request.params["nodeId"].lower()
    for node in _nodes(world, item, request.now)[kind]:
        if node["id"] == wanted:
            return item, node
    raise ServiceError(404, "EntityNotFound", f"The eventstream has no {kind[:-1]} '{wanted}'")


def get_source(world: World, request: ApiRequest) -> Response:
    """``GET …/eventstreams/{itemId}/sources/{nodeId}``."""
    return json_response(_node(world, request, "sources")[1])


def get_destination(world: World, request: ApiRequest) -> Response:
    """``GET …/eventstreams/{itemId}/destinations/{nodeId}``."""
    return json_response(_node(world, request, "destinations")[1])


def get_destination_connection(world: World, request: ApiRequest) -> Response:
    """``GET …/eventstreams/{itemId}/destinations/{nodeId}/connection``: for custom endpoints only.

    The namespace is this emulator, with its port: the endpoint is WebSocket ``/$servicebus/websocket`` on it.
    """
    item, node = _node(world, request, "destinations")
    if node["type"] != "CustomEndpoint":
        raise ServiceError(400, "OperationNotSupported", "Only custom endpoints have a connection")
    namespace, hub = request.base_url.partition("://")[2], hub_name(item, node["name"])
    keys = [base64.b64encode(hashlib.sha256(f"{item.id} {n}".encode()).digest()).decode() for n in (1, 2)]
    texts = [
        f"Endpoint=sb://{namespace}/;SharedAccessKeyName=key;SharedAccessKey={key};EntityPath={hub}" for key in keys
    ]
    return json_response(
        {
            "fullyQualifiedNamespace": namespace,
            "eventHubName": hub,
            "consumerGroupName": "$Default",
            "accessKeys": {
                "primaryKey": keys[0],
                "secondaryKey": keys[1],
                "primaryConnectionString": texts[0],
                "secondaryConnectionString": texts[1],
            },
        }
    )


def pause_all(world: World, request: ApiRequest) -> Response:
    """``POST …/eventstreams/{itemId}/pause``."""
    return _pause_all(world, request, True)


def resume_all(world: World, request: ApiRequest) -> Response:
    """``POST …/eventstreams/{itemId}/resume``."""
    return _pause_all(world, request, False)


def _pause_all(world: World, request: ApiRequest, paused: bool) -> Response:
    item = item_of(world, request)
    nodes = _nodes(world, item, request.now)
    names = [node["name"] for kind in ("sources", "destinations") for node in nodes[kind]]
    world.eventstreams.pause(item, names, paused)
    return empty_response()


def pause_source(world: World, request: ApiRequest) -> Response:
    """``POST …/eventstreams/{itemId}/sources/{nodeId}/pause``."""
    return _pause(world, request, "sources", True)


def resume_source(world: World, request: ApiRequest) -> Response:
    """``POST …/eventstreams/{itemId}/sources/{nodeId}/resume``."""
    return _pause(world, request, "sources", False)


def pause_destination(world: World, request: ApiRequest) -> Response:
    """``POST …/eventstreams/{itemId}/destinations/{nodeId}/pause``."""
    return _pause(world, request, "destinations", True)


def resume_destination(world: World, request: ApiRequest) -> Response:
    """``POST …/eventstreams/{itemId}/destinations/{nodeId}/resume``."""
    return _pause(world, request, "destinations", False)


def _pause(world: World, request: ApiRequest, kind: str, paused: bool) -> Response:
    item, node = _node(world, request, kind)
    world.eventstreams.pause(item, [node["name"]], paused)
    return empty_response()
