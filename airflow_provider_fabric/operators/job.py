"""Operators that run a job: their arguments, and what each kind of item adds.

How the job is started, waited for and ended is in :mod:`airflow_provider_fabric.lifecycle.execution`, which only a run
needs: a DAG file that names an operator pays for this module and little else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_fabric.arguments import TaskArguments, unrendered
from airflow_provider_fabric.compat import BaseOperator, default_deferrable
from airflow_provider_fabric.lifecycle.lineage import FabricLineage
from airflow_provider_fabric.links import FabricRunLink

if TYPE_CHECKING:
    from airflow_provider_fabric.api.jobs.job_types import OnUnclearSubmit, SubmitForm
    from airflow_provider_fabric.api.models import JobInstance
    from airflow_provider_fabric.compat import Context
    from airflow_provider_fabric.hooks.fabric import FabricHook
    from airflow_provider_fabric.lifecycle.backend import JobBackend
    from airflow_provider_fabric.lifecycle.cancel import KillSignal
    from airflow_provider_fabric.lifecycle.errors import Explanation
    from airflow_provider_fabric.lifecycle.execution import JobExecution
    from airflow_provider_fabric.lifecycle.options import IfRunning, OnDeduped
    from airflow_provider_fabric.lifecycle.state import FabricRun, Outcome
    from airflow_provider_fabric.lifecycle.timing import Timing


class FabricRunItemJobOperator(FabricLineage, TaskArguments, BaseOperator):
    """Run a job of any Fabric item and wait for it: started once, whatever happens to the task.

    :param workspace: GUID or display name of the workspace (templated).
    :param item: GUID or display name of the item (templated).
    :param job_type: kind of job, such as ``Execute`` (templated).
    :param item_type: kind of item, such as ``DataPipeline``; needed to find it by name if names are not unique
        (templated).
    :param execution_data: what belongs into the job's ``executionData``, as the job type documents it (templated); a
        key that another argument sets is refused.
    :param parameters: names and values (templated).
    :param fabric_conn_id: id of the connection (templated).
    :param wait_for_termination: wait until the run is over; otherwise succeed as soon as it is accepted.
    :param deferrable: wait in the triggerer, without a worker; default ``[operators] default_deferrable``.
    :param check_interval: seconds between polls of the run.
    :param timeout: seconds to wait for the run at most; ``None`` for no end.
    :param cancel_on_kill: cancel the run when the task is killed, cleared or marked.
    :param cancel_on_timeout: cancel the run when ``timeout`` or ``execution_timeout`` has passed.
    :param if_running: what to do when a run of this job is active already: ``"submit"`` another, ``"attach"`` to it,
        ``"skip"`` the task, or ``"fail"``.
    :param on_deduped: what to do when Fabric ran nothing because a run was active: ``"fail"``, ``"skip"``, or
        ``"attach"`` to that run.
    :param durable: a retry reconnects to the run that an earlier attempt started, whatever ended that attempt.
    :param on_unclear_submit: what to do when the answer to the submit was lost: ``"adopt"`` the run that is proven to
        be the one it started, or ``"fail"`` and name the candidates, for an item that several DAGs or people start.
    :param submit_form: ``"query"`` starts the job by the older address ``…/jobs/instances?jobType=`` that Microsoft's
        articles print, ``"path"`` by the newer one only; ``"auto"`` sends the older one where the newer is unknown.
    :returns: ``workspace_id item_id job_instance_id job_type status start_time_utc end_time_utc root_activity_id
        failure_reason``, as a dict.
    """

    template_fields: Sequence[str] = (
        "workspace",
        "item",
        "job_type",
        "item_type",
        "execution_data",
        "parameters",
        "fabric_conn_id",
    )
    template_fields_renderers = {"execution_data": "json", "parameters": "json"}
    text_arguments: Sequence[str] = ("workspace", "item", "job_type", "fabric_conn_id")
    optional_text_arguments: Sequence[str] = ("item_type",)
    flag_arguments: Sequence[str] = (
        "wait_for_termination",
        "deferrable",
        "cancel_on_kill",
        "cancel_on_timeout",
        "durable",
    )
    operator_extra_links: tuple[Any, ...] = (FabricRunLink(),)
    ui_color = "#dff3ef"

    published_run_url: str | None = None
    """Address of the run's page, once it is published."""

    item_field = "item"
    """Name of the argument, and of the attribute, that says which item."""

    _timing: Timing | None = None
    """Waits that are not arguments; tests shorten them."""

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
        on_unclear_submit: OnUnclearSubmit = "adopt",
        submit_form: SubmitForm = "auto",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if self.item_field == "item":  # a subclass assigns the attribute that bears its own argument's name
            self.item = item
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
        self.on_unclear_submit = on_unclear_submit
        self.submit_form = submit_form
        self._execution: JobExecution | None = None
        self._kill_signal: KillSignal | None = None
        self.prepare_arguments()

    # What a subclass says differently.

    def build_body(self) -> Mapping[str, Any] | None:
        """Return the body of the submit."""
        from airflow_provider_fabric.api.jobs.payloads import generic_body

        return generic_body(self.execution_data, self.parameters)

    def check_parameters(self, workspace_id: str, item_id: str) -> None:
        """Check whether the item knows the parameters, before anything is started."""

    def explain_failure(self, run: FabricRun, outcome: Outcome) -> Explanation | None:
        """Return more about why a run failed. One quick attempt; a :class:`.FabricError` is logged and ignored."""
        return None

    def on_poll(self, run: FabricRun, instance: JobInstance, changed: bool) -> None:
        """Report on a poll, while the task itself waits: what changed, not every poll. Must not raise."""
        if changed:
            self.log.info("Job instance %s: %s.", instance.id, instance.status_text)

    def on_wait_end(self, run: FabricRun, outcome: Outcome) -> None:
        """Report on a wait that has ended, before the task does. Must not raise."""

    def build_result(self, context: Context, run: FabricRun, outcome: Outcome) -> dict[str, Any]:
        """Return what the task returns for a run that completed. After an error a retry finds the run again."""
        return outcome.job

    def count_rows(self, run: FabricRun, outcome: Outcome) -> dict[str, int] | None:
        """Return how many rows a run that completed read and wrote, if the service tells. One quick attempt."""
        return None

    def _backend(self) -> JobBackend:
        """Return the API that runs the job."""
        from airflow_provider_fabric.lifecycle.backend import JobSchedulerBackend

        return JobSchedulerBackend(self.submit_form)

    # What Airflow calls.

    def execute(self, context: Context) -> Any:
        """Start the run, or find it, and wait for it."""
        self.resolve_arguments()
        for path in unrendered(self, "parameters", "execution_data", "configuration"):
            self.log.warning("%s holds a template that was not rendered: values of expand() are not.", path)
        return self._executing(context).start()

    def execute_complete(self, context: Context, event: Any, run: Any = None) -> Any:
        """Take over from the triggerer. The event tells all; ``run`` is for whoever clears a deferred task."""
        return self._executing(context).resume(event)

    def on_kill(self) -> None:
        """Cancel the run: the task is being killed. Bounded, best effort, never raises."""
        self._signal().set()
        if self._execution is not None:
            self._execution.kill()

    # What its execution needs.

    @cached_property
    def hook(self) -> FabricHook:
        """The hook; made in the worker, never while a DAG is parsed. Its pauses end when the task is killed."""
        from airflow_provider_fabric.hooks.fabric import FabricHook

        return FabricHook(self.fabric_conn_id, sleep=self._signal().sleep)

    @property
    def item_name(self) -> str:
        """The item as the user named it."""
        return str(getattr(self, self.item_field))

    def _signal(self) -> KillSignal:
        """Return the signal of a kill; made in the worker, because operators are copied and pickled with their DAG."""
        if self._kill_signal is None:
            from airflow_provider_fabric.lifecycle.cancel import KillSignal

            self._kill_signal = KillSignal()
        return self._kill_signal

    def _executing(self, context: Context) -> JobExecution:
        from airflow_provider_fabric.lifecycle.execution import TIMING, JobExecution

        self._execution = JobExecution(self, context, self._backend(), self._signal(), self._timing or TIMING)
        return self._execution
