"""Job instances: their life cycle, which every read computes from the clock, and the store of them all.

Nothing runs in the background. A start writes down when the instance will change and how it will end; a
cancellation or a forced state writes down another end. So ten thousand live jobs cost only their memory.

Statuses: ``NotStarted InProgress Completed Failed Cancelled Deduped``, more may come (OpenAPI ``ItemJobInstance``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from airflow_provider_fabric.emulator.state.definitions import Parts
from airflow_provider_fabric.emulator.state.job_rules import JobRule, Timeline
from airflow_provider_fabric.emulator.state.times import service_time

TERMINAL = frozenset({"Completed", "Failed", "Cancelled", "Deduped"})


@dataclass(slots=True)
class JobInstance:
    """One run of an item.

    :param timeline: its statuses, each with the time from which it holds; the last one is the outcome.
    :param visible_at: until then reads do not find it.
    :param dated_at: until then it shows no start.
    :param parts: the item's definition at the start, for activity runs.
    :param compute: engine of a notebook run.
    """

    id: str
    number: int
    workspace_id: str
    item_id: str
    item_type: str
    job_type: str
    invoke_type: str
    submitter: str
    timeline: Timeline
    failure_reason: Any
    root_activity_id: str
    visible_at: float
    dated_at: float
    rule: JobRule | None
    parts: Parts
    compute: str = "Spark"
    cancel_requests: int = 0
    cancel_requested_at: float | None = None

    @property
    def started_at(self) -> float:
        """When the run was accepted."""
        return self.timeline[0][0]

    @property
    def ends_at(self) -> float:
        """When the last status of the plan begins."""
        return self.timeline[-1][0]

    def status(self, now: float) -> str:
        """Return the status at ``now``."""
        for since, status in reversed(self.timeline):
            if now >= since:
                return status
        return self.timeline[0][1]

    def is_over(self, now: float) -> bool:
        """Say whether nothing will change any more. An unknown status is not an end."""
        return now >= self.timeline[-1][0] and self.timeline[-1][1] in TERMINAL

    def cancel(self, now: float, takes: float) -> None:
        """Ask for the end: the run is cancelled after ``takes`` seconds, unless it ends before on its own."""
        self.cancel_requests += 1
        if self.cancel_requested_at is not None:
            return
        self.cancel_requested_at = now
        end = now + takes
        if self.timeline[-1][1] in TERMINAL and self.timeline[-1][0] <= end:
            return
        self.timeline = (*(step for step in self.timeline if step[0] < end), (end, "Cancelled"))
        self.failure_reason = None

    def force(self, now: float, status: str, failure_reason: Any) -> None:
        """Put the run into ``status`` at once, for good."""
        self.timeline = (*(step for step in self.timeline if step[0] < now), (now, status))
        self.failure_reason = failure_reason

    def to_wire(self, now: float) -> dict[str, Any]:
        """Return the OpenAPI ``ItemJobInstance``."""
        over = self.is_over(now)
        return {
            "id": self.id,
            "itemId": self.item_id,
            "jobType": self.job_type,
            "invokeType": self.invoke_type,
            "status": self.status(now),
            "rootActivityId": self.root_activity_id,
            "startTimeUtc": service_time(self.started_at) if now >= self.dated_at else None,
            "endTimeUtc": service_time(self.ends_at) if over else None,
            "failureReason": self.failure_reason if over else None,
        }


class JobStore:
    """All instances, by id and by item.

    The service lists every active instance of an item and about the 100 that completed last. Older ones leave the
    list, and beyond ``capacity`` the oldest finished ones are forgotten altogether, which keeps memory flat.
    """

    def __init__(self, completed_listed: int = 100, capacity: int = 50_000) -> None:
        self.started = 0
        self.cancel_requests = 0
        self.cancelled_forgotten = 0
        self.completed_listed = completed_listed
        self._capacity = capacity
        self._all: dict[str, JobInstance] = {}
        self._by_item: dict[str, list[JobInstance]] = {}
        self._trim_at: dict[str, int] = {}

    def add(self, job: JobInstance, now: float) -> None:
        """Add a new instance."""
        self.started += 1
        self._all[job.id] = job
        listed = self._by_item.setdefault(job.item_id, [])
        listed.append(job)
        if len(listed) >= self._trim_at.get(job.item_id, 4 * self.completed_listed):
            kept = self._listable(listed, now)[::-1]
            self._by_item[job.item_id] = kept
            self._trim_at[job.item_id] = 2 * len(kept) + 4 * self.completed_listed
        if len(self._all) > self._capacity:
            self._forget_oldest(now)

    def get(self, job_id: str) -> JobInstance | None:
        """Return an instance by id."""
        return self._all.get(job_id)

    def all(self) -> Iterator[JobInstance]:
        """Return every instance that is remembered, oldest first."""
        return iter(self._all.values())

    def active(self, item_id: str, now: float) -> list[JobInstance]:
        """Return the instances of an item that are not over."""
        return [job for job in self._by_item.get(item_id, ()) if not job.is_over(now)]

    def listed(self, item_id: str, now: float) -> list[JobInstance]:
        """Return what the list of an item shows, newest first."""
        return [job for job in self._listable(self._by_item.get(item_id, []), now) if job.visible_at <= now]

    def _listable(self, jobs: list[JobInstance], now: float) -> list[JobInstance]:
        over = [job for job in jobs if job.is_over(now)]
        if len(over) <= self.completed_listed:
            return jobs[::-1]
        over.sort(key=lambda job: job.ends_at)
        dropped = {job.id for job in over[: len(over) - self.completed_listed]}
        return [job for job in reversed(jobs) if job.id not in dropped]

    def _forget_oldest(self, now: float) -> None:
        """Forget one instance that is over, among the oldest few only."""
        for _ in range(8):
            job_id, job = next(iter(self._all.items()))
            del self._all[job_id]
            if job.is_over(now):
                self.cancelled_forgotten += job.status(now) == "Cancelled"
                self._drop_from_list(job)
                return
            self._all[job_id] = job  # still active: it becomes the youngest

    def _drop_from_list(self, job: JobInstance) -> None:
        listed = self._by_item.get(job.item_id, [])
        if listed and listed[0] is job:
            listed.pop(0)

    def counts(self, now: float) -> dict[str, int]:
        """Return the totals that the control endpoint prints."""
        active = sum(not job.is_over(now) for job in self._all.values())
        cancelled = sum(job.is_over(now) and job.status(now) == "Cancelled" for job in self._all.values())
        return {
            "started": self.started,
            "cancelled": self.cancelled_forgotten + cancelled,
            "active": active,
            "cancel_requests": self.cancel_requests,
        }
