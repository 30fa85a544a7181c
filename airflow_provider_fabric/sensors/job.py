"""Wait for a run that something else started."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_fabric.api.item_watch import ItemWatch
from airflow_provider_fabric.api.models import JobRef, require_guid
from airflow_provider_fabric.api.permanent import is_permanent
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
from airflow_provider_fabric.moments import run_began, to_epoch
from airflow_provider_fabric.run import Ending, FabricRun, Outcome

if TYPE_CHECKING:
    from airflow_provider_fabric.compat import Context
    from airflow_provider_fabric.hooks.fabric import FabricHook


class FabricRunSensor(BaseSensorOperator):
    """What the sensors share: the item, the hook, the link, and what the end of a run means.

    Airflow's own ``timeout``, ``poke_interval``, ``mode``, ``soft_fail`` and ``never_fail`` apply in every mode. Trouble
    while looking does not fail a sensor as long as looking on can help; wrong ids and missing rights do. A run that
    did not complete fails it at once, ``soft_fail`` or not: that is about time.
    """

    operator_extra_links = (FabricRunLink(),)
    ui_color = "#dff3ef"

    def __init__(
        self,
        *,
        workspace: str,
        item: str,
        item_type: str | None = None,
        fabric_conn_id: str = "fabric_default",
        deferrable: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.workspace = workspace
        self.item = item
        self.item_type = item_type
        self.fabric_conn_id = fabric_conn_id
        self.deferrable = default_deferrable() if deferrable is None else deferrable

    @cached_property
    def hook(self) -> FabricHook:
        """The hook; made in the worker, never while a DAG is parsed."""
        from airflow_provider_fabric.hooks.fabric import FabricHook

        return FabricHook(self.fabric_conn_id)

    @cached_property
    def ids(self) -> tuple[str, str]:
        """GUIDs of the workspace and the item."""
        workspace_id = self.hook.resolve_workspace(self.workspace)
        return workspace_id, self.hook.resolve_item(workspace_id, self.item, self.item_type)

    @property
    def interval(self) -> float:
        """Seconds between looks."""
        return max(1.0, float(self.poke_interval))

    def publish(self, context: Context, job_instance_id: str | None) -> str:
        """Publish the page of a run, or of the item."""
        url = run_url(self.hook.get_conn().host, *self.ids, self.item_type, job_instance_id)
        context["ti"].xcom_push(key=RUN_URL_KEY, value=url)
        return url

    def look(self, what: str, look: Callable[[], Any]) -> Any:
        """Look once; passing trouble is as if there were nothing to see."""
        try:
            return look()
        except FabricError as error:
            if is_permanent(error):
                raise
            self.log.warning("Could not look at %s, will look again: %s", what, error)
            return None

    def resume(self, context: Context, event: Any, job_type: str = "") -> Any:
        """Take over from the triggerer, by Airflow's rules for sensors.

        :raises FabricJobFailed: the run did not complete.
        :raises AirflowSensorTimeout: there was none within the sensor's ``timeout``.
        """
        try:
            return self.finish(context, Outcome.from_state(event))
        except FabricError as error:
            if getattr(self, "never_fail", False):
                raise AirflowSkipException(f"{error} Skipping, because never_fail is set.") from error
            raise

    def finish(self, context: Context, outcome: Outcome) -> dict[str, Any]:
        """Decide what the end of the wait means."""
        if outcome.ending is Ending.TIMEOUT:
            if self.soft_fail:
                raise AirflowSkipException(f"{outcome.message} Skipping, because soft_fail is set.")
            raise AirflowSensorTimeout(outcome.message)
        job = outcome.job
        url = self.publish(context, job.get("job_instance_id"))
        if outcome.ending is Ending.LOST:
            raise FabricJobMayBeRunning(outcome.message, job=job, run_url=url)
        if job.get("status") == "Completed":
            return job
        run = self.as_run(JobRef.from_state(job), url, str(job.get("job_type") or ""))
        raise job_error(FabricJobFailed, run, self.item, job, f"ended as {job.get('status')}")

    def as_run(self, job: JobRef, url: str, job_type: str = "") -> FabricRun:
        """Return a run as it crosses to a triggerer."""
        now = time.time()
        return FabricRun(
            job=job,
            job_type=job_type,
            item_type=self.item_type,
            run_url=url,
            submitted_at=now,
            next_look=now,
            check_interval=self.interval,
            deadline=now + float(self.timeout),
        )


class FabricJobInstanceSensor(FabricRunSensor):
    """Wait until a job instance has completed; fail at once if it ends otherwise.

    :param workspace: GUID or display name of the workspace (templated).
    :param item: GUID or display name of the item (templated).
    :param job_instance_id: GUID of the run (templated).
    :param item_type: kind of item, if the name alone is not enough.
    :param fabric_conn_id: id of the connection (templated).
    :param deferrable: wait in the triggerer; default ``[operators] default_deferrable``.
    :returns: the run, as the operators return it.

    Airflow's own arguments for sensors apply: see :class:`FabricRunSensor`.
    """

    template_fields: Sequence[str] = ("workspace", "item", "job_instance_id", "fabric_conn_id")

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
        super().__init__(
            workspace=workspace,
            item=item,
            item_type=item_type,
            fabric_conn_id=fabric_conn_id,
            deferrable=deferrable,
            **kwargs,
        )
        self.job_instance_id = job_instance_id

    def execute(self, context: Context) -> Any:
        """Wait, here or in the triggerer."""
        url = self.publish(context, require_guid(self.job_instance_id, "job_instance_id"))
        if not self.deferrable:
            return super().execute(context)
        from airflow_provider_fabric.triggers.job import FabricJobInstanceTrigger

        run = self.as_run(self._job, url)
        return self.defer(
            trigger=FabricJobInstanceTrigger(self.fabric_conn_id, run.to_state(), cancel_on_kill=False),
            method_name="execute_complete",
        )

    def poke(self, context: Context) -> Any:
        """Look once."""
        job = self._job
        instance = self.look(
            f"job instance {job.job_instance_id}",
            lambda: self.hook.get_item_job_instance(job.workspace_id, job.item_id, job.job_instance_id),
        )
        if instance is None or not instance.status.is_terminal:
            return False
        return PokeReturnValue(is_done=True, xcom_value=self.finish(context, Outcome.over(instance, job.workspace_id)))

    def execute_complete(self, context: Context, event: Any) -> Any:
        """Take over from the triggerer."""
        return self.resume(context, event)

    @property
    def _job(self) -> JobRef:
        return JobRef(*self.ids, require_guid(self.job_instance_id, "job_instance_id"))


class FabricItemJobSensor(FabricRunSensor):
    """Wait for a run of an item that Fabric's own schedule or a person starts, or has started since a moment.

    It succeeds as soon as a run since then has completed. It fails at once when the runs since then have ended and
    none completed. The service lists all active runs and about the 100 that completed last: look often enough.

    :param workspace: GUID or display name of the workspace (templated).
    :param item: GUID or display name of the item (templated).
    :param job_type: kind of job, such as ``Execute``; ``None`` for any (templated).
    :param since: only runs that started at or after this moment count: a datetime, or ISO 8601 text; without an offset
        it is UTC. By default the beginning of the DAG run's data interval, or failing that its logical date, or its
        start (templated).
    :param allow_failed: after a run that did not complete, wait for another one.
    :param item_type: kind of item, if the name alone is not enough.
    :param fabric_conn_id: id of the connection (templated).
    :param deferrable: wait in the triggerer; default ``[operators] default_deferrable``.
    :returns: the run that completed, as the operators return it.

    Airflow's own arguments for sensors apply: see :class:`FabricRunSensor`.
    """

    template_fields: Sequence[str] = ("workspace", "item", "job_type", "since", "fabric_conn_id")

    def __init__(
        self,
        *,
        workspace: str,
        item: str,
        job_type: str | None = None,
        since: datetime | str | None = None,
        allow_failed: bool = False,
        item_type: str | None = None,
        fabric_conn_id: str = "fabric_default",
        deferrable: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            workspace=workspace,
            item=item,
            item_type=item_type,
            fabric_conn_id=fabric_conn_id,
            deferrable=deferrable,
            **kwargs,
        )
        self.job_type = job_type
        self.since = since
        self.allow_failed = allow_failed

    def execute(self, context: Context) -> Any:
        """Wait, here or in the triggerer."""
        watch = self._watch(context)
        self.publish(context, None)
        self.log.info("Waiting for %s.", watch)
        if not self.deferrable:
            return super().execute(context)
        from airflow_provider_fabric.triggers.item_job import FabricItemJobTrigger

        return self.defer(
            trigger=FabricItemJobTrigger(
                self.fabric_conn_id,
                watch.workspace_id,
                watch.item_id,
                watch.job_type,
                watch.since,
                watch.interval,
                deadline=time.time() + float(self.timeout),
                allow_failed=watch.allow_failed,
            ),
            method_name="execute_complete",
        )

    def poke(self, context: Context) -> Any:
        """Look once."""
        watch = self._watch(context)
        instance = self.look(str(watch), lambda: self.hook.look_at_item(watch))
        if instance is None:
            return False
        return PokeReturnValue(
            is_done=True, xcom_value=self.finish(context, Outcome.over(instance, watch.workspace_id))
        )

    def execute_complete(self, context: Context, event: Any) -> Any:
        """Take over from the triggerer."""
        return self.resume(context, event)

    def _watch(self, context: Context) -> ItemWatch:
        since = run_began(context) if self.since in (None, "", "None") else to_epoch(self.since, "since")
        return ItemWatch(*self.ids, self.job_type or None, since, self.interval, allow_failed=self.allow_failed)
