"""How an item is polled for a run that somebody else starts: by its list, from a point in time on."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from airflow_provider_fabric.api.http.flow import Clock, Flow, Sleep
from airflow_provider_fabric.api.http.permanent import is_permanent, retry_after
from airflow_provider_fabric.api.http.retry import ONCE, PATIENT, RetryBudget
from airflow_provider_fabric.api.jobs.job_types import same_job_type
from airflow_provider_fabric.api.jobs.listing import list_with_clock, started_at, started_since
from airflow_provider_fabric.api.jobs.visibility import may_still_run
from airflow_provider_fabric.api.models import JobInstance
from airflow_provider_fabric.api.status import JobStatus
from airflow_provider_fabric.exceptions import FabricError, FabricJobTimeout

log = logging.getLogger(__name__)


LONGEST_FIRST_WAIT = 60.0
"""Seconds until the first poll at most, unless the interval is longer."""


@dataclass
class ItemPoll:
    """Which runs are waited for. All times are epoch seconds.

    :param workspace_id: GUID.
    :param item_id: GUID.
    :param job_type: kind of job; ``None`` for any.
    :param since: only runs that started at or after this time count.
    :param check_interval: seconds between polls.
    :param deadline: when to stop waiting, or ``None``.
    :param allow_failed: after a failed run, wait for another one.
    :param next_poll_at: no poll before this.
    :param last_run: the newest run of that kind in the list read last, whenever it started.
    :param last_error: why the last poll failed; ``None`` if it did not.
    :param polled: whether the list was read at all.
    """

    workspace_id: str
    item_id: str
    job_type: str | None
    since: float
    check_interval: float
    deadline: float | None = None
    allow_failed: bool = False
    next_poll_at: float = 0.0
    last_run: JobInstance | None = field(default=None, compare=False)
    last_error: str | None = field(default=None, compare=False)
    polled: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        """Return what is waited for, in messages."""
        what = f"{self.job_type!r} " if self.job_type else ""
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.since))
        return f"a completed {what}run of item {self.item_id} since {since}"

    def last_seen(self) -> str:
        """Return, in sentences, what the list showed when it was read last: the newest run, its times, its status."""
        error = f" The last poll failed: {self.last_error}" if self.last_error else ""
        if not self.polled:
            return f"Its list of runs could not be read.{error}"
        if self.last_run is None:
            kind = f" of type {self.job_type!r}" if self.job_type else ""
            return f"Fabric lists no run{kind} at all.{error}"
        run = self.last_run
        times = [
            f"{word} {at:%Y-%m-%dT%H:%M:%SZ}"
            for word, at in (("started", run.start_time_utc), ("ended", run.end_time_utc))
            if at is not None
        ]
        old = run.start_time_utc is not None and run.start_time_utc.timestamp() < self.since
        when = ", ".join([run.status_text, *times]) + (", before the time that counts" if old else "")
        return f"The last run that Fabric lists is {run.id}: {when}.{error}"


def verdict(found: Iterable[JobInstance], allow_failed: bool, now: float = math.inf) -> JobInstance | None:
    """Return the run that ends the wait, or ``None`` if there is none yet.

    The newest that completed; failing that, and if none is active, the newest that did not. ``Deduped`` ones ran
    nothing; one that is too young to be visible may be active, whatever is said of it.

    :param found: an item's runs, newest first.
    :param allow_failed: a run that failed ends nothing.
    :param now: epoch seconds by the service's clock.
    """
    ran = [instance for instance in found if instance.status is not JobStatus.DEDUPED]
    completed = [instance for instance in ran if instance.status is JobStatus.COMPLETED]
    if completed:
        return completed[0]
    if allow_failed or not ran or not all(_is_over(instance, now) for instance in ran):
        return None
    return ran[0]


def _is_over(instance: JobInstance, now: float) -> bool:
    return instance.status.is_terminal and not may_still_run(instance, now)


def poll_item_once(
    poll: ItemPoll, *, budget: RetryBudget = PATIENT, clock: Clock = time.time
) -> Flow[JobInstance | None]:
    """Read the item's list once.

    :returns: the run that ends the wait, completed or not, or ``None``.
    """
    listed, ahead = yield from list_with_clock(poll.workspace_id, poll.item_id, budget=budget, clock=clock)
    ours = [run for run in listed if poll.job_type is None or same_job_type(run.job_type, poll.job_type)]
    ours.sort(key=started_at, reverse=True)
    poll.last_run, poll.last_error, poll.polled = next(iter(ours), None), None, True
    return verdict(started_since(ours, poll.since + ahead), poll.allow_failed, clock() + ahead)


def poll_item(poll: ItemPoll, *, clock: Clock = time.time) -> Flow[JobInstance]:
    """Read an item's list until a run ends the wait. Errors that may pass do not end it.

    :raises FabricJobTimeout: the deadline passed first.
    :raises FabricError: polling on cannot help: wrong ids, no rights.
    """
    wait = min(poll.next_poll_at, poll.deadline or math.inf) - clock()
    if wait > 0:  # an interval at most, however far apart this clock and the one of whoever submitted are
        yield Sleep(min(wait, max(poll.check_interval, LONGEST_FIRST_WAIT)))
    while True:
        pause = poll.check_interval
        try:
            ended = yield from poll_item_once(poll, budget=ONCE, clock=clock)
        except FabricError as error:
            if is_permanent(error):
                raise
            poll.last_error = str(error)
            log.warning("Could not poll for %s, will poll again: %s", poll, error)
            pause = max(pause, retry_after(error) or 0.0)
        else:
            if ended is not None:
                return ended
        now = clock()
        if poll.deadline is not None:
            if now >= poll.deadline:
                raise FabricJobTimeout(f"There was not {poll} in time. {poll.last_seen()}")
            pause = min(pause, poll.deadline - now)
        yield Sleep(pause, jitter=0.05)
