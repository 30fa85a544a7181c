"""How a task gets its run: that of an earlier attempt, one that is active already, or one it submits."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_fabric.api.jobs.polling import JobPoll
from airflow_provider_fabric.api.models import JobInstance, JobRef
from airflow_provider_fabric.api.status import JobStatus
from airflow_provider_fabric.compat import AirflowSkipException, cleared_deferral, series_started
from airflow_provider_fabric.exceptions import (
    FabricError,
    FabricJobAlreadyRunning,
    FabricJobCancelled,
    FabricJobError,
    FabricJobMayBeRunning,
    FabricNotFoundError,
)
from airflow_provider_fabric.lifecycle.cancel import KillSignal
from airflow_provider_fabric.lifecycle.state import FabricRun
from airflow_provider_fabric.lifecycle.store import RunStore

if TYPE_CHECKING:
    from airflow_provider_fabric.lifecycle.backend import JobRuns

CANCEL_GRACE = 120.0
"""Seconds a new run waits for the cancelled run of an earlier try to end."""

VISIBLE_WITHIN = 60.0
"""Seconds after which a run that was accepted is taken to be in the item's list."""

LOOK_AGAIN = 5.0


@dataclass(frozen=True)
class RunRequest:
    """What to start, and how to wait for it.

    :param workspace_id: GUID.
    :param item_id: GUID.
    :param item_type: kind of item, if it is known.
    :param job_type: kind of job.
    :param body: body of the submit.
    :param check_interval: seconds between looks.
    :param deadline: returns until when to wait, in epoch seconds, for a wait that begins now.
    :param if_running: policy for runs that are active already.
    :param cancel_on_kill: whether a cleared task's run is to be cancelled.
    :param url: returns the page of a run.
    :param signal: whether the task is being killed.
    """

    workspace_id: str
    item_id: str
    item_type: str | None
    job_type: str
    body: Mapping[str, Any] | None
    check_interval: float
    deadline: Callable[[], float | None]
    if_running: str
    cancel_on_kill: bool
    url: Callable[[JobRef], str]
    signal: KillSignal

    def run(self, job_instance_id: str, *, submitted_at: float, first_poll_after: float = 0.0) -> FabricRun:
        """Return the run to wait for."""
        job = JobRef(self.workspace_id, self.item_id, job_instance_id)
        return FabricRun(
            job=job,
            job_type=self.job_type,
            item_type=self.item_type,
            run_url=self.url(job),
            submitted_at=submitted_at,
            next_poll_at=submitted_at + first_poll_after,
            check_interval=self.check_interval,
            deadline=self.deadline(),
        )

    def of_this_item(self, run: FabricRun) -> bool:
        """Whether a remembered run is one of this item and job."""
        same = (run.job.workspace_id, run.job.item_id) == (self.workspace_id, self.item_id)
        return same and run.job_type == self.job_type


def other_active_run(run: FabricRun, hook: JobRuns, url: Callable[[JobRef], str]) -> FabricRun | int:
    """Return the wait for the one run of the same job that is active, or how many there are."""
    found = hook.list(run.job.workspace_id, run.job.item_id, run.job_type)
    active = [i for i in found if not i.status.is_terminal]
    if len(active) != 1:
        return len(active)
    job = JobRef(run.job.workspace_id, run.job.item_id, active[0].id)
    return run.again(job, url(job), time.time())


def start_run(
    start: RunRequest, hook: JobRuns, memory: RunStore, context: Mapping[str, Any], log: Any
) -> tuple[FabricRun, bool]:
    """Return the run this task waits for, and whether it is over; start one only if there is none that is ours.

    :raises FabricJobMayBeRunning: a run of ours may be going on, and cannot be told from others.
    :raises FabricJobAlreadyRunning: ``if_running="fail"``.
    """
    starter = RunStarter(start, hook, memory, log)
    run = starter.from_memory() if memory.available else starter.from_list(context)
    return run or starter.by_policy() or starter.submit(), starter.over


@dataclass
class RunStarter:
    start: RunRequest
    hook: JobRuns
    memory: RunStore
    log: Any
    over: bool = False

    def submit(self) -> FabricRun:
        """Start a run, and remember it before anything else can go wrong."""
        start, since = self.start, time.time()
        start.signal.raise_if_killed()  # a task that was killed meanwhile starts nothing
        self.memory.submitting(since)
        try:
            submission = self.hook.submit(start.workspace_id, start.item_id, start.job_type, start.body)
        except FabricJobError:
            raise  # a run may be going on: the next try looks for it
        except FabricError:
            self.memory.nothing_started()
            raise
        now = time.time()
        run = start.run(submission.job_instance_id, submitted_at=now, first_poll_after=submission.retry_after or 0.0)
        self.memory.started(run)
        how = "Found the run that an unclear answer had started" if submission.adopted else "Started a run"
        self.log.info("%s: job instance %s of item %s.", how, submission.job_instance_id, start.item_id)
        return run

    def by_policy(self) -> FabricRun | None:
        """Mind a run that is active already, as ``if_running`` says."""
        if self.start.if_running == "submit":
            return None
        start = self.start
        found = self.hook.list(start.workspace_id, start.item_id, start.job_type)
        active = [instance for instance in found if not instance.status.is_terminal]
        if not active:
            return None
        ids = ", ".join(instance.id for instance in active)
        if self.start.if_running == "skip":
            raise AirflowSkipException(f"Active already: job instance {ids}; if_running='skip'.")
        if self.start.if_running == "fail":
            raise FabricJobAlreadyRunning(
                f"Active already: job instance {ids} of item {self.start.item_id}; if_running='fail'.",
                job=active[0].result(self.start.workspace_id),
            )
        self.log.info(
            "Waiting for the newest active run, job instance %s of %s; if_running='attach'.", active[0].id, ids
        )
        run = replace(self._take(active[0]), ours=False)
        self.memory.started(run)
        return run

    def from_memory(self) -> FabricRun | None:
        """Find the run that an earlier try remembered (Airflow ≥ 3.3)."""
        record = self.memory.load()
        if record is None:
            return None
        if record.run is None:
            return self._from_unfinished_submit(record.since, cleared=not record.same_series)
        run = record.run
        if not self.start.of_this_item(run):
            self.log.info("An earlier try ran another item or job; starting anew.")
            return None
        status = self._status(run)
        if status is None or status in {JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.DEDUPED}:
            self.log.info("The earlier run %s is %s; starting anew.", run.job.job_instance_id, status or "gone")
            return None
        if not record.same_series:
            self._cancel_and_wait(run, cleared=True)
            return None
        if record.cancel_asked:  # it may have completed all the same
            status = self._cancel_and_wait(run, cleared=False)
            if status is not JobStatus.COMPLETED:
                return None
        self.log.info("Reconnecting to job instance %s of an earlier try: %s.", run.job.job_instance_id, status.value)
        self.over = status.is_terminal
        return replace(self.start.run(run.job.job_instance_id, submitted_at=run.submitted_at), ours=run.ours)

    def from_list(self, context: Mapping[str, Any]) -> FabricRun | None:
        """Find the run of an earlier try among the item's instances (Airflow < 3.3), by its start time."""
        if not self.memory.enabled:
            return None
        cleared = (cleared_deferral(context) or {}).get("run")
        if cleared is not None:
            self._cancel_and_wait(FabricRun.from_state(cleared), cleared=True)
            return None
        series = series_started(context)
        if series is None:
            return None
        since, precise = series
        found = self._started(since)
        active = [i for i in found if not i.status.is_terminal]
        if len(active) > 1:
            raise self._unclear(active)
        if active:
            self.log.info("Reconnecting to job instance %s, active since an earlier try.", active[0].id)
            return self._take(active[0])
        if precise and len(found) == 1 and found[0].status is JobStatus.COMPLETED:
            self.log.info("Job instance %s completed since an earlier try began; taking its result.", found[0].id)
            return self._take(found[0])
        return None

    def _from_unfinished_submit(self, since: float, *, cleared: bool) -> FabricRun | None:
        """Find what a try started that died before it learned the run's id.

        A cleared task starts over, but not beside a run that is probably its own; and it cancels none that is only
        probably its own.
        """
        found = self._started(since)
        if cleared:
            found = [instance for instance in found if not instance.status.is_terminal]
        if len(found) > 1:
            raise self._unclear(found)
        if not found:
            self.log.info("An earlier try died before its submit was accepted; starting anew.")
            return None
        if found[0].status in {JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.DEDUPED}:
            return None
        self.log.info("An earlier try died while it started job instance %s; reconnecting to it.", found[0].id)
        run = self._take(found[0])
        self.memory.started(run)
        return run

    def _cancel_and_wait(self, run: FabricRun, *, cleared: bool) -> JobStatus | None:
        """Let the run of a cleared, killed or timed-out try end before a new one starts; return its last status."""
        job = run.job
        status = self._status(run)
        if status is None or status.is_terminal or not run.ours or (cleared and not self.start.cancel_on_kill):
            return status
        self.log.info("Cancelling job instance %s of an earlier try before a new run starts.", job.job_instance_id)
        try:
            self.hook.cancel(job)
            now = time.time()
            ended = self.hook.poll(JobPoll(job, now, min(self.start.check_interval, 5.0), now, now + CANCEL_GRACE))
        except FabricJobCancelled:  # this task is being killed
            raise
        except FabricError as error:
            self.log.warning("Job instance %s may still be going: %s", job.job_instance_id, error)
            return status
        return ended.status

    def _status(self, run: FabricRun) -> JobStatus | None:
        """Return a run's status; ``NotStarted`` while it may be too young to be visible, ``None`` once it is gone."""
        job, poll = run.job, run.poll()
        try:
            instance = self.hook.get(job)
        except FabricNotFoundError:
            return JobStatus.NOT_STARTED if poll.in_grace(time.time()) else None
        return JobStatus.NOT_STARTED if poll.not_visible(instance, time.time()) else instance.status

    def _started(self, since: float) -> list[JobInstance]:
        """Return the runs that were started on request since an earlier try began, perhaps by it.

        A run may become visible late, so an empty list is looked at again.
        """
        start = self.start
        while True:
            found = self.hook.list(start.workspace_id, start.item_id, start.job_type, since)
            found = [i for i in found if i.invoke_type.casefold() != "scheduled"]
            left = since + VISIBLE_WITHIN - time.time()
            if found or left <= 0:
                return found
            start.signal.sleep(min(LOOK_AGAIN, left))

    def _take(self, instance: JobInstance) -> FabricRun:
        self.over = instance.status.is_terminal
        return self.start.run(instance.id, submitted_at=time.time())

    def _unclear(self, found: list[JobInstance]) -> FabricJobMayBeRunning:
        ids = ", ".join(instance.id for instance in found)
        return FabricJobMayBeRunning(
            f"An earlier try may have started one of the job instances {ids} of item {self.start.item_id}; which one "
            "cannot be told. Nothing was started. Look at these runs in Fabric; once none is active, clear the task.",
            job={"workspace_id": self.start.workspace_id, "item_id": self.start.item_id},
        )
