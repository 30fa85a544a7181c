"""The run of an earlier attempt, which must be over before another one starts."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow_provider_fabric.api.http.permanent import is_permanent
from airflow_provider_fabric.api.jobs.polling import JobPoll
from airflow_provider_fabric.api.jobs.visibility import says_not_visible
from airflow_provider_fabric.api.models import JobInstance
from airflow_provider_fabric.api.status import JobStatus
from airflow_provider_fabric.exceptions import (
    FabricError,
    FabricJobCancelled,
    FabricJobMayBeRunning,
    FabricNotFoundError,
)
from airflow_provider_fabric.lifecycle.cancel import ask_to_cancel
from airflow_provider_fabric.lifecycle.state import FabricRun

if TYPE_CHECKING:
    from airflow_provider_fabric.lifecycle.backend import JobRuns
    from airflow_provider_fabric.lifecycle.request import RunRequest


class OldRun:
    """A run that an earlier attempt started, or waited for.

    :param run: the run.
    :param since: when it was asked for, in epoch seconds by the service's clock, if that is known.
    :param runs: the calls to the service.
    :param request: what the present attempt runs.
    :param log: the task's.
    """

    def __init__(self, run: FabricRun, since: float | None, runs: JobRuns, request: RunRequest, log: Any) -> None:
        self.run = run
        self._since = since
        self._runs = runs
        self._request = request
        self._log = log

    @property
    def age(self) -> float:
        """Seconds since it was asked for, by the service's clock; 0 if that is unknown."""
        now = self._runs.clock.now()
        return 0.0 if now is None or self._since is None else max(now - self._since, 0.0)

    def status(self) -> JobStatus | None:
        """Return its status; ``None`` once it is gone.

        ``NotStarted`` while it may be too young to be visible, or if the service says that it is not found for now
        (``isRetriable``): that is no proof that it is gone, and whoever waits for it goes on polling.
        """
        try:
            instance = self._runs.get(self.run.job)
        except FabricNotFoundError as error:
            for_good = is_permanent(error) and not self._may_be_invisible
            return None if for_good else JobStatus.NOT_STARTED
        return JobStatus.NOT_STARTED if self._says_invisible(instance) else instance.status

    @property
    def _may_be_invisible(self) -> bool:
        return self.age < self._request.timing.visibility_grace

    def _says_invisible(self, instance: JobInstance) -> bool:
        return self._may_be_invisible and says_not_visible(instance)

    def cancel_and_wait(self) -> JobStatus | None:
        """Let it end before another run starts: cancel it if that is wanted, and wait for its end in every case.

        One that is not ours is left alone.

        :returns: its last status.
        :raises FabricJobMayBeRunning: it has not ended in the time there is.
        """
        status = self.status()
        if status is None or status.is_terminal or not self.run.ours:
            return status
        id_, seconds = self.run.job.job_instance_id, self._request.timing.old_run
        cancel = "not requested (cancel_on_kill=False)"
        if self._request.cancel_on_kill:
            cancel = ask_to_cancel(lambda: self._runs.cancel(self.run.job, self._request.timing.cancel_patience)).text
        self._log.info(
            "Job instance %s of an earlier attempt is %s. Cancel: %s. Waiting for its end, %.0f s at most; no other "
            "run is started before.",
            id_,
            status.value,
            cancel,
            seconds,
        )
        now = time.time()
        poll = JobPoll(self.run.job, now, min(self._request.check_interval, 5.0), now, now + seconds)
        try:
            return self._runs.poll(poll).status
        except FabricJobCancelled:  # this task is being killed
            raise
        except FabricError as error:
            raise FabricJobMayBeRunning(
                f"Job instance {id_} of an earlier attempt has not ended within {seconds:.0f} s (cancel: {cancel}), so "
                f"no new run was started while it may be active. {error}",
                job=self.run.job.to_state(),
                run_url=self.run.run_url,
            ) from error
