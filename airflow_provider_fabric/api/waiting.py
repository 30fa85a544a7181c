"""How a run is watched: patiently, and without ever taking our own trouble for the run's.

One :class:`Watch` holds what is known of a run and decides when to look next. :func:`watch_job_instance` drives it
with a Get per look; the triggerer's watcher drives many with shared Lists. Neither cancels anything.

Wire facts: clients must wait ``Retry-After`` before the first look (the API reference); right after the submit an
instance may answer 404, or 200 with ``failureReason.errorCode`` ``NotFound`` or ``RequestExecutionFailed`` though it
runs (users of Microsoft's plugin, its pull request 4).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from airflow_provider_fabric.api.flow import Flow, Sleep
from airflow_provider_fabric.api.jobs import get_item_job_instance
from airflow_provider_fabric.api.models import JobInstance, JobRef
from airflow_provider_fabric.api.retry import ONCE
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

Clock = Callable[[], float]


@dataclass
class Watch:
    """What is known of one run, and when to look next. All times are epoch seconds.

    :param job: the run.
    :param submitted_at: when it was submitted.
    :param interval: seconds between looks.
    :param next_look: when to look first.
    :param deadline: when to stop waiting, or ``None``.
    :param on_look: told what every good look saw, and whether the status has changed since the last.
    """

    job: JobRef
    submitted_at: float
    interval: float
    next_look: float
    deadline: float | None = None
    first_look: float = field(init=False)
    trouble_since: float | None = field(init=False, default=None)
    failures: int = field(init=False, default=0)
    last_status: str | None = field(init=False, default=None)
    last_trouble: str | None = field(init=False, default=None)
    on_look: Callable[[JobInstance, bool], None] | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        self.first_look = self.next_look
        self.look_at(self.next_look)

    def look_at(self, moment: float) -> None:
        """Look next at this moment, or at the deadline if that comes first."""
        self.next_look = moment if self.deadline is None else min(moment, self.deadline)

    @property
    def known_visible(self) -> bool:
        """Whether the run has been seen at all."""
        return self.last_status is not None

    def seen(self, instance: JobInstance, now: float) -> JobInstance | None:
        """Take in an answer. Return the instance if the run is over.

        :raises FabricJobTimeout: it is not, and the deadline has passed.
        """
        if self.not_visible(instance, now):
            self._look_again(now)
            return None
        self.trouble_since, self.failures, self.last_trouble = None, 0, None
        changed, self.last_status = instance.status_text != self.last_status, instance.status_text
        if self.on_look is not None:
            self.on_look(instance, changed)
        if instance.status.is_terminal:
            return instance
        self._look_again(now)
        return None

    def stumbled(self, error: FabricError, now: float) -> None:
        """Take in that a look failed.

        :raises FabricJobMayBeRunning: looking on cannot help, or nothing else came for too long.
        :raises FabricJobTimeout: the deadline has passed.
        """
        self.last_trouble = str(error)
        if self._is_final(error, now):
            raise FabricJobMayBeRunning(f"Lost sight of {self}: {error}", job=self.known()) from error
        if self.trouble_since is None:
            self.trouble_since = now
        self.failures += 1
        if now - self.trouble_since > max(PATIENCE, 3 * self.interval) and self.failures >= LEAST_FAILURES:
            raise FabricJobMayBeRunning(
                f"Lost sight of {self}: no good answer for {now - self.trouble_since:.0f} s, last: {error} The run may "
                "still be going.",
                job=self.known(),
            ) from error
        asked = error.retry_after if isinstance(error, FabricApiError) else None
        self._look_again(now, asked or 0.0)

    def _look_again(self, now: float, at_least: float = 0.0) -> None:
        if self.deadline is not None and now >= self.deadline:
            raise self.timed_out()
        self.look_at(now + max(self.interval, at_least))

    def timed_out(self) -> FabricJobTimeout:
        """Return the error of a wait whose deadline has passed."""
        return FabricJobTimeout(
            f"{self} did not end in time. Last known status: {self.last_status or 'none'}."
            + (f" Last trouble: {self.last_trouble}" if self.last_trouble else ""),
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


def watch_job_instance(watch: Watch, *, clock: Clock = time.time) -> Flow[JobInstance]:
    """Look at one run until it is over, in the rhythm its watch tells.

    :param watch: which run, and the rhythm.
    :param clock: epoch seconds.
    :returns: the instance in a terminal status, whichever.
    :raises FabricJobTimeout: the deadline passed first.
    :raises FabricJobMayBeRunning: looking on could not help.
    """
    job = watch.job
    while True:
        yield Sleep(max(0.0, watch.next_look - clock()))
        try:
            instance = yield from get_item_job_instance(job.workspace_id, job.item_id, job.job_instance_id, budget=ONCE)
        except FabricError as error:
            watch.stumbled(error, clock())
            continue
        ended = watch.seen(instance, clock())
        if ended is not None:
            return ended


def wait_for_job_instance(
    workspace_id: str,
    item_id: str,
    job_instance_id: str,
    *,
    check_interval: float = 60.0,
    timeout: float | None = None,
    first_look: float = 0.0,
    clock: Clock = time.time,
) -> Flow[JobInstance]:
    """Wait until a run is over.

    :param workspace_id: GUID.
    :param item_id: GUID.
    :param job_instance_id: GUID.
    :param check_interval: seconds between looks.
    :param timeout: seconds to wait at most; ``None`` for no end.
    :param first_look: seconds until the first look: the submit's ``Retry-After``.
    :param clock: epoch seconds.
    :returns: the instance in a terminal status, whichever.
    :raises FabricJobTimeout: it did not end in time.
    :raises FabricJobMayBeRunning: looking on could not help.
    """
    now = clock()
    watch = Watch(
        JobRef(workspace_id, item_id, job_instance_id),
        submitted_at=now,
        interval=check_interval,
        next_look=now + first_look,
        deadline=None if timeout is None else now + timeout,
    )
    return (yield from watch_job_instance(watch, clock=clock))
