"""What time it is at the service: its clock, read off the ``Date`` headers of its answers.

Clocks of workers may be minutes apart, so whatever decides whose run a run is goes by the service's clock. ``Date`` has
whole seconds; each answer bounds by how much that clock is ahead of ours, and several answers bound it more closely.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from airflow_provider_fabric.api.http.flow import Clock, Flow, Request, Response, Sleep
from airflow_provider_fabric.api.http.headers import http_date
from airflow_provider_fabric.api.http.steps import Answer, stepped

T = TypeVar("T")


class ServiceClock:
    """Bounds of the service's time, by the answers seen so far.

    :param clock: our clock; any clock that runs evenly will do.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self.read = clock
        self._ahead: tuple[float, float] | None = None

    @property
    def is_known(self) -> bool:
        """Whether any answer had a ``Date``."""
        return self._ahead is not None

    def observe(self, sent: float, received: float, date: str | None) -> None:
        """Take in an answer.

        :param sent: when its request was sent, by our clock.
        :param received: when it came, by our clock.
        :param date: its ``Date`` header.
        """
        seconds = http_date(date)
        if seconds is None:
            return
        low, high = seconds - received, seconds + 1.0 - sent
        if self._ahead is not None:
            both = max(low, self._ahead[0]), min(high, self._ahead[1])
            low, high = both if both[0] <= both[1] else (low, high)  # one of the clocks was set: the latest counts
        self._ahead = low, high

    def earliest(self, at: float) -> float | None:
        """Return the earliest time that the service's clock may have shown when ours showed ``at``."""
        return None if self._ahead is None else at + self._ahead[0]

    def latest(self, at: float) -> float | None:
        """Return the latest time that the service's clock may have shown when ours showed ``at``."""
        return None if self._ahead is None else at + self._ahead[1]

    def now(self) -> float | None:
        """Return the earliest time that the service's clock may show, in epoch seconds; ``None`` if it is unknown."""
        return self.earliest(self.read())


def _nothing() -> None:
    """Do nothing."""


@dataclass
class SubmitTrace:
    """When a submit was sent, and when it was answered, by our clock: of the last attempt.

    :param on_post: called right before each POST.
    :param on_pause: called before each pause, when every POST so far was surely refused.
    :param paused: whether there was a pause.
    """

    on_post: Callable[[], None] = field(default=_nothing)
    on_pause: Callable[[], None] = field(default=_nothing)
    sent: float | None = None
    answered: float | None = None
    paused: bool = False


def observed(flow: Flow[T], clock: ServiceClock, trace: SubmitTrace | None = None) -> Flow[T]:
    """Run a flow, and read the service's clock off its answers.

    :param clock: takes in the answers.
    :param trace: takes in when a submit was sent.
    """
    sent = 0.0

    def before(step: Request | Sleep) -> None:
        nonlocal sent
        if trace is not None:
            _note(step, trace)
        sent = clock.read()
        if trace is not None and _is_post(step):
            trace.sent = sent

    def after(step: Request | Sleep, answer: Answer) -> None:
        received = clock.read()
        if isinstance(answer, Response):
            clock.observe(sent, received, answer.headers.get("date"))
        if trace is not None and _is_post(step):
            trace.answered = received

    return stepped(flow, before, after)


def _is_post(step: Request | Sleep) -> bool:
    return isinstance(step, Request) and step.method == "POST"


def _note(step: Request | Sleep, trace: SubmitTrace) -> None:
    if isinstance(step, Sleep):
        trace.paused = True
        trace.on_pause()
    elif step.method == "POST":
        trace.on_post()
