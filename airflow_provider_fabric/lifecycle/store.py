"""The record of a task's run: what one attempt writes for the next.

It is written right before each POST (*submitting*, since when by the service's clock), whenever nothing can have been
started (*nothing*), and after the answer (*started*, which run; or *unclear*, which candidates). So the next attempt
knows, wherever this one was cut short. Where it is kept is for :mod:`airflow_provider_fabric.compat_tasks` to say.

A record belongs to one series of attempts. A cleared task begins a new one: it always runs again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Any

from airflow_provider_fabric.api.jobs.ownership import SubmitWindow
from airflow_provider_fabric.compat_tasks import previous_attempt_returned
from airflow_provider_fabric.exceptions import FabricInputError
from airflow_provider_fabric.lifecycle.identity import JobIdentity
from airflow_provider_fabric.lifecycle.state import FabricRun
from airflow_provider_fabric.lifecycle.task_record import TaskRecord

KEY = "fabric_run"

OWN_RUNS = 20
"""Ids of the task's own earlier runs that are kept: the latest ones."""


@dataclass(frozen=True)
class RunRecord:
    """What an earlier attempt wrote.

    :param cleared: the task was cleared since.
    :param since: when the run was asked for, in epoch seconds by the service's clock, if that is known.
    :param run: the run, or ``None`` if the attempt ended before it learned its id.
    :param cancel_asked: the attempt wanted it cancelled.
    :param window: when the submit of an attempt without a run was sent.
    :param candidates: ids of the runs that it named, because it could not tell which is its own; ``None`` if it was
        cut short before.
    :param identity: which job it asked for, and with which arguments; ``None`` in the record of an older version.
    """

    cleared: bool
    since: float | None
    run: FabricRun | None = None
    cancel_asked: bool = False
    window: SubmitWindow | None = None
    candidates: tuple[str, ...] | None = None
    identity: JobIdentity | None = None


class RunStore:
    """Reads and writes the record of one task instance; does nothing where nothing outlives an attempt.

    :param context: the task's context.
    :param enabled: the operator's ``durable``.
    """

    def __init__(self, context: Mapping[str, Any], enabled: bool) -> None:
        self._context = context
        self._record = TaskRecord(context, KEY, enabled)
        self._own_runs: tuple[str, ...] | None = None

    @property
    def available(self) -> bool:
        """Whether anything outlives this attempt."""
        return self._record.available

    @property
    def own_runs(self) -> tuple[str, ...]:
        """Ids of the runs that the task has started so far, as far as its record tells."""
        if self._own_runs is None:
            self._own_runs = _own_runs(self._record.read())
        return self._own_runs

    def load(self) -> RunRecord | None:
        """Return what an earlier attempt wrote.

        :raises FabricInputError: it is something else; no run is started then.
        """
        state = self._record.read()
        self._own_runs = _own_runs(state)
        if isinstance(state, dict) and self._record.is_no_later_than(state.get("attempt", state.get("delivered"))):
            state = self._mark_as_cleared(state)
        if not isinstance(state, dict) or state.get("nothing"):
            return None
        try:
            since = None if state["since"] is None else float(state["since"])
            candidates = None if state.get("candidates") is None else tuple(map(str, state["candidates"]))
        except (KeyError, TypeError, ValueError) as error:
            raise FabricInputError(f"The record of the task's Fabric run cannot be read: {error!r}.") from error
        run, window = state.get("run"), state.get("window")
        if not run and since is None and not window:
            raise FabricInputError("The record of the task's Fabric run says neither which run nor since when.")
        return RunRecord(
            cleared=self._was_cleared(state),
            since=since,
            run=FabricRun.from_state(run) if run else None,
            cancel_asked=bool(state.get("cancel_asked")),
            window=None if run else SubmitWindow.from_state({**(window or {}), "since": since}),
            candidates=candidates,
            identity=JobIdentity.from_state(state["job"]) if state.get("job") else None,
        )

    def _mark_as_cleared(self, state: dict[str, Any]) -> dict[str, Any] | None:
        """Write that a record is of attempts that are counted no more, for the next attempt, if this one dies at once.

        :returns: the record; ``None`` if its result was delivered. Runs that may be the task's stay what they are.
        """
        if state.get("delivered") is not None:
            self.nothing_started()
            return None
        if state.get("nothing") or state.get("candidates") is not None:
            return state
        self._record.write({**state, "cleared": True})
        return {**state, "cleared": True}

    def _was_cleared(self, state: Mapping[str, Any]) -> bool:
        """Whether the task was cleared since the record was written.

        A clear sets ``max_tries`` to the attempts so far plus the task's ``retries``. If its author has lowered
        ``retries`` meanwhile, that may be the same number as before. Where Airflow does not try again by itself,
        because a result was delivered or the attempt failed for good, the first attempt of a series by the present
        ``retries`` comes after a clear, and so does any attempt after one that returned. The attempt may also have died
        before Airflow knew: while a run of it may be going on, only ``retries`` that are others now tell of a clear.

        A clear of a *running* task may leave ``max_tries`` as it is: Airflow 2 never changes it then, Airflow 3 only
        for the first of several. What tells of it is the attempt itself, as it is killed, or how often tasks of the DAG
        run were cleared so far. If that was another task, and this one's worker died, one run more is the safe side.

        Where the record is deleted once Airflow has recorded the task's end, a result that is in it was delivered by an
        attempt that died before: what that attempt had returned by then tells of no clear.
        """
        record = self._record
        if record.was_cleared(state):
            return True
        if record.other_clears(state) and state.get("candidates") is None:
            return True
        changed = record.has_other_retries(state)
        if state.get("candidates") is not None:
            return changed and record.begins_a_series(state.get("attempt"))
        delivered = state.get("delivered")
        if delivered is None or not record.available:
            return False
        if (changed or bool(state.get("waited"))) and record.begins_a_series(delivered):
            return True
        return record.keeps_delivered and previous_attempt_returned(self._context)

    def submitting(self, window: SubmitWindow, identity: JobIdentity) -> None:
        """Write that a submit is about to be sent.

        :param window: since when, and what the item listed before.
        :param identity: which job it asks for.
        """
        self._write({"since": window.since, "window": window.to_state(), "job": identity.to_state()})

    def unclear(self, window: SubmitWindow, candidates: Collection[str], identity: JobIdentity) -> None:
        """Write which runs a submit may have started: this attempt fails for good.

        :param identity: which job it asked for.
        """
        named = {"candidates": list(candidates), "job": identity.to_state()}
        self._write({"since": window.since, "window": window.to_state(), **named})

    def started(
        self, run: FabricRun, since: float | None, identity: JobIdentity | None, *, cancel_asked: bool = False
    ) -> None:
        """Write which run this task waits for.

        :param since: when it was asked for, by the service's clock.
        :param identity: which job was asked for; ``None`` for another's run.
        """
        if run.ours:
            others = (id_ for id_ in self.own_runs if id_ != run.job.job_instance_id)
            self._own_runs = (*others, run.job.job_instance_id)[-OWN_RUNS:]
        state = {"since": since, "run": run.to_state(), "cancel_asked": cancel_asked}
        self._write({**state, "job": identity.to_state() if identity else None})

    def remember(self, run: FabricRun, since: float | None, identity: JobIdentity | None, log: Any) -> None:
        """Write which run this task waits for; if that fails, the task goes on: the submit's record is still there.

        :param log: the task's.

        The other parameters are those of :meth:`started`.
        """
        try:
            self.started(run, since, identity)
        except Exception as error:  # noqa: BLE001 - whatever Airflow's API raises
            log.warning("Could not record job instance %s: %r", run.job.job_instance_id, error)

    def nothing_started(self) -> None:
        """Write that no run of ours can be going on: whatever was started since is another's.

        Best effort: if it cannot be written, the next attempt looks for a run that nobody started.
        """
        self._record.write_nothing(own_runs=list(self.own_runs))

    def cancel_asked(self) -> None:
        """Add that this attempt wants its run cancelled, if Airflow still takes that from a task that is killed."""
        with suppress(Exception):  # the cancel itself matters more; without the note the next attempt reconnects
            self._record.change(cancel_asked=True)

    def killed(self, *, cancel_asked: bool, later: bool = False) -> None:
        """Add why the task is being killed, if Airflow still takes that: it has seconds, so in two calls if possible.

        :param cancel_asked: this attempt wants its run cancelled.
        :param later: the task is in the middle of a call to Airflow; see :meth:`saying_why_killed`.
        """
        again: dict[str, Any] = {"cancel_asked": True} if cancel_asked else {}
        self._record.killed(later=later, **again)

    def saying_why_killed(self) -> AbstractContextManager[None]:
        """Add why the task was killed, on the way out, if that could not be done at once."""
        return self._record.saying_why_killed()

    def delivered(self, *, waited: bool) -> None:
        """Add that this attempt hands on the run's result.

        A store that nobody cleans up keeps that until Airflow has recorded the task's end: if the worker dies before,
        the next attempt takes the result.

        :param waited: the run is over.
        """
        self._record.deliver(waited=waited)

    def _write(self, state: dict[str, Any]) -> None:
        if self._record.available:
            self._record.write({**state, "own_runs": list(self.own_runs)})


def _own_runs(state: Any) -> tuple[str, ...]:
    return tuple(map(str, state.get("own_runs") or ())) if isinstance(state, dict) else ()
