"""Mirrored databases over HTTP: starting and stopping to mirror, and how far it is.

https://learn.microsoft.com/rest/api/fabric/mirroreddatabase/mirroring. What the service answers to a start of what
runs already is not documented: here it is 200, and nothing changes.
"""

from __future__ import annotations

from starlette.responses import Response

from airflow_provider_fabric.emulator.fabric.addressing import item_of
from airflow_provider_fabric.emulator.http.request import ApiRequest
from airflow_provider_fabric.emulator.http.responses import empty_response, json_response
from airflow_provider_fabric.emulator.state.items import Item
from airflow_provider_fabric.emulator.state.times import operation_time
from airflow_provider_fabric.emulator.state.world import World

ON_THE_WAY = {"Running": "Starting", "Stopped": "Stopping"}


def start(world: World, request: ApiRequest) -> Response:
    """``POST …/mirroredDatabases/{itemId}/startMirroring``."""
    return _change(world, request, "Running")


def stop(world: World, request: ApiRequest) -> Response:
    """``POST …/mirroredDatabases/{itemId}/stopMirroring``."""
    return _change(world, request, "Stopped")


def get_status(world: World, request: ApiRequest) -> Response:
    """``POST …/mirroredDatabases/{itemId}/getMirroringStatus``."""
    return json_response({"status": _status(item_of(world, request), request.now)})


def get_tables_status(world: World, request: ApiRequest) -> Response:
    """``POST …/mirroredDatabases/{itemId}/getTablesMirroringStatus``."""
    item = item_of(world, request)
    status = "Replicating" if _status(item, request.now) == "Running" else "Stopped"
    metrics = {"processedBytes": 0, "processedRows": 0, "lastSyncDateTime": f"{operation_time(request.now)}Z"}
    tables = [
        {
            "sourceSchemaName": "dbo",
            "sourceTableName": table["name"],
            "status": table.get("status", status),
            "metrics": metrics,
        }
        for table in item.tables
    ]
    return json_response({"continuationToken": None, "continuationUri": None, "data": tables})


def _change(world: World, request: ApiRequest, status: str) -> Response:
    item = item_of(world, request)
    if item.mirroring != status:
        item.mirroring, item.mirroring_settles_at = status, request.now + world.config.scaled(world.config.lro_seconds)
    return empty_response()


def _status(item: Item, now: float) -> str:
    return item.mirroring if now >= item.mirroring_settles_at else ON_THE_WAY.get(item.mirroring, item.mirroring)
