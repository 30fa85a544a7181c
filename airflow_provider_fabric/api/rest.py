"""Any call of the REST API, for what has no function of its own here.

A path is checked before anything is sent, so that it cannot lead to another host or out of the API; names in it are
resolved to ids; lists are joined, and long-running operations followed, as everywhere else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from airflow_provider_fabric.api.http.flow import Flow, Request, Response, quote_segment
from airflow_provider_fabric.api.http.pages import list_all
from airflow_provider_fabric.api.http.retry import Replay, send
from airflow_provider_fabric.api.items.names import resolve_item, resolve_workspace
from airflow_provider_fabric.api.operations import operation_id_of, wait_for_operation
from airflow_provider_fabric.exceptions import FabricInputError

REPEATABLE = {"GET": True, "HEAD": True, "PUT": True, "DELETE": True, "PATCH": False}
"""Method → whether sending a request twice does no harm (RFC 9110, section 9.2.2). POST: its caller says it."""

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_PATH = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/{}-]*")


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
    replay_safe: bool | None = None,
    pages: bool = False,
    deadline: float | None = None,
) -> Flow[Any]:
    """Call any operation of the Fabric REST API and return what it answers.

    https://learn.microsoft.com/rest/api/fabric/articles/. Host and token are the connection's.

    :param method: ``GET``, ``POST``, ``PUT``, ``PATCH``, ``DELETE`` or ``HEAD``.
    :param path: below the API's root, with or without ``/v1``, such as ``/workspaces/{workspace}/git/status``.
        ``{workspace}`` and ``{item}`` become the ids of ``workspace`` and ``item``.
    :param workspace: GUID or display name, for ``{workspace}``.
    :param item: GUID or display name, for ``{item}``.
    :param item_type: kind of item, if the name alone is not enough.
    :param query: query parameters; ``None`` values are left out.
    :param json: JSON-able body.
    :param data: body as it is, instead of ``json``.
    :param content_type: of ``data``.
    :param replay_safe: whether the request may be sent again after an answer was lost. Required for POST; otherwise by
        the method: all but PATCH may.
    :param pages: read all pages of a list, and return its entries.
    :param deadline: epoch seconds at which to stop waiting for a long-running operation; an hour from now by default.
    :returns: JSON as Python values, text as ``str``, anything else as ``bytes``; ``None`` for an empty answer; the
        result of the operation, for one that is long-running.
    :raises FabricInputError: an argument is wrong; nothing was sent.
    :raises FabricAmbiguousError: the answer was lost, and the request must not be repeated: it may have been carried
        out.
    """
    content, operation_id, pause = yield from send_request(
        method,
        path,
        workspace=workspace,
        item=item,
        item_type=item_type,
        query=query,
        json=json,
        data=data,
        content_type=content_type,
        replay_safe=replay_safe,
        pages=pages,
    )
    if operation_id is None:
        return content
    action = f"{method.strip().upper()} {path.strip()}"
    return (yield from wait_for_operation(operation_id, action=action, first_poll_after=pause, deadline=deadline))


def send_request(
    method: str, path: str, *, pages: bool = False, replay_safe: bool | None = None, **arguments: Any
) -> Flow[tuple[Any, str | None, float]]:
    """Send a request once; a long-running operation is named, not waited for. The arguments are :func:`request`'s.

    :returns: the answer's content; the id of the operation that goes on, or ``None``; seconds until its first poll.
    """
    asked, replay = yield from prepare(method, path, pages=pages, replay_safe=replay_safe, **arguments)
    if pages:
        return (yield from list_all(asked)), None, 0.0
    answer = yield from send(asked, replay=replay)
    operation_id = operation_id_of(answer) if answer.status == 202 else None
    return content_of(answer), operation_id, answer.retry_after or 0.0


def prepare(
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
    replay_safe: bool | None = None,
    pages: bool = False,
) -> Flow[tuple[Request, Replay]]:
    """Return the request, checked and with ids in its path, and whether it may be repeated; see :func:`request`."""
    verb = str(method).strip().upper()
    replay = _replay(verb, replay_safe)
    if pages and verb != "GET":
        raise FabricInputError(f"pages=True reads a list, so method must be GET, got {verb!r}.")
    if json is not None and data is not None:
        raise FabricInputError("json and data are both given: a request has one body.")
    if data is not None and not isinstance(data, bytes | str):
        raise FabricInputError(f"data must be bytes or text, got {type(data).__name__}.")
    pattern = _checked_path(path)
    names = _PLACEHOLDER.findall(pattern)
    ids = yield from _ids(names, workspace, item, item_type)
    target = _PLACEHOLDER.sub(lambda found: quote_segment(ids[found[1]], found[1]), pattern)
    asked = Request(
        verb,
        target,
        f"{verb} {pattern}",
        params=_query(query),
        json=json,
        content=data.encode() if isinstance(data, str) else data,
        content_type=content_type,
    )
    return asked, replay


def content_of(answer: Response) -> Any:
    """Return an answer's content: JSON as Python values, text as ``str``, anything else as ``bytes``."""
    if not answer.body:
        return None
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json") or (not kind and answer.body.lstrip()[:1] in (b"{", b"[")):
        return answer.json()
    if kind.startswith("text/"):
        return answer.body.decode("utf-8", "replace")
    return answer.body


def _replay(method: str, replay_safe: bool | None) -> Replay:
    if replay_safe is not None and not isinstance(replay_safe, bool):
        raise FabricInputError(f"replay_safe must be True or False, got {replay_safe!r}.")
    if method == "POST" and replay_safe is None:
        raise FabricInputError(
            "replay_safe is missing: say whether this POST may be sent again when its answer is lost. True for one "
            "that only reads, or may happen twice; False for one that starts or creates something."
        )
    if method not in {*REPEATABLE, "POST"}:
        raise FabricInputError(f"method must be one of {', '.join([*REPEATABLE, 'POST'])}, got {method!r}.")
    safe = REPEATABLE[method] if replay_safe is None else replay_safe
    return Replay.SAFE if safe else Replay.IF_UNSENT


def _checked_path(path: object) -> str:
    """Return a path that stays inside the API, with ``/v1`` before it."""
    if not isinstance(path, str) or not path.strip():
        raise FabricInputError(f"path must be text such as '/workspaces/{{workspace}}/items', got {path!r}.")
    text = path.strip()
    if "://" in text or text.startswith("//"):
        raise FabricInputError(f"path: {text[:200]!r} names a host: that is the connection's. Give the part behind it.")
    if "?" in text or "#" in text:
        raise FabricInputError(f"path: {text[:200]!r} has a query or a fragment. The argument query is for that.")
    text = text if text.startswith("/") else f"/{text}"
    if _PATH.fullmatch(text) is None:
        raise FabricInputError(f"path: {text[:200]!r} holds a character that a path cannot have; quote it (%XX).")
    decoded = text
    for _ in range(3):  # quoted more than once is no excuse
        decoded = unquote(decoded)
    if "\\" in decoded or any(part in {".", ".."} for part in decoded.split("/")) or "//" in decoded:
        raise FabricInputError(
            f"path: {text[:200]!r} would leave the API: '.', '..', '//' and backslashes are refused."
        )
    return text if re.match(r"/v1(\.0)?(/|$)|/beta/", text) else f"/v1{text}"


def _ids(names: list[str], workspace: str | None, item: str | None, item_type: str | None) -> Flow[dict[str, str]]:
    """Return the ids that a path's placeholders stand for."""
    unknown = sorted(set(names) - {"workspace", "item"})
    if unknown:
        raise FabricInputError(f"path: {{{unknown[0]}}} is not known; only {{workspace}} and {{item}} are filled in.")
    for name, value in (("workspace", workspace), ("item", item)):
        if name in names and not value:
            raise FabricInputError(f"{name} is missing: the path has {{{name}}}.")
    if item is not None and workspace is None:
        raise FabricInputError("workspace is missing: an item is found in one.")
    ids: dict[str, str] = {}
    if workspace is not None and names:
        ids["workspace"] = yield from resolve_workspace(workspace)
    if item is not None and "item" in names:
        ids["item"] = yield from resolve_item(ids["workspace"], item, item_type)
    return ids


def _query(query: Mapping[str, Any] | None) -> dict[str, str]:
    if query is None:
        return {}
    if not isinstance(query, Mapping):
        raise FabricInputError(f"query must be a mapping of names to values, got {type(query).__name__}.")
    found = {}
    for name, value in query.items():
        if isinstance(value, bool):
            found[str(name)] = str(value).lower()
        elif isinstance(value, str | int | float):
            found[str(name)] = str(value)
        elif value is not None:
            raise FabricInputError(f"query: {name!r} must be text, a number or a bool, got {type(value).__name__}.")
    return found
