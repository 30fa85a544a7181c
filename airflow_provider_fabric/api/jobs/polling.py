"""How a run is polled: patiently, and without ever taking a failed poll for a failed run.

One :class:`JobPoll` holds what is known of a run and decides when to poll next. :func:`poll_job_instance` drives it
with a Get per poll; the triggerer's poller drives many with shared Lists. Neither cancels anything.

Wire facts: clients must wait ``Retry-After`` before the first poll (the API reference); right after the submit a run
may not be visible (:mod:`.visibility`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from airflow_provider_fabric.api.http.flow import Clock, Flow, Sleep
from airflow_provider_fabric.api.http.permanent import PATIENCE, is_permanent, retry_after
from airflow_provider_fabric.api.http.retry import ONCE, RetryBudget
from airflow_provider_fabric.api.jobs.instances import cancel_item_job_instance, get_item_job_instance
from airflow_provider_fabric.api.jobs.visibility import VISIBILITY_GRACE, says_not_visible
from airflow_provider_fabric.api.models import JobInstance, JobRef
from airflow_provider_fabric.exceptions import (
    FabricError,
    FabricJobMayBeRunning,
    FabricJobTimeout,
    FabricNotFoundError,
    FabricThrottledError,
)

LEAST_FAILURES = 3
"""Failed polls in a row, over :data:`.PATIENCE` seconds, after which polling ends."""


class GetRun(Protocol):
    """Reads one run: :func:`.instances.get_item_job_instance`, or another API's call that answers in its form."""

    def __call__(self, workspace_id: str, item_id: str, run_id: str, /, *, budget: RetryBudget) -> Flow[JobInstance]:
        """Return the run."""


class CancelRun(Protocol):
    """Cancels one run: :func:`.instances.cancel_item_job_instance`, or another API's call."""

    def __call__(self, workspace_id: str, item_id: str, run_id: str, /, *, budget: RetryBudget) -> Flow[bool]:
        """Return whether there was anything to cancel."""


@dataclass
class JobPoll:
    """What is known of one run, and when to poll it next.

    Intervals and deadlines are on two clocks. ``submitted_at`` and ``deadline`` are epoch seconds, because they cross
    processes; when to poll is kept on the clock of whoever polls, which :meth:`start` translates to. Without that call
    both are epoch seconds.

    :param job: the run.
    :param submitted_at: when it was submitted, in epoch seconds.
    :param check_interval: seconds between polls.
    :param next_poll_at: when to poll first, in epoch seconds.
    :param deadline: when to stop waiting, in epoch seconds, or ``None``.
    :param on_poll: called with what every good poll returned, and whether the status has changed since the last.
    """

    job: JobRef
    submitted_at: float
    check_interval: float
    next_poll_at: float
    deadline: float | None = None
    first_poll_at: float = field(init=False)
    visible_by: float = field(init=False)
    """From when on "not found" is believed."""
    is_last: bool = field(init=False, default=False)
    """The next poll is the one at the deadline."""
    failing_since: float | None = field(init=False, default=None)
    failures: int = field(init=False, default=0)
    last_status: str | None = field(init=False, default=None)
    last_error: str | None = field(init=False, default=None)
    on_poll: Callable[[JobInstance, bool], None] | None = field(default=None, compare=False, repr=False)
    _started: bool = field(init=False, default=False, repr=False)

    def __post_init__(self) -> None:
        self.first_poll_at = self.next_poll_at
        self.visible_by = self.submitted_at + VISIBILITY_GRACE
        self.schedule_at(self.next_poll_at)

    def start(self, now: float, wall: float) -> None:
        """Keep the schedule on another clock from now on; once, further calls change nothing.

        The first poll and the end of the grace are not later than from the submit on, however far apart the clocks of
        the machine that submitted and of this one are.

        :param now: seconds on that clock, such as the event loop's.
        :param wall: epoch seconds.
        """
        if self._started:
            return
        self._started = True
        wait = min(self.first_poll_at - wall, max(0.0, self.first_poll_at - self.submitted_at))
        grace = min(self.submitted_at + VISIBILITY_GRACE - wall, VISIBILITY_GRACE)
        self.first_poll_at, self.visible_by = now + wait, now + grace
        self.schedule_at(self.first_poll_at, now - wall)

    def schedule_at(self, when: float, ahead: float = 0.0) -> None:
        """Poll next at this time, or at the deadline if that comes first.

        :param when: seconds on the schedule's clock.
        :param ahead: seconds by which that clock is ahead of epoch seconds.
        """
        self.is_last = self.deadline is not None and when >= self.deadline + ahead
        self.next_poll_at = self.deadline + ahead if self.deadline is not None and self.is_last else when

    @property
    def known_visible(self) -> bool:
        """Whether the run has been seen at all."""
        return self.last_status is not None

    def record_poll(self, instance: JobInstance, now: float, *, wall: float | None = None) -> JobInstance | None:
        """Take in an answer. Return the instance if the run is over.

        :param now: seconds on the schedule's clock.
        :param wall: epoch seconds, if that clock is another.
        :raises FabricJobTimeout: it is not, and the deadline has passed.
        """
        if self.not_visible(instance, now):
            self._poll_again(now, wall)
            return None
        self.failing_since, self.failures, self.last_error = None, 0, None
        changed = instance.status_text != self.last_status
        self.last_status = instance.status_text
        if self.on_poll is not None:
            self.on_poll(instance, changed)
        if instance.status.is_terminal:
            return instance
        self._poll_again(now, wall)
        return None

    def record_failure(self, error: FabricError, now: float, *, wall: float | None = None) -> None:
        """Take in that a poll failed.

        :param now: seconds on the schedule's clock.
        :param wall: epoch seconds, if that clock is another.
        :raises FabricJobMayBeRunning: polling on cannot help, or every poll failed for too long.
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
        self._poll_again(now, wall, retry_after(error) or 0.0)

    def _poll_again(self, now: float, wall: float | None, at_least: float = 0.0) -> None:
        wall = now if wall is None else wall
        if self.deadline is not None and wall >= self.deadline:
            raise self.timed_out()
        self.schedule_at(now + max(self.check_interval, at_least), now - wall)

    def timed_out(self) -> FabricJobTimeout:
        """Return the error of a wait whose deadline has passed."""
        return FabricJobTimeout(
            f"{self} did not end in time. Last known status: {self.last_status or 'none'}."
            + (f" Last error: {self.last_error}" if self.last_error else ""),
            job=self.known(),
        )

    def in_grace(self, now: float) -> bool:
        """Whether the run, never seen yet, may still be too young to be visible."""
        return self.last_status is None and now < self.visible_by

    def not_visible(self, instance: JobInstance, now: float) -> bool:
        """Whether an answer only says that the run is too young to be visible."""
        return self.in_grace(now) and says_not_visible(instance)

    def _is_final(self, error: FabricError, now: float) -> bool:
        too_young = isinstance(error, FabricNotFoundError) and self.in_grace(now)
        return not too_young and is_permanent(error)

    def known(self) -> dict[str, str | None]:
        """Return what is known of the run, in the form of the operators' return value."""
        return {**self.job.to_state(), "status": self.last_status}

    def __str__(self) -> str:
        """Return the run's name in messages."""
        return f"job instance {self.job.job_instance_id} of item {self.job.item_id}"


def poll_job_instance(
    poll: JobPoll,
    *,
    get: GetRun = get_item_job_instance,
    clock: Clock = time.time,
    steady: Clock = time.monotonic,
) -> Flow[JobInstance]:
    """Poll one run until it is over, at the intervals its JobPoll sets.

    :param poll: which run, and how often.
    :param get: reads the run.
    :param clock: epoch seconds, for the deadline.
    :param steady: seconds on a clock that nobody sets, for the intervals.
    :returns: the instance in a terminal status, whichever.
    :raises FabricJobTimeout: the deadline passed first.
    :raises FabricJobMayBeRunning: polling on could not help.
    """
    job = poll.job
    poll.start(steady(), clock())
    while True:
        yield Sleep(max(0.0, poll.next_poll_at - steady()))
        try:
            instance = yield from get(job.workspace_id, job.item_id, job.job_instance_id, budget=ONCE)
        except FabricError as error:
            poll.record_failure(error, steady(), wall=clock())
            continue
        ended = poll.record_poll(instance, steady(), wall=clock())
        if ended is not None:
            return ended


def cancel_if_active(
    poll: JobPoll,
    *,
    get: GetRun = get_item_job_instance,
    cancel: CancelRun = cancel_item_job_instance,
    clock: Clock = time.time,
) -> Flow[bool]:
    """Cancel a run, unless it is over: it is read first if no poll has found it active yet.

    :param poll: what is known of the run.
    :param get: reads the run.
    :param cancel: cancels it.
    :param clock: epoch seconds.
    :returns: whether there was anything to cancel.
    """
    job = poll.job
    if not poll.known_visible:
        try:
            instance = yield from get(job.workspace_id, job.item_id, job.job_instance_id, budget=ONCE)
        except FabricThrottledError:
            raise
        except FabricError:
            pass  # what it means for the run, the cancel's own answer says
        else:
            if instance.status.is_terminal and not poll.not_visible(instance, clock()):
                return False
            poll.last_status = instance.status_text
    return (yield from cancel(job.workspace_id, job.item_id, job.job_instance_id, budget=ONCE))


def wait_for_job_instance(
    workspace_id: str,
    item_id: str,
    job_instance_id: str,
    *,
    check_interval: float = 60.0,
    timeout: float | None = None,
    first_poll_after: float = 0.0,
    clock: Clock = time.time,
    steady: Clock = time.monotonic,
) -> Flow[JobInstance]:
    """Wait until a run is over.

    :param workspace_id: GUID.
    :param item_id: GUID.
    :param job_instance_id: GUID.
    :param check_interval: seconds between polls.
    :param timeout: seconds to wait at most; ``None`` for no end.
    :param first_poll_after: seconds until the first poll: the submit's ``Retry-After``.
    :param clock: epoch seconds.
    :param steady: seconds on a clock that nobody sets.
    :returns: the instance in a terminal status, whichever.
    :raises FabricJobTimeout: it did not end in time.
    :raises FabricJobMayBeRunning: polling on could not help.
    """
    now = clock()
    poll = JobPoll(
        JobRef(workspace_id, item_id, job_instance_id),
        submitted_at=now,
        check_interval=check_interval,
        next_poll_at=now + first_poll_after,
        deadline=None if timeout is None else now + timeout,
    )
    return (yield from poll_job_instance(poll, clock=clock, steady=steady))
