"""Item properties that only the type-specific API returns, and that may not be there right after creation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_fabric.api.http.flow import Flow, Request, Sleep, quote_segment
from airflow_provider_fabric.api.http.retry import Replay, send
from airflow_provider_fabric.api.items.items import workspace_path
from airflow_provider_fabric.exceptions import FabricProtocolError

#: (kind, attribute) → (typed collection, keys below ``properties``).
PROPERTIES: Mapping[tuple[str, str], tuple[str, tuple[str, ...]]] = {
    ("Eventhouse", "queryserviceuri"): ("eventhouses", ("queryServiceUri",)),
    ("KQLDatabase", "queryserviceuri"): ("kqlDatabases", ("queryServiceUri",)),
    ("Lakehouse", "sqlendpoint"): ("lakehouses", ("sqlEndpointProperties", "connectionString")),
    ("Lakehouse", "sqlendpointid"): ("lakehouses", ("sqlEndpointProperties", "id")),
    ("Warehouse", "sqlendpoint"): ("warehouses", ("connectionString",)),
}
PAUSE = 10.0
ATTEMPTS = 60
"""The SQL endpoint of a new lakehouse arrives after seconds to minutes."""


def get_properties(workspace_id: str, collection: str, item_id: str) -> Flow[dict[str, Any]]:
    """Return the ``properties`` of an item, empty if it has none.

    :param workspace_id: GUID.
    :param collection: typed collection, such as ``kqlDatabases``.
    :param item_id: GUID.
    """
    path = f"{workspace_path(workspace_id)}/{collection}/{quote_segment(item_id, 'item_id')}"
    answer = yield from send(Request("GET", path, f"read the properties of item {item_id}"), replay=Replay.SAFE)
    properties = answer.json_object().get("properties")
    return properties if isinstance(properties, dict) else {}


def get_attribute(workspace_id: str, item_type: str, attribute: str, item_id: str) -> Flow[str]:
    """Return one of :data:`PROPERTIES`, waiting up to ten minutes until the service has it.

    :raises FabricProtocolError: it is still not there.
    """
    collection, keys = PROPERTIES[item_type, attribute]
    for attempt in range(ATTEMPTS):
        value: Any = yield from get_properties(workspace_id, collection, item_id)
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, str) and value:
            return value
        if attempt < ATTEMPTS - 1:
            yield Sleep(PAUSE, jitter=0.1)
    raise FabricProtocolError(
        f"{item_type} {item_id} has no {'.'.join(keys)} after {PAUSE * ATTEMPTS:.0f} s. Try again when it is ready."
    )
