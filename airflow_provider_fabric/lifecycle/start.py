"""How a task gets its run: it reconnects to an earlier attempt's, attaches to one that is active, or submits one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_fabric.api.http.retry import RetryBudget
from airflow_provider_fabric.api.jobs.ownership import SubmitWindow, undecided_by_time, window_of
from airflow_provider_fabric.api.jobs.service_time import SubmitTrace
from airflow_provider_fabric.api.models import JobInstance
from airflow_provider_fabric.api.status import JobStatus
from airflow_provider_fabric.compat import AirflowSkipException
from airflow_provider_fabric.exceptions import (
    FabricAmbiguousError,
    FabricError,
    FabricJobAlreadyRunning,
    FabricJobCancelled,
    FabricJobMayBeRunning,
)
from airflow_provider_fabric.lifecycle.old_run import OldRun
from airflow_provider_fabric.lifecycle.ownership import OwnershipSearch, Verdict
from airflow_provider_fabric.lifecycle.request import RunRequest
from airflow_provider_fabric.lifecycle.siblings import publish_candidates
from airflow_provider_fabric.lifecycle.state import FabricRun
from airflow_provider_fabric.lifecycle.store import RunRecord, RunStore

if TYPE_CHECKING:
    from airflow_provider_fabric.lifecycle.backend import JobRuns

LIST_BEFORE = RetryBudget(attempts=3, seconds=60.0)
"""For the list before a submit. Without it an unclear answer cannot be resolved; the submit goes out all the same."""

UNSUCCESSFUL = frozenset({JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.DEDUPED})


class RunStarter:
    """Finds or starts the run of one attempt.

    :param request: what to start.
    :param runs: the calls to the service.
    :param store: the record of the task's run.
    :param context: the task's context.
    :param operator: the task's operator.
    """

    def __init__(
        self, request: RunRequest, runs: JobRuns, store: RunStore, context: Mapping[str, Any], operator: Any
    ) -> None:
        self.request = request
        self.runs = runs
        self.store = store
        self.over = False
        self.search: OwnershipSearch | None = None
        """What a kill in the middle of it reports."""
        self._context = context
        self._operator = operator
        self._log = operator.log
        self._listed: list[JobInstance] | None = None

    def start(self) -> FabricRun:
        """Return the run this task waits for; start one only if there can be none that is ours.

        :raises FabricJobMayBeRunning: a run of ours may be going on, and is not proven to be ours.
        :raises FabricJobAlreadyRunning: ``if_running="fail"``.
        """
        record = self.store.load()
        run = self._of_earlier_attempt(record) if record is not None else None
        return run or self._by_policy() or self._submit()

    # An earlier attempt's run.

    def _of_earlier_attempt(self, record: RunRecord) -> FabricRun | None:
        if record.run is None:
            return self._of_unfinished_submit(record)
        run, id_ = record.run, record.run.job.job_instance_id
        old = OldRun(run, record.since, self.runs, self.request, self._log)
        if not self.request.is_for(run):
            self._log.warning(
                "An earlier attempt ran job %r of item %s (job instance %s); this one runs job %r of item %s.",
                run.job_type,
                run.job.item_id,
                id_,
                self.request.job_type,
                self.request.item_id,
            )
            old.let_end()
            return None
        if record.cleared:
            old.let_end()
            return None
        if not run.ours and not self.request.attaches:
            self._log.info("An earlier attempt waited for job instance %s, another's run; this one does not.", id_)
            return None
        status = old.status()
        if record.cancel_asked and run.ours and status is not None and not status.is_terminal:
            status = old.let_end()  # it may have completed all the same
        if status is None or status in UNSUCCESSFUL:
            self._log.info("The earlier run %s is %s; starting a new one.", id_, status.value if status else "gone")
            return None
        self._log.info("Reconnecting to job instance %s of an earlier attempt: %s.", id_, status.value)
        self.over = status.is_terminal
        return self.request.run(id_, age=old.age, ours=run.ours)

    def _of_unfinished_submit(self, record: RunRecord) -> FabricRun | None:
        """Find what an attempt started that ended before it learned the run's id."""
        if record.candidates is not None:
            if record.cleared:  # a person has seen which runs these were
                self._log.info("The task was cleared after a submit with an unknown outcome: starting a new run.")
                return None
            raise self._may_be_running(
                record.candidates, "an earlier attempt could not find out which of them is this task's"
            )
        search = self._search(lambda: record.window, died=True)
        search.watch()
        verdict = search.verdict(adopt=self.request.adopt)
        if verdict.proven is not None:
            self._log.info(
                "An earlier attempt ended before it recorded job instance %s, which it had started.", verdict.proven
            )
            return self._adopted(verdict.proven, record, search)
        self._log_verdict(verdict)
        if verdict.nothing_started:
            return None
        active = [i for i in verdict.candidates if not search.sightings.latest[i].status.is_terminal]
        if record.cleared and verdict.complete and not active:
            self._log.info("None of these runs is active and the task was cleared: starting a new run.")
            return None
        raise self._unclear(verdict, record.window, None)

    def _adopted(self, id_: str, record: RunRecord, search: OwnershipSearch) -> FabricRun | None:
        """Take a run that is proven to be an earlier attempt's."""
        now, since = self.runs.clock.now(), record.since
        run = self.request.run(id_, age=0.0 if now is None or since is None else max(now - since, 0.0))
        if record.cleared:
            self._remember(run, since)
            OldRun(run, since, self.runs, self.request, self._log).let_end()
            return None
        status = search.sightings.latest[id_].status
        if status in UNSUCCESSFUL:
            self._log.info("That run is %s; starting a new one.", status.value)
            return None
        self.over = status.is_terminal
        self._remember(run, since)
        return run

    # A run that is active already.

    def _by_policy(self) -> FabricRun | None:
        """Respect a run that is active already, as ``if_running`` says."""
        request = self.request
        if request.if_running == "submit":
            return None
        self._listed = self.runs.list(*request.item)
        active = [instance for instance in self._listed if not instance.status.is_terminal]
        if not active:
            return None
        ids = ", ".join(instance.id for instance in active)
        if request.if_running == "skip":
            raise AirflowSkipException(f"Active already: job instance {ids}; if_running='skip'.")
        if request.if_running == "fail":
            raise FabricJobAlreadyRunning(
                f"Active already: job instance {ids} of item {request.item_id}; if_running='fail'.",
                job=active[0].result(request.workspace_id),
            )
        self._log.info(
            "Waiting for the newest active run, job instance %s of %s; if_running='attach'.", active[0].id, ids
        )
        run = request.run(active[0].id, ours=False)
        self._remember(run, self.runs.clock.now())
        return run

    # A submit.

    def _submit(self) -> FabricRun:
        """Start a run, and remember it before anything else can go wrong."""
        request = self.request
        known = self._list_before()
        trace = SubmitTrace(on_pause=self.store.nothing_started)
        trace.on_post = lambda: self._before_post(known, stale=trace.paused)
        try:
            submission = self.runs.submit(*request.item, request.body, trace)
        except FabricAmbiguousError as error:
            return self._resolve(error, trace, known)
        except FabricJobCancelled:  # killed in a pause, when nothing had been started
            raise
        except FabricError:
            self._nothing_started()
            raise
        self._log.info("Started a run: job instance %s of item %s.", submission.job_instance_id, request.item_id)
        run = request.run(submission.job_instance_id, first_poll_after=submission.retry_after or 0.0)
        self._remember(run, None if trace.sent is None else self.runs.clock.earliest(trace.sent))
        return run

    def _list_before(self) -> list[JobInstance] | None:
        """Return what the item lists before the submit: none of that can be ours."""
        if self._listed is None:
            try:
                self._listed = self.runs.list(*self.request.item, LIST_BEFORE)
            except FabricJobCancelled:
                raise
            except FabricError as error:
                self._log.info("The item's runs cannot be listed before the submit: %s", error)
        return self._listed

    def _before_post(self, known: list[JobInstance] | None, *, stale: bool) -> None:
        self.request.signal.raise_if_killed()  # a task that was killed meanwhile starts nothing
        since = self.runs.clock.now()
        if since is None:  # no answer said what time it is: nothing can be proven then
            self.store.submitting(SubmitWindow(time.time()))
        else:
            kept = None if known is None else undecided_by_time(known, since)
            self.store.submitting(SubmitWindow(since, known=kept, stale=stale))

    def _resolve(self, error: FabricAmbiguousError, trace: SubmitTrace, known: list[JobInstance] | None) -> FabricRun:
        """Find out whether a submit started a run, when its answer does not say so."""
        ids = None if known is None else [instance.id for instance in known]
        search = self._search(lambda: window_of(trace, self.runs.clock, ids), died=False)
        self._log.warning("%s Watching the item's runs for %.0f s.", error, self.request.timing.visible_within)
        search.watch()
        verdict = search.verdict(adopt=self.request.adopt)
        window = window_of(trace, self.runs.clock, ids)
        if verdict.proven is None:
            self._log_verdict(verdict)
            raise self._unclear(verdict, window, error)
        self._log.info("Found the run that it started: job instance %s.", verdict.proven)
        run = self.request.run(verdict.proven, age=self.runs.clock.read() - (trace.sent or self.runs.clock.read()))
        self._remember(run, window.since if window else None)
        return run

    # What both ways of not knowing share.

    def _search(self, window: Callable[[], SubmitWindow | None], *, died: bool) -> OwnershipSearch:
        self.search = OwnershipSearch(
            self.runs,
            self.request.item,
            self._context,
            self._operator,
            window,
            died=died,
            timing=self.request.timing,
        )
        return self.search

    def _log_verdict(self, verdict: Verdict) -> None:
        if verdict.candidates:
            self._log.warning(
                "No run was proven to be this task's (%s). Candidates: %s.", verdict.reason, _named(verdict)
            )
        elif verdict.complete:
            self._log.info("No new run of the item has appeared: nothing was started.")

    def _unclear(
        self, verdict: Verdict, window: SubmitWindow | None, error: FabricAmbiguousError | None
    ) -> FabricJobMayBeRunning:
        """Record what is not known, and return the error that says so."""
        if verdict.nothing_started:
            self._nothing_started()
            return self._error(f"{error} No new instance has appeared since; the next attempt starts one.", error)
        if not verdict.candidates:  # the list could not be read: the next attempt reads it again
            what = error or "An earlier attempt ended while it was starting a run."
            return self._error(f"{what} No run was proven to be this task's: {verdict.reason}.", error)
        if window is not None:
            self.store.unclear(window, verdict.candidates)
        publish_candidates(self._context["ti"], verdict.candidates, self._log)
        return self._may_be_running(verdict.candidates, verdict.reason, error)

    def _nothing_started(self) -> None:
        """Record that no run of ours can be going on, and let other tasks know."""
        self.store.nothing_started()
        publish_candidates(self._context["ti"], (), self._log)

    def _may_be_running(
        self, candidates: tuple[str, ...], reason: str, cause: FabricError | None = None
    ) -> FabricJobMayBeRunning:
        from airflow_provider_fabric.lifecycle import final

        what = f"{cause} " if cause else ""
        return self._error(
            f"{what}A run of this task may be going on: job instance {', '.join(candidates)} of item "
            f"{self.request.item_id}; {reason}. Nothing further was started, and nothing was cancelled. Check these "
            "runs in Fabric; once none of them is to be this task's, clear the task, and it starts its own.",
            cause,
            kind=final.FabricJobMayBeRunning,
        )

    def _error(
        self, text: str, cause: FabricError | None, kind: type[FabricJobMayBeRunning] = FabricJobMayBeRunning
    ) -> FabricJobMayBeRunning:
        error = kind(text, job={"workspace_id": self.request.workspace_id, "item_id": self.request.item_id})
        error.__cause__ = cause
        return error

    def _remember(self, run: FabricRun, since: float | None) -> None:
        """Record the run; if that fails, the task goes on: the record of the submit is still there."""
        try:
            self.store.started(run, since)
        except Exception as error:  # noqa: BLE001 - whatever Airflow's API raises
            self._log.warning("Could not record job instance %s: %r", run.job.job_instance_id, error)


def _named(verdict: Verdict) -> str:
    return ", ".join(verdict.candidates)
