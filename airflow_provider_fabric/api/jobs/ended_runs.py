"""Which ends of an item's runs were told already: nothing twice, nothing forgotten, nothing old."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from airflow_provider_fabric.api.jobs.job_types import same_job_type
from airflow_provider_fabric.api.models import JobInstance
from airflow_provider_fabric.api.status import JobStatus
from airflow_provider_fabric.exceptions import FabricInputError

TERMINAL = tuple(status for status in JobStatus if status.is_terminal)


def read_statuses(words: Iterable[str]) -> tuple[str, ...]:
    """Return terminal statuses, checked.

    :raises FabricInputError: one is unknown, or no end.
    """
    wanted = tuple(words) if not isinstance(words, str) else (words,)
    allowed = [status.value for status in TERMINAL]
    wrong = [word for word in wanted if word not in allowed]
    if wrong or not wanted:
        raise FabricInputError(f"statuses must be some of {', '.join(allowed)}, got {list(wanted)!r}.")
    return wanted


@dataclass
class EndedRuns:
    """The runs whose end is known. An item lists about 100 that ended, so this stays small.

    :param since: epoch seconds by our clock; what ended before is old.
    :param ids: of runs that had ended when the list was read last.
    """

    since: float
    ids: frozenset[str] = frozenset()

    def new(
        self,
        listed: Iterable[JobInstance],
        statuses: Iterable[str],
        job_type: str | None = None,
        ahead: float = 0.0,
    ) -> list[JobInstance]:
        """Take in an item's list; return the runs that ended since the last one, in the order of their ends.

        :param listed: all instances of the item.
        :param statuses: only these ends are news.
        :param job_type: only this kind of job is news; ``None`` for any.
        :param ahead: seconds by which the service's clock is ahead of ours.
        """
        over = [instance for instance in listed if instance.status.is_terminal]
        before, self.ids = self.ids, frozenset(instance.id for instance in over)
        wanted = set(statuses)
        found = [
            instance
            for instance in over
            if instance.id not in before
            and instance.status.value in wanted
            and _ended(instance) >= self.since + ahead
            and (job_type is None or same_job_type(instance.job_type, job_type))
        ]
        return sorted(found, key=_ended)

    def to_state(self) -> dict[str, Any]:
        """Return plain values."""
        return {"since": self.since, "ids": sorted(self.ids)}

    @classmethod
    def from_state(cls, state: Any, now: float) -> EndedRuns:
        """Read :meth:`to_state`'s form; anything else is a fresh start, now."""
        try:
            return cls(float(state["since"]), frozenset(map(str, state["ids"])))
        except (TypeError, KeyError, ValueError):
            return cls(now)


def _ended(instance: JobInstance) -> float:
    """Return when a run ended; one that ran nothing (``Deduped``) may tell only when it was asked for."""
    moment = instance.end_time_utc or instance.start_time_utc
    return moment.timestamp() if moment is not None else 0.0
