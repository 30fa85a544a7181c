"""Starting a refresh of a semantic model: an enhanced one, or, where the capacity is shared, a plain one.

https://learn.microsoft.com/rest/api/power-bi/datasets/refresh-dataset-in-group. A refresh is *enhanced* if its request
says anything besides ``notifyOption``; shared (Pro) capacity refuses that, and allows eight refreshes a day. A model
has one refresh at a time; another request is refused with ``RefreshInProgressException``.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from airflow_provider_fabric.api.http.flow import Clock, Flow, Response, quote_segment
from airflow_provider_fabric.api.http.retry import ONCE, Replay, RetryBudget, send
from airflow_provider_fabric.api.jobs.job_types import REFRESH_SEMANTIC_MODEL, OnUnclearSubmit
from airflow_provider_fabric.api.jobs.ownership import VISIBLE_WITHIN
from airflow_provider_fabric.api.jobs.submission import REFRESH, read_submission
from airflow_provider_fabric.api.jobs.submit import submit_or_find
from airflow_provider_fabric.api.models import JobInstance, Submission
from airflow_provider_fabric.api.semantic_models import (
    list_semantic_model_refreshes,
    power_bi_request,
    refreshes_path,
)
from airflow_provider_fabric.exceptions import (
    FabricAmbiguousError,
    FabricApiError,
    FabricBadRequestError,
    FabricError,
    FabricInputError,
)

NOTIFY = "notifyOption"
SILENT = "NoNotification"
"""The only option that a service principal may send."""

FULL = frozenset({"automatic", "full"})
"""Types of an enhanced refresh that a plain one does just as well."""


class RefreshRequest:
    """A refresh that is to be started.

    :param workspace_id: GUID.
    :param model_id: GUID of the semantic model.
    :param body: ``type`` (``Automatic`` if left out), ``objects``, ``commitMode`` and so on; ``notifyOption`` of a
        plain one.
    :param enhanced: ``True`` or ``False``; ``None`` for an enhanced one, and a plain one where the workspace is on
        shared capacity.
    :raises FabricInputError: ``body`` says what a plain refresh cannot do.
    """

    def __init__(
        self, workspace_id: str, model_id: str, body: Mapping[str, Any] | None = None, enhanced: bool | None = None
    ) -> None:
        self._place = (workspace_id, model_id)
        self._body = dict(body or {})
        self._enhanced = enhanced
        self.sends_enhanced = enhanced is not False
        """Which kind was asked for last."""
        check_refresh(self._body, enhanced)

    def send(self) -> Flow[Submission]:
        """Start it, once.

        :raises FabricAmbiguousError: no clear answer; it may be running.
        :raises FabricInputError: the workspace is on shared capacity, and a plain refresh cannot do it.
        """
        if self._enhanced is not False:
            self.sends_enhanced = True
            try:
                answer = yield from self._post({"type": "Automatic", **self._body})
            except FabricBadRequestError as error:
                if self._enhanced or not (yield from self._is_shared(error)):
                    raise
                _check_plain(self._body, "the workspace is on shared capacity, which has no enhanced refreshes")
            else:
                return read_submission(answer, self._action, self._place[1], REFRESH)
        self.sends_enhanced = False
        answer = yield from self._post({NOTIFY: self._body.get(NOTIFY, SILENT)})
        return (yield from self._in_history(answer))

    def list_runs(self, budget: RetryBudget) -> Flow[list[JobInstance]]:
        """Return the model's refreshes; those of the kind that was asked for are ``Manual``."""
        return list_semantic_model_refreshes(*self._place, enhanced=self.sends_enhanced, budget=budget)

    @property
    def _action(self) -> str:
        return f"refresh semantic model {self._place[1]}"

    def _post(self, body: Mapping[str, Any]) -> Flow[Response]:
        request = power_bi_request("POST", refreshes_path(*self._place), self._action, json=dict(body))
        return send(request, replay=Replay.IF_UNSENT)

    def _is_shared(self, error: FabricApiError) -> Flow[bool]:
        """Whether a refusal was for the capacity's kind. Nothing was started, and its words are not relied on."""
        if error.status_code != 400 or error.error_code == "RefreshInProgressException":
            return False
        path = f"/v1.0/myorg/groups/{quote_segment(self._place[0], 'workspace_id')}"
        try:
            answer = yield from send(
                power_bi_request("GET", path, "read the workspace's capacity"), replay=Replay.SAFE, budget=ONCE
            )
            return answer.json_object().get("isOnDedicatedCapacity") is False
        except FabricError:
            return False

    def _in_history(self, answer: Response) -> Flow[Submission]:
        """Return the refresh that an answer names, if the history knows it.

        The id of a plain refresh is in no documented header. One that the history does not show may be the id of the
        request alone, and is not taken for a refresh's.
        """
        try:
            named = read_submission(answer, self._action, self._place[1], REFRESH)
            listed = yield from self.list_runs(ONCE)
        except FabricAmbiguousError:
            raise
        except FabricError as error:
            raise FabricAmbiguousError(
                f"Could not {self._action}: it was accepted, but its history cannot be read, so it may run. {error}",
                accepted=True,
            ) from error
        if any(instance.id == named.job_instance_id for instance in listed):
            return named
        raise FabricAmbiguousError(
            f"Could not {self._action}: it was accepted, but the history shows no refresh {named.job_instance_id}. It "
            "may be running.",
            accepted=True,
        )


def check_refresh(body: Mapping[str, Any], enhanced: bool | None) -> None:
    """Refuse a body that the kind of refresh does not take; nothing was sent.

    :raises FabricInputError: the message names the argument.
    """
    if enhanced is not None and not isinstance(enhanced, bool):
        raise FabricInputError(f"enhanced must be True, False or None, got {enhanced!r}.")
    if enhanced is False:
        _check_plain(body, "enhanced=False")
    elif NOTIFY in body:
        raise FabricInputError(f"options.{NOTIFY} belongs to a plain refresh: set enhanced=False, or leave it out.")


def _check_plain(body: Mapping[str, Any], why: str) -> None:
    kind = str(body.get("type", "Automatic"))
    if kind.casefold() not in FULL:
        raise FabricInputError(f"refresh_type: {why}, and a plain refresh cannot do {kind!r}. Leave it out.")
    for name in body:
        if name not in ("type", NOTIFY):
            argument = "objects" if name == "objects" else f"options.{name}"
            raise FabricInputError(f"{argument}: {why}, and a plain refresh always refreshes all. Leave it out.")


def refresh_semantic_model(
    workspace_id: str,
    model_id: str,
    body: Mapping[str, Any] | None = None,
    *,
    enhanced: bool | None = None,
    on_unclear_submit: OnUnclearSubmit = "adopt",
    visible_within: float = VISIBLE_WITHIN,
    clock: Clock = time.monotonic,
) -> Flow[Submission]:
    """Start a refresh, once; if the answer was unclear, find what it started.

    The model's refreshes are listed first: one that is in the list cannot be ours.

    :param workspace_id: GUID.
    :param model_id: GUID of the semantic model.
    :param body: ``type`` (``Automatic`` if left out), ``objects``, ``commitMode`` and so on; ``notifyOption`` of a
        plain one.
    :param enhanced: ``False`` for a plain refresh; ``None`` for an enhanced one, and a plain one where the workspace is
        on shared capacity.
    :param on_unclear_submit: what to do when the answer was lost: ``"adopt"`` the refresh that is proven to be the one
        it started, or ``"fail"`` and name the candidates, for a model that others refresh, too.
    :param visible_within: seconds after which a refresh that was accepted is taken to be in the model's list.
    :param clock: any clock that runs evenly.
    :raises FabricJobMayBeRunning: the answer was unclear, and no refresh is proven to be the one that was asked for.
    """
    asked = RefreshRequest(workspace_id, model_id, body, enhanced)
    return (
        yield from submit_or_find(
            asked.send(),
            asked.list_runs,
            (workspace_id, model_id, REFRESH_SEMANTIC_MODEL),
            on_unclear_submit=on_unclear_submit,
            visible_within=visible_within,
            clock=clock,
        )
    )
