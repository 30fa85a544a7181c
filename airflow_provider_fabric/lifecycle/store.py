"""What a task remembers of its run over its own death (Airflow ≥ 3.3, ``task_state_store``).

A record is written before the submit (*submitting*, since when) and after it (*started*, which run), so that a retry
finds the run whether the task died before or after it learned the run's id. A record belongs to one series of tries:
clearing a task raises its ``max_tries``, and a cleared task starts over.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from airflow_provider_fabric.compat import task_state_store
from airflow_provider_fabric.exceptions import FabricInputError
from airflow_provider_fabric.lifecycle.state import FabricRun

KEY = "fabric_run"


@dataclass(frozen=True)
class RunRecord:
    """What was remembered.

    :param same_series: by an earlier try of this series; ``False`` if the task was cleared since.
    :param since: epoch seconds before the submit.
    :param run: the run, or ``None`` if the task died before it learned its id.
    :param cancel_asked: we asked for its cancellation.
    """

    same_series: bool
    since: float
    run: FabricRun | None = None
    cancel_asked: bool = False


class RunStore:
    """Reads and writes the record of one task instance; does nothing where Airflow offers no store.

    :param context: the task's context.
    :param enabled: the operator's ``durable``.
    """

    def __init__(self, context: Mapping[str, Any], enabled: bool) -> None:
        self.enabled = enabled
        self._store = task_state_store(context) if enabled else None
        self._series = getattr(context["ti"], "max_tries", None)

    @property
    def available(self) -> bool:
        """Whether anything is remembered at all."""
        return self._store is not None

    def load(self) -> RunRecord | None:
        """Return what an earlier try wrote.

        :raises FabricInputError: it is something else; no run is started then.
        """
        state = self._store.get(KEY) if self._store is not None else None
        if not isinstance(state, dict) or state.get("nothing"):
            return None
        try:
            since = float(state["since"])
        except (KeyError, TypeError, ValueError) as error:
            raise FabricInputError(f"The task's state store holds no record of a Fabric run: {error!r}.") from error
        return RunRecord(
            same_series=state.get("series") == self._series,
            since=since,
            run=FabricRun.from_state(state["run"]) if state.get("run") else None,
            cancel_asked=bool(state.get("cancel_asked")),
        )

    def submitting(self, since: float) -> None:
        """Write that a submit is about to be sent."""
        self._write({"since": since})

    def started(self, run: FabricRun, *, cancel_asked: bool = False) -> None:
        """Write which run is ours."""
        self._write({"since": run.submitted_at, "run": run.to_state(), "cancel_asked": cancel_asked})

    def nothing_started(self) -> None:
        """Write that the submit was refused: whatever was started since is not ours."""
        self._write({"nothing": True})

    def cancel_asked(self, run: FabricRun) -> None:
        """Write that we asked for its cancellation, if Airflow still takes that from a task that is being killed."""
        with suppress(Exception):
            self.started(run, cancel_asked=True)

    def _write(self, state: dict[str, Any]) -> None:
        if self._store is not None:
            self._store.set(KEY, {**state, "series": self._series})
