"""Waiting for a turn to start a run, and after a refusal; the turns are those of :mod:`...local_cache.start_turns`."""

from __future__ import annotations

import logging
from typing import TypeVar

from airflow_provider_fabric.api.auth.identity import quota_key
from airflow_provider_fabric.api.connection.fields import FIELDS
from airflow_provider_fabric.api.connection.settings import FabricSettings
from airflow_provider_fabric.api.http.flow import Flow, Request, Response, Sleep
from airflow_provider_fabric.api.http.steps import Answer, stepped
from airflow_provider_fabric.api.local_cache.directory import cache_directory
from airflow_provider_fabric.api.local_cache.start_turns import StartTurns
from airflow_provider_fabric.exceptions import FabricProtocolError

log = logging.getLogger(__name__)

T = TypeVar("T")

LONG = 5.0
"""Seconds of waiting for a turn that are worth a line in the task's log."""

DEFAULT_PAUSE = 10.0
"""Seconds to leave the service alone when a refusal does not say how long."""


def start_turns(settings: FabricSettings) -> StartTurns | None:
    """Return the turns of the connection's identity on this host; ``None`` if *Local cache* is switched off."""
    directory = cache_directory(settings)
    if directory is None:
        return None
    calls = max(settings.job_calls_per_minute, FIELDS["job_calls_per_minute"].default)
    return StartTurns(directory, quota_key(settings), calls)


def wait_for_turn(turns: StartTurns | None) -> Flow[None]:
    """Wait until it is this task's turn to start a run.

    :param turns: those of this host; ``None`` waits for nobody.
    """
    seconds = turns.take() if turns is not None else 0.0
    if seconds > 0:
        log.log(
            logging.INFO if seconds >= LONG else logging.DEBUG,
            "Starting a run in %.1f s: other tasks of this host start theirs first, so that Fabric's quota is kept.",
            seconds,
        )
        yield Sleep(seconds)


def spread(flow: Flow[T], turns: StartTurns | None) -> Flow[T]:
    """Run a flow whose pauses after a refusal last until it is this task's turn again.

    :param turns: those of this host; ``None`` leaves the flow as it is.
    """
    if turns is None:
        return flow
    pause = 0.0

    def before(step: Request | Sleep) -> Sleep | None:
        return Sleep(pause) if isinstance(step, Sleep) and step.seconds < pause else None

    def after(step: Request | Sleep, answer: Answer) -> None:
        nonlocal pause
        pause = 0.0
        if isinstance(answer, Response) and _is_over_quota(answer):
            pause = turns.refused(answer.retry_after or DEFAULT_PAUSE)

    return stepped(flow, before, after)


def _is_over_quota(answer: Response) -> bool:
    """Whether the identity has made too many calls; a busy item or capacity (429, too) concerns no other task."""
    if answer.status != 429:
        return False
    try:
        code = answer.json_object().get("errorCode")
    except FabricProtocolError:
        code = None
    return not str(code).startswith("TooManyRequestsFor")
