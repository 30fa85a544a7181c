"""One attempt of a task that runs a job: the same steps for every kind of item.

resolve → reconnect, or respect what runs already, or submit → publish id and link → wait (poll or defer) →
:meth:`JobExecution.finish`, the one end of every path.

Loaded by the worker that runs a task; while a DAG is parsed, the operator's own module is enough.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_fabric.api.models import JobInstance, JobRef, require_guid
from airflow_provider_fabric.api.status import JobStatus
from airflow_provider_fabric.compat import AirflowSkipException, settling_seconds
from airflow_provider_fabric.compat_tasks import is_talking_to_airflow
from airflow_provider_fabric.exceptions import (
    FabricError,
    FabricJobCancelled,
    FabricJobDeduped,
    FabricJobError,
    FabricJobFailed,
    FabricJobMayBeRunning,
    FabricJobTimeout,
)
from airflow_provider_fabric.lifecycle.backend import JobBackend, JobRuns
from airflow_provider_fabric.lifecycle.cancel import CancelResult, KillSignal, ask_to_cancel, within_kill_timeout
from airflow_provider_fabric.lifecycle.deduped import active_when_deduped, wait_instead
from airflow_provider_fabric.lifecycle.errors import Explanation, build_job_error
from airflow_provider_fabric.lifecycle.identity import JobIdentity, fingerprint
from airflow_provider_fabric.lifecycle.options import cancel_patience, check_policies, deadline
from airflow_provider_fabric.lifecycle.report import RunReport, fabric_outlets
from airflow_provider_fabric.lifecycle.request import RunRequest
from airflow_provider_fabric.lifecycle.start import RunStarter
from airflow_provider_fabric.lifecycle.state import FabricRun, Outcome, WaitEnd, read_event
from airflow_provider_fabric.lifecycle.store import RunStore
from airflow_provider_fabric.lifecycle.timing import TIMING as TIMING
from airflow_provider_fabric.lifecycle.timing import Timing
from airflow_provider_fabric.links import run_url

if TYPE_CHECKING:
    from airflow_provider_fabric.compat import Context
    from airflow_provider_fabric.lifecycle.operator import JobOperator


class JobExecution:
    """One attempt of a task that runs a job.

    :param operator: its arguments, and what its kind of item adds.
    :param context: the task's context.
    :param backend: the API that runs the job.
    :param signal: whether the task is being killed.
    :param timing: waits that are not arguments of the operator.
    """

    def __init__(
        self,
        operator: JobOperator,
        context: Context,
        backend: JobBackend,
        signal: KillSignal,
        timing: Timing = TIMING,
    ) -> None:
        self.operator = operator
        self.context = context
        self.backend = backend
        self.signal = signal
        self.timing = timing
        self.runs = JobRuns(operator.hook, backend)
        self.store = RunStore(context, operator.durable)
        self.report = RunReport(
            operator,
            context,
            item=operator.item_name,
            item_type=operator.item_type,
            job_type=operator.job_type,
        )
        self.starter: RunStarter | None = None
        self.run: FabricRun | None = None
        """What a kill would cancel."""

    def start(self) -> Any:
        """Start the run, or find it, and wait for it."""
        with self.report.until_the_end(), self.store.saying_why_killed():
            check_policies(self.operator)
            self.starter = RunStarter(self._request(), self.runs, self.store, self.context, self.operator)
            run = self.starter.start()
            return self._follow(run, here=self.starter.over)

    def resume(self, event: Any) -> Any:
        """Take over from the triggerer."""
        with self.report.until_the_end(), self.store.saying_why_killed():
            self.run, outcome = read_event(event)
            self.report.about(self.run)
            self.operator.published_run_url = self.run.run_url
            result = self.finish(self.run, outcome)
            # A wait in this process has reported the status already.
            self.operator.log.info("Job instance %s: Completed.", outcome.job.get("job_instance_id"))
            return result

    def finish(self, run: FabricRun, outcome: Outcome) -> Any:
        """End the task: the one place where it is decided what a run's end means.

        :raises FabricJobError: the run did not succeed; the subclass says how.
        """
        operator = self.operator
        if outcome.ending is WaitEnd.TIMEOUT:
            outcome = self._last_poll(run) or outcome
        outcome = outcome.about(run)
        self.run, operator.ended = None, (run, outcome)
        self.report.seen(outcome.job)
        operator.on_wait_end(run, outcome)
        if outcome.ending is WaitEnd.LOST:
            raise self._error(FabricJobMayBeRunning, run, outcome, f"may be running. {outcome.message}")
        if outcome.ending is WaitEnd.TIMEOUT:
            raise self._timed_out(run, outcome)
        match outcome.status:
            case JobStatus.COMPLETED:
                result = operator.build_result(self.context, run, outcome)  # an error here: a retry finds the run
                self.report.note(rows=self._rows(run, outcome))
                self.store.delivered(waited=True)
                return result
            case JobStatus.DEDUPED:
                return self._deduped(run, outcome)
            case JobStatus.CANCELLED:
                self.store.nothing_started()
                raise self._error(FabricJobCancelled, run, outcome, "was cancelled")
            case JobStatus.FAILED:
                self.store.nothing_started()
                raise self._error(FabricJobFailed, run, outcome, "failed", self._explain(run, outcome))
            case _:  # a run that ended in no way that we know is no success, whoever sent this
                raise self._error(FabricJobMayBeRunning, run, outcome, "is not known to have ended")

    def kill(self) -> None:
        """Cancel the run: the task is being killed. Bounded, best effort, never raises."""
        run, self.run = self.run, None
        search = self.starter.unclear.search if self.starter is not None else None
        if run is None and search is not None and (candidates := search.candidates()):
            text = "Killed before it was known which run is this task's. Not cancelled, and perhaps its own: %s."
            self.operator.log.warning(text, ", ".join(candidates))
        cancels = run is not None and run.ours and self.operator.cancel_on_kill
        say_why = partial(self.store.killed, cancel_asked=cancels, later=is_talking_to_airflow())
        steps: list[Callable[[], None]] = [say_why]
        if run is not None and cancels:
            steps.insert(0, partial(self._cancel_briefly, run))
        within_kill_timeout(*steps)

    # Its steps.

    def _request(self) -> RunRequest:
        """Return what to start, with ids; what is wrong with it is reported here, before anything is sent."""
        operator = self.operator
        body = operator.build_body()  # what is wrong without asking the service is reported without asking it
        self.runs.wait_for_turn()
        workspace_id = operator.hook.resolve_workspace(operator.workspace)
        item_id = operator.hook.resolve_item(workspace_id, operator.item_name, operator.item_type)
        operator.check_parameters(workspace_id, item_id)
        return RunRequest(
            identity=JobIdentity(
                require_guid(workspace_id, "workspace"),
                require_guid(item_id, operator.item_field),
                operator.job_type,
                fingerprint(body),
            ),
            item_type=operator.item_type,
            body=operator.build_body(),  # now with what the item declares
            check_interval=float(operator.check_interval),
            deadline=lambda age: deadline(operator, self.context["ti"].start_date, age),
            if_running=operator.if_running,
            attaches="attach" in (operator.if_running, operator.on_deduped),
            adopt=operator.on_unclear_submit == "adopt",
            cancel_on_kill=operator.cancel_on_kill,
            url=self._url,
            signal=self.signal,
            timing=self.timing,
        )

    def _url(self, job: JobRef) -> str:
        host = self.operator.hook.get_conn().host
        return run_url(host, job.workspace_id, job.item_id, self.operator.item_type, job.job_instance_id)

    def _follow(self, run: FabricRun, *, here: bool = False) -> Any:
        """Publish the run, then wait for it, here or in the triggerer."""
        operator = self.operator
        self.run = run
        if self.signal.is_set:
            self.kill()
            raise FabricJobCancelled("The task was killed while it started the run.", job=run.job.to_state())
        operator.log.info(
            "Job instance %s (%r of %s %r in workspace %r): %s",
            run.job.job_instance_id,
            run.job_type,
            run.item_type or "item",
            operator.item_name,
            operator.workspace,
            run.run_url,
        )
        self.report.submitted(run)
        if self.signal.is_set:
            raise FabricJobCancelled("The task was killed while it published its run.", job=run.job.to_state())
        if not operator.wait_for_termination:
            self.store.delivered(waited=False)
            return {**run.poll().known(), "job_type": run.job_type}
        if operator.deferrable and not here:
            run = run.not_before(time.time() + settling_seconds())
            # Airflow 2 keeps the arguments in the history of a task that is cleared while deferred.
            operator.defer(
                trigger=self.backend.trigger(operator.fabric_conn_id, run, operator.cancel_on_kill and run.ours),
                method_name="execute_complete",
                kwargs={"run": run.to_state()},
            )
        try:
            instance = self.runs.poll(run.poll(partial(operator.on_poll, run)))
        except FabricJobError as error:
            if self.signal.is_set:
                raise
            return self.finish(run, Outcome.not_seen(error, run))
        return self.finish(run, Outcome.over(instance, run.job.workspace_id))

    def _cancel_briefly(self, run: FabricRun) -> None:
        result = ask_to_cancel(lambda: self.runs.cancel_briefly(run.job))
        self.operator.log.info("Cancel of job instance %s: %s.", run.job.job_instance_id, result.text)

    def _cancel_patiently(self, run: FabricRun) -> CancelResult:
        patience = cancel_patience(self.operator, self.context["ti"].start_date, self.timing.cancel_patience)
        result = ask_to_cancel(lambda: self.runs.cancel(run.job, patience))
        self.operator.log.info("Cancel of job instance %s: %s.", run.job.job_instance_id, result.text)
        return result

    def _last_poll(self, run: FabricRun) -> Outcome | None:
        """Poll a run whose time is up once more, briefly: it may have ended since the last poll, if there was any."""
        job, found = run.job, list[JobInstance]()

        def poll() -> None:
            with suppress(FabricError):
                found.append(self.runs.get(job))

        within_kill_timeout(poll)
        over = [i for i in found if i.status.is_terminal and not run.poll().not_visible(i, time.time())]
        return Outcome.over(over[0], job.workspace_id) if over else None

    def _timed_out(self, run: FabricRun, outcome: Outcome) -> FabricJobError:
        cancel = "It goes on."
        if run.ours and self.operator.cancel_on_timeout:
            self.store.cancel_asked()
            cancel = str(self._cancel_patiently(run))
        return self._error(FabricJobTimeout, run, outcome, f"did not end in time. {cancel} {outcome.message}")

    def _deduped(self, run: FabricRun, outcome: Outcome) -> Any:
        operator, job = self.operator, run.job
        self.store.nothing_started()
        text = "ran nothing: Fabric found another run of this job active (Deduped)"
        if operator.on_deduped == "skip":
            raise AirflowSkipException(f"Job instance {job.job_instance_id} {text}.")
        if operator.on_deduped == "attach":
            others = active_when_deduped(run, outcome, self.runs.list(job.workspace_id, job.item_id))
            if len(others) == 1:
                other = wait_instead(run, others[0], self._url)
                what = "%s, so this task waits for that run: %s, %s."
                operator.log.info(what, text.capitalize(), other.job.job_instance_id, others[0].status.value)
                self.store.started(other, self.runs.clock.now(), None)
                return self._follow(other, here=others[0].status.is_terminal)
            text += f"; on_deduped='attach', but {len(others)} runs were active then"
        raise self._error(FabricJobDeduped, run, outcome, text)

    def _error(
        self, kind: type[FabricJobError], run: FabricRun, outcome: Outcome, what: str, more: Explanation | None = None
    ) -> FabricJobError:
        operator = self.operator
        return build_job_error(
            kind, run, operator.item_name, outcome.job, what, more, workspace=str(operator.workspace)
        )

    def _explain(self, run: FabricRun, outcome: Outcome) -> Explanation | None:
        try:
            more = self.operator.explain_failure(run, outcome)
        except FabricError as error:
            self.operator.log.warning("Could not learn more about the failure: %s", error)
            return None
        self.report.explained(more.failed_activities if more else ())
        return more

    def _rows(self, run: FabricRun, outcome: Outcome) -> Any:
        """Count the rows, if there is an asset whose event tells of them."""
        if not fabric_outlets(self.operator):
            return None
        try:
            return self.operator.count_rows(run, outcome)
        except FabricError as error:
            self.operator.log.info("How many rows the run read and wrote is not known: %s", error)
            return None
