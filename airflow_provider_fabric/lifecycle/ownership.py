"""Which run a task's submit started when its answer was lost: judged by the item's list and other tasks' claims.

:mod:`airflow_provider_fabric.api.jobs.ownership` judges by the item's list, :mod:`.siblings` by what other tasks claim.
Only both together make a run ours. Everything else "may be running": it is named, not adopted, and never cancelled.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_fabric.api.jobs.ownership import Ownership, Sightings, SubmitWindow, doubt
from airflow_provider_fabric.lifecycle.item_users import ItemUsers
from airflow_provider_fabric.lifecycle.siblings import Claims, Siblings
from airflow_provider_fabric.lifecycle.timing import Timing

if TYPE_CHECKING:
    from airflow_provider_fabric.lifecycle.backend import JobRuns


@dataclass(frozen=True)
class Verdict:
    """What is known of the run that a submit may have started.

    :param proven: the run, if it is ours.
    :param candidates: ids of runs that may be ours.
    :param reason: why none is proven.
    :param complete: the whole window was watched: if there is no candidate, nothing was started.
    :param active: one of these runs has not ended.
    :param accepted: the service said that it accepted the submit, so there is a run, seen or not.
    """

    proven: str | None
    candidates: tuple[str, ...]
    reason: str
    complete: bool
    active: bool = False
    accepted: bool = False

    @property
    def nothing_started(self) -> bool:
        """Whether no run of ours can be going on."""
        return self.complete and not self.candidates and not self.accepted


class OwnershipSearch:
    """Watches an item's list after a submit that was answered unclearly.

    :param runs: the calls to the service.
    :param item: workspace, item, job type.
    :param context: the task's context.
    :param operator: the task's operator.
    :param window: returns when the submit was sent, as exactly as is known by then.
    :param own_runs: ids of the runs that this task is known to have started before.
    :param died: the submit was an earlier attempt's, which was cut short.
    """

    def __init__(
        self,
        runs: JobRuns,
        item: tuple[str, str, str],
        context: Mapping[str, Any],
        operator: Any,
        window: Callable[[], SubmitWindow],
        *,
        own_runs: Collection[str],
        died: bool,
        timing: Timing,
    ) -> None:
        self._runs = runs
        self._item = item
        self._window = window
        self._own_runs = frozenset(own_runs)
        self._died = died
        self._timing = timing
        self._siblings: Siblings | None = None
        self._unanswered = ""
        self.sightings = Sightings(item[2])
        try:
            self._siblings = Siblings(context, operator, ItemUsers(item[1], context["ti"]), died=died)
        except Exception as error:  # noqa: BLE001 - whatever Airflow's database or API raises
            self._unanswered = f"the runs that other tasks started could not be read from Airflow: {error}"

    def watch(self) -> None:
        """Read the list until our run must be in it.

        An earlier attempt may have sent its submit long after it wrote down that it would, and have died only just
        now: its run, too, has the whole time from now on to appear.
        """
        workspace_id, item_id, _ = self._item
        self._runs.search(
            self.sightings,
            workspace_id,
            item_id,
            at_once=not self._died,
            visible_within=self._timing.visible_within,
        )

    def candidates(self) -> dict[str, Ownership]:
        """Return the runs seen so far that may be ours."""
        return self.sightings.candidates(self._window())

    def verdict(self, *, adopt: bool) -> Verdict:
        """Judge what was seen.

        :param adopt: whether a proven run may be adopted.
        """
        claims = self._claims()
        others = claims.claimed | self._own_runs
        left = {id_: how for id_, how in self.candidates().items() if id_ not in others}
        reason = self._doubt(left, claims) if adopt else "on_unclear_submit='fail'"
        proven = next(iter(left)) if left and not reason else None
        active = any(not self.sightings.latest[id_].status.is_terminal for id_ in left)
        return Verdict(proven, tuple(left), reason, self.sightings.complete, active)

    def _doubt(self, left: Mapping[str, Ownership], claims: Claims) -> str:
        """Return why it is not proven that the one run that is left is ours; empty if it is."""
        reason = doubt(self.sightings, self._window(), left, claims.claimed | self._own_runs)
        if not reason and claims.disputed & set(left):
            reason = "another task may have started it"
        return reason or claims.unresolved

    def _claims(self) -> Claims:
        if self._siblings is None:
            return Claims(unresolved=self._unanswered)
        try:
            return self._siblings.claims()
        except Exception as error:  # noqa: BLE001 - whatever Airflow's database or API raises
            return Claims(unresolved=f"the runs that other tasks started could not be read from Airflow: {error}")
