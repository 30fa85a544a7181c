"""Asset URIs: ``fabric://{workspace}/{item}``, each a GUID or a display name.

``outlets=[fabric_asset("Sales", "Daily load")]`` lets any operator say what it brought up to date. The event of an
operator or sensor that stands for a Fabric run tells which run that was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, quote, unquote, urlsplit

from airflow_provider_fabric.api.models import is_guid
from airflow_provider_fabric.compat import asset_class
from airflow_provider_fabric.exceptions import FabricInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEME = "fabric"


def _part(name: Any, what: str) -> str:
    if not isinstance(name, str) or not name.strip():
        raise FabricInputError(f"A fabric:// URI names a workspace and an item; {what} is {name!r}.")
    return name.lower() if is_guid(name) else quote(name, safe="")


def asset_uri(workspace: str, item: str) -> str:
    """Return an item's URI.

    :param workspace: GUID or display name.
    :param item: GUID or display name.
    :raises FabricInputError: one of them is blank.
    """
    return f"{SCHEME}://{_part(workspace, 'workspace')}/{_part(item, 'item')}"


def fabric_asset(workspace: str, item: str, *, extra: Mapping[str, Any] | None = None, **more: Any) -> Any:
    """Return an item as an asset (Airflow 2: a dataset).

    :param workspace: GUID or display name.
    :param item: GUID or display name.
    :param extra: as Airflow has it.
    :param more: what else an ``Asset`` takes, such as ``name`` and ``watchers`` (Airflow ≥ 3.0).
    """
    return asset_class()(uri=asset_uri(workspace, item), extra=dict(extra) if extra else None, **more)


def fabric_event_payloads(triggering_asset_events: Any) -> list[dict[str, Any]]:
    """Return what the Fabric runs that started a DAG run were, the newest last.

    A function for tasks, and a macro for templates: with ``DAG(user_defined_macros={"fabric_event_payloads":
    fabric_event_payloads})``, the last run's id, which is empty in a DAG run that no event has started, is
    ``{{ (fabric_event_payloads(triggering_asset_events) | last | default({})).job_instance_id | default('') }}``.

    :param triggering_asset_events: ``triggering_asset_events`` of the task's context; ``None`` is none.
    :returns: what an operator returns of a run, and ``run_url``: the payload of a
        :class:`~airflow_provider_fabric.triggers.events.FabricJobEventTrigger`, or what a task with a
        :func:`fabric_asset` among its ``outlets`` tells, which is the XCom ``fabric_run`` of a run that completed
        (``rows``, names and more). Empty in a DAG run that no such event started.
    """
    found: dict[str, tuple[Any, dict[str, Any]]] = {}
    for events in triggering_asset_events.values() if triggering_asset_events else ():
        for event in events:
            extra = getattr(event, "extra", None) or {}
            payload = extra.get("payload", extra)
            if isinstance(payload, dict) and payload.get("job_instance_id"):
                found[str(payload["job_instance_id"])] = (getattr(event, "timestamp", None), payload)
    ordered = sorted(found.values(), key=lambda entry: (entry[0] is not None, entry[0] or 0))
    return [payload for _, payload in ordered]


def create_asset(*, workspace: str, item: str, extra: dict[str, Any] | None = None) -> Any:
    """Return an asset: the factory that Airflow's hook lineage calls."""
    return fabric_asset(workspace, item, extra=extra)


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """Check a URI and write it in one way only.

    :raises ValueError: it does not name one workspace and one item.
    """
    parts = uri.path.strip("/").split("/")
    if not uri.netloc or len(parts) != 1 or not parts[0]:
        raise ValueError(f"URI format fabric:// must be fabric://workspace/item, got {uri.geturl()!r}.")
    plain = urlsplit(asset_uri(unquote(uri.netloc), unquote(parts[0])))
    return uri._replace(netloc=plain.netloc, path=plain.path)


def convert_asset_to_openlineage(asset: Any, lineage_context: Any) -> Any:
    """Return an asset as an OpenLineage dataset."""
    from openlineage.client.event_v2 import Dataset

    uri = urlsplit(str(asset.uri))
    return Dataset(namespace=f"{SCHEME}://{uri.netloc}", name=unquote(uri.path.strip("/")))
