"""The cluster of a KQL database, which Git leaves out of the querysets and dashboards that read it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

#: Kind → (part, keys that lead to its data sources, key of a data source with the database's id).
SOURCES: Mapping[str, tuple[str, tuple[str, ...], str]] = {
    "KQLQueryset": ("RealTimeQueryset.json", ("queryset", "dataSources"), "databaseItemId"),
    "KQLDashboard": ("RealTimeDashboard.json", ("dataSources",), "database"),
}


def databases_without_cluster(item_type: str, parts: Mapping[str, bytes]) -> list[str]:
    """Return the ids of the databases whose cluster a definition leaves empty."""
    body, key = _body(item_type, parts)
    return [str(source[key]) for source in _open(item_type, body)] if body is not None else []


def with_clusters(item_type: str, parts: Mapping[str, bytes], clusters: Mapping[str, str]) -> dict[str, bytes]:
    """Return a definition whose empty clusters are filled in.

    :param clusters: query service URI by the database's id.
    """
    body, key = _body(item_type, parts)
    result = dict(parts)
    if body is None:
        return result
    filled = False
    for source in _open(item_type, body):
        if source[key] in clusters:
            source["clusterUri"] = clusters[source[key]]
            filled = True
    if filled:
        result[SOURCES[item_type][0]] = json.dumps(body, indent=2, ensure_ascii=False).encode()
    return result


def _body(item_type: str, parts: Mapping[str, bytes]) -> tuple[dict[str, Any] | None, str]:
    part, _, key = SOURCES.get(item_type, ("", (), ""))
    if part not in parts:
        return None, key
    body = json.loads(parts[part])
    return (body if isinstance(body, dict) else None), key


def _open(item_type: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the data sources that name a database and no cluster."""
    _, keys, key = SOURCES[item_type]
    found: Any = body
    for name in keys:
        found = found.get(name) if isinstance(found, dict) else None
    for source in found if isinstance(found, list) else ():
        if isinstance(source, dict) and source.get("clusterUri") == "" and isinstance(source.get(key), str):
            yield source
