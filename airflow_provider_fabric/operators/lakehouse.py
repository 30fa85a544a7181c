"""Maintain a lakehouse: refresh its SQL endpoint and its materialized lake views, maintain its tables."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_fabric.compat import default_deferrable
from airflow_provider_fabric.exceptions import FabricInputError
from airflow_provider_fabric.operators.item import ItemOperator
from airflow_provider_fabric.operators.job import FabricRunItemJobOperator

if TYPE_CHECKING:
    from airflow_provider_fabric.compat import Context
    from airflow_provider_fabric.lifecycle.single_call import SingleCall


class FabricRefreshSqlEndpointOperator(ItemOperator):
    """Refresh the metadata of a lakehouse's SQL endpoint, and wait for it: after a load, before SQL reads it.

    https://learn.microsoft.com/rest/api/fabric/sqlendpoint/items/refresh-sql-endpoint-metadata. Without it, queries and
    reports see the rows of minutes ago, and no error.

    :param workspace: GUID or display name of the workspace (templated).
    :param lakehouse: GUID or display name of the lakehouse (templated).
    :param timeout: seconds that the service works at most; ``None`` for its own 15 minutes.
    :param recreate_tables: drop and make all tables of the endpoint anew. This is not asked for twice: if the answer
        was lost, or the worker died while it asked, the task fails for good. A cleared task asks again.
    :param deferrable: wait in the triggerer; default ``[operators] default_deferrable``.
    :param fabric_conn_id: id of the connection (templated).
    :returns: a list of tables, each with ``tableName``, ``status``, ``startDateTime``, ``endDateTime`` and
        ``lastSuccessfulSyncDateTime``.
    :raises FabricOperationError: it failed, or a table was not refreshed; the message names each with its error.
    """

    template_fields: Sequence[str] = ("workspace", "lakehouse", "fabric_conn_id")
    text_arguments: Sequence[str] = ("workspace", "lakehouse", "fabric_conn_id")
    flag_arguments: Sequence[str] = ("recreate_tables", "deferrable")
    ui_color = "#dff3ef"

    def __init__(
        self,
        *,
        workspace: str,
        lakehouse: str,
        timeout: float | None = None,
        recreate_tables: bool = False,
        deferrable: bool | None = None,
        fabric_conn_id: str = "fabric_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(workspace=workspace, fabric_conn_id=fabric_conn_id, **kwargs)
        self.lakehouse = lakehouse
        self.timeout = timeout
        self.recreate_tables = recreate_tables
        self.deferrable = default_deferrable() if deferrable is None else deferrable
        self.prepare_arguments()

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Refresh, and wait."""
        self.resolve_arguments()
        with self._reported(context), self._recorded(context) as single:
            return self._refresh(single)

    def _recorded(self, context: Context) -> AbstractContextManager[SingleCall]:
        """Give the record of the refresh: tables that are being made anew must not be dropped a second time."""
        return self._single_call(context, enabled=bool(self.recreate_tables))

    @contextmanager
    def _reported(self, context: Context) -> Iterator[None]:
        """Publish what became of the refresh."""
        from airflow_provider_fabric.lifecycle.report import RunReport

        known = {"item": str(self.lakehouse), "item_type": "Lakehouse", "job_type": "refreshMetadata"}
        self._report = RunReport(self, context, **known)
        with self._report.until_the_end():
            yield
            self._report.note(status="Succeeded")

    def _refresh(self, single: SingleCall) -> list[dict[str, Any]]:
        from airflow_provider_fabric.api import sql_endpoints
        from airflow_provider_fabric.api.operations import wait_for_operation
        from airflow_provider_fabric.lifecycle.options import positive_seconds

        limit = None if self.timeout is None else positive_seconds(self.timeout, "timeout")
        workspace_id = self.hook.resolve_workspace(self.workspace)
        lakehouse_id = self.hook.resolve_item(workspace_id, self.lakehouse, "Lakehouse")
        self._report.note(workspace_id=workspace_id, item_id=lakehouse_id)
        deadline = time.time() + (limit or sql_endpoints.SERVICE_TIMEOUT) + sql_endpoints.MARGIN
        endpoint = self.hook.run(sql_endpoints.get_sql_endpoint(workspace_id, lakehouse_id, deadline=deadline))
        tables, operation_id, pause = self._started(single, workspace_id, endpoint, limit, deadline)
        if operation_id is None:
            return self._refreshed(single, tables or [])
        self._note_going_on(f"Operation {operation_id}")
        self._report.note(operation_id=operation_id)
        if self.deferrable:
            from airflow_provider_fabric.triggers.job import FabricOperationTrigger

            self._report.publish()
            trigger = FabricOperationTrigger(self.fabric_conn_id, operation_id, deadline)
            return self._wait_in_triggerer(trigger, {"workspace_id": workspace_id, "item_id": lakehouse_id})
        action = f"refresh the metadata of SQL endpoint {endpoint}"
        with single.following():
            result = self.hook.run(
                wait_for_operation(operation_id, action=action, first_poll_after=pause, deadline=deadline)
            )
        return self._refreshed(single, sql_endpoints.tables_of(result))

    def _started(
        self, single: SingleCall, workspace_id: str, endpoint: str, limit: float | None, deadline: float
    ) -> tuple[list[dict[str, Any]] | None, str | None, float]:
        """Have it refreshed, unless an earlier attempt has."""
        from airflow_provider_fabric.api.sql_endpoints import start_refresh
        from airflow_provider_fabric.lifecycle.single_call import call_of

        action = f"the refresh of SQL endpoint {endpoint}, with recreate_tables"
        call = call_of(action, connection=self.fabric_conn_id, workspace=workspace_id, endpoint=endpoint)
        earlier = single.earlier(call)
        if earlier is not None and not earlier.cleared:
            return None, earlier.operation_id, 0.0
        if earlier is not None:
            self._let_end(earlier.operation_id, deadline)
        flow = start_refresh(workspace_id, endpoint, timeout=limit, recreate_tables=bool(self.recreate_tables))
        started = single.send(self.hook.run, flow, call)
        if started[1] is not None:
            self.log.info("SQL endpoint %s is refreshed by operation %s.", endpoint, started[1])
            single.answered(started[1])
        return started

    def _wait_in_triggerer(self, trigger: Any, ids: dict[str, str]) -> NoReturn:
        self.defer(trigger=trigger, method_name="execute_complete", kwargs={"ids": ids})
        raise AssertionError("unreachable: defer raises")

    def execute_complete(
        self, context: Context, event: Any, ids: Mapping[str, str] | None = None
    ) -> list[dict[str, Any]]:
        """Take over from the triggerer. ``ids`` are for what is published; ``dag.test()`` passes on the event alone.

        :raises FabricOperationError: the operation failed, or did not end in time, or a table was not refreshed.
        """
        from airflow_provider_fabric.api.sql_endpoints import tables_of
        from airflow_provider_fabric.triggers.job import operation_error

        with self._reported(context), self._recorded(context) as single:
            self._report.note(operation_id=event.get("operation_id"), **(ids or {}))
            with single.following():
                if not event["succeeded"]:
                    raise operation_error(event)
            return self._refreshed(single, tables_of(event["result"]))

    def _refreshed(self, single: SingleCall, tables: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the tables, if all of them were refreshed; if not, the next attempt refreshes them again."""
        from airflow_provider_fabric.api.sql_endpoints import require_refreshed

        with single.following():
            require_refreshed(tables)
        self.log.info("The SQL endpoint of %r is up to date: %d tables.", self.lakehouse, len(tables))
        single.delivered()
        return tables


class FabricRefreshMaterializedLakeViewsOperator(FabricRunItemJobOperator):
    """Refresh a lakehouse's materialized lake views and wait for it.

    https://learn.microsoft.com/rest/api/fabric/lakehouse/background-jobs/run-on-demand-refresh-materialized-lake-views

    :param workspace: GUID or display name of the workspace (templated).
    :param lakehouse: GUID or display name of the lakehouse (templated).
    :param execution_definition_id: GUID of the execution definition that says which views; ``None`` for all
        (templated).
    :param job_type: ``RefreshMaterializedLakeViews`` (templated).

    The other parameters are those of :class:`~airflow_provider_fabric.operators.job.FabricRunItemJobOperator`.
    """

    template_fields: Sequence[str] = (
        "workspace",
        "lakehouse",
        "execution_definition_id",
        "execution_data",
        "parameters",
        "job_type",
        "fabric_conn_id",
    )
    text_arguments: Sequence[str] = ("workspace", "lakehouse", "job_type", "fabric_conn_id")
    optional_text_arguments: Sequence[str] = ("execution_definition_id",)
    item_field = "lakehouse"

    def __init__(
        self,
        *,
        workspace: str,
        lakehouse: str,
        execution_definition_id: str | None = None,
        job_type: str = "RefreshMaterializedLakeViews",
        **kwargs: Any,
    ) -> None:
        super().__init__(workspace=workspace, item=lakehouse, item_type="Lakehouse", job_type=job_type, **kwargs)
        self.lakehouse = lakehouse
        self.execution_definition_id = execution_definition_id
        self.prepare_arguments()

    def build_body(self) -> Mapping[str, Any] | None:
        """Return which execution definition to run, if one was given."""
        from airflow_provider_fabric.api.jobs.payloads import with_parameters
        from airflow_provider_fabric.api.models import require_guid

        definition = self.execution_definition_id
        if definition is not None:
            definition = require_guid(definition, "execution_definition_id")
        made = {"mlvExecutionDefinitionId": ("execution_definition_id", definition)}
        return with_parameters(made, self.execution_data, self.parameters)


class FabricRunTableMaintenanceOperator(FabricRunItemJobOperator):
    """Optimize and vacuum a table of a lakehouse and wait for it.

    https://learn.microsoft.com/rest/api/fabric/lakehouse/background-jobs/run-on-demand-table-maintenance. What is left
    out is not done.

    :param workspace: GUID or display name of the workspace (templated).
    :param lakehouse: GUID or display name of the lakehouse (templated).
    :param table: name of the table (templated).
    :param schema: name of its schema, in a lakehouse that has schemas (templated).
    :param v_order: optimize, with V-Order or without.
    :param z_order_by: optimize, ordering by these columns (templated).
    :param vacuum_retention: remove unreferenced files older than this: a ``timedelta``, or text ``d:hh:mm:ss``
        (templated).
    :param purge_deletion_vectors: rewrite files so that deleted rows are gone physically.
    :param job_type: ``TableMaintenance`` (templated).

    The other parameters are those of :class:`~airflow_provider_fabric.operators.job.FabricRunItemJobOperator`.
    """

    template_fields: Sequence[str] = (
        "workspace",
        "lakehouse",
        "table",
        "schema",
        "z_order_by",
        "vacuum_retention",
        "execution_data",
        "parameters",
        "job_type",
        "fabric_conn_id",
    )
    text_arguments: Sequence[str] = ("workspace", "lakehouse", "table", "job_type", "fabric_conn_id")
    optional_text_arguments: Sequence[str] = ("schema",)
    text_list_arguments: Sequence[str] = ("z_order_by",)
    flag_arguments: Sequence[str] = (
        *FabricRunItemJobOperator.flag_arguments,
        "v_order",
        "purge_deletion_vectors",
    )
    item_field = "lakehouse"

    def __init__(
        self,
        *,
        workspace: str,
        lakehouse: str,
        table: str,
        schema: str | None = None,
        v_order: bool | None = None,
        z_order_by: Sequence[str] | None = None,
        vacuum_retention: timedelta | str | None = None,
        purge_deletion_vectors: bool | None = None,
        job_type: str = "TableMaintenance",
        **kwargs: Any,
    ) -> None:
        super().__init__(workspace=workspace, item=lakehouse, item_type="Lakehouse", job_type=job_type, **kwargs)
        self.lakehouse = lakehouse
        self.table = table
        self.schema = schema
        self.v_order = v_order
        self.z_order_by = z_order_by
        self.vacuum_retention = vacuum_retention
        self.purge_deletion_vectors = purge_deletion_vectors
        self.prepare_arguments()

    def build_body(self) -> Mapping[str, Any] | None:
        """Return which table, and what to do to it."""
        from airflow_provider_fabric.api.jobs.payloads import string_list, with_parameters  # not while a DAG is parsed
        from airflow_provider_fabric.lifecycle.options import time_span

        if not isinstance(self.table, str) or not self.table.strip():
            raise FabricInputError(f"table must be the name of a table, got {self.table!r}.")
        optimize = {"vOrder": self.v_order, "zOrderBy": string_list(self.z_order_by, "z_order_by")}
        vacuum = {"retentionPeriod": time_span(self.vacuum_retention, "vacuum_retention")}
        work = {
            "optimizeSettings": ("v_order or z_order_by", _given(optimize)),
            "vacuumSettings": ("vacuum_retention", _given(vacuum)),
            "purgeDeletionVectors": ("purge_deletion_vectors", self.purge_deletion_vectors),
        }
        made = {"tableName": ("table", self.table), "schemaName": ("schema", self.schema), **work}
        body = with_parameters(made, self.execution_data, self.parameters)
        if not any((body or {}).get("executionData", {}).get(key) for key in work):
            raise FabricInputError(
                f"There is nothing to do to table {self.table!r}: give v_order, z_order_by, vacuum_retention or "
                "purge_deletion_vectors."
            )
        return body


def _given(settings: Mapping[str, Any]) -> dict[str, Any] | None:
    return {key: value for key, value in settings.items() if value is not None} or None
