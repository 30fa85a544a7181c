"""What may be sent again, when, and for how long.

Every request says it (:class:`Replay` has no default). Fabric has no idempotency key, so a submit or a create is
repeated only when the service surely did not accept it. Throttling: 429 and 430 carry ``Retry-After`` in seconds
(https://learn.microsoft.com/rest/api/fabric/articles/throttling); it has been seen missing, and as an HTTP date.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from airflow_provider_fabric.api.http.errors import api_error, transport_error
from airflow_provider_fabric.api.http.flow import Flow, Request, Response, Sleep, TransportFailure
from airflow_provider_fabric.exceptions import FabricAmbiguousError, FabricError, FabricProtocolError

THROTTLED = frozenset({429, 430})
MIN_PAUSE = 1.0
"""Seconds between two tries at least: a service that says ``Retry-After: 0`` for ever must not be hammered."""


class Replay(Enum):
    """Whether a request may be sent again."""

    SAFE = "safe"
    """Sending it twice does no harm: a read, a cancel, a replace."""

    IF_UNSENT = "if_unsent"
    """Only when it was surely not accepted (429, 430, 401, connection refused): a submit, a create."""


@dataclass(frozen=True)
class RetryBudget:
    """How long one request is tried.

    :param attempts: tries after failures; being throttled does not count.
    :param seconds: total time slept between tries.
    """

    attempts: int = 5
    seconds: float = 600.0


PATIENT = RetryBudget()
ONCE = RetryBudget(attempts=1, seconds=0.0)
"""One try: for callers that have intervals of their own, such as a wait."""
KILL_BUDGET = RetryBudget(attempts=2, seconds=3.0)
"""Briefly: for the cancel of a task that is being killed."""


def backoff(attempt: int) -> float:
    """Seconds to wait after the given failed attempt (1, 2, 4, … at most 60)."""
    return float(min(2 ** (attempt - 1), 60))


def send(request: Request, *, replay: Replay, budget: RetryBudget = PATIENT) -> Flow[Response]:
    """Send a request, again where that is allowed, and return the successful answer.

    A refused token (401) is replaced once: such a request was not accepted, whatever it asked for.

    :param request: what to send.
    :param replay: whether it may be sent again.
    :param budget: for how long.
    :raises FabricApiError: the service refused it.
    :raises FabricTransportError: no answer came, and it was surely not accepted or is harmless.
    :raises FabricAmbiguousError: it must not be sent twice, and may have been accepted.
    """
    attempt, slept, refreshed = 1, 0.0, False
    while True:
        answer = yield request
        request = replace(request, fresh_token=False)
        if isinstance(answer, Response):
            if 200 <= answer.status < 300:
                return answer
            if answer.status == 401 and not refreshed:
                request, refreshed = replace(request, fresh_token=True), True
                continue
        if not isinstance(answer, Response | TransportFailure):
            raise TypeError(f"Bug: the driver answered a request with {type(answer).__name__}.")
        if not _may_repeat(answer, replay):
            raise _error(request, answer, replay, slept)
        throttled = isinstance(answer, Response) and answer.status in THROTTLED
        asked = answer.retry_after if isinstance(answer, Response) else None
        pause = max(asked, MIN_PAUSE) if asked is not None else backoff(attempt + 2 if throttled else attempt)
        if (attempt >= budget.attempts and not throttled) or slept + pause > budget.seconds:
            raise _error(request, answer, replay, slept)
        yield Sleep(pause, jitter=0.2)
        slept += pause
        attempt += 1


def _may_repeat(answer: Response | TransportFailure, replay: Replay) -> bool:
    if isinstance(answer, TransportFailure):
        return not answer.permanent and (answer.unsent or replay is Replay.SAFE)
    if answer.status in THROTTLED:
        return True
    return replay is Replay.SAFE and (answer.status >= 500 or answer.status == 408)


def _error(request: Request, answer: Response | TransportFailure, replay: Replay, slept: float) -> FabricError:
    error: FabricError
    if isinstance(answer, TransportFailure):
        error, unclear = transport_error(request, answer), not answer.unsent
    else:
        error, unclear = api_error(request, answer), answer.status >= 500 or answer.status == 408
    if replay is Replay.IF_UNSENT and unclear:
        ambiguous = FabricAmbiguousError(f"{error} It may have been accepted, so it was not sent again.", waited=slept)
        ambiguous.__cause__ = error
        return ambiguous
    return error


def require_status(answer: Response, action: str, *expected: int) -> Response:
    """Return the answer if its status is one of the documented ones.

    :raises FabricProtocolError: it is a success that the API does not document.
    """
    if answer.status not in expected:
        raise FabricProtocolError(f"Could not {action}: unexpected status {answer.status}.")
    return answer
