"""The record of a task's run: what one attempt writes for the next.

It is written right before each POST (*submitting*, since when by the service's clock), whenever nothing can have been
started (*nothing*), and after the answer (*started*, which run; or *unclear*, which candidates). So the next attempt
knows, wherever this one was cut short. Where it is kept is for :mod:`airflow_provider_fabric.compat_tasks` to say.

A record belongs to one series of attempts. A cleared task begins a new one: it always runs again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from airflow_provider_fabric.api.jobs.ownership import SubmitWindow
from airflow_provider_fabric.compat_tasks import keeps_delivered, previous_attempt_returned, task_store
from airflow_provider_fabric.exceptions import FabricInputError
from airflow_provider_fabric.lifecycle.state import FabricRun

KEY = "fabric_run"


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
    """

    cleared: bool
    since: float | None
    run: FabricRun | None = None
    cancel_asked: bool = False
    window: SubmitWindow | None = None
    candidates: tuple[str, ...] | None = None


class RunStore:
    """Reads and writes the record of one task instance; does nothing where nothing outlives an attempt.

    :param context: the task's context.
    :param enabled: the operator's ``durable``.
    """

    def __init__(self, context: Mapping[str, Any], enabled: bool) -> None:
        ti = context["ti"]
        self._context = context
        self._store = task_store(context) if enabled else None
        self._series = getattr(ti, "max_tries", None)
        self._attempt = getattr(ti, "try_number", None)
        self._retries = getattr(context.get("task"), "retries", None)

    @property
    def available(self) -> bool:
        """Whether anything outlives this attempt."""
        return self._store is not None

    def load(self) -> RunRecord | None:
        """Return what an earlier attempt wrote.

        :raises FabricInputError: it is something else; no run is started then.
        """
        state = self._store.get(KEY) if self._store is not None else None
        if not isinstance(state, dict) or state.get("nothing"):
            return None
        try:
            since = None if state["since"] is None else float(state["since"])
            candidates = None if state.get("candidates") is None else tuple(map(str, state["candidates"]))
        except (KeyError, TypeError, ValueError) as error:
            raise FabricInputError(f"The record of the task's Fabric run cannot be read: {error!r}.") from error
        if not state.get("run") and since is None:
            raise FabricInputError("The record of the task's Fabric run says neither which run nor since when.")
        return RunRecord(
            cleared=self._was_cleared(state),
            since=since,
            run=FabricRun.from_state(state["run"]) if state.get("run") else None,
            cancel_asked=bool(state.get("cancel_asked")),
            window=SubmitWindow.from_state({**(state.get("window") or {}), "since": since}) if since else None,
            candidates=candidates,
        )

    def _was_cleared(self, state: Mapping[str, Any]) -> bool:
        """Whether the task was cleared since the record was written.

        A clear sets ``max_tries`` to the attempts so far plus the task's ``retries``. If its author has lowered
        ``retries`` meanwhile, that may be the same number as before: after a result was delivered, the first attempt
        of a series by the present ``retries`` comes after a clear, and so does any attempt after one that returned.
        """
        if state.get("series") != self._series:
            return True
        delivered = state.get("delivered")
        if delivered is None or self._attempt is None or self._attempt <= delivered:
            return False
        first = None if None in (self._series, self._retries) else int(self._series or 0) - int(self._retries or 0) + 1
        begins = bool(state.get("waited")) and first is not None and delivered < first <= self._attempt
        return begins or previous_attempt_returned(self._context)

    def submitting(self, window: SubmitWindow) -> None:
        """Write that a submit is about to be sent.

        :param window: since when, and what the item listed before.
        """
        self._write({"since": window.since, "window": window.to_state()})

    def unclear(self, window: SubmitWindow, candidates: Collection[str]) -> None:
        """Write which runs a submit may have started."""
        self._write({"since": window.since, "window": window.to_state(), "candidates": list(candidates)})

    def started(self, run: FabricRun, since: float | None, *, cancel_asked: bool = False) -> None:
        """Write which run this task waits for.

        :param since: when it was asked for, by the service's clock.
        """
        self._write({"since": since, "run": run.to_state(), "cancel_asked": cancel_asked})

    def nothing_started(self) -> None:
        """Write that no run of ours can be going on: whatever was started since is another's.

        Best effort: if it cannot be written, the next attempt looks for a run that nobody started.
        """
        with suppress(Exception):
            if self._store is not None and keeps_delivered(self._store):
                self._store.set(KEY, {"nothing": True})
            elif self._store is not None:
                self._store.delete(KEY)

    def cancel_asked(self) -> None:
        """Add that this attempt wants its run cancelled, if Airflow still takes that from a task that is killed."""
        with suppress(Exception):
            self._change(cancel_asked=True)

    def delivered(self, *, waited: bool) -> None:
        """Add that this attempt hands on the run's result.

        :param waited: the run is over.
        """
        with suppress(Exception):  # the result is there, and the worst that can come of it is another run after a clear
            if self._store is not None and keeps_delivered(self._store):
                self._change(delivered=self._attempt, waited=waited)
            else:
                self.nothing_started()

    def _change(self, **values: Any) -> None:
        state = self._store.get(KEY) if self._store is not None else None
        if isinstance(state, dict) and not state.get("nothing"):
            self._write({**state, **values})

    def _write(self, state: dict[str, Any]) -> None:
        if self._store is not None:
            self._store.set(KEY, {**state, "series": self._series})
