"""What one attempt of a task is to run: ids instead of names, and everything checked."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_fabric.api.models import JobRef
from airflow_provider_fabric.lifecycle.cancel import KillSignal
from airflow_provider_fabric.lifecycle.identity import JobIdentity
from airflow_provider_fabric.lifecycle.state import FabricRun
from airflow_provider_fabric.lifecycle.timing import Timing


@dataclass(frozen=True)
class RunRequest:
    """What to start, and how to wait for it.

    :param identity: which job, and what it is to run with.
    :param item_type: kind of item, if it is known.
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

    identity: JobIdentity
    item_type: str | None
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

    def run(
        self,
        job_instance_id: str,
        *,
        age: float = 0.0,
        first_poll_after: float = 0.0,
        ours: bool = True,
        identity: JobIdentity | None = None,
    ) -> FabricRun:
        """Return the run to wait for.

        :param age: seconds since it was asked for.
        :param first_poll_after: seconds from now until the first poll.
        :param ours: whether this task started it.
        :param identity: the job that it is a run of; ``None`` for the one that is to be started.
        """
        identity = identity or self.identity
        job, now = JobRef(identity.workspace_id, identity.item_id, job_instance_id), time.time()
        return FabricRun(
            job=job,
            job_type=identity.job_type,
            item_type=self.item_type,
            run_url=self.url(job),
            submitted_at=now - age,
            next_poll_at=now + first_poll_after,
            check_interval=self.check_interval,
            deadline=self.deadline(age),
            ours=ours,
        )
