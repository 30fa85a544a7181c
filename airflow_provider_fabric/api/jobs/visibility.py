"""Whether a run that is said to have failed is only too young to be visible.

Right after the submit an instance may answer 404, or 200 with a ``failureReason`` whose ``errorCode`` is ``NotFound``
or ``RequestExecutionFailed`` though it runs (users of Microsoft's plugin, its pull request 4).
"""

from __future__ import annotations

from airflow_provider_fabric.api.models import JobInstance
from airflow_provider_fabric.api.status import JobStatus

VISIBILITY_GRACE = 300.0
"""Seconds after the submit during which a run may not be visible."""

NOT_VISIBLE_CODES = frozenset({"NotFound", "RequestExecutionFailed"})


def says_not_visible(instance: JobInstance) -> bool:
    """Whether an answer says what is said of a run that is too young to be visible; an old run did fail."""
    reason = instance.failure_reason
    return instance.status is not JobStatus.COMPLETED and reason is not None and reason.error_code in NOT_VISIBLE_CODES


def may_still_run(instance: JobInstance, now: float) -> bool:
    """Whether a run that somebody else started may go on although it is said to have failed.

    :param instance: the run, as its item lists it.
    :param now: epoch seconds by the service's clock.
    """
    if not says_not_visible(instance):
        return False
    known = [time.timestamp() for time in (instance.start_time_utc, instance.end_time_utc) if time is not None]
    return bool(known) and now < max(known) + VISIBILITY_GRACE
