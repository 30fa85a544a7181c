"""What crosses from a worker to a triggerer, and back: a run, and how waiting for it ended."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_fabric.api.models import ErrorDetail, JobInstance, JobRef, parse_time
from airflow_provider_fabric.api.status import JobStatus
from airflow_provider_fabric.exceptions import FabricInputError, FabricJobTimeout

if TYPE_CHECKING:
    from airflow_provider_fabric.api.jobs.polling import JobPoll


RENAMED = {"next_look": "next_poll_at"}
"""What the first 0.1.0 wheels called a field: a task that was deferred by one, or recorded its run, is resumed."""


@dataclass(frozen=True)
class FabricRun:
    """A run that was started or found. All times are epoch seconds, so that clock zones do not matter.

    :param job: where it lives.
    :param job_type: kind of job.
    :param item_type: kind of item, if it is known.
    :param run_url: its page in the portal.
    :param submitted_at: when it was started, or found.
    :param next_poll_at: not to be polled before this.
    :param check_interval: seconds between polls.
    :param deadline: when to stop waiting, or ``None``.
    :param ours: whether this task (or an earlier attempt of it) started it; another's run is never cancelled.
    """

    job: JobRef
    job_type: str
    item_type: str | None
    run_url: str
    submitted_at: float
    next_poll_at: float
    check_interval: float
    deadline: float | None = None
    ours: bool = True

    def to_state(self) -> dict[str, Any]:
        """Return plain values; none is a secret."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> FabricRun:
        """Read :meth:`to_state`'s form, checked.

        :raises FabricInputError: a value is missing or of the wrong kind.
        """
        try:
            fields = {RENAMED.get(name, name): value for name, value in state.items()}
            run = cls(**{**fields, "job": JobRef.from_state(state["job"])})
        except (TypeError, KeyError, AttributeError) as error:
            raise FabricInputError(f"The deferred task's saved state is not that of a Fabric run: {error}.") from error
        times = [run.submitted_at, run.next_poll_at, run.check_interval]
        times += [] if run.deadline is None else [run.deadline]
        if not all(isinstance(t, int | float) and math.isfinite(t) for t in times):
            raise FabricInputError("The state of a Fabric run has a time that is not a number of seconds.")
        return run

    def poll(self, on_poll: Callable[[JobInstance, bool], None] | None = None) -> JobPoll:
        """Return what follows the run.

        :param on_poll: see :class:`~airflow_provider_fabric.api.jobs.polling.JobPoll`.
        """
        from airflow_provider_fabric.api.jobs.polling import JobPoll  # not while a DAG is parsed

        return JobPoll(
            self.job, self.submitted_at, self.check_interval, self.next_poll_at, self.deadline, on_poll=on_poll
        )

    def not_before(self, earliest: float) -> FabricRun:
        """Return the same wait, whose first poll is not before a time."""
        return replace(self, next_poll_at=max(self.next_poll_at, earliest))

    def again(self, job: JobRef, run_url: str, now: float) -> FabricRun:
        """Return the same wait for a run that somebody else started."""
        return replace(self, job=job, run_url=run_url, submitted_at=now, next_poll_at=now, ours=False)


class WaitEnd(str, Enum):
    """How waiting ended."""

    OVER = "over"
    """The run is in a terminal status."""

    TIMEOUT = "timeout"
    """The deadline passed; the run goes on."""

    LOST = "lost"
    """Nothing can be learned of the run; it may go on."""


@dataclass(frozen=True)
class Outcome:
    """What a wait came to.

    :param ending: how it ended.
    :param job: the run as last seen: the operators' return value.
    :param message: why, unless the run is over.
    """

    ending: WaitEnd
    job: dict[str, Any]
    message: str = ""

    @cached_property
    def status(self) -> JobStatus | None:
        """The run's last known status; ``None`` if it was never seen."""
        word = self.job.get("status")
        return JobStatus.from_wire(word) if word else None

    @cached_property
    def failure(self) -> ErrorDetail | None:
        """Why the run failed, if the service said so."""
        return ErrorDetail.from_wire(self.job.get("failure_reason"))

    @cached_property
    def started_at(self) -> datetime | None:
        """When the run started, if the service said so."""
        return parse_time(self.job.get("start_time_utc"))

    @cached_property
    def ended_at(self) -> datetime | None:
        """When the run ended, if the service said so."""
        return parse_time(self.job.get("end_time_utc"))

    @classmethod
    def over(cls, instance: JobInstance, workspace_id: str) -> Outcome:
        """Return the outcome of a run that is over."""
        return cls(WaitEnd.OVER, instance.result(workspace_id))

    @classmethod
    def not_seen(cls, error: Exception, run: FabricRun) -> Outcome:
        """Return the outcome of a wait that ended before the run did."""
        ending = WaitEnd.TIMEOUT if isinstance(error, FabricJobTimeout) else WaitEnd.LOST
        known = getattr(error, "job", None) or {}
        return cls(ending, {**run.job.to_state(), **known}, str(error))

    def about(self, run: FabricRun) -> Outcome:
        """Return the outcome of a wait for this run: what tells of another run's end tells nothing of ours."""
        id_ = str(self.job.get("job_instance_id") or "").lower()
        if self.ending is not WaitEnd.OVER or id_ == run.job.job_instance_id.lower():
            return self
        message = f"The answer about it tells of job instance {id_ or 'without an id'} instead."
        return Outcome(WaitEnd.LOST, {**run.job.to_state(), "status": None}, message)

    def to_state(self) -> dict[str, Any]:
        """Return plain values."""
        return {"ending": self.ending.value, "job": self.job, "message": self.message}

    @classmethod
    def from_state(cls, state: Any) -> Outcome:
        """Read :meth:`to_state`'s form, checked.

        :raises FabricInputError: it is something else.
        """
        try:
            return cls(WaitEnd(state["ending"]), dict(state["job"]), str(state.get("message", "")))
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise FabricInputError(
                f"The triggerer sent an event that no Fabric trigger produces: {error!r}."
            ) from error


def event_of(run: FabricRun, outcome: Outcome) -> dict[str, Any]:
    """Return the payload of a trigger's event.

    The run comes along, because what is deferred beside a trigger does not always come back: ``dag.test()`` and
    ``airflow tasks test`` pass on the event alone (all versions up to 3.3.2).
    """
    return {**outcome.to_state(), "run": run.to_state()}


def read_event(event: Any) -> tuple[FabricRun, Outcome]:
    """Read :func:`event_of`'s form, checked.

    :raises FabricInputError: it is something else.
    """
    outcome = Outcome.from_state(event)
    return FabricRun.from_state(event.get("run")), outcome
