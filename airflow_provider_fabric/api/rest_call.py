"""One call of any operation of the Fabric REST API, checked before anything is sent.

A path cannot lead to another host or out of the API, and not to what starts a job: a run is started by a job operator,
which knows it again after a crash.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from airflow_provider_fabric.api.http.flow import JSON, Flow, Request, quote_segment
from airflow_provider_fabric.api.http.retry import Replay
from airflow_provider_fabric.api.items.confirmed_names import resolve_item, resolve_workspace
from airflow_provider_fabric.api.items.names import naming_workspaces
from airflow_provider_fabric.api.jobs.values import parameter_value
from airflow_provider_fabric.api.local_cache.known_names import KnownNames
from airflow_provider_fabric.exceptions import FabricInputError

REPEATABLE = {"GET": True, "HEAD": True, "PUT": True, "DELETE": True, "PATCH": False}
"""Method → whether sending a request twice does no harm (RFC 9110, section 9.2.2). POST: its caller says it."""

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_PATH = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/{}-]*")
_STARTS_JOB = re.compile(r"/jobs/(?:[^/]+/)?instances/?\Z", re.IGNORECASE)
_HEADER_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")


@dataclass(frozen=True)
class RestCall:
    """What to send. The fields are the arguments of :func:`airflow_provider_fabric.api.rest.request`."""

    method: str
    path: str
    workspace: str | None = None
    item: str | None = None
    item_type: str | None = None
    query: Mapping[str, Any] | None = None
    json: Any = field(default=None, repr=False)
    data: bytes | str | None = field(default=None, repr=False)
    content_type: str = "application/octet-stream"
    accept: str = JSON
    replay_safe: bool | None = None
    pages: bool = False
    acceptance_is_enough: bool = False

    @property
    def verb(self) -> str:
        """The method in capitals."""
        return str(self.method).strip().upper()

    @property
    def action(self) -> str:
        """What to call it in messages."""
        return f"{self.verb} {str(self.path).strip()}"

    @property
    def replay(self) -> Replay:
        """Whether it may be sent twice.

        :raises FabricInputError: the method is not known, or it is a POST whose author does not say it.
        """
        safe = self.replay_safe
        if safe is not None and not isinstance(safe, bool):
            raise FabricInputError(f"replay_safe must be True or False, got {safe!r}.")
        if self.verb == "POST" and safe is None:
            raise FabricInputError(
                "replay_safe is missing: say whether this POST may be sent again when its answer is lost. True for "
                "one that only reads, or may happen twice; False for one that starts or creates something."
            )
        if self.verb not in {*REPEATABLE, "POST"}:
            raise FabricInputError(f"method must be one of {', '.join([*REPEATABLE, 'POST'])}, got {self.method!r}.")
        return Replay.SAFE if (REPEATABLE.get(self.verb) if safe is None else safe) else Replay.IF_UNSENT

    def prepare(self, known: Callable[[], KnownNames | None] = lambda: None) -> Flow[Request]:
        """Return the request, checked, with ids in its path.

        :param known: returns what other processes found out of names; ``None`` reads the lists. It is called for names,
            after everything is checked.
        """
        _ = self.replay
        if self.pages and self.verb != "GET":
            raise FabricInputError(f"pages=True reads a list, so method must be GET, got {self.verb!r}.")
        self._check_body()
        query, body = _query(self.query), parameter_value(self.json, "json")
        pattern = _checked_path(self.path)
        if self.verb == "POST" and _STARTS_JOB.search(unquote(pattern)):
            raise FabricInputError(
                f"path: {pattern[:200]!r} starts a job, and this would not wait for it, nor find it again after a "
                "crash. Use FabricRunItemJobOperator, or hook.run_item_job: they run any job of any item."
            )
        names = _PLACEHOLDER.findall(pattern)
        ids = yield from self._ids(names, known)
        target = _PLACEHOLDER.sub(lambda found: quote_segment(ids[found[1]], found[1]), pattern)
        return Request(
            self.verb,
            target,
            f"{self.verb} {pattern}",
            params=query,
            json=body,
            content=self.data.encode() if isinstance(self.data, str) else self.data,
            content_type=self.content_type,
            accept=self.accept,
        )

    def _check_body(self) -> None:
        if self.json is not None and self.data is not None:
            raise FabricInputError("json and data are both given: a request has one body.")
        if self.data is not None and not isinstance(self.data, bytes | str):
            raise FabricInputError(f"data must be bytes or text, got {type(self.data).__name__}.")
        for name in ("content_type", "accept"):
            value = getattr(self, name)
            if not isinstance(value, str) or _HEADER_VALUE.fullmatch(value) is None:
                raise FabricInputError(f"{name} must be a media type such as 'application/json', got {value!r}.")

    def _ids(self, names: list[str], known: Callable[[], KnownNames | None]) -> Flow[dict[str, str]]:
        """Return the ids that the path's placeholders stand for."""
        unknown = sorted(set(names) - {"workspace", "item"})
        if unknown:
            raise FabricInputError(
                f"path: {{{unknown[0]}}} is not known; only {{workspace}} and {{item}} are filled in."
            )
        for name, value in (("workspace", self.workspace), ("item", self.item)):
            if name in names and not value:
                raise FabricInputError(f"{name} is missing: the path has {{{name}}}.")
        if self.item is not None and self.workspace is None:
            raise FabricInputError("workspace is missing: an item is found in one.")
        ids: dict[str, str] = {}
        if self.workspace is not None and names:
            ids["workspace"] = yield from resolve_workspace(known(), self.workspace)
        if self.item is not None and "item" in names:
            with naming_workspaces({ids["workspace"]: str(self.workspace)}):
                ids["item"] = yield from resolve_item(known(), ids["workspace"], self.item, self.item_type)
        return ids


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
