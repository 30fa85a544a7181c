"""``properties`` of items, which only the typed collections show, and the one of them that a caller can change."""

from __future__ import annotations

from typing import Any

from airflow_provider_fabric.emulator.errors import invalid_input
from airflow_provider_fabric.emulator.state.ids import derived_id
from airflow_provider_fabric.emulator.state.items import Item
from airflow_provider_fabric.emulator.state.times import service_time
from airflow_provider_fabric.emulator.state.world import World

DEFAULT_VALUE_SET = "Default value set"


def typed_item(world: World, item: Item, now: float) -> dict[str, Any]:
    """Return an item as its own collection shows it."""
    shown = item.to_wire()
    build = _PROPERTIES.get(item.type)
    if build is not None:
        shown["properties"] = build(world, item, now)
    return shown


def _lakehouse(world: World, item: Item, now: float) -> dict[str, Any]:
    root = f"https://onelake.dfs.fabric.microsoft.com/{item.workspace_id}/{item.id}"
    properties: dict[str, Any] = {
        "oneLakeTablesPath": f"{root}/Tables",
        "oneLakeFilesPath": f"{root}/Files",
        "sqlEndpointProperties": {
            "connectionString": f"{_code(item)}.datawarehouse.fabric.microsoft.com",
            "id": derived_id(item.id, "sql-endpoint"),
            "provisioningStatus": "Success",
        },
    }
    metadata = next((part for part in item.parts if part.path == "lakehouse.metadata.json"), None)
    if metadata is not None:
        schema = metadata.json().get("defaultSchema")
        if schema:
            properties["defaultSchema"] = schema
    return properties


def _warehouse(world: World, item: Item, now: float) -> dict[str, Any]:
    changed = service_time(item.modified_at)
    return {
        "connectionString": f"{_code(item)}.datawarehouse.fabric.microsoft.com",
        "createdDate": changed,
        "lastUpdatedTime": changed,
    }


def _eventhouse(world: World, item: Item, now: float) -> dict[str, Any]:
    databases = [
        other.id
        for other in world.items.of_workspace(item.workspace_id)
        if other.type == "KQLDatabase" and _parent(other) == item.id
    ]
    return {**_uris(item.id), "databasesItemIds": databases}


def _database(world: World, item: Item, now: float) -> dict[str, Any]:
    parent = _parent(item) or derived_id(item.id, "eventhouse")
    return {"parentEventhouseItemId": parent, "databaseType": "ReadWrite", **_uris(parent)}


def _parent(item: Item) -> str | None:
    part = next((part for part in item.parts if part.path == "DatabaseProperties.json"), None)
    return None if part is None else part.json().get("parentEventhouseItemId")


def _uris(eventhouse_id: str) -> dict[str, str]:
    host = f"trd-{eventhouse_id.replace('-', '')[:20]}.z0.kusto.fabric.microsoft.com"
    return {"queryServiceUri": f"https://{host}", "ingestionServiceUri": f"https://ingest-{host}"}


def _code(item: Item) -> str:
    return f"{item.workspace_id}-{item.id}".replace("-", "")[:52]


def _environment(world: World, item: Item, now: float) -> dict[str, Any]:
    if item.publish_ends_at is None:
        return {"publishDetails": {}}
    details = {
        "state": "Running" if now < item.publish_ends_at else "Cancelled" if item.publish_cancelled else "Success",
        "targetVersion": derived_id(item.id, f"version {item.published_revision}"),
        "startTime": service_time(item.modified_at) + "Z",
    }
    if now >= item.publish_ends_at:
        details["endTime"] = service_time(item.publish_ends_at) + "Z"
    return {"publishDetails": details}


def _variable_library(world: World, item: Item, now: float) -> dict[str, Any]:
    return {"activeValueSetName": item.active_value_set or DEFAULT_VALUE_SET}


_PROPERTIES = {
    "Environment": _environment,
    "Eventhouse": _eventhouse,
    "KQLDatabase": _database,
    "Lakehouse": _lakehouse,
    "VariableLibrary": _variable_library,
    "Warehouse": _warehouse,
}


def update_properties(item: Item, properties: object) -> None:
    """Change an item's properties: the active value set of a variable library.

    :raises ServiceError: 400 for another kind, or a value set that the library does not have.
    """
    if item.type != "VariableLibrary" or not isinstance(properties, dict):
        raise invalid_input("The properties of this item cannot be changed")
    name = properties.get("activeValueSetName")
    sets = {str(part.json().get("name")) for part in item.parts if part.path.startswith("valueSets/")}
    if name not in sets | {DEFAULT_VALUE_SET}:
        raise invalid_input(f"The variable library has no value set '{name}'")
    item.active_value_set = str(name)
