"""What starts, finds, polls and cancels runs: the job scheduler, or Power BI for semantic models.

The execution of a run sees one :class:`JobBackend`; each backend is a few lines over the hook.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_fabric.api.http.retry import KILL_BUDGET, PATIENT, RetryBudget
from airflow_provider_fabric.api.jobs.ownership import Sightings, search
from airflow_provider_fabric.api.jobs.service_time import ServiceClock, SubmitTrace, observed
from airflow_provider_fabric.api.jobs.spreading import spread, start_turns, wait_for_turn

if TYPE_CHECKING:
    from airflow_provider_fabric.api.http.flow import Flow
    from airflow_provider_fabric.api.jobs.job_types import SubmitForm
    from airflow_provider_fabric.api.jobs.polling import JobPoll
    from airflow_provider_fabric.api.models import JobInstance, JobRef, Submission
    from airflow_provider_fabric.api.refresh_requests import RefreshRequest
    from airflow_provider_fabric.hooks.fabric import FabricHook
    from airflow_provider_fabric.lifecycle.state import FabricRun


class JobBackend(Protocol):
    """The flows of one API, in the terms of the job scheduler, and the trigger that waits for its runs."""

    def submit(
        self, workspace_id: str, item_id: str, job_type: str, body: Mapping[str, Any] | None
    ) -> Flow[Submission]:
        """Start a run, once; an unclear answer is the caller's to resolve."""

    def list_runs(self, workspace_id: str, item_id: str, budget: RetryBudget) -> Flow[list[JobInstance]]:
        """Return the item's runs, of whatever job: the service may list ours by a name that we do not know."""

    def get_run(self, job: JobRef) -> Flow[JobInstance]:
        """Return one run."""

    def cancel(self, job: JobRef, budget: RetryBudget) -> Flow[bool]:
        """Ask for a run's cancellation; return whether there was anything to cancel."""

    def poll(self, poll: JobPoll) -> Flow[JobInstance]:
        """Wait until a run is over, at the intervals its JobPoll sets."""

    def trigger(self, fabric_conn_id: str, run: FabricRun, cancel_on_kill: bool) -> Any:
        """Return what waits for a run in the triggerer."""


class JobSchedulerBackend:
    """Fabric's job scheduler.

    :param submit_form: which address starts a job.
    """

    def __init__(self, submit_form: SubmitForm = "auto") -> None:
        self._submit_form = submit_form

    def submit(
        self, workspace_id: str, item_id: str, job_type: str, body: Mapping[str, Any] | None
    ) -> Flow[Submission]:
        """Start a run, once."""
        from airflow_provider_fabric.api.jobs.instances import run_item_job

        return run_item_job(workspace_id, item_id, job_type, body, submit_form=self._submit_form)

    def list_runs(self, workspace_id: str, item_id: str, budget: RetryBudget) -> Flow[list[JobInstance]]:
        """Return the item's runs, of whatever job: the service may list ours by a name that we do not know."""
        from airflow_provider_fabric.api.jobs.listing import list_item_job_instances

        return list_item_job_instances(workspace_id, item_id, budget=budget)

    def get_run(self, job: JobRef) -> Flow[JobInstance]:
        """Return one run."""
        from airflow_provider_fabric.api.jobs.instances import get_item_job_instance

        return get_item_job_instance(job.workspace_id, job.item_id, job.job_instance_id)

    def cancel(self, job: JobRef, budget: RetryBudget) -> Flow[bool]:
        """Ask for a run's cancellation; return whether there was anything to cancel."""
        from airflow_provider_fabric.api.jobs.instances import cancel_item_job_instance

        return cancel_item_job_instance(job.workspace_id, job.item_id, job.job_instance_id, budget=budget)

    def poll(self, poll: JobPoll) -> Flow[JobInstance]:
        """Wait until a run is over, at the intervals its JobPoll sets."""
        from airflow_provider_fabric.api.jobs.polling import poll_job_instance

        return poll_job_instance(poll)

    def trigger(self, fabric_conn_id: str, run: FabricRun, cancel_on_kill: bool) -> Any:
        """Return what waits for a run in the triggerer."""
        from airflow_provider_fabric.triggers.job import FabricJobInstanceTrigger

        return FabricJobInstanceTrigger(fabric_conn_id, run.to_state(), cancel_on_kill)


class NotebookBackend(JobSchedulerBackend):
    """A notebook's own job API for the submit; its runs are the job scheduler's.

    :param generic_body: returns the body for the generic API, where the service does not know a notebook's own.
    :param submit_form: which address of the generic API starts a job.
    """

    def __init__(self, generic_body: Callable[[], Mapping[str, Any] | None], submit_form: SubmitForm = "auto") -> None:
        super().__init__(submit_form)
        self._generic_body = generic_body

    def submit(
        self, workspace_id: str, item_id: str, job_type: str, body: Mapping[str, Any] | None
    ) -> Flow[Submission]:
        """Start a run, once."""
        from airflow_provider_fabric.api.jobs.notebooks import run_notebook

        def fallback() -> Flow[Submission]:
            return super(NotebookBackend, self).submit(workspace_id, item_id, job_type, self._generic_body())

        return run_notebook(workspace_id, item_id, body, fallback)


class SemanticModelBackend:
    """Power BI's refreshes of semantic models.

    :param enhanced: see :class:`airflow_provider_fabric.api.refresh_requests.RefreshRequest`.
    """

    def __init__(self, enhanced: bool | None = None) -> None:
        self._enhanced = enhanced
        self._asked: RefreshRequest | None = None

    def submit(
        self, workspace_id: str, item_id: str, job_type: str, body: Mapping[str, Any] | None
    ) -> Flow[Submission]:
        """Start a refresh, once."""
        from airflow_provider_fabric.api.refresh_requests import RefreshRequest

        self._asked = RefreshRequest(workspace_id, item_id, body, self._enhanced)
        return self._asked.send()

    def list_runs(self, workspace_id: str, item_id: str, budget: RetryBudget) -> Flow[list[JobInstance]]:
        """Return the model's latest refreshes, newest first."""
        from airflow_provider_fabric.api.semantic_models import list_semantic_model_refreshes

        # Before a submit of unknown kind, and after a worker died in one, an enhanced refresh is expected.
        enhanced = self._enhanced is not False if self._asked is None else self._asked.sends_enhanced
        return list_semantic_model_refreshes(workspace_id, item_id, enhanced=enhanced, budget=budget)

    def get_run(self, job: JobRef) -> Flow[JobInstance]:
        """Return one refresh."""
        from airflow_provider_fabric.api.semantic_models import get_semantic_model_refresh

        return get_semantic_model_refresh(job.workspace_id, job.item_id, job.job_instance_id)

    def cancel(self, job: JobRef, budget: RetryBudget) -> Flow[bool]:
        """Cancel a refresh; return whether there was anything to cancel."""
        from airflow_provider_fabric.api.semantic_models import cancel_semantic_model_refresh

        return cancel_semantic_model_refresh(job.workspace_id, job.item_id, job.job_instance_id, budget=budget)

    def poll(self, poll: JobPoll) -> Flow[JobInstance]:
        """Wait until a refresh is over, at the intervals its JobPoll sets."""
        from airflow_provider_fabric.api.semantic_models import poll_semantic_model_refresh

        return poll_semantic_model_refresh(poll)

    def trigger(self, fabric_conn_id: str, run: FabricRun, cancel_on_kill: bool) -> Any:
        """Return what waits for a refresh in the triggerer."""
        from airflow_provider_fabric.triggers.semantic_model import FabricSemanticModelRefreshTrigger

        return FabricSemanticModelRefreshTrigger(fabric_conn_id, run.to_state(), cancel_on_kill)


class JobRuns:
    """The calls of one task about its runs. Every answer tells what time it is at the service.

    :param hook: the connection; its pauses end when the task is killed.
    :param backend: the API that runs the job.
    :param clock: what time it is at the service.
    """

    def __init__(self, hook: FabricHook, backend: JobBackend, clock: ServiceClock | None = None) -> None:
        self._hook = hook
        self._backend = backend
        self.clock = clock or ServiceClock()

    def wait_for_turn(self) -> None:
        """Wait until it is this task's turn to start a run: before its first call, names included."""
        self._hook.run(wait_for_turn(start_turns(self._hook.get_conn())))

    def submit(
        self, workspace_id: str, item_id: str, job_type: str, body: Mapping[str, Any] | None, trace: SubmitTrace
    ) -> Submission:
        """Start a run, once.

        :param trace: takes in when it was sent, and is called before each POST and each pause.
        :raises FabricAmbiguousError: a run may have been started, or not.
        """
        flow = self._backend.submit(workspace_id, item_id, job_type, body)
        return self._hook.run(observed(spread(flow, start_turns(self._hook.get_conn())), self.clock, trace))

    def list(self, workspace_id: str, item_id: str, budget: RetryBudget = PATIENT) -> list[JobInstance]:
        """Return the item's runs, of whatever job."""
        flow = self._backend.list_runs(workspace_id, item_id, budget)
        return self._hook.run(observed(spread(flow, start_turns(self._hook.get_conn())), self.clock))

    def search(
        self, sightings: Sightings, workspace_id: str, item_id: str, *, at_once: bool, visible_within: float
    ) -> None:
        """Read the item's list until a run that was asked for must be in it.

        The other parameters are those of :func:`airflow_provider_fabric.api.jobs.ownership.search`.
        """

        def list_runs(budget: RetryBudget) -> Flow[list[JobInstance]]:
            return self._backend.list_runs(workspace_id, item_id, budget)

        self._hook.run(search(sightings, list_runs, self.clock, at_once=at_once, visible_within=visible_within))

    def get(self, job: JobRef) -> JobInstance:
        """Return one run."""
        return self._hook.run(observed(self._backend.get_run(job), self.clock))

    def cancel(self, job: JobRef, patience: float) -> bool:
        """Ask for a run's cancellation; return whether there was anything to cancel.

        :param patience: seconds to wait at most, altogether, while the service is throttling or out of reach.
        """
        return self._hook.run(self._backend.cancel(job, RetryBudget(attempts=10, seconds=patience)))

    def cancel_briefly(self, job: JobRef) -> bool:
        """Ask for a run's cancellation without patience, on a connection of its own: the task is being killed."""
        from airflow_provider_fabric.api.auth.sign_in import token_source
        from airflow_provider_fabric.api.http.transport import RequestsDriver

        settings = self._hook.get_conn()
        driver = RequestsDriver(settings, token_source(settings))  # the hook's own may be held by a call under way
        try:
            return driver.run(self._backend.cancel(job, KILL_BUDGET))
        finally:
            driver.close()

    def poll(self, poll: JobPoll) -> JobInstance:
        """Wait until a run is over, at the intervals its JobPoll sets."""
        return self._hook.run(self._backend.poll(poll))
