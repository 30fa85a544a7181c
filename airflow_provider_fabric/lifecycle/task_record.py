"""What the attempts of a task write for one another under a key, and whether the task was cleared in between.

Where it is kept is for :mod:`airflow_provider_fabric.compat_tasks` to say. A record belongs to one series of attempts;
a cleared task begins a new one. What a record says is for :mod:`.store` (the run of a job) and :mod:`.single_call`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from typing import Any

from airflow_provider_fabric.compat_tasks import call_when_over, is_being_cleared, keeps_delivered, task_store


class TaskRecord:
    """Reads and writes one record of one task instance; does nothing where nothing outlives an attempt.

    :param context: the task's context.
    :param key: what it is called.
    :param enabled: whether the task wants it.
    """

    def __init__(self, context: Mapping[str, Any], key: str, enabled: bool = True) -> None:
        ti = context["ti"]
        self.attempt = getattr(ti, "try_number", None)
        """Number of the present attempt."""
        self._context = context
        self._key = key
        self._store = task_store(context) if enabled else None
        self._series = getattr(ti, "max_tries", None)
        self._retries = getattr(context.get("task"), "retries", None)
        self._clears = getattr(context.get("dag_run"), "clear_number", None)
        began = getattr(context.get("dag_run"), "start_date", None)
        self._began = began.timestamp() if isinstance(began, datetime) else None
        self._is_cleared = False
        self._written: dict[str, Any] | None = None
        self._unsaid: Callable[[], None] | None = None

    @property
    def available(self) -> bool:
        """Whether anything outlives this attempt."""
        return self._store is not None

    @property
    def keeps_delivered(self) -> bool:
        """Whether it may stay when it is of no more use."""
        return self._store is not None and keeps_delivered(self._store)

    def read(self) -> Any:
        """Return what was written last, by this attempt or an earlier one; ``None`` if there is nothing."""
        return self._store.get(self._key) if self._store is not None else None

    def write(self, state: Mapping[str, Any]) -> None:
        """Write plain values, and with them which series of attempts they belong to."""
        if self._store is not None:
            ours = {"series": self._series, "retries": self._retries, "clears": self._clears, "attempt": self.attempt}
            cleared = {"cleared": True} if self._is_cleared else {}
            self._written = {**state, **ours, "began": self._began, **cleared}
            self._store.set(self._key, self._written)

    def change(self, **values: Any) -> None:
        """Add to what is written, if anything is."""
        state = self._written or self.read()
        if isinstance(state, dict) and not state.get("nothing"):
            self.write({**state, **values})

    def write_nothing(self, **values: Any) -> None:
        """Write that there is nothing to know any more.

        Best effort: if it cannot be written, the next attempt takes the last record for true.

        :param values: what to keep all the same, where that can be.
        """
        self._written = None
        with suppress(Exception):  # whatever Airflow's API raises; see above what follows
            if self._store is not None and self.keeps_delivered:
                self._store.set(self._key, {"nothing": True, **values})
            elif self._store is not None:
                self._store.delete(self._key)

    def deliver(self, **values: Any) -> None:
        """Add that this attempt hands on its result.

        A store that nobody cleans up keeps that until Airflow has recorded the task's end: if the worker dies before,
        the next attempt knows of it.

        :param values: what to add besides.
        """
        if self._store is None:
            return
        with suppress(Exception):  # the result is there, and the worst that can come of it shows after a clear
            if keeps_delivered(self._store) or call_when_over(self._context, self._forget):
                self.change(delivered=self.attempt, **values)
            else:
                self.write_nothing()

    def _forget(self, _: Any) -> None:
        """Delete the record of this attempt: Airflow has recorded the task's end. A later attempt's record stays."""
        state = self.read()
        if isinstance(state, dict) and state.get("attempt") == self.attempt:
            self.write_nothing()

    def killed(self, *, later: bool, **values: Any) -> None:
        """Add why the task is being killed, if Airflow still takes that: it has seconds, so in two calls if possible.

        :param later: the task is in the middle of a call to Airflow: on the way out, see :meth:`saying_why_killed`.
        :param values: what to add besides.
        """
        if self._store is None:
            return
        if later:
            self._unsaid = partial(self.killed, later=False, **values)
            return
        with suppress(Exception):  # a killed task has seconds left, and its cancel must not wait for Airflow
            self._is_cleared = is_being_cleared(self._context)
        with suppress(Exception):  # the same
            if values or self._is_cleared:
                self.change(**values)

    @contextmanager
    def saying_why_killed(self) -> Iterator[None]:
        """Add why the task was killed, on the way out, if that could not be done at once."""
        try:
            yield
        finally:
            if self._unsaid is not None:
                self._unsaid()

    def was_cleared(self, state: Mapping[str, Any]) -> bool:
        """Whether the task was cleared since a record was written, as far as the series of attempts tells.

        A clear sets ``max_tries`` to the attempts so far plus the task's ``retries``; see
        :meth:`begins_a_series` for what remains. A clear of a *running* task may leave ``max_tries`` as it is: then the
        attempt wrote it, as it was killed.
        """
        return state.get("series") != self._series or bool(state.get("cleared"))

    def other_clears(self, state: Mapping[str, Any]) -> bool:
        """Whether tasks of the DAG run, this one or others, were cleared since a record was written.

        Or the DAG run was deleted and made anew, or its state set by hand: then it began at another time.
        """
        pairs = ((state.get("clears"), self._clears), (state.get("began"), self._began))
        return any(None not in pair and pair[0] != pair[1] for pair in pairs)

    def has_other_retries(self, state: Mapping[str, Any]) -> bool:
        """Whether the task's author has changed ``retries`` since: a clear may leave ``max_tries`` as it was then."""
        return bool(state.get("retries") != self._retries)

    def is_no_later_than(self, attempt: int | None) -> bool:
        """Whether this attempt is that one, or an earlier one.

        Then the DAG run was deleted and made anew since, and attempts are counted from 1 again; or the task executes
        several operators, one after the other.
        """
        return attempt is not None and self.attempt is not None and bool(self.attempt <= attempt)

    def begins_a_series(self, last: int | None) -> bool:
        """Whether by the present ``retries`` a series of attempts began after the attempt that was the last one."""
        if last is None or self.attempt is None or self._series is None or self._retries is None:
            return False
        return bool(last < int(self._series) - int(self._retries) + 1 <= self.attempt)
