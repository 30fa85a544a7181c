"""The SQL analytics endpoint of a lakehouse: refreshing its metadata, so that queries see what was loaded.

https://learn.microsoft.com/rest/api/fabric/sqlendpoint/items/refresh-sql-endpoint-metadata. Without it, readers see the
rows of minutes ago, and no error.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from airflow_provider_fabric.api.http.flow import Clock, Flow, Request, Sleep, quote_segment
from airflow_provider_fabric.api.http.retry import Replay, send
from airflow_provider_fabric.api.items.items import item_path, workspace_path
from airflow_provider_fabric.api.models import ErrorDetail, is_guid
from airflow_provider_fabric.api.operations import operation_id_of, wait_for_operation
from airflow_provider_fabric.exceptions import FabricOperationError, FabricProtocolError

SERVICE_TIMEOUT = 900.0
"""Seconds that the service works at most unless it is asked otherwise."""

MARGIN = 300.0
"""Seconds beyond the service's own limit that are waited for the operation to end."""

PROVISIONING_PAUSE = 10.0
FINE = frozenset({"success", "notrun"})
"""Statuses of a table that is up to date; ``NotRun`` without an error is one that had nothing to do."""


def get_sql_endpoint(
    workspace_id: str, lakehouse_id: str, *, deadline: float | None = None, clock: Clock = time.time
) -> Flow[str]:
    """Return the id of a lakehouse's SQL endpoint, waiting for one that is just being made.

    https://learn.microsoft.com/rest/api/fabric/lakehouse/items/get-lakehouse

    :param workspace_id: GUID.
    :param lakehouse_id: GUID.
    :param deadline: epoch seconds at which to give up; 15 minutes from now by default.
    :param clock: epoch seconds.
    :raises FabricOperationError: making it failed, or does not end.
    """
    deadline = clock() + SERVICE_TIMEOUT if deadline is None else deadline
    path = item_path(workspace_id, lakehouse_id, "Lakehouse", typed=True)
    while True:
        answer = yield from send(Request("GET", path, f"read lakehouse {lakehouse_id}"), replay=Replay.SAFE)
        properties = answer.json_object().get("properties")
        endpoint = properties.get("sqlEndpointProperties") if isinstance(properties, dict) else None
        endpoint = endpoint if isinstance(endpoint, dict) else {}
        status = endpoint.get("provisioningStatus")
        if is_guid(endpoint.get("id")) and status in (None, "Success"):
            return str(endpoint["id"]).lower()
        if status == "Failed" or clock() >= deadline:
            raise FabricOperationError(
                f"Lakehouse {lakehouse_id} has no SQL endpoint to refresh: its provisioning status is {status!r}."
            )
        yield Sleep(PROVISIONING_PAUSE, jitter=0.1)


def start_refresh(
    workspace_id: str, sql_endpoint_id: str, *, timeout: float | None = None, recreate_tables: bool = False
) -> Flow[tuple[list[dict[str, Any]] | None, str | None, float]]:
    """Have the metadata refreshed.

    :param workspace_id: GUID.
    :param sql_endpoint_id: GUID.
    :param timeout: seconds that the service works at most; ``None`` for its own 15 minutes.
    :param recreate_tables: drop and make all tables of the endpoint anew.
    :returns: the tables, if it is done already; otherwise ``None``, the operation's id, and seconds until its first
        poll.
    """
    body: dict[str, Any] = {}
    if timeout is not None:
        body["timeout"] = {"value": timeout, "timeUnit": "Seconds"}
    if recreate_tables:
        body["recreateTables"] = True
    endpoint = quote_segment(sql_endpoint_id, "sql_endpoint_id")
    path = f"{workspace_path(workspace_id)}/sqlEndpoints/{endpoint}/refreshMetadata"
    request = Request("POST", path, f"refresh the metadata of SQL endpoint {sql_endpoint_id}", json=body)
    # Refreshed twice is refreshed; tables that are being made anew must not be dropped by a second request.
    answer = yield from send(request, replay=Replay.IF_UNSENT if recreate_tables else Replay.SAFE)
    if answer.status != 202:
        return tables_of(answer.json_object()), None, 0.0
    operation_id = operation_id_of(answer)
    if operation_id is None:
        raise FabricProtocolError(f"Could not {request.action}: it was accepted, but names no operation to follow.")
    return None, operation_id, answer.retry_after or 0.0


def refresh_sql_endpoint(
    workspace_id: str,
    lakehouse_id: str,
    *,
    timeout: float | None = None,
    recreate_tables: bool = False,
    clock: Clock = time.time,
) -> Flow[list[dict[str, Any]]]:
    """Refresh the metadata of a lakehouse's SQL endpoint and wait for it.

    :param workspace_id: GUID.
    :param lakehouse_id: GUID.
    :param timeout: seconds that the service works at most; ``None`` for its own 15 minutes.
    :param recreate_tables: drop and make all tables of the endpoint anew.
    :param clock: epoch seconds.
    :returns: ``tableName``, ``status``, ``startDateTime``, ``endDateTime``, ``lastSuccessfulSyncDateTime`` of each
        table.
    :raises FabricOperationError: it failed, did not end in time, or a table was not refreshed.
    """
    deadline = clock() + (timeout or SERVICE_TIMEOUT) + MARGIN
    endpoint = yield from get_sql_endpoint(workspace_id, lakehouse_id, deadline=deadline, clock=clock)
    tables, operation_id, pause = yield from start_refresh(
        workspace_id, endpoint, timeout=timeout, recreate_tables=recreate_tables
    )
    if operation_id is not None:
        result = yield from wait_for_operation(
            operation_id,
            action=f"refresh the metadata of SQL endpoint {endpoint}",
            first_poll_after=pause,
            deadline=deadline,
            clock=clock,
        )
        tables = tables_of(result)
    return require_refreshed(tables or [])


def tables_of(content: object) -> list[dict[str, Any]]:
    """Return the tables of a result.

    :raises FabricProtocolError: it lists none.
    """
    tables = content.get("value") if isinstance(content, dict) else None
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise FabricProtocolError(
            "The refresh of the SQL endpoint's metadata ended, but does not say which tables it refreshed."
        )
    return tables


def require_refreshed(tables: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the tables, if all of them are up to date.

    :raises FabricOperationError: some are not; the message names each with its error.
    """
    failed = [t for t in tables if t.get("error") or str(t.get("status")).casefold() not in FINE]
    if not failed:
        return list(tables)
    named = "; ".join(
        f"{t.get('tableName')!r}: {ErrorDetail.from_wire(t.get('error')) or t.get('status') or 'no status'}"
        for t in failed[:10]
    )
    more = f"; and {len(failed) - 10} more" if len(failed) > 10 else ""
    first = ErrorDetail.from_wire(failed[0].get("error"))
    raise FabricOperationError(
        f"{len(failed)} of {len(tables)} tables of the SQL endpoint were not refreshed, and readers see old rows "
        f"there: {named}{more}.",
        error_code=first.error_code if first else None,
    )
