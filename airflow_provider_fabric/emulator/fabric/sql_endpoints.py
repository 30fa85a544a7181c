"""The SQL endpoint of a lakehouse: refreshing its metadata (sqlEndpoint file)."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from airflow_provider_fabric.emulator.errors import invalid_input, not_found
from airflow_provider_fabric.emulator.fabric.addressing import workspace_of
from airflow_provider_fabric.emulator.fabric.operations import accepted_response
from airflow_provider_fabric.emulator.http.request import ApiRequest
from airflow_provider_fabric.emulator.http.responses import json_response
from airflow_provider_fabric.emulator.state.ids import derived_id, read_guid
from airflow_provider_fabric.emulator.state.items import Item
from airflow_provider_fabric.emulator.state.times import operation_time
from airflow_provider_fabric.emulator.state.world import World

UNITS = ("Seconds", "Minutes", "Hours", "Days")


def refresh_metadata(world: World, request: ApiRequest) -> Response:
    """``POST …/sqlEndpoints/{sqlEndpointId}/refreshMetadata``: the status of each table, at once or as an operation."""
    lakehouse = _lakehouse(world, request)
    body = request.json_object(optional=True)
    if not isinstance(body.get("recreateTables", False), bool):
        raise invalid_input("recreateTables must be true or false")
    _check_duration(body.get("timeout"))
    result = {"value": [_status(table, request.now) for table in lakehouse.tables]}
    if world.config.is_long_running("refresh_sql_endpoint", by_default=True):
        return accepted_response(world, request, result)
    return json_response(result)


def _lakehouse(world: World, request: ApiRequest) -> Item:
    workspace = workspace_of(world, request)
    wanted = read_guid(request.params["sqlEndpointId"], "sqlEndpointId")
    for item in world.items.of_workspace(workspace.id):
        if item.type == "Lakehouse" and derived_id(item.id, "sql-endpoint") == wanted:
            return item
    raise not_found("ItemNotFound", "SQL endpoint", wanted)


def _check_duration(duration: Any) -> None:
    if duration is None:
        return
    value = duration.get("value") if isinstance(duration, dict) else None
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
    if not is_number or duration.get("timeUnit") not in UNITS:
        raise invalid_input(f"timeout must have a value and a timeUnit of {', '.join(UNITS)}")


def _status(table: dict[str, Any], now: float) -> dict[str, Any]:
    """Return the OpenAPI ``TableSyncStatus`` of a table; one that was seeded with a status or an error has that."""
    time = f"{operation_time(now)}Z"
    error = table.get("error")
    shown = {
        "tableName": table["name"],
        "startDateTime": time,
        "endDateTime": time,
        "status": table.get("status", "Success" if error is None else "Failure"),
        "lastSuccessfulSyncDateTime": time,
    }
    return shown if error is None else {**shown, "error": error}
