"""The run that made Fabric skip ours as a duplicate (status ``Deduped``)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from airflow_provider_fabric.api.jobs.job_types import same_job_type
from airflow_provider_fabric.api.models import JobInstance, JobRef
from airflow_provider_fabric.api.status import JobStatus
from airflow_provider_fabric.lifecycle.state import FabricRun, Outcome

CLOCK_MARGIN = 1.0
"""Seconds that times of two runs may be off."""


def active_when_deduped(run: FabricRun, outcome: Outcome, found: Iterable[JobInstance]) -> list[JobInstance]:
    """Return the runs that were active when ours was deduplicated, whether they are over by now or not.

    Runs of the same job, that is: by the name that we used, or by the one that the service lists ours under.

    :param run: ours, which ran nothing.
    :param outcome: its end.
    :param found: the item's runs.
    """
    names = {run.job_type, str(outcome.job.get("job_type") or run.job_type)}
    found = [i for i in found if any(same_job_type(i.job_type, name) for name in names)]
    asked, over = outcome.started_at or outcome.ended_at, outcome.ended_at or outcome.started_at
    others = [i for i in found if i.id != run.job.job_instance_id and i.status is not JobStatus.DEDUPED]
    if asked is None or over is None:  # the service names no time: only what is still active is sure
        return [other for other in others if not other.status.is_terminal]
    since, until = asked.timestamp() - CLOCK_MARGIN, over.timestamp() + CLOCK_MARGIN
    return [other for other in others if _was_active(other, since, until)]


def _was_active(other: JobInstance, since: float, until: float) -> bool:
    started = other.start_time_utc is None or other.start_time_utc.timestamp() <= until
    if not other.status.is_terminal:
        return started
    return started and other.end_time_utc is not None and other.end_time_utc.timestamp() >= since


def wait_instead(run: FabricRun, other: JobInstance, url: Callable[[JobRef], str]) -> FabricRun:
    """Return the wait for another's run in place of ours."""
    job = replace(run.job, job_instance_id=other.id)
    return run.again(job, url(job), time.time())
