"""A flow whose steps another part of the program wants to know of, or to change."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from airflow_provider_fabric.api.http.flow import Flow, Request, Response, Sleep, TransportFailure

T = TypeVar("T")

Answer = Response | TransportFailure | None


def _nothing(step: Request | Sleep, answer: Answer) -> None:
    """Do nothing."""


def stepped(
    flow: Flow[T],
    before: Callable[[Request | Sleep], Request | Sleep | None],
    after: Callable[[Request | Sleep, Answer], None] = _nothing,
) -> Flow[T]:
    """Run a flow.

    :param before: called before each step; returns what to do instead, or ``None`` for the step itself. If it raises,
        the step is not taken and the flow ends.
    :param after: called after each step with what came of it.
    """
    answer: Answer = None
    thrown: Exception | None = None
    try:
        while True:
            try:
                step = flow.send(answer) if thrown is None else flow.throw(thrown)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            answer, thrown = None, None
            step = before(step) or step
            try:
                answer = yield step
            except Exception as error:  # noqa: BLE001 - the flow's to handle: no token could be had
                thrown = error
            after(step, answer)
    finally:
        flow.close()
