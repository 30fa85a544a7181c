"""What the sensors share."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_fabric.api.http.permanent import is_permanent
from airflow_provider_fabric.api.models import JobRef
from airflow_provider_fabric.compat import (
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    default_deferrable,
    settling_seconds,
)
from airflow_provider_fabric.exceptions import FabricError, FabricJobFailed, FabricJobMayBeRunning, FabricTransportError
from airflow_provider_fabric.lifecycle.errors import build_job_error
from airflow_provider_fabric.lifecycle.state import FabricRun, Outcome, WaitEnd
from airflow_provider_fabric.links import RUN_URL_KEY, FabricRunLink, run_url

if TYPE_CHECKING:
    from airflow_provider_fabric.compat import Context
    from airflow_provider_fabric.hooks.fabric import FabricHook


class RunSensor(BaseSensorOperator):
    """What the sensors share: the item, the hook, the link, and what the end of a run means.

    Airflow's own ``timeout``, ``poke_interval``, ``mode``, ``soft_fail`` and ``never_fail`` apply in every mode.
    Trouble while looking does not fail a sensor as long as looking on can help; wrong ids and missing rights do. A run
    that did not complete fails it at once, ``soft_fail`` or not: that is about time.

    :param workspace: GUID or display name of the workspace.
    :param item: GUID or display name of the item.
    :param item_type: kind of item, if the name alone is not enough.
    :param fabric_conn_id: id of the connection.
    :param deferrable: wait in the triggerer; default ``[operators] default_deferrable``.
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
        self._announced = False

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

    @abstractmethod
    def trigger(self, context: Context, next_poll_at: float) -> Any:
        """Return what waits in the triggerer.

        :param next_poll_at: epoch seconds before which it does not look.
        """

    @abstractmethod
    def announce(self, context: Context) -> None:
        """Say, once, what is waited for: publish its page."""

    @abstractmethod
    def look(self, context: Context) -> Any:
        """Look once; what a sensor's ``poke`` returns."""

    def execute(self, context: Context) -> Any:
        """Wait, here or in the triggerer: only for what one look does not settle."""
        if not self.deferrable:
            return super().execute(context)
        with self._never_fail():
            found = self.poke(context)
            if found:
                return found.xcom_value
            trigger = self.trigger(context, time.time() + max(self.interval, settling_seconds()))
        return self.defer(trigger=trigger, method_name="execute_complete")

    def poke(self, context: Context) -> Any:
        """Look once, at what the names stand for."""
        try:
            workspace_id, item_id = self.ids
        except FabricError as error:
            # nothing was reached yet: a host that does not resolve is a wrong setting rather than an outage
            if is_permanent(error) or (isinstance(error, FabricTransportError) and error.permanent):
                raise
            self.log.warning("Could not look up item %r, will try again: %s", self.item, error)
            return False
        if not self._announced:
            self.log.info("Item %r is %s in workspace %s.", self.item, item_id, workspace_id)
            self.announce(context)
            self._announced = True
        return self.look(context)

    def publish(self, context: Context, job_instance_id: str | None, ids: tuple[str, str] | None = None) -> str:
        """Publish the page of a run, or of the item.

        :param ids: GUIDs of workspace and item, if they are known.
        """
        url = run_url(self.hook.get_conn().host, *(ids or self.ids), self.item_type, job_instance_id)
        context["ti"].xcom_push(key=RUN_URL_KEY, value=url)
        return url

    def execute_complete(self, context: Context, event: Any) -> Any:
        """Take over from the triggerer, by Airflow's rules for sensors.

        :raises FabricJobFailed: the run did not complete.
        :raises AirflowSensorTimeout: there was none within the sensor's ``timeout``.
        """
        with self._never_fail():
            return self.finish(context, Outcome.from_state(event))

    @contextmanager
    def _never_fail(self) -> Iterator[None]:
        """Apply ``never_fail`` where Airflow does not."""
        try:
            yield
        except FabricError as error:
            if getattr(self, "never_fail", False):
                raise AirflowSkipException(f"{error} Skipping, because never_fail is set.") from error
            raise

    def finish(self, context: Context, outcome: Outcome) -> dict[str, Any]:
        """Decide what the end of the wait means."""
        if outcome.ending is WaitEnd.TIMEOUT:
            if self.soft_fail:
                raise AirflowSkipException(f"{outcome.message} Skipping, because soft_fail is set.")
            raise AirflowSensorTimeout(outcome.message)
        job = outcome.job
        url = self.publish(context, job.get("job_instance_id"), (job["workspace_id"], job["item_id"]))
        if outcome.ending is WaitEnd.LOST:
            lost = FabricJobMayBeRunning(outcome.message, job=job, run_url=url)
            raise lost if job.get("job_instance_id") else FabricError(outcome.message)
        if job.get("status") == "Completed":
            return job
        run = self.as_run(JobRef.from_state(job), url, str(job.get("job_type") or ""))
        raise build_job_error(FabricJobFailed, run, self.item, job, f"ended as {job.get('status')}")

    def as_run(self, job: JobRef, url: str, job_type: str = "", began: float | None = None) -> FabricRun:
        """Return a run as it crosses to a triggerer.

        :param began: epoch seconds since when it may have been looked for; now, by default.
        """
        now = time.time() if began is None else began
        return FabricRun(
            job=job,
            job_type=job_type,
            item_type=self.item_type,
            run_url=url,
            submitted_at=now,
            next_poll_at=now,
            check_interval=self.interval,
            deadline=now + float(self.timeout),
        )
