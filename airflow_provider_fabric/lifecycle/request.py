"""What one attempt of a task is to run: ids instead of names, and everything checked."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_fabric.api.jobs.job_types import same_job_type
from airflow_provider_fabric.api.models import JobRef
from airflow_provider_fabric.lifecycle.cancel import KillSignal
from airflow_provider_fabric.lifecycle.state import FabricRun
from airflow_provider_fabric.lifecycle.timing import Timing


@dataclass(frozen=True)
class RunRequest:
    """What to start, and how to wait for it.

    :param workspace_id: GUID.
    :param item_id: GUID.
    :param item_type: kind of item, if it is known.
    :param job_type: kind of job.
    :param body: body of the submit.
    :param check_interval: seconds between polls.
    :param deadline: returns until when to wait, in epoch seconds, for a run that was asked for so many seconds ago.
    :param if_running: policy for runs that are active already.
    :param attaches: whether the task may wait for another's run.
    :param adopt: whether a run that is proven to be ours may be adopted after an unclear answer.
    :param cancel_on_kill: whether a cleared task's run is to be cancelled.
    :param url: returns the page of a run.
    :param signal: whether the task is being killed.
    :param timing: further waits.
    """

    workspace_id: str
    item_id: str
    item_type: str | None
    job_type: str
    body: Mapping[str, Any] | None
    check_interval: float
    deadline: Callable[[float], float | None]
    if_running: str
    attaches: bool
    adopt: bool
    cancel_on_kill: bool
    url: Callable[[JobRef], str]
    signal: KillSignal
    timing: Timing

    @property
    def item(self) -> tuple[str, str, str]:
        """Workspace, item and job type."""
        return self.workspace_id, self.item_id, self.job_type

    def run(
        self, job_instance_id: str, *, age: float = 0.0, first_poll_after: float = 0.0, ours: bool = True
    ) -> FabricRun:
        """Return the run to wait for.

        :param age: seconds since it was asked for.
        :param first_poll_after: seconds from now until the first poll.
        :param ours: whether this task started it.
        """
        job, now = JobRef(self.workspace_id, self.item_id, job_instance_id), time.time()
        return FabricRun(
            job=job,
            job_type=self.job_type,
            item_type=self.item_type,
            run_url=self.url(job),
            submitted_at=now - age,
            next_poll_at=now + first_poll_after,
            check_interval=self.check_interval,
            deadline=self.deadline(age),
            ours=ours,
        )

    def is_for(self, run: FabricRun) -> bool:
        """Whether a run is one of this item and job; a job may go by several names."""
        same = (run.job.workspace_id, run.job.item_id) == (self.workspace_id, self.item_id)
        return same and same_job_type(run.job_type, self.job_type)
