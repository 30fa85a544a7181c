"""A submit of which nobody knows whether it started a run: the search for it, and the error if nothing is proven."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_fabric.api.jobs.ownership import SubmitWindow
from airflow_provider_fabric.exceptions import FabricAmbiguousError, FabricError, FabricJobMayBeRunning
from airflow_provider_fabric.lifecycle.identity import JobIdentity
from airflow_provider_fabric.lifecycle.ownership import OwnershipSearch, Verdict
from airflow_provider_fabric.lifecycle.request import RunRequest
from airflow_provider_fabric.lifecycle.siblings import publish_candidates
from airflow_provider_fabric.lifecycle.store import RunStore

if TYPE_CHECKING:
    from airflow_provider_fabric.lifecycle.backend import JobRuns

MAX_NAMED = 10
"""Candidates that a message names."""


class UnclearSubmit:
    """Searches for the run that a submit may have started, records what is not known, and says so.

    :param request: what the present attempt runs.
    :param runs: the calls to the service.
    :param store: the record of the task's run.
    :param context: the task's context.
    :param operator: the task's operator.
    """

    def __init__(
        self, request: RunRequest, runs: JobRuns, store: RunStore, context: Mapping[str, Any], operator: Any
    ) -> None:
        self.search: OwnershipSearch | None = None
        """What a kill in the middle of it reports."""
        self._request = request
        self._runs = runs
        self._store = store
        self._context = context
        self._operator = operator
        self._log = operator.log

    def look(
        self, identity: JobIdentity, window: Callable[[], SubmitWindow], *, died: bool, accepted: bool = False
    ) -> Verdict:
        """Watch the item's list for as long as it takes, and judge what was seen.

        :param identity: the job that was asked for.
        :param window: returns when the submit was sent, as exactly as is known by then.
        :param died: the submit was an earlier attempt's, which was cut short.
        :param accepted: the service said that it accepted the submit.
        """
        self.search = OwnershipSearch(
            self._runs,
            identity.item,
            self._context,
            self._operator,
            window,
            own_runs=self._store.own_runs,
            died=died,
            timing=self._request.timing,
        )
        self.search.watch()
        verdict = replace(self.search.verdict(adopt=self._request.adopt), accepted=accepted)
        if verdict.proven is not None and identity.item[:2] != self._request.identity.item[:2]:
            verdict = replace(verdict, proven=None, reason="which other tasks run that item is not known by now")
        if verdict.proven is None and verdict.candidates:
            what = "No run was proven to be this task's (%s). Candidates: %s."
            self._log.warning(what, verdict.reason, _named(verdict.candidates))
        elif verdict.nothing_started:
            self._log.info("No new run of the item has appeared: nothing was started.")
        return verdict

    def error(
        self, identity: JobIdentity, verdict: Verdict, window: SubmitWindow, cause: FabricAmbiguousError | None = None
    ) -> FabricJobMayBeRunning:
        """Record what is not known, and return the error that says so.

        :param identity: the job that was asked for.
        :param verdict: what is known.
        :param window: when the submit was sent.
        :param cause: the unclear answer, if the present attempt got it.
        """
        if verdict.nothing_started:
            self.nothing_started()
            return self._error(
                identity, f"{cause} No new instance has appeared since; the next attempt starts one.", cause
            )
        if not verdict.candidates and not verdict.accepted:  # no list could be read: the next attempt reads it again
            what = cause or "An earlier attempt ended while it was starting a run."
            return self._error(identity, f"{what} No run was proven to be this task's: {verdict.reason}.", cause)
        self._store.unclear(window, verdict.candidates, identity)
        if not verdict.candidates:
            return self.may_be_running(identity, (), "the item's list has not shown it", cause)
        publish_candidates(self._context["ti"], verdict.candidates, self._log)
        return self.may_be_running(identity, verdict.candidates, verdict.reason, cause)

    def nothing_started(self) -> None:
        """Record that no run of ours can be going on, and let other tasks know."""
        self._store.nothing_started()
        publish_candidates(self._context["ti"], (), self._log)

    def may_be_running(
        self, identity: JobIdentity, candidates: tuple[str, ...], reason: str, cause: FabricError | None = None
    ) -> FabricJobMayBeRunning:
        """Return the error of an attempt that fails for good, because one of these runs may be the task's."""
        from airflow_provider_fabric.lifecycle import final

        what = f"{cause} " if cause else ""
        text = (
            f"{what}A run of this task may be going on: job instance {_named(candidates)} of item {identity.item_id}; "
            f"{reason}. Nothing further was started, and nothing was cancelled. Check these runs in Fabric; once none "
            "of them is to be this task's, clear the task, and it starts its own."
        )
        return self._error(identity, text, cause, kind=final.FabricJobMayBeRunning)

    def _error(
        self,
        identity: JobIdentity,
        text: str,
        cause: FabricError | None,
        kind: type[FabricJobMayBeRunning] = FabricJobMayBeRunning,
    ) -> FabricJobMayBeRunning:
        error = kind(text, job={"workspace_id": identity.workspace_id, "item_id": identity.item_id})
        error.__cause__ = cause
        return error


def _named(candidates: tuple[str, ...]) -> str:
    if not candidates:
        return "of an id that is not known"
    more = len(candidates) - MAX_NAMED
    return ", ".join(candidates[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")
