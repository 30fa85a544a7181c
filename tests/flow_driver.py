"""A third driver of flows, beside those of ``transport.py``: it answers from a script; only Sleep moves its clock.

::

    talk = drive(get_item(WORKSPACE, ITEM), [ok({"id": ITEM})])
    assert talk.result().id == ITEM
    assert talk.paths == [f"GET /v1/workspaces/{WORKSPACE}/items/{ITEM}"]
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Generic, TypeVar

from airflow_provider_fabric.api.http.flow import Flow, Request, Response, Sleep, TransportFailure
from airflow_provider_fabric.exceptions import FabricError

T = TypeVar("T")
Answer = Response | TransportFailure
Script = Iterable["Answer | Callable[[Request], Answer]"] | Callable[[Request], Answer]

WORKSPACE = "cfafbeb1-8037-4d0c-896e-a46fb27ff229"
ITEM = "5b218778-e7a5-4d73-8187-f10824047715"
JOB = "f2d65699-dd22-4889-980c-15226deb0e1b"
OTHER_JOB = "2d6aa964-5f3a-4c95-a878-cc761ae71391"
OPERATION = "0acd697c-1550-43cd-b998-91bfbfbd47c6"

STEPS = 100_000
"""A flow that wants more than this does not end."""


@dataclass
class FakeClock:
    """Epoch seconds that pass only while a flow sleeps."""

    now: float = 1_750_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Talk(Generic[T]):
    """What a flow asked for, and how it ended."""

    requests: list[Request] = field(default_factory=list)
    sleeps: list[float] = field(default_factory=list)
    error: FabricError | None = None
    _value: T | None = None

    def result(self) -> T:
        """Return what the flow returned, or raise what it raised."""
        if self.error is not None:
            raise self.error
        return self._value  # type: ignore[return-value]

    @property
    def paths(self) -> list[str]:
        """Method and path of every request."""
        return [f"{request.method} {request.path}" for request in self.requests]

    @property
    def posts(self) -> int:
        """How many requests might have started something."""
        return sum(request.method == "POST" for request in self.requests)


def drive(flow: Flow[T], answers: Script = (), clock: FakeClock | None = None) -> Talk[T]:
    """Run a flow to its end.

    :param answers: one per request, each an answer or a function of the request; or one function for all.
    :param clock: advanced by every sleep.
    """
    talk: Talk[T] = Talk()
    clock = clock or FakeClock()
    script = None if callable(answers) else iter(answers)
    reply: Answer | None = None
    for _ in range(STEPS):
        try:
            wish = flow.send(reply)
        except StopIteration as end:
            talk._value = end.value
            break
        except FabricError as error:
            talk.error = error
            break
        if isinstance(wish, Sleep):
            assert wish.seconds >= 0, "a flow cannot sleep backwards"
            talk.sleeps.append(wish.seconds)
            clock.now += wish.seconds
            reply = None
            continue
        talk.requests.append(wish)
        answer = answers if script is None else next(script, None)
        assert answer is not None, f"no answer is left for {wish}"
        reply = answer(wish) if callable(answer) else answer
    else:
        raise AssertionError(f"the flow did not end in {STEPS} steps")
    left = [] if script is None else list(script)
    assert not left, f"the flow ended without asking for {left}"
    return talk


def ok(content: Any = None, status: int = 200, **headers: str) -> Response:
    """Return a successful answer; header names are written with underscores."""
    body = b"" if content is None else json.dumps(content).encode()
    return Response(status, _headers(headers), body)


def refusal(status: int, code: str | None = None, content: Any = None, **headers: str) -> Response:
    """Return a refusal in the service's envelope."""
    envelope = {"errorCode": code, "message": "said the service", "requestId": "req-1"} if code else {}
    return Response(status, _headers(headers), json.dumps({**envelope, **(content or {})}).encode())


def page(*entries: Any, token: str | None = None, uri: str | None = None, **headers: str) -> Response:
    """Return one page of a list."""
    return ok({"value": list(entries), "continuationToken": token, "continuationUri": uri}, **headers)


def _headers(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


LOST = TransportFailure("the connection was reset", unsent=False)
UNSENT = TransportFailure("the connection was refused", unsent=True)
NO_SUCH_HOST = TransportFailure("the name does not resolve", unsent=True, permanent=True)
HTML = Response(200, {"content-type": "text/html"}, b"<html>Sign in to the proxy</html>")
TRUNCATED = Response(200, {"content-type": "application/json"}, b'{"id": "f2d65699-dd22')


def instance(status: str = "InProgress", job: str = JOB, **more: Any) -> dict[str, Any]:
    """Return a job instance as the service writes it."""
    return {
        "id": job,
        "itemId": ITEM,
        "jobType": "Execute",
        "invokeType": "Manual",
        "status": status,
        "rootActivityId": "c3c2f3a1-0000-4000-8000-000000000000",
        "startTimeUtc": "2024-06-22T06:35:00.7812154",
        "endTimeUtc": None,
        "failureReason": None,
        **more,
    }


def wire_time(epoch: float) -> str:
    """Return a time as the service writes it: seven fractional digits, no offset, UTC."""
    return datetime.fromtimestamp(epoch, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f") + "0"
