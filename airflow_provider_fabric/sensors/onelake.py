"""Wait for files in OneLake."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_fabric.arguments import TaskArguments
from airflow_provider_fabric.compat import (
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    PokeReturnValue,
    default_deferrable,
    settling_seconds,
)

if TYPE_CHECKING:
    from airflow_provider_fabric.compat import Context
    from airflow_provider_fabric.hooks.fabric import FabricHook


class FabricOneLakeFileSensor(TaskArguments, BaseSensorOperator):
    """Wait for a file, or for files that fit a pattern, in OneLake.

    https://learn.microsoft.com/fabric/onelake/onelake-access-api. Polls go to OneLake's own endpoint, with a token for
    Azure Storage; none counts against the quota of job runs. Airflow's own ``timeout``, ``poke_interval``, ``mode`` and
    ``soft_fail`` apply.

    :param workspace: GUID or display name of the workspace (templated).
    :param item: GUID or display name of the lakehouse, or other item (templated).
    :param path: below the item, such as ``Files/in/orders.csv``; or a pattern, in which ``*``, ``?`` and ``[…]``
        stand for characters inside one part and ``**`` for any number of parts. A path may be that of a directory, such
        as a table; patterns find files (templated).
    :param item_type: kind of item; its name alone is not enough, because a lakehouse's SQL endpoint has the same
        (templated).
    :param unchanged_for: seconds for which none of the files must have changed, by the service's clock: for writers
        that do not rename at the end.
    :param deferrable: wait in the triggerer; default ``[operators] default_deferrable``.
    :param fabric_conn_id: id of the connection (templated).
    :returns: a list of files, each with ``path``, ``size``, ``modified_at`` (epoch seconds), ``is_directory``.
    """

    template_fields: Sequence[str] = ("workspace", "item", "path", "item_type", "fabric_conn_id")
    text_arguments: Sequence[str] = ("workspace", "item", "path", "item_type", "fabric_conn_id")
    flag_arguments: Sequence[str] = ("deferrable",)
    ui_color = "#dff3ef"
    _looked_around = False

    def __init__(
        self,
        *,
        workspace: str,
        item: str,
        path: str,
        item_type: str = "Lakehouse",
        unchanged_for: float | None = None,
        deferrable: bool | None = None,
        fabric_conn_id: str = "fabric_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.workspace = workspace
        self.item = item
        self.path = path
        self.item_type = item_type
        self.unchanged_for = unchanged_for
        self.deferrable = default_deferrable() if deferrable is None else deferrable
        self.fabric_conn_id = fabric_conn_id
        self.prepare_arguments()

    @cached_property
    def hook(self) -> FabricHook:
        """The hook; made in the worker, never while a DAG is parsed."""
        from airflow_provider_fabric.hooks.fabric import FabricHook

        return FabricHook(self.fabric_conn_id)

    @cached_property
    def ids(self) -> tuple[str, str]:
        """GUIDs of the workspace and the item: OneLake takes no mixture, and answers 404 to ids that do not exist."""
        from airflow_provider_fabric.api.models import is_guid

        workspace_id = self.hook.resolve_workspace(self.workspace)
        item_id = self.hook.resolve_item(workspace_id, self.item, self.item_type)
        if is_guid(self.item):
            self.hook.get_item(workspace_id, item_id)
        return workspace_id, item_id

    def poke(self, context: Context) -> PokeReturnValue | bool:
        """Poll once; then wait on, here or in the triggerer."""
        self.resolve_arguments()
        from airflow_provider_fabric.api.http.permanent import is_permanent
        from airflow_provider_fabric.api.onelake import check_path, find_settled, not_there, what_is_there
        from airflow_provider_fabric.exceptions import FabricError
        from airflow_provider_fabric.lifecycle.options import positive_seconds

        path = check_path(self.path)
        positive_seconds(self.timeout, "timeout")
        unchanged_for = None if self.unchanged_for is None else positive_seconds(self.unchanged_for, "unchanged_for")
        try:
            files, ready = self.hook.run(find_settled(*self.ids, path, unchanged_for))
        except FabricError as error:
            if is_permanent(error):
                raise
            self.log.warning("Could not look for %r, will try again: %s", path, error)
            files, ready = [], False
        else:
            if ready:
                return self._found([asdict(file) for file in files])
            self.log.info("%s", not_there(path, files, unchanged_for))
            if not files and not self._looked_around:
                self._looked_around = True
                self.log.info("%s", self.hook.run(what_is_there(*self.ids, path)) or "What is there cannot be read.")
        if self.deferrable and "ids" in vars(self):
            from airflow_provider_fabric.triggers.onelake import FabricOneLakeFileTrigger

            interval = max(1.0, float(self.poke_interval))
            now = time.time()
            next_poll_at, deadline = now + max(interval, settling_seconds()), now + float(self.timeout)
            where = (self.fabric_conn_id, *self.ids, path, unchanged_for, interval, deadline, next_poll_at)
            self.defer(trigger=FabricOneLakeFileTrigger(*where), method_name="execute_complete")
        return False

    def execute_complete(self, context: Context, event: Any) -> Any:
        """Take over from the triggerer.

        :raises AirflowSensorTimeout: they were not there in time.
        :raises FabricError: they could not be looked for.
        """
        from airflow_provider_fabric.exceptions import FabricError

        if event["files"] is not None:
            return self._found(event["files"]).xcom_value
        if not event["timeout"]:
            raise FabricError(event["message"])
        text = f"{self.item_type} {self.item!r} in workspace {self.workspace!r}: {event['message']}"
        if self.soft_fail:
            raise AirflowSkipException(f"{text} Skipping, because soft_fail is set.")
        raise AirflowSensorTimeout(text)

    def _found(self, files: list[dict[str, Any]]) -> PokeReturnValue:
        self.log.info("There: %s", ", ".join(file["path"] for file in files[:20]))
        return PokeReturnValue(is_done=True, xcom_value=files)
