"""How an item is polled for a run that somebody else starts: by its list, from a point in time on."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass

from airflow_provider_fabric.api.http.flow import Clock, Flow, Sleep
from airflow_provider_fabric.api.http.permanent import is_permanent, retry_after
from airflow_provider_fabric.api.http.retry import ONCE, PATIENT, RetryBudget
from airflow_provider_fabric.api.jobs.listing import list_item_job_instances
from airflow_provider_fabric.api.models import JobInstance
from airflow_provider_fabric.api.status import JobStatus
from airflow_provider_fabric.exceptions import FabricError, FabricJobTimeout

log = logging.getLogger(__name__)


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
    """

    workspace_id: str
    item_id: str
    job_type: str | None
    since: float
    check_interval: float
    deadline: float | None = None
    allow_failed: bool = False
    next_poll_at: float = 0.0

    def __str__(self) -> str:
        """Return what is waited for, in messages."""
        what = f"{self.job_type!r} " if self.job_type else ""
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.since))
        return f"a completed {what}run of item {self.item_id} since {since}"


def verdict(found: Iterable[JobInstance], allow_failed: bool) -> JobInstance | None:
    """Return the run that ends the wait, or ``None`` if there is none yet.

    The newest that completed; failing that, and if none is active, the newest that did not. ``Deduped`` ones ran
    nothing.

    :param found: an item's runs, newest first.
    :param allow_failed: a run that failed ends nothing.
    """
    ran = [instance for instance in found if instance.status is not JobStatus.DEDUPED]
    completed = [instance for instance in ran if instance.status is JobStatus.COMPLETED]
    if completed:
        return completed[0]
    if allow_failed or not ran or not all(instance.status.is_terminal for instance in ran):
        return None
    return ran[0]


def poll_item_once(
    poll: ItemPoll, *, budget: RetryBudget = PATIENT, clock: Clock = time.time
) -> Flow[JobInstance | None]:
    """Read the item's list once.

    :returns: the run that ends the wait, completed or not, or ``None``.
    """
    found = yield from list_item_job_instances(
        poll.workspace_id, poll.item_id, job_type=poll.job_type, since=poll.since, clock=clock, budget=budget
    )
    return verdict(found, poll.allow_failed)


def poll_item(poll: ItemPoll, *, clock: Clock = time.time) -> Flow[JobInstance]:
    """Read an item's list until a run ends the wait. Errors that may pass do not end it.

    :raises FabricJobTimeout: the deadline passed first.
    :raises FabricError: polling on cannot help: wrong ids, no rights.
    """
    wait = min(poll.next_poll_at, poll.deadline or math.inf) - clock()
    if wait > 0:
        yield Sleep(wait)
    while True:
        pause = poll.check_interval
        try:
            ended = yield from poll_item_once(poll, budget=ONCE, clock=clock)
        except FabricError as error:
            if is_permanent(error):
                raise
            log.warning("Could not poll for %s, will poll again: %s", poll, error)
            pause = max(pause, retry_after(error) or 0.0)
        else:
            if ended is not None:
                return ended
        now = clock()
        if poll.deadline is not None:
            if now >= poll.deadline:
                raise FabricJobTimeout(f"There was not {poll} in time.")
            pause = min(pause, poll.deadline - now)
        yield Sleep(pause, jitter=0.05)
