"""How a task gets its run: it reconnects to an earlier attempt's, attaches to one that is active, or submits one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_fabric.api.jobs.job_types import may_be_same_job_type, same_job_type
from airflow_provider_fabric.api.jobs.listing import started_at
from airflow_provider_fabric.api.jobs.ownership import LIST_BEFORE, window_before, window_of
from airflow_provider_fabric.api.jobs.service_time import SubmitTrace
from airflow_provider_fabric.api.models import JobInstance
from airflow_provider_fabric.compat import AirflowSkipException
from airflow_provider_fabric.exceptions import (
    FabricAmbiguousError,
    FabricError,
    FabricJobAlreadyRunning,
    FabricJobCancelled,
)
from airflow_provider_fabric.lifecycle.earlier_attempt import EarlierAttempt
from airflow_provider_fabric.lifecycle.item_users import ItemUsers
from airflow_provider_fabric.lifecycle.request import RunRequest
from airflow_provider_fabric.lifecycle.state import FabricRun
from airflow_provider_fabric.lifecycle.store import RunStore
from airflow_provider_fabric.lifecycle.unclear import UnclearSubmit

if TYPE_CHECKING:
    from airflow_provider_fabric.lifecycle.backend import JobRuns


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
        self.unclear = UnclearSubmit(request, runs, store, context, operator)
        self._users = ItemUsers(request.identity.item_id, context["ti"])
        self._log = operator.log
        self._listed: list[JobInstance] | None = None

    def start(self) -> FabricRun:
        """Return the run this task waits for; start one only if there can be none that is ours.

        :raises FabricJobMayBeRunning: a run of ours may be going on, and is not proven to be ours.
        :raises FabricJobAlreadyRunning: ``if_running="fail"``.
        """
        return self._of_earlier_attempt() or self._by_policy() or self._submit()

    def _of_earlier_attempt(self) -> FabricRun | None:
        record = self.store.load()
        if record is None:
            return None
        earlier = EarlierAttempt(self.request, self.runs, self.store, self.unclear, self._log)
        run = earlier.run(record)
        self.over = earlier.over
        return run

    # A run that is active already.

    def _by_policy(self) -> FabricRun | None:
        """Respect a run that is active already, as ``if_running`` says."""
        request, (workspace_id, item_id, job_type) = self.request, self.request.identity.item
        if request.if_running == "submit":
            return None
        self._listed = self.runs.list(workspace_id, item_id)
        active = [i for i in self._listed if not i.status.is_terminal and may_be_same_job_type(i.job_type, job_type)]
        active.sort(key=started_at, reverse=True)
        if not active:
            return None
        ids = ", ".join(instance.id for instance in active)
        if request.if_running == "skip":
            raise AirflowSkipException(f"Active already: job instance {ids}; if_running='skip'.")
        if request.if_running == "fail":
            raise self._already_running(active[0], f"Active already: job instance {ids} of item {item_id}")
        same = [instance for instance in active if same_job_type(instance.job_type, job_type)]
        if not same:
            names = ", ".join(repr(instance.job_type) for instance in active)
            raise self._already_running(
                active[0],
                f"Active already: job instance {ids} of item {item_id}, a run of job {names}, which is not known to be "
                f"job {job_type!r}. If it is, set job_type to that name",
            )
        self._log.info(
            "Waiting for the newest active run, job instance %s of %s; if_running='attach'.", same[0].id, ids
        )
        run = request.run(same[0].id, ours=False)
        self.store.remember(run, self.runs.clock.now(), None, self._log)
        return run

    def _already_running(self, instance: JobInstance, text: str) -> FabricJobAlreadyRunning:
        workspace_id, if_running = self.request.identity.workspace_id, self.request.if_running
        return FabricJobAlreadyRunning(f"{text}; if_running={if_running!r}.", job=instance.result(workspace_id))

    # A submit.

    def _submit(self) -> FabricRun:
        """Start a run, and remember it before anything else can go wrong."""
        request, identity = self.request, self.request.identity
        self._let_others_know(self._users.join)
        known = self._list_before()
        trace = SubmitTrace(on_pause=self.store.nothing_started)
        trace.on_post = lambda: self._before_post(known, stale=trace.paused)
        try:
            submission = self.runs.submit(*identity.item, request.body, trace)
        except FabricAmbiguousError as error:
            return self._resolve(error, trace, known)
        except FabricJobCancelled:  # killed in a pause, when nothing had been started
            raise
        except FabricError:
            self.unclear.nothing_started()
            raise
        self._log.info("Started a run: job instance %s of item %s.", submission.job_instance_id, identity.item_id)
        run = request.run(submission.job_instance_id, first_poll_after=submission.retry_after or 0.0)
        since = None if trace.sent is None else self.runs.clock.earliest(trace.sent)
        self.store.remember(run, since, identity, self._log)
        self._let_others_know(self._users.confirm)
        return run

    def _let_others_know(self, join: Callable[[], object]) -> None:
        """Let tasks of other DAGs know that this one runs the item; if that fails, its own run is as safe as ever."""
        try:
            join()
        except Exception as error:  # noqa: BLE001 - whatever Airflow's API raises
            text = "Tasks of other DAGs cannot know that this one runs item %s, if an answer to them is lost: %s"
            self._log.warning(text, self.request.identity.item_id, error)

    def _list_before(self) -> list[JobInstance] | None:
        """Return what the item lists before the submit: none of that can be ours."""
        if self._listed is None:
            workspace_id, item_id, _ = self.request.identity.item
            try:
                self._listed = self.runs.list(workspace_id, item_id, LIST_BEFORE)
            except FabricJobCancelled:
                raise
            except FabricError as error:
                self._log.info("The item's runs cannot be listed before the submit: %s", error)
        return self._listed

    def _before_post(self, known: list[JobInstance] | None, *, stale: bool) -> None:
        self.request.signal.raise_if_killed()  # a task that was killed meanwhile starts nothing
        window = window_before(known, self.runs.clock.now(), stale=stale)
        self.store.submitting(window, self.request.identity)

    def _resolve(self, error: FabricAmbiguousError, trace: SubmitTrace, known: list[JobInstance] | None) -> FabricRun:
        """Find out whether a submit started a run, when its answer does not say so."""
        identity, clock = self.request.identity, self.runs.clock
        ids = None if known is None else [instance.id for instance in known]
        self._log.warning("%s Watching the item's runs for %.0f s.", error, self.request.timing.visible_within)
        verdict = self.unclear.look(identity, lambda: window_of(trace, clock, ids), died=False, accepted=error.accepted)
        window = window_of(trace, clock, ids)
        if verdict.proven is None:
            raise self.unclear.error(identity, verdict, window, error)
        self._log.info("Found the run that it started: job instance %s.", verdict.proven)
        run = self.request.run(verdict.proven, age=clock.read() - (trace.sent or clock.read()))
        self.store.remember(run, window.since, identity, self._log)
        return run
