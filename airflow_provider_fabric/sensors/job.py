"""Wait for a run that something else started."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_fabric.api.http.permanent import is_permanent
from airflow_provider_fabric.api.jobs.item_polling import ItemPoll, poll_item_once
from airflow_provider_fabric.api.models import JobRef, require_guid
from airflow_provider_fabric.compat import PokeReturnValue, first_rescheduled
from airflow_provider_fabric.exceptions import FabricError, FabricInputError
from airflow_provider_fabric.lifecycle.state import Outcome
from airflow_provider_fabric.sensors.base import RunSensor
from airflow_provider_fabric.sensors.timestamps import dag_run_due, dag_run_start, to_epoch

if TYPE_CHECKING:
    from airflow_provider_fabric.api.jobs.polling import JobPoll
    from airflow_provider_fabric.compat import Context


class FabricJobInstanceSensor(RunSensor):
    """Wait until a job instance has completed; fail at once if it ends otherwise.

    :param workspace: GUID or display name of the workspace (templated).
    :param item: GUID or display name of the item (templated).
    :param job_instance_id: GUID of the run (templated).
    :param item_type: kind of item, if the name alone is not enough (templated).
    :param fabric_conn_id: id of the connection (templated).
    :param deferrable: wait in the triggerer; default ``[operators] default_deferrable``.
    :returns: the run, as the operators return it.

    Airflow's own arguments for sensors apply: see :class:`RunSensor`.
    """

    template_fields: Sequence[str] = ("workspace", "item", "job_instance_id", "item_type", "fabric_conn_id")
    text_arguments: Sequence[str] = (*RunSensor.text_arguments, "job_instance_id")

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
        self._poll: JobPoll | None = None
        self.prepare_arguments()

    def check_arguments(self, context: Context) -> None:
        """Check that the run's id is one."""
        require_guid(self.job_instance_id, "job_instance_id")

    def announce(self, context: Context) -> None:
        """Publish the run's page."""
        self.publish(context, self._job.job_instance_id)

    def trigger(self, context: Context, next_poll_at: float) -> Any:
        """Return what waits in the triggerer."""
        from airflow_provider_fabric.triggers.job import FabricJobInstanceTrigger

        run = self.as_run(self._job, "")
        run = run.not_before(min(next_poll_at, run.deadline or next_poll_at))
        return FabricJobInstanceTrigger(self.fabric_conn_id, run.to_state(), cancel_on_kill=False)

    def poll_once(self, context: Context) -> PokeReturnValue | None:
        """Poll the run."""
        job = self._job
        poll = self._poll = self._poll or self._new_poll(context)
        try:
            instance = self.hook.get_item_job_instance(job.workspace_id, job.item_id, job.job_instance_id)
        except FabricError as error:
            poll.record_failure(error, time.time())
            self.log.warning("Could not poll job instance %s, will poll again: %s", job.job_instance_id, error)
            return None
        ended = poll.record_poll(instance, time.time())
        if ended is None:
            return None
        return PokeReturnValue(is_done=True, xcom_value=self.finish(context, Outcome.over(ended, job.workspace_id)))

    def last_seen(self) -> str:
        """Return the run's last status."""
        return "It could not be polled." if self._poll is None else str(self._poll.timed_out())

    def _new_poll(self, context: Context) -> JobPoll:
        """Return what judges polls. Airflow ends the wait, so there is no deadline in it."""
        first = first_rescheduled(context) if self.reschedule else None
        return replace(self.as_run(self._job, "", began=first.timestamp() if first else None), deadline=None).poll()

    @property
    def _job(self) -> JobRef:
        return JobRef(*self.ids, require_guid(self.job_instance_id, "job_instance_id"))


class FabricItemJobSensor(RunSensor):
    """Wait for a run of an item that Fabric's own schedule or a person starts, or has started since a point in time.

    It succeeds as soon as a run since then has completed. It fails at once when the runs since then have ended and
    none completed. The service lists all active runs and about the 100 that completed last: poll often enough.

    :param workspace: GUID or display name of the workspace (templated).
    :param item: GUID or display name of the item (templated).
    :param job_type: kind of job, such as ``Execute``; ``None`` for any (templated).
    :param since: only runs that started at or after this time count: a datetime, or ISO 8601 text (``{{ ts }}``,
        ``{{ ts_nodash }}``); without an offset it is UTC. By default the beginning of the DAG run's data interval, or
        failing that its logical date, or its start (templated).
    :param lookback: instead of ``since``: runs count that started at most this long before the DAG run was due, or
        later. Works in scheduled, triggered and asset-triggered DAG runs, and for one that is cleared a week later.
    :param allow_failed: after a run that did not complete, wait for another one.
    :param item_type: kind of item, if the name alone is not enough (templated).
    :param fabric_conn_id: id of the connection (templated).
    :param deferrable: wait in the triggerer; default ``[operators] default_deferrable``.
    :returns: the run that completed, as the operators return it.
    :raises FabricInputError: both ``since`` and ``lookback`` are given, or ``lookback`` is no positive ``timedelta``.

    Airflow's own arguments for sensors apply: see :class:`RunSensor`.
    """

    template_fields: Sequence[str] = ("workspace", "item", "job_type", "since", "item_type", "fabric_conn_id")
    optional_text_arguments: Sequence[str] = (*RunSensor.optional_text_arguments, "job_type")
    flag_arguments: Sequence[str] = (*RunSensor.flag_arguments, "allow_failed")

    def __init__(
        self,
        *,
        workspace: str,
        item: str,
        job_type: str | None = None,
        since: datetime | str | None = None,
        lookback: timedelta | None = None,
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
        self.lookback = lookback
        self.allow_failed = allow_failed
        self._poll: ItemPoll | None = None
        self.prepare_arguments()
        if lookback is not None and not (isinstance(lookback, timedelta) and lookback > timedelta(0)):
            raise FabricInputError(f"lookback must be a timedelta above zero, got {lookback!r}.")
        if lookback is not None and since is not None:
            raise FabricInputError("Give since or lookback, not both.")

    def check_arguments(self, context: Context) -> None:
        """Check that ``since`` is a point in time."""
        self._since(context)

    def announce(self, context: Context) -> None:
        """Publish the item's page: there is no run yet."""
        self.publish(context, None)
        self.log.info("Waiting for %s.", self._new_poll(context))

    def trigger(self, context: Context, next_poll_at: float) -> Any:
        """Return what waits in the triggerer."""
        from airflow_provider_fabric.triggers.item_job import FabricItemJobTrigger

        poll = self._poll or self._new_poll(context)
        return FabricItemJobTrigger(
            self.fabric_conn_id,
            poll.workspace_id,
            poll.item_id,
            poll.job_type,
            poll.since,
            poll.check_interval,
            deadline=time.time() + float(self.timeout),
            allow_failed=poll.allow_failed,
            next_poll_at=next_poll_at,
        )

    def poll_once(self, context: Context) -> PokeReturnValue | None:
        """Poll the item's list."""
        poll = self._poll = self._poll or self._new_poll(context)
        try:
            instance = self.hook.run(poll_item_once(poll))
        except FabricError as error:
            if is_permanent(error):
                raise
            poll.last_error = str(error)
            self.log.warning("Could not poll for %s, will poll again: %s", poll, error)
            return None
        if instance is None:
            return None
        return PokeReturnValue(is_done=True, xcom_value=self.finish(context, Outcome.over(instance, poll.workspace_id)))

    def last_seen(self) -> str:
        """Return what was waited for, and the newest run in the item's list."""
        if self._poll is None:
            return "Its list of runs could not be read."
        return f"There was not {self._poll}. {self._poll.last_seen()}"

    def _since(self, context: Context) -> float:
        if self.lookback is not None:
            return dag_run_due(context) - self.lookback.total_seconds()
        return dag_run_start(context) if self.since in (None, "", "None") else to_epoch(self.since, "since")

    def _new_poll(self, context: Context) -> ItemPoll:
        since = self._since(context)
        return ItemPoll(*self.ids, self.job_type or None, since, self.check_interval, allow_failed=self.allow_failed)
