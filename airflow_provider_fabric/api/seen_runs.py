"""Which ends of an item's runs were told already: nothing twice, nothing forgotten, nothing old."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_fabric.api.job_types import same_job_type
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
class SeenRuns:
    """The runs whose end is known. An item lists about 100 that ended, so this stays small.

    :param ids: of runs that had ended when the list was read last; ``None`` before the first time.
    """

    ids: frozenset[str] | None = None

    def news(
        self, listed: Iterable[JobInstance], statuses: Iterable[str], job_type: str | None = None
    ) -> list[JobInstance]:
        """Take in an item's list; return the runs that ended since the last one, in the order of their ends.

        The first list only says what is old.

        :param listed: all instances of the item.
        :param statuses: only these ends are news.
        :param job_type: only this kind of job is news; ``None`` for any.
        """
        over = [instance for instance in listed if instance.status.is_terminal]
        before, self.ids = self.ids, frozenset(instance.id for instance in over)
        if before is None:
            return []
        wanted = set(statuses)
        found = [
            instance
            for instance in over
            if instance.id not in before
            and instance.status.value in wanted
            and (job_type is None or same_job_type(instance.job_type, job_type))
        ]
        return sorted(found, key=lambda i: i.end_time_utc.timestamp() if i.end_time_utc else 0.0)

    def to_state(self) -> dict[str, Any]:
        """Return plain values."""
        return {"ids": sorted(self.ids or ())}

    @classmethod
    def from_state(cls, state: Any) -> SeenRuns:
        """Read :meth:`to_state`'s form; anything else is as good as nothing."""
        ids = state.get("ids") if isinstance(state, Mapping) else None
        return cls(frozenset(map(str, ids)) if isinstance(ids, list) else None)
