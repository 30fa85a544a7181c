"""Which finished runs an event trigger has reported, so that each is reported exactly once and old ones never."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_fabric.api.jobs.job_types import same_job_type
from airflow_provider_fabric.api.jobs.visibility import may_still_run
from airflow_provider_fabric.api.models import JobInstance
from airflow_provider_fabric.api.status import JobStatus
from airflow_provider_fabric.exceptions import FabricInputError

TERMINAL = tuple(status for status in JobStatus if status.is_terminal)

KEPT = 400
"""Runs that are remembered: several times as many as an item lists."""


def read_statuses(statuses: Iterable[str | JobStatus]) -> tuple[str, ...]:
    """Return terminal statuses, checked, each once and always in the same order.

    :raises FabricInputError: one is unknown, or no end.
    """
    allowed = [status.value for status in TERMINAL]
    given: list[Any]
    try:
        given = [statuses] if isinstance(statuses, str | JobStatus) else list(statuses)
    except TypeError:
        given = [statuses]
    wanted = [each.value if isinstance(each, JobStatus) else each for each in given]
    if not wanted or any(each not in allowed for each in wanted):
        raise FabricInputError(f"statuses must be some of {', '.join(allowed)}, got {given!r}.")
    return tuple(each for each in allowed if each in wanted)


@dataclass
class EndedRuns:
    """The runs whose end was reported. All times are epoch seconds by the service's clock.

    :param since: what ended before is old.
    :param reported: ids of the runs that were reported, with the time of each end: they stay reported, whatever a later
        list leaves out.
    """

    since: float
    reported: dict[str, float] = field(default_factory=dict)
    changes: int = field(init=False, compare=False, default=0)
    """How often something was reported since it was read."""

    def new(
        self,
        listed: Iterable[JobInstance],
        statuses: Iterable[str],
        job_type: str | None = None,
        *,
        now: float = math.inf,
    ) -> list[JobInstance]:
        """Take in an item's list; return the runs whose end was not reported yet, in the order of their ends.

        :param listed: all instances of the item.
        :param statuses: only these ends are reported.
        :param job_type: only this kind of job is reported; ``None`` for any.
        :param now: present time: a run that is too young to be visible may go on although it is said to have failed.
        """
        wanted = set(statuses)
        found = [
            instance
            for instance in listed
            if instance.status.is_terminal
            and instance.id not in self.reported
            and instance.status.value in wanted
            and _ended(instance) >= self.since
            and (job_type is None or same_job_type(instance.job_type, job_type))
            and not may_still_run(instance, now)
        ]
        found = sorted({instance.id: instance for instance in found}.values(), key=_ended)  # some may be listed twice
        self.reported.update({instance.id: _ended(instance) for instance in found})
        self.changes += bool(found)
        self._forget_the_oldest()
        return found

    def _forget_the_oldest(self) -> None:
        """Keep a bounded number; what is forgotten is old from then on."""
        by_end = sorted(self.reported, key=self.reported.__getitem__)
        for run in by_end[:-KEPT]:
            self.since = max(self.since, math.nextafter(self.reported.pop(run), math.inf))

    def merge(self, other: EndedRuns) -> None:
        """Take in what was reported elsewhere, too."""
        self.since = min(self.since, other.since)
        self.reported.update(other.reported)

    def to_state(self) -> dict[str, Any]:
        """Return plain values."""
        return {"since": self.since, "reported": dict(self.reported)}

    @classmethod
    def from_state(cls, state: Any) -> EndedRuns | None:
        """Read :meth:`to_state`'s form; ``None`` if it is something else."""
        try:
            reported = {str(run): float(ended) for run, ended in state["reported"].items()}
            since = float(state["since"])
        except (TypeError, KeyError, ValueError, AttributeError):
            return None
        return cls(since, reported) if math.isfinite(since) else None


def _ended(instance: JobInstance) -> float:
    """Return when a run ended; one that ran nothing (``Deduped``) may say only when it was asked for."""
    ended = instance.end_time_utc or instance.start_time_utc
    return ended.timestamp() if ended is not None else 0.0
