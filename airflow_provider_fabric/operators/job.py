"""The life of a job, told once.

resolve → reconnect, or mind what runs already, or submit → publish id and link → wait (poll or defer) →
:meth:`FabricRunItemJobOperator.finish`, the one end of every path.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_fabric.api.models import JobInstance, JobRef, require_guid
from airflow_provider_fabric.api.payloads import generic_body
from airflow_provider_fabric.compat import AirflowSkipException, BaseOperator, default_deferrable, settling_seconds
from airflow_provider_fabric.durable import RunMemory
from airflow_provider_fabric.exceptions import (
    FabricError,
    FabricJobCancelled,
    FabricJobDeduped,
    FabricJobError,
    FabricJobFailed,
    FabricJobMayBeRunning,
    FabricJobTimeout,
)
from airflow_provider_fabric.failure import Explanation, job_error
from airflow_provider_fabric.lineage import FabricLineage
from airflow_provider_fabric.links import RUN_URL_KEY, FabricRunLink, run_url
from airflow_provider_fabric.operators.killing import cancel_briefly, cancel_run, in_time
from airflow_provider_fabric.operators.policies import IfRunning, OnDeduped, check_policies, deadline
from airflow_provider_fabric.operators.starting import Start, other_active_run, start_run
from airflow_provider_fabric.run import Ending, FabricRun, Outcome, read_event

if TYPE_CHECKING:
    from airflow_provider_fabric.api.flow import Flow
    from airflow_provider_fabric.compat import Context
    from airflow_provider_fabric.hooks.fabric import FabricHook
    from airflow_provider_fabric.operators.runs import Runs


class FabricRunItemJobOperator(FabricLineage, BaseOperator):
    """Run a job of any Fabric item and wait for it: started once, whatever happens to the task.

    :param workspace: GUID or display name of the workspace (templated).
    :param item: GUID or display name of the item (templated).
    :param job_type: kind of job, such as ``Execute`` (templated).
    :param item_type: kind of item, such as ``DataPipeline``; needed to find it by name if names are not unique.
    :param execution_data: the job's ``executionData``, as the job type documents it (templated).
    :param parameters: names and values (templated).
    :param fabric_conn_id: id of the connection (templated).
    :param wait_for_termination: wait until the run is over; otherwise succeed as soon as it is accepted.
    :param deferrable: wait in the triggerer, without a worker; default ``[operators] default_deferrable``.
    :param check_interval: seconds between looks at the run.
    :param timeout: seconds to wait for the run at most; ``None`` for no end.
    :param cancel_on_kill: cancel the run when the task is killed, cleared or marked.
    :param cancel_on_timeout: cancel the run when ``timeout`` or ``execution_timeout`` has passed.
    :param if_running: what to do when a run of this job is active already: ``"submit"`` another, ``"attach"`` to it,
        ``"skip"`` the task, or ``"fail"``.
    :param on_deduped: what to do when Fabric ran nothing because a run was active: ``"fail"``, ``"skip"``, or
        ``"attach"`` to that run.
    :param durable: a retry reconnects to the run that an earlier try started (Airflow ≥ 3.3; below that, as far as
        the item's list of runs tells).
    :returns: ``workspace_id item_id job_instance_id job_type status start_time_utc end_time_utc root_activity_id
        failure_reason``, as a dict.
    """

    template_fields: Sequence[str] = (
        "workspace",
        "item",
        "job_type",
        "execution_data",
        "parameters",
        "fabric_conn_id",
    )
    template_fields_renderers = {"execution_data": "json", "parameters": "json"}
    operator_extra_links = (FabricRunLink(),)
    ui_color = "#dff3ef"

    item_field = "item"
    """Name of the argument that says which item."""

    def __init__(
        self,
        *,
        workspace: str,
        item: str,
        job_type: str,
        item_type: str | None = None,
        execution_data: Mapping[str, Any] | None = None,
        parameters: Mapping[str, Any] | None = None,
        fabric_conn_id: str = "fabric_default",
        wait_for_termination: bool = True,
        deferrable: bool | None = None,
        check_interval: float = 60.0,
        timeout: float | None = None,
        cancel_on_kill: bool = True,
        cancel_on_timeout: bool = True,
        if_running: IfRunning = "submit",
        on_deduped: OnDeduped = "fail",
        durable: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        setattr(self, self.item_field, item)
        self.workspace = workspace
        self.job_type = job_type
        self.item_type = item_type
        self.execution_data = execution_data
        self.parameters = parameters
        self.fabric_conn_id = fabric_conn_id
        self.wait_for_termination = wait_for_termination
        self.deferrable = default_deferrable() if deferrable is None else deferrable
        self.check_interval = check_interval
        self.timeout = timeout
        self.cancel_on_kill = cancel_on_kill
        self.cancel_on_timeout = cancel_on_timeout
        self.if_running = if_running
        self.on_deduped = on_deduped
        self.durable = durable
        self._run: FabricRun | None = None
        self._memory: RunMemory | None = None
        self._killed = threading.Event()

    # What a subclass says differently.

    def body(self) -> Mapping[str, Any] | None:
        """Return the body of the submit."""
        return generic_body(self.execution_data, self.parameters)

    def check_parameters(self, workspace_id: str, item_id: str) -> None:
        """Look whether the item knows the parameters, before anything is started."""

    def explain(self, run: FabricRun, outcome: Outcome) -> Explanation | None:
        """Return more about why a run failed. One quick try; a :class:`.FabricError` is logged and forgotten."""
        return None

    def progress(self, instance: JobInstance, changed: bool) -> None:
        """Report on a look, while the task itself waits: what changed, not every look. Must not raise."""
        if changed:
            self.log.info("Job instance %s: %s.", instance.id, instance.status_text)

    @cached_property
    def runs(self) -> Runs:
        """What starts, finds and watches runs: the job scheduler, by way of the hook."""
        return self.hook

    def trigger(self, run: FabricRun) -> Any:
        """Return what waits for the run in the triggerer."""
        from airflow_provider_fabric.triggers.job import FabricJobInstanceTrigger

        return FabricJobInstanceTrigger(self.fabric_conn_id, run.to_state(), self.cancel_on_kill)

    def cancel_flow(self, job: JobRef) -> Flow[bool]:
        """Return the conversation that cancels a run, briefly."""
        return cancel_briefly(job)

    # The life.

    def execute(self, context: Context) -> Any:
        """Start the run, or find it, and wait for it."""
        check_policies(self)
        self._memory = RunMemory(context, self.durable)
        run, over = start_run(self._start(context), self.runs, self._memory, context, self.log)
        return self._follow(context, run, here=over)

    def execute_complete(self, context: Context, event: Any, run: Any = None) -> Any:
        """Take over from the triggerer. The event tells all; ``run`` is for whoever clears a deferred task."""
        self._run, outcome = read_event(event)
        return self.finish(context, self._run, outcome)

    def finish(self, context: Context, run: FabricRun, outcome: Outcome) -> Any:
        """End the task: the one place where it is decided what a run's end means.

        :raises FabricJobError: the run did not succeed; the subclass says how.
        """
        self._run, self.ended = None, (run, outcome)
        if outcome.ending is Ending.LOST:
            raise self._error(FabricJobMayBeRunning, run, outcome, f"may be running. {outcome.message}")
        if outcome.ending is Ending.TIMEOUT:
            raise self._timed_out(context, run, outcome)
        status = outcome.job.get("status", "")
        if status == "Completed":
            self.log.info("Job instance %s completed.", run.job.job_instance_id)
            return outcome.job
        if status == "Deduped":
            return self._deduped(context, run, outcome)
        if status == "Cancelled":
            raise self._error(FabricJobCancelled, run, outcome, "was cancelled")
        raise self._error(FabricJobFailed, run, outcome, "failed", self._explain(context, run, outcome))

    def on_kill(self) -> None:
        """Cancel the run: the task is being killed. Bounded, best effort, never raises."""
        self._killed.set()
        run, self._run = self._run, None
        if run is not None and self.cancel_on_kill:
            memory = self._memory
            steps = [lambda: self._cancel(run)] + ([] if memory is None else [lambda: memory.cancel_asked(run)])
            in_time(*steps)

    # Its steps.

    @cached_property
    def hook(self) -> FabricHook:
        """The hook; made in the worker, never while a DAG is parsed."""
        from airflow_provider_fabric.hooks.fabric import FabricHook

        return FabricHook(self.fabric_conn_id, sleep=self._sleep)

    def _start(self, context: Context) -> Start:
        """Return what to start, with ids; whatever is wrong with it is said here, before anything is sent."""
        body = self.body()
        workspace_id = self.hook.resolve_workspace(self.workspace)
        item_id = self.hook.resolve_item(workspace_id, getattr(self, self.item_field), self.item_type)
        self.check_parameters(workspace_id, item_id)
        return Start(
            workspace_id=require_guid(workspace_id, "workspace"),
            item_id=require_guid(item_id, self.item_field),
            item_type=self.item_type,
            job_type=self.job_type,
            body=body,
            check_interval=float(self.check_interval),
            deadline=lambda: deadline(self, context["ti"].start_date),
            if_running=self.if_running,
            cancel_on_kill=self.cancel_on_kill,
            url=self._url,
            sleep=self._sleep,
        )

    def _url(self, job: JobRef) -> str:
        return run_url(self.hook.get_conn().host, job.workspace_id, job.item_id, self.item_type, job.job_instance_id)

    def _follow(self, context: Context, run: FabricRun, *, here: bool = False) -> Any:
        """Publish the run, then wait for it, here or in the triggerer."""
        self._run = run
        if self._killed.is_set():
            self.on_kill()
            raise FabricJobCancelled("The task was killed while it started the run.", job=run.job.to_state())
        self.log.info("Job instance %s: %s", run.job.job_instance_id, run.run_url)
        context["ti"].xcom_push(key="job_instance_id", value=run.job.job_instance_id)
        context["ti"].xcom_push(key=RUN_URL_KEY, value=run.run_url)
        if not self.wait_for_termination:
            return {**run.watch().known(), "job_type": run.job_type}
        if self.deferrable and not here:
            run = run.not_before(time.time() + settling_seconds())
            # Airflow 2 keeps the arguments in the history of a task that is cleared while deferred.
            self.defer(trigger=self.trigger(run), method_name="execute_complete", kwargs={"run": run.to_state()})
        try:
            instance = self.runs.watch_job_instance(run.watch(self.progress))
        except FabricJobError as error:
            if self._killed.is_set():
                raise
            return self.finish(context, run, Outcome.not_seen(error, run))
        return self.finish(context, run, Outcome.over(instance, run.job.workspace_id))

    def _sleep(self, seconds: float) -> None:
        """Sleep, unless the task is killed meanwhile."""
        if self._killed.wait(seconds):
            raise FabricJobCancelled("The task was killed while it waited.")

    def _cancel(self, run: FabricRun) -> None:
        cancel_run(run, lambda: self.hook.run_apart(self.cancel_flow(run.job)), self.log)

    def _timed_out(self, context: Context, run: FabricRun, outcome: Outcome) -> FabricJobError:
        if self.cancel_on_timeout:
            RunMemory(context, self.durable).started(run, cancel_asked=True)
            self._cancel(run)
        said = "Fabric was asked to cancel it." if self.cancel_on_timeout else "It goes on."
        return self._error(FabricJobTimeout, run, outcome, f"did not end in time. {said} {outcome.message}")

    def _deduped(self, context: Context, run: FabricRun, outcome: Outcome) -> Any:
        text = "ran nothing: Fabric found another run of this job active (Deduped)"
        if self.on_deduped == "skip":
            raise AirflowSkipException(f"Job instance {run.job.job_instance_id} {text}.")
        if self.on_deduped == "attach":
            other = other_active_run(run, self.runs, self._url)
            if isinstance(other, FabricRun):
                self.log.info("%s, so this task waits for that run: %s.", text.capitalize(), other.job.job_instance_id)
                RunMemory(context, self.durable).started(other)
                return self._follow(context, other)
            text += f"; on_deduped='attach', but {other} runs are active now"
        raise self._error(FabricJobDeduped, run, outcome, text)

    def _error(
        self, kind: type[FabricJobError], run: FabricRun, outcome: Outcome, what: str, more: Explanation | None = None
    ) -> FabricJobError:
        return job_error(kind, run, getattr(self, self.item_field), outcome.job, what, more)

    def _explain(self, context: Context, run: FabricRun, outcome: Outcome) -> Explanation | None:
        try:
            more = self.explain(run, outcome)
        except FabricError as error:
            self.log.warning("Could not learn more about the failure: %s", error)
            return None
        for key, value in (more.xcom if more else {}).items():
            context["ti"].xcom_push(key=key, value=value)
        return more
