"""A DELETE that is safe to repeat: a 404 after an attempt whose answer was lost counts as deleted."""

from __future__ import annotations

from collections.abc import Callable

from airflow_provider_fabric.api.http.flow import Flow, Request, Response, Sleep, TransportFailure
from airflow_provider_fabric.api.http.retry import Replay, send
from airflow_provider_fabric.api.operations import finish
from airflow_provider_fabric.exceptions import FabricNotFoundError


def send_delete(request: Request, *, ignore_missing: bool = False) -> Flow[None]:
    """Send a DELETE, again where no clear answer came.

    :param request: the DELETE.
    :param ignore_missing: what is not there is no error.
    :raises FabricProtocolError: the answer is none of the service's.
    :raises FabricNotFoundError: it is not there, and no earlier attempt can have deleted it; or its workspace is not.
    """
    unclear: list[bool] = []
    try:
        flow = send(request, replay=Replay.SAFE)
        answer = yield from _observed(flow, lambda answer: unclear.append(_is_unclear(answer)))
    except FabricNotFoundError as error:
        is_ours = any(unclear) or ignore_missing
        if not is_ours or "workspace" in (error.error_code or "").lower():
            raise
    else:
        yield from finish(answer, request.action)  # a page of some proxy is no answer of the service


def _observed(flow: Flow[Response], see: Callable[[Response | TransportFailure], None]) -> Flow[Response]:
    """Run a flow and show every answer on its way to it."""
    answer: Response | TransportFailure | None = None
    while True:
        try:
            wish: Request | Sleep = flow.send(answer)
        except StopIteration as end:
            done: Response = end.value
            return done
        answer = yield wish
        if answer is not None:
            see(answer)


def _is_unclear(answer: Response | TransportFailure) -> bool:
    """Whether the request may have been carried out although it did not succeed."""
    if isinstance(answer, TransportFailure):
        return not answer.unsent
    return answer.status >= 500 or answer.status == 408
