"""Wait for a run that something else started."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_fabric.api.models import JobRef, require_guid
from airflow_provider_fabric.compat import (
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    PokeReturnValue,
    default_deferrable,
)
from airflow_provider_fabric.exceptions import FabricError, FabricJobFailed, FabricJobMayBeRunning
from airflow_provider_fabric.failure import job_error
from airflow_provider_fabric.links import RUN_URL_KEY, FabricRunLink, run_url
from airflow_provider_fabric.run import Ending, FabricRun, Outcome

if TYPE_CHECKING:
    from airflow_provider_fabric.compat import Context
    from airflow_provider_fabric.hooks.fabric import FabricHook


class FabricJobInstanceSensor(BaseSensorOperator):
    """Wait until a job instance has completed; fail at once if it ends otherwise.

    Airflow's own ``timeout``, ``poke_interval``, ``mode`` and ``soft_fail`` apply. Trouble while looking does not fail
    the sensor as long as the run may be going; wrong ids and missing rights do.

    :param workspace: GUID or display name of the workspace (templated).
    :param item: GUID or display name of the item (templated).
    :param job_instance_id: GUID of the run (templated).
    :param item_type: kind of item, if the name alone is not enough.
    :param fabric_conn_id: id of the connection (templated).
    :param deferrable: wait in the triggerer; default ``[operators] default_deferrable``.
    """

    template_fields: Sequence[str] = ("workspace", "item", "job_instance_id", "fabric_conn_id")
    operator_extra_links = (FabricRunLink(),)
    ui_color = "#dff3ef"

    def __init__(
        self,
        *,
        workspace: str,
        item: str,
        job_instance_id: str,
        item_type: str | None = None,
        fabric_conn_id: str = "fabric_default",
        deferrable: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.workspace = workspace
        self.item = item
        self.job_instance_id = job_instance_id
        self.item_type = item_type
        self.fabric_conn_id = fabric_conn_id
        self.deferrable = default_deferrable() if deferrable is None else deferrable
        self._following: FabricRun | None = None

    @cached_property
    def hook(self) -> FabricHook:
        """The hook; made in the worker, never while a DAG is parsed."""
        from airflow_provider_fabric.hooks.fabric import FabricHook

        return FabricHook(self.fabric_conn_id)

    def execute(self, context: Context) -> Any:
        """Wait, here or in the triggerer."""
        run = self._follow(context)
        if not self.deferrable:
            return super().execute(context)
        from airflow_provider_fabric.triggers.job import FabricJobInstanceTrigger

        return self.defer(
            trigger=FabricJobInstanceTrigger(self.fabric_conn_id, run.to_state(), cancel_on_kill=False),
            method_name="execute_complete",
            kwargs={"run": run.to_state()},
        )

    def poke(self, context: Context) -> Any:
        """Look once."""
        run = self._follow(context)
        watch = run.watch()
        try:
            job = run.job
            instance = self.hook.get_item_job_instance(job.workspace_id, job.item_id, job.job_instance_id)
        except FabricError as error:
            watch.stumbled(error, time.time())
            self.log.warning("Could not look at job instance %s, will look again: %s", run.job.job_instance_id, error)
            return False
        ended = watch.seen(instance, time.time())
        if ended is None:
            return False
        return PokeReturnValue(is_done=True, xcom_value=self.finish(run, Outcome.over(ended, run.job.workspace_id)))

    def execute_complete(self, context: Context, event: Any, run: Mapping[str, Any]) -> Any:
        """Take over from the triggerer."""
        return self.finish(FabricRun.from_state(run), Outcome.from_state(event))

    def finish(self, run: FabricRun, outcome: Outcome) -> dict[str, Any]:
        """Decide what the run's end means.

        :raises FabricJobFailed: the run did not complete.
        :raises AirflowSensorTimeout: it did not end within the sensor's ``timeout``.
        """
        if outcome.ending is Ending.TIMEOUT:
            if self.soft_fail:
                raise AirflowSkipException(f"{outcome.message} Skipping, because soft_fail is set.")
            raise AirflowSensorTimeout(outcome.message)
        if outcome.ending is Ending.LOST:
            raise FabricJobMayBeRunning(outcome.message, job=outcome.job, run_url=run.run_url)
        status = outcome.job.get("status")
        if status == "Completed":
            return outcome.job
        raise job_error(FabricJobFailed, run, self.item, outcome.job, f"ended as {status}")

    def _follow(self, context: Context) -> FabricRun:
        """Return what to watch, once, with its link published."""
        if self._following is None:
            job_instance_id = require_guid(self.job_instance_id, "job_instance_id")
            workspace_id = self.hook.resolve_workspace(self.workspace)
            item_id = self.hook.resolve_item(workspace_id, self.item, self.item_type)
            url = run_url(self.hook.get_conn().host, workspace_id, item_id, self.item_type, job_instance_id)
            now = time.time()
            self._following = FabricRun(
                job=JobRef(workspace_id, item_id, job_instance_id),
                job_type="",
                item_type=self.item_type,
                run_url=url,
                submitted_at=now,
                next_look=now,
                check_interval=max(1.0, float(self.poke_interval)),
                deadline=now + float(self.timeout),
            )
            context["ti"].xcom_push(key=RUN_URL_KEY, value=url)
        return self._following
