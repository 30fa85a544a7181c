"""Any call of the REST API, for what has no function of its own here.

What is sent is checked by :mod:`.rest_call`; lists are joined, and long-running operations followed, as everywhere
else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_fabric.api.http.flow import JSON, Flow, Request, Response
from airflow_provider_fabric.api.http.pages import list_all
from airflow_provider_fabric.api.http.retry import Replay, send
from airflow_provider_fabric.api.local_cache.known_names import KnownNames
from airflow_provider_fabric.api.operations import await_operation, operation_id_of, result_request
from airflow_provider_fabric.api.rest_call import RestCall
from airflow_provider_fabric.exceptions import FabricAmbiguousError, FabricProtocolError


def request(
    method: str,
    path: str,
    *,
    workspace: str | None = None,
    item: str | None = None,
    item_type: str | None = None,
    query: Mapping[str, Any] | None = None,
    json: Any = None,
    data: bytes | str | None = None,
    content_type: str = "application/octet-stream",
    accept: str = JSON,
    replay_safe: bool | None = None,
    pages: bool = False,
    acceptance_is_enough: bool = False,
    deadline: float | None = None,
) -> Flow[Any]:
    """Call any operation of the Fabric REST API and return what it answers.

    https://learn.microsoft.com/rest/api/fabric/articles/. Host and token are the connection's.

    :param method: ``GET``, ``POST``, ``PUT``, ``PATCH``, ``DELETE`` or ``HEAD``.
    :param path: below the API's root, with or without ``/v1``, such as ``/workspaces/{workspace}/git/status``.
        ``{workspace}`` and ``{item}`` become the ids of ``workspace`` and ``item``. What starts a job is refused:
        ``run_item_job`` is for that.
    :param workspace: GUID or display name, for ``{workspace}``.
    :param item: GUID or display name, for ``{item}``.
    :param item_type: kind of item, if the name alone is not enough.
    :param query: query parameters; ``None`` values are left out.
    :param json: body: whatever JSON has; dates, times and durations become ISO 8601.
    :param data: body as it is, instead of ``json``.
    :param content_type: of ``data``.
    :param accept: media type that is asked for.
    :param replay_safe: whether the request may be sent again after an answer was lost. Required for POST; otherwise by
        the method: all but PATCH may.
    :param pages: read all pages of a list, and return its entries.
    :param acceptance_is_enough: return when the request is accepted (202), although the answer names no operation that
        tells its end.
    :param deadline: epoch seconds at which to stop waiting for a long-running operation; an hour from now by default.
    :returns: JSON as Python values, text as ``str``, anything else as ``bytes``; ``None`` for an empty answer; the
        result of the operation, for one that is long-running.
    :raises FabricInputError: an argument is wrong; nothing was sent.
    :raises FabricAmbiguousError: the answer was lost or cannot be read, and the request must not be repeated: it may
        have been carried out.
    :raises FabricProtocolError: the answer of a request that may be repeated cannot be read, or accepts it and names no
        operation.
    """
    call = RestCall(
        method=method,
        path=path,
        workspace=workspace,
        item=item,
        item_type=item_type,
        query=query,
        json=json,
        data=data,
        content_type=content_type,
        accept=accept,
        replay_safe=replay_safe,
        pages=pages,
        acceptance_is_enough=acceptance_is_enough,
    )
    return (yield from _carry_out(None, call, deadline))


def request_by_known_names(
    known: KnownNames | None, method: str, path: str, *, deadline: float | None = None, **arguments: Any
) -> Flow[Any]:
    """Do the same as :func:`request`, with its other arguments.

    :param known: what other processes found out of names; ``None`` reads the lists.
    """
    return (yield from _carry_out(known, RestCall(method, path, **arguments), deadline))


def _carry_out(known: KnownNames | None, call: RestCall, deadline: float | None) -> Flow[Any]:
    accepted = yield from send_prepared(call, (yield from call.prepare(lambda: known)))
    if accepted.operation_id is None:
        return accepted.content
    operation = yield from await_operation(
        accepted.operation_id, action=call.action, first_poll_after=accepted.first_poll_after, deadline=deadline
    )
    return (yield from read_result(accepted.operation_id, call.accept)) if operation.has_result else None


@dataclass(frozen=True)
class Accepted:
    """What the service said at once.

    :param content: of the answer.
    :param operation_id: the long-running operation that goes on, if there is one.
    :param first_poll_after: seconds until its first poll.
    """

    content: Any
    operation_id: str | None = None
    first_poll_after: float = 0.0


def send_prepared(call: RestCall, asked: Request) -> Flow[Accepted]:
    """Send a request that is checked, and whose names are ids; a long-running operation is named, not waited for.

    :param asked: :meth:`.RestCall.prepare`'s.
    :raises FabricAmbiguousError: see :func:`request`.
    """
    if call.pages:
        return Accepted((yield from list_all(asked)))
    answer = yield from send(asked, replay=call.replay)
    operation_id = operation_id_of(answer) if answer.status == 202 else None
    if operation_id is not None:  # what else the answer says does not matter
        return Accepted(None, operation_id, answer.retry_after or 0.0)
    try:
        if answer.status == 202 and not call.acceptance_is_enough:
            raise FabricProtocolError(
                f"{call.action} was answered with 202 and names no operation: whether it is carried out is not known. "
                "If acceptance is enough, say acceptance_is_enough=True, and let a task of its own look for the result."
            )
        return Accepted(content_of(answer))
    except FabricProtocolError as error:
        if call.replay is Replay.SAFE:
            raise
        became = "accepted" if answer.status == 202 else "carried out"
        raise FabricAmbiguousError(
            f"{error} It was {became} all the same, so it was not sent again.", accepted=True
        ) from error


def read_result(operation_id: str, accept: str = JSON) -> Flow[Any]:
    """Return the result of a long-running operation that has succeeded and has one.

    :param operation_id: GUID.
    :param accept: media type that is asked for.
    """
    asked: Request = result_request(operation_id, accept)
    return content_of((yield from send(asked, replay=Replay.SAFE)))


def content_of(answer: Response) -> Any:
    """Return an answer's content: JSON as Python values, text as ``str``, anything else as ``bytes``."""
    if answer.unread:
        return answer.json()  # says why there is none
    if not answer.body:
        return None
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == JSON or kind.endswith("+json") or (not kind and answer.body.lstrip()[:1] in (b"{", b"[")):
        return answer.json()
    if kind.startswith("text/"):
        return answer.body.decode("utf-8", "replace")
    return answer.body
