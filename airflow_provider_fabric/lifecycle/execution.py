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
from airflow_provider_fabric.lifecycle.cancel import KillSignal, cancel_run, within_kill_timeout
from airflow_provider_fabric.lifecycle.errors import Explanation, build_job_error
from airflow_provider_fabric.lifecycle.options import check_policies, deadline
from airflow_provider_fabric.lifecycle.start import RunRequest, other_active_run, start_run
from airflow_provider_fabric.lifecycle.state import FabricRun, Outcome, WaitEnd, read_event
from airflow_provider_fabric.lifecycle.store import RunStore
from airflow_provider_fabric.links import publish_run_url, run_url

if TYPE_CHECKING:
    from airflow_provider_fabric.compat import Context
    from airflow_provider_fabric.lifecycle.operator import JobOperator


class JobExecution:
    """One attempt of a task that runs a job.

    :param operator: its arguments, and what its kind of item adds.
    :param context: the task's context.
    :param backend: the API that runs the job.
    :param signal: whether the task is being killed.
    """

    def __init__(self, operator: JobOperator, context: Context, backend: JobBackend, signal: KillSignal) -> None:
        self.operator = operator
        self.context = context
        self.backend = backend
        self.signal = signal
        self.runs = JobRuns(operator.hook, backend)
        self.memory = RunStore(context, operator.durable)
        self.run: FabricRun | None = None
        """What a kill would cancel."""

    def start(self) -> Any:
        """Start the run, or find it, and wait for it."""
        check_policies(self.operator)
        run, over = start_run(self._start(), self.runs, self.memory, self.context, self.operator.log)
        return self._follow(run, here=over)

    def resume(self, event: Any) -> Any:
        """Take over from the triggerer."""
        self.run, outcome = read_event(event)
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
        self.run, operator.ended = None, (run, outcome)
        operator.on_wait_end(run, outcome)
        if outcome.ending is WaitEnd.LOST:
            raise self._error(FabricJobMayBeRunning, run, outcome, f"may be running. {outcome.message}")
        if outcome.ending is WaitEnd.TIMEOUT:
            raise self._timed_out(run, outcome)
        match outcome.status:
            case JobStatus.COMPLETED:
                return outcome.job
            case JobStatus.DEDUPED:
                return self._deduped(run, outcome)
            case JobStatus.CANCELLED:
                raise self._error(FabricJobCancelled, run, outcome, "was cancelled")
            case JobStatus.FAILED:
                raise self._error(FabricJobFailed, run, outcome, "failed", self._explain(run, outcome))
            case _:  # a run that ended in no way that we know is no success, whoever sent this
                raise self._error(FabricJobMayBeRunning, run, outcome, "is not known to have ended")

    def kill(self) -> None:
        """Cancel the run: the task is being killed. Bounded, best effort, never raises."""
        run, self.run = self.run, None
        if run is not None and run.ours and self.operator.cancel_on_kill:
            steps: list[Callable[[], None]] = [lambda: self._cancel(run), lambda: self.memory.cancel_asked(run)]
            within_kill_timeout(*steps)

    # Its steps.

    def _start(self) -> RunRequest:
        """Return what to start, with ids; what is wrong with it is reported here, before anything is sent."""
        operator = self.operator
        operator.build_body()  # what is wrong without asking the service is reported without asking it
        workspace_id = operator.hook.resolve_workspace(operator.workspace)
        item_id = operator.hook.resolve_item(workspace_id, operator.item_name, operator.item_type)
        operator.check_parameters(workspace_id, item_id)
        return RunRequest(
            workspace_id=require_guid(workspace_id, "workspace"),
            item_id=require_guid(item_id, operator.item_field),
            item_type=operator.item_type,
            job_type=operator.job_type,
            body=operator.build_body(),  # now with what the item declares
            check_interval=float(operator.check_interval),
            deadline=lambda: deadline(operator, self.context["ti"].start_date),
            if_running=operator.if_running,
            cancel_on_kill=operator.cancel_on_kill,
            url=self._url,
            signal=self.signal,
        )

    def _url(self, job: JobRef) -> str:
        host = self.operator.hook.get_conn().host
        return run_url(host, job.workspace_id, job.item_id, self.operator.item_type, job.job_instance_id)

    def _follow(self, run: FabricRun, *, here: bool = False) -> Any:
        """Publish the run, then wait for it, here or in the triggerer."""
        operator, ti = self.operator, self.context["ti"]
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
        ti.xcom_push(key="job_instance_id", value=run.job.job_instance_id)
        publish_run_url(operator, ti, run.run_url)
        if not operator.wait_for_termination:
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

    def _cancel(self, run: FabricRun) -> None:
        cancel_run(run, lambda: self.runs.cancel_briefly(run.job), self.operator.log)

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
        what_we_did = "It goes on."
        if run.ours and self.operator.cancel_on_timeout:
            self.memory.started(run, cancel_asked=True)
            self._cancel(run)
            what_we_did = "Fabric was asked to cancel it."
        return self._error(FabricJobTimeout, run, outcome, f"did not end in time. {what_we_did} {outcome.message}")

    def _deduped(self, run: FabricRun, outcome: Outcome) -> Any:
        operator = self.operator
        text = "ran nothing: Fabric found another run of this job active (Deduped)"
        if operator.on_deduped == "skip":
            raise AirflowSkipException(f"Job instance {run.job.job_instance_id} {text}.")
        if operator.on_deduped == "attach":
            other = other_active_run(run, self.runs, self._url)
            if isinstance(other, FabricRun):
                waited = "%s, so this task waits for that run: %s."
                operator.log.info(waited, text.capitalize(), other.job.job_instance_id)
                self.memory.started(other)
                return self._follow(other)
            text += f"; on_deduped='attach', but {other} runs are active now"
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
        for key, value in (more.xcom if more else {}).items():
            self.context["ti"].xcom_push(key=key, value=value)
        return more
