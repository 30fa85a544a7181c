"""What the sensors share."""

from __future__ import annotations

import math
import time
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_fabric.api.http.permanent import is_permanent
from airflow_provider_fabric.api.models import JobRef
from airflow_provider_fabric.arguments import TaskArguments
from airflow_provider_fabric.compat import (
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    PokeReturnValue,
    default_deferrable,
    first_rescheduled,
    settling_seconds,
)
from airflow_provider_fabric.exceptions import FabricError, FabricInputError, FabricJobFailed, FabricJobMayBeRunning
from airflow_provider_fabric.lifecycle.errors import build_job_error
from airflow_provider_fabric.lifecycle.report import RunReport
from airflow_provider_fabric.lifecycle.state import FabricRun, Outcome, WaitEnd
from airflow_provider_fabric.links import FabricRunLink, publish_run_url, run_url

if TYPE_CHECKING:
    from airflow_provider_fabric.compat import Context
    from airflow_provider_fabric.hooks.fabric import FabricHook

AIRFLOWS_LEAD = 0.25
"""Seconds (a tenth of ``timeout`` at most) by which a wait ends before Airflow ends it: so the message says more."""


class RunSensor(TaskArguments, BaseSensorOperator):
    """What the sensors share: the item, the hook, the link, and what the end of a run means.

    Airflow's own ``timeout``, ``poke_interval``, ``mode``, ``soft_fail`` and ``never_fail`` apply in every mode.
    An error of a poll does not fail a sensor as long as another poll can help; wrong ids and missing rights do. A run
    that did not complete fails it at once, ``soft_fail`` or not: that is about time.

    :param workspace: GUID or display name of the workspace.
    :param item: GUID or display name of the item.
    :param item_type: kind of item, if the name alone is not enough.
    :param fabric_conn_id: id of the connection.
    :param deferrable: wait in the triggerer; default ``[operators] default_deferrable``.
    :raises FabricInputError: ``timeout`` or ``poke_interval`` is not a finite number of seconds above zero.
    """

    operator_extra_links = (FabricRunLink(),)
    ui_color = "#dff3ef"

    published_run_url: str | None = None
    """Address of the run's page (or the item's), once it is published."""

    text_arguments: Sequence[str] = ("workspace", "item", "fabric_conn_id")
    optional_text_arguments: Sequence[str] = ("item_type",)
    flag_arguments: Sequence[str] = ("deferrable",)

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
        for name in ("timeout", "poke_interval"):
            _require_seconds(kwargs.get(name), name)
        super().__init__(**kwargs)
        for name in ("timeout", "poke_interval"):
            _require_seconds(getattr(self, name), name)
        self.workspace = workspace
        self.item = item
        self.item_type = item_type
        self.fabric_conn_id = fabric_conn_id
        self.deferrable = default_deferrable() if deferrable is None else deferrable
        self._announced = False
        self._ended = False
        self._first_poke: float | None = None
        self.prepare_arguments()

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
    def check_interval(self) -> float:
        """Seconds between polls: ``poke_interval``, but not below one."""
        return max(1.0, float(self.poke_interval))

    def check_arguments(self, context: Context) -> None:
        """Check what a sensor is given besides names, before anything is sent."""

    @abstractmethod
    def trigger(self, context: Context, next_poll_at: float) -> Any:
        """Return what waits in the triggerer.

        :param next_poll_at: epoch seconds before which it does not poll.
        """

    @abstractmethod
    def announce(self, context: Context) -> None:
        """Report, once, what is waited for: publish its page."""

    @abstractmethod
    def poll_once(self, context: Context) -> PokeReturnValue | None:
        """Poll once. Return the end of the wait, or ``None``."""

    @abstractmethod
    def last_seen(self) -> str:
        """Return, in sentences, what the polls have shown so far."""

    def poke(self, context: Context) -> PokeReturnValue | bool:
        """Poll once; then wait on, here or in the triggerer.

        Airflow's own ``execute`` calls this. None of ours stands before it: Airflow 2.10 takes an ``execute`` that
        calls another one for a misuse.
        """
        if self._first_poke is None:
            self._first_poke = time.monotonic()
        self.resolve_arguments()
        with self._reported(context):
            self.check_arguments(context)
            found = self._poll_known(context)
            if found is not None:
                return found
            self._wait_in_triggerer(context)
            self._end_in_time(context)
        return False

    def _wait_in_triggerer(self, context: Context) -> None:
        """Defer, if that is wanted."""
        if self.deferrable and "ids" in vars(self):  # only what one poll does not settle, and by ids
            next_poll_at = time.time() + max(self.check_interval, settling_seconds())
            self.defer(trigger=self.trigger(context, next_poll_at), method_name="execute_complete")

    def _poll_known(self, context: Context) -> PokeReturnValue | None:
        """Poll, if the names can be looked up."""
        try:
            workspace_id, item_id = self.ids
        except FabricError as error:
            if is_permanent(error):
                raise
            self.log.warning("Could not look up item %r, will try again: %s", self.item, error)
            return None
        if not self._announced:
            self.log.info("Item %r is %s in workspace %r (%s).", self.item, item_id, self.workspace, workspace_id)
            self.announce(context)
            self._announced = True
        return self.poll_once(context)

    def _end_in_time(self, context: Context) -> None:
        """End the wait just before Airflow does, which cannot say what was seen.

        :raises AirflowSensorTimeout: the sensor's ``timeout`` has passed.
        """
        if self._waited(context) + min(AIRFLOWS_LEAD, self.timeout / 10) > self.timeout:
            raise self._timed_out(f"Timed out after {self.timeout:g} s. {self.last_seen()}")

    def _waited(self, context: Context) -> float:
        """Return the seconds since the first poke, as Airflow counts them."""
        if self.reschedule:
            first = first_rescheduled(context)
            return 0.0 if first is None else time.time() - float(first.timestamp())
        return 0.0 if self._first_poke is None else time.monotonic() - self._first_poke

    def _timed_out(self, message: str) -> Exception:
        text = f"{self.item_type or 'Item'} {self.item!r} in workspace {self.workspace!r}: {message}"
        error: Exception = AirflowSensorTimeout(text)
        if self.soft_fail:
            error = AirflowSkipException(f"{text} Skipping, because soft_fail is set.")
        return error

    def publish(self, context: Context, job_instance_id: str | None, ids: tuple[str, str] | None = None) -> str:
        """Publish the page of a run, or of the item.

        :param ids: GUIDs of workspace and item, if they are known.
        """
        url = run_url(self.hook.get_conn().host, *(ids or self.ids), self.item_type, job_instance_id)
        publish_run_url(self, context["ti"], url)
        return url

    def execute_complete(self, context: Context, event: Any) -> Any:
        """Take over from the triggerer, by Airflow's rules for sensors.

        :raises FabricJobFailed: the run did not complete.
        :raises AirflowSensorTimeout: there was none within the sensor's ``timeout``.
        """
        with self._reported(context), self._never_fail():
            return self.finish(context, Outcome.from_state(event))

    @contextmanager
    def _reported(self, context: Context) -> Iterator[None]:
        """Publish what became of the run, if the wait ends here."""
        known = {"item": str(self.item), "item_type": self.item_type, "ours": False}
        self._report = RunReport(self, context, job_type=getattr(self, "job_type", None), **known)
        with self._report.until_the_end(is_over=lambda: self._ended):
            yield

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
            raise self._timed_out(outcome.message)
        job = outcome.job
        self._ended = True
        url = self.publish(context, job.get("job_instance_id"), (job["workspace_id"], job["item_id"]))
        self._report.seen(job)
        if not job.get("job_instance_id"):
            raise FabricError(outcome.message)
        run = self.as_run(JobRef.from_state(job), url, str(job.get("job_type") or ""))
        self._report.about(run, submitted=False)
        if outcome.ending is WaitEnd.LOST:
            raise FabricJobMayBeRunning(outcome.message, job=job, run_url=url)
        if job.get("status") == "Completed":
            return job
        what = f"ended as {job.get('status')}"
        raise build_job_error(FabricJobFailed, run, self.item, job, what, workspace=str(self.workspace))

    def as_run(self, job: JobRef, url: str, job_type: str = "", began: float | None = None) -> FabricRun:
        """Return a run as it crosses to a triggerer.

        :param began: epoch seconds since when it may have been polled; now, by default.
        """
        now = time.time() if began is None else began
        return FabricRun(
            job=job,
            job_type=job_type,
            item_type=self.item_type,
            run_url=url,
            submitted_at=now,
            next_poll_at=now,
            check_interval=self.check_interval,
            deadline=now + float(self.timeout),
            ours=False,
        )


def _require_seconds(value: Any, name: str) -> None:
    """Refuse what Airflow's sensor takes, or refuses in another library's words.

    :raises FabricInputError: a number that is not finite, or not above zero.
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and not (math.isfinite(value) and value > 0):
        raise FabricInputError(f"{name} must be a finite number of seconds above zero, got {value!r}.")
