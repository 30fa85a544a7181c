"""What an earlier attempt of the task left behind: its run, or a submit that was cut short."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_fabric.api.jobs.ownership import SubmitWindow
from airflow_provider_fabric.api.status import JobStatus
from airflow_provider_fabric.lifecycle.old_run import OldRun
from airflow_provider_fabric.lifecycle.request import RunRequest
from airflow_provider_fabric.lifecycle.state import FabricRun
from airflow_provider_fabric.lifecycle.store import RunRecord, RunStore
from airflow_provider_fabric.lifecycle.unclear import UnclearSubmit

if TYPE_CHECKING:
    from airflow_provider_fabric.lifecycle.backend import JobRuns

UNSUCCESSFUL = frozenset({JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.DEDUPED})


class EarlierAttempt:
    """Reconnects to what an earlier attempt started, or lets it end.

    :param request: what the present attempt runs.
    :param runs: the calls to the service.
    :param store: the record of the task's run.
    :param unclear: the search for a run that a submit may have started.
    :param log: the task's.
    """

    def __init__(self, request: RunRequest, runs: JobRuns, store: RunStore, unclear: UnclearSubmit, log: Any) -> None:
        self.over = False
        """Whether the run that was reconnected to has ended already."""
        self._request = request
        self._runs = runs
        self._store = store
        self._unclear = unclear
        self._log = log

    def run(self, record: RunRecord) -> FabricRun | None:
        """Return the run to reconnect to, or ``None`` if another one is to be started.

        :raises FabricJobMayBeRunning: a run of an earlier attempt may be going on, or has not ended in time.
        """
        return self._of_submit(record) if record.run is None else self._of_run(record, record.run)

    def _of_run(self, record: RunRecord, run: FabricRun) -> FabricRun | None:
        """Judge a run that an earlier attempt started, or waited for."""
        id_ = run.job.job_instance_id
        old = OldRun(run, record.since, self._runs, self._request, self._log)
        if record.cleared or not self._is_wanted(record, run):
            old.cancel_and_wait()
            return None
        if not run.ours and not self._request.attaches:
            self._log.info("An earlier attempt waited for job instance %s, another's run; this one does not.", id_)
            return None
        status = old.status()
        if record.cancel_asked and run.ours and status is not None and not status.is_terminal:
            status = old.cancel_and_wait()  # it may have completed all the same
        if status is None or status in UNSUCCESSFUL:
            self._log.info("The earlier run %s is %s; starting a new one.", id_, status.value if status else "gone")
            return None
        self._log.info("Reconnecting to job instance %s of an earlier attempt: %s.", id_, status.value)
        self.over = status.is_terminal
        return self._request.run(id_, age=old.age, ours=run.ours)

    def _is_wanted(self, record: RunRecord, run: FabricRun) -> bool:
        """Whether an earlier attempt's run is one of the job, and with the arguments, that this attempt is to run."""
        wanted, asked = self._request.identity, record.identity
        same_item = (run.job.workspace_id, run.job.item_id) == (wanted.workspace_id, wanted.item_id)
        if asked is None:  # another's run, or the record of an older version, which says no more
            asked = replace(wanted, job_type=run.job_type)
        if not same_item or not asked.is_same_job(wanted):
            self._log.warning(
                "An earlier attempt ran job %r of item %s (job instance %s); this one runs job %r of item %s.",
                run.job_type,
                run.job.item_id,
                run.job.job_instance_id,
                wanted.job_type,
                wanted.item_id,
            )
            return False
        if not asked.is_same_run(wanted):
            self._log.warning(
                "An earlier attempt started job instance %s with other parameters or settings than this one is to run "
                "with: it is not this attempt's run.",
                run.job.job_instance_id,
            )
            return False
        return True

    def _of_submit(self, record: RunRecord) -> FabricRun | None:
        """Find what an attempt started that ended before it learned the run's id."""
        asked = record.identity or self._request.identity
        if record.candidates is not None:
            if record.cleared:  # a person has seen which runs these were
                self._log.info("The task was cleared after a submit with an unknown outcome: starting a new run.")
                return None
            reason = "an earlier attempt could not find out which of them is this task's"
            raise self._unclear.may_be_running(asked, record.candidates, reason)
        window = record.window or SubmitWindow(None)
        verdict = self._unclear.look(asked, lambda: window, died=True)
        if verdict.proven is not None:
            self._log.info(
                "An earlier attempt ended before it recorded job instance %s, which it had started.", verdict.proven
            )
            return self._adopted(verdict.proven, record)
        if verdict.nothing_started:
            return None
        if record.cleared and verdict.complete and not verdict.active:
            self._log.info("None of these runs is active and the task was cleared: starting a new run.")
            return None
        raise self._unclear.error(asked, verdict, window)

    def _adopted(self, id_: str, record: RunRecord) -> FabricRun | None:
        """Take a run that is proven to be an earlier attempt's: remember it, then judge it like any other."""
        asked = record.identity or self._request.identity
        run = self._request.run(id_, identity=asked)
        self._store.remember(run, record.since, asked, self._log)
        return self._of_run(replace(record, run=run, identity=asked), run)
