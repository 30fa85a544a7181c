"""How a run is watched: patiently, and without ever taking our own trouble for the run's.

One :class:`JobPoll` holds what is known of a run and decides when to look next. :func:`poll_job_instance` drives it
with a Get per look; the triggerer's watcher drives many with shared Lists. Neither cancels anything.

Wire facts: clients must wait ``Retry-After`` before the first look (the API reference); right after the submit an
instance may answer 404, or 200 with ``failureReason.errorCode`` ``NotFound`` or ``RequestExecutionFailed`` though it
runs (users of Microsoft's plugin, its pull request 4).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from airflow_provider_fabric.api.http.flow import Clock, Flow, Sleep
from airflow_provider_fabric.api.http.retry import ONCE
from airflow_provider_fabric.api.jobs.instances import get_item_job_instance
from airflow_provider_fabric.api.models import JobInstance, JobRef
from airflow_provider_fabric.api.status import JobStatus
from airflow_provider_fabric.exceptions import (
    FabricApiError,
    FabricAuthError,
    FabricBadRequestError,
    FabricError,
    FabricInputError,
    FabricJobMayBeRunning,
    FabricJobTimeout,
    FabricNotFoundError,
    FabricPermissionError,
)

VISIBILITY_GRACE = 300.0
"""Seconds after the submit during which a run may not be visible."""

PATIENCE = 1800.0
LEAST_FAILURES = 3
"""Seconds of nothing but trouble, and failed looks in that time, after which we stop looking."""

NOT_VISIBLE_CODES = frozenset({"NotFound", "RequestExecutionFailed"})


@dataclass
class JobPoll:
    """What is known of one run, and when to look next. All times are epoch seconds.

    :param job: the run.
    :param submitted_at: when it was submitted.
    :param check_interval: seconds between looks.
    :param next_poll_at: when to look first.
    :param deadline: when to stop waiting, or ``None``.
    :param on_poll: told what every good look saw, and whether the status has changed since the last.
    """

    job: JobRef
    submitted_at: float
    check_interval: float
    next_poll_at: float
    deadline: float | None = None
    first_poll_at: float = field(init=False)
    failing_since: float | None = field(init=False, default=None)
    failures: int = field(init=False, default=0)
    last_status: str | None = field(init=False, default=None)
    last_error: str | None = field(init=False, default=None)
    on_poll: Callable[[JobInstance, bool], None] | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        self.first_poll_at = self.next_poll_at
        self.schedule_at(self.next_poll_at)

    def schedule_at(self, moment: float) -> None:
        """Look next at this moment, or at the deadline if that comes first."""
        self.next_poll_at = moment if self.deadline is None else min(moment, self.deadline)

    @property
    def known_visible(self) -> bool:
        """Whether the run has been seen at all."""
        return self.last_status is not None

    def record_poll(self, instance: JobInstance, now: float) -> JobInstance | None:
        """Take in an answer. Return the instance if the run is over.

        :raises FabricJobTimeout: it is not, and the deadline has passed.
        """
        if self.not_visible(instance, now):
            self._look_again(now)
            return None
        self.failing_since, self.failures, self.last_error = None, 0, None
        changed, self.last_status = instance.status_text != self.last_status, instance.status_text
        if self.on_poll is not None:
            self.on_poll(instance, changed)
        if instance.status.is_terminal:
            return instance
        self._look_again(now)
        return None

    def record_failure(self, error: FabricError, now: float) -> None:
        """Take in that a look failed.

        :raises FabricJobMayBeRunning: looking on cannot help, or nothing else came for too long.
        :raises FabricJobTimeout: the deadline has passed.
        """
        self.last_error = str(error)
        if self._is_final(error, now):
            raise FabricJobMayBeRunning(f"Lost sight of {self}: {error}", job=self.known()) from error
        if self.failing_since is None:
            self.failing_since = now
        self.failures += 1
        if now - self.failing_since > max(PATIENCE, 3 * self.check_interval) and self.failures >= LEAST_FAILURES:
            raise FabricJobMayBeRunning(
                f"Lost sight of {self}: no good answer for {now - self.failing_since:.0f} s, last: {error} The run may "
                "still be going.",
                job=self.known(),
            ) from error
        asked = error.retry_after if isinstance(error, FabricApiError) else None
        self._look_again(now, asked or 0.0)

    def _look_again(self, now: float, at_least: float = 0.0) -> None:
        if self.deadline is not None and now >= self.deadline:
            raise self.timed_out()
        self.schedule_at(now + max(self.check_interval, at_least))

    def timed_out(self) -> FabricJobTimeout:
        """Return the error of a wait whose deadline has passed."""
        return FabricJobTimeout(
            f"{self} did not end in time. Last known status: {self.last_status or 'none'}."
            + (f" Last trouble: {self.last_error}" if self.last_error else ""),
            job=self.known(),
        )

    def in_grace(self, now: float) -> bool:
        """Whether the run, never seen yet, may still be too young to be visible."""
        return self.last_status is None and now < self.submitted_at + VISIBILITY_GRACE

    def not_visible(self, instance: JobInstance, now: float) -> bool:
        """Whether an answer only says that the run is too young to be visible."""
        reason = instance.failure_reason
        return (
            instance.status is not JobStatus.COMPLETED
            and reason is not None
            and reason.error_code in NOT_VISIBLE_CODES
            and self.in_grace(now)
        )

    def _is_final(self, error: FabricError, now: float) -> bool:
        if isinstance(error, FabricNotFoundError):
            return not self.in_grace(now)
        if isinstance(error, FabricAuthError):
            return not error.is_retriable
        if isinstance(error, FabricBadRequestError):
            return error.status_code != 408 and not error.is_retriable
        return isinstance(error, FabricPermissionError | FabricInputError)

    def known(self) -> dict[str, str | None]:
        """Return what is known of the run, in the form of the operators' return value."""
        return {**self.job.to_state(), "status": self.last_status}

    def __str__(self) -> str:
        """Return the run's name in messages."""
        return f"job instance {self.job.job_instance_id} of item {self.job.item_id}"


def poll_job_instance(poll: JobPoll, *, clock: Clock = time.time) -> Flow[JobInstance]:
    """Look at one run until it is over, at the intervals its JobPoll sets.

    :param poll: which run, and the rhythm.
    :param clock: epoch seconds.
    :returns: the instance in a terminal status, whichever.
    :raises FabricJobTimeout: the deadline passed first.
    :raises FabricJobMayBeRunning: looking on could not help.
    """
    job = poll.job
    while True:
        yield Sleep(max(0.0, poll.next_poll_at - clock()))
        try:
            instance = yield from get_item_job_instance(job.workspace_id, job.item_id, job.job_instance_id, budget=ONCE)
        except FabricError as error:
            poll.record_failure(error, clock())
            continue
        ended = poll.record_poll(instance, clock())
        if ended is not None:
            return ended


def wait_for_job_instance(
    workspace_id: str,
    item_id: str,
    job_instance_id: str,
    *,
    check_interval: float = 60.0,
    timeout: float | None = None,
    first_poll_after: float = 0.0,
    clock: Clock = time.time,
) -> Flow[JobInstance]:
    """Wait until a run is over.

    :param workspace_id: GUID.
    :param item_id: GUID.
    :param job_instance_id: GUID.
    :param check_interval: seconds between looks.
    :param timeout: seconds to wait at most; ``None`` for no end.
    :param first_poll_after: seconds until the first look: the submit's ``Retry-After``.
    :param clock: epoch seconds.
    :returns: the instance in a terminal status, whichever.
    :raises FabricJobTimeout: it did not end in time.
    :raises FabricJobMayBeRunning: looking on could not help.
    """
    now = clock()
    poll = JobPoll(
        JobRef(workspace_id, item_id, job_instance_id),
        submitted_at=now,
        check_interval=check_interval,
        next_poll_at=now + first_poll_after,
        deadline=None if timeout is None else now + timeout,
    )
    return (yield from poll_job_instance(poll, clock=clock))
