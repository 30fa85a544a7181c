"""Files in OneLake: found by path or pattern, by way of its DFS endpoint.

https://learn.microsoft.com/fabric/onelake/onelake-access-api. It is the API of Azure Data Lake Storage Gen2, with the
token audience of Azure Storage. Workspace and item are GUIDs here: OneLake refuses a name together with a GUID.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import quote

from airflow_provider_fabric.api.http.flow import Clock, Flow, Request, Response, Service, Sleep, quote_segment
from airflow_provider_fabric.api.http.headers import http_date
from airflow_provider_fabric.api.http.pages import MAX_PAGES
from airflow_provider_fabric.api.http.permanent import PATIENCE, is_permanent, retry_after
from airflow_provider_fabric.api.http.retry import ONCE, PATIENT, Replay, RetryBudget, send
from airflow_provider_fabric.api.plain_text import one_line
from airflow_provider_fabric.exceptions import (
    FabricError,
    FabricInputError,
    FabricNotFoundError,
    FabricProtocolError,
)

_MAGIC = re.compile(r"[*?\[]")

MAX_NAMED = 8
"""Files that a message names of those that are there: the nearest by name."""
MAX_COMPARED = 500
"""Files whose names are compared: it takes the event loop's time."""


@dataclass(frozen=True)
class OneLakeFile:
    """A file, or a directory that was asked for by its path.

    :param path: below the item, such as ``Files/in/orders.csv``.
    :param size: bytes.
    :param modified_at: epoch seconds of the last change, by the service's clock.
    :param is_directory: it is a directory.
    """

    path: str
    size: int
    modified_at: float
    is_directory: bool = False


def check_path(path: object) -> str:
    """Return a path or a pattern without slashes at its ends.

    :raises FabricInputError: it is not a path below an item.
    """
    if not isinstance(path, str) or not path.strip().strip("/"):
        raise FabricInputError(f"path must be a path or a pattern such as 'Files/in/*.csv', got {path!r}.")
    text = path.strip().strip("/")
    if "://" in text:
        raise FabricInputError(f"path: {text[:200]!r} names a host: give the part below the item, such as 'Files/in'.")
    parts = text.split("/")
    if "\\" in text or any(part in {"", ".", ".."} for part in parts):
        raise FabricInputError(f"path: {text[:200]!r} would leave the item: '.', '..', '//' and '\\' are refused.")
    if any(ord(character) < 32 for character in text):
        raise FabricInputError(f"path: {text[:200]!r} holds a control character.")
    if parts[0] not in ("Files", "Tables") and not _MAGIC.search(parts[0]):
        raise FabricInputError(f"path: {text[:200]!r} must begin with Files/ or Tables/.")
    return text


def find_files(workspace_id: str, item_id: str, path: str, *, budget: RetryBudget = PATIENT) -> Flow[list[OneLakeFile]]:
    """Return the files that a path or a pattern fits, by path; none if there are none.

    :param workspace_id: GUID.
    :param item_id: GUID.
    :param path: a path below the item; or a pattern, in which ``*``, ``?`` and ``[…]`` stand for characters inside one
        part of a path and ``**`` for any number of parts. A path may be that of a directory; patterns find files.
    :param budget: how long each call is attempted.
    """
    files, _ = yield from _find(workspace_id, item_id, path, budget, inside_directories=False)
    return files


def find_settled(
    workspace_id: str,
    item_id: str,
    path: str,
    unchanged_for: float | None = None,
    *,
    budget: RetryBudget = PATIENT,
    clock: Clock = time.time,
) -> Flow[tuple[list[OneLakeFile], bool]]:
    """Return the files that a path or a pattern fits, and whether they are what is waited for.

    :param unchanged_for: seconds since the last change of any of them, by the service's clock; for a directory, of any
        file in it.
    """
    files, service_now = yield from _find(
        workspace_id, item_id, path, budget, inside_directories=unchanged_for is not None
    )
    found = [file for file in files if file.path == check_path(path)] or files
    if unchanged_for is None or not files:
        return found, bool(files)
    now = clock() if service_now is None else service_now
    return found, all(now - file.modified_at >= unchanged_for for file in files if not file.is_directory)


def _find(
    workspace_id: str, item_id: str, path: str, budget: RetryBudget, *, inside_directories: bool
) -> Flow[tuple[list[OneLakeFile], float | None]]:
    text = check_path(path)
    if not _MAGIC.search(text):
        found, service_now = yield from _properties(workspace_id, item_id, text, budget)
        if found is None or not (found.is_directory and inside_directories):
            return ([] if found is None else [found]), service_now
        inside, service_now = yield from _list(workspace_id, item_id, text, budget, recursive=True)
        return [found, *(file for file in inside if not file.is_directory)], service_now
    parts = text.split("/")
    fixed = next(index for index, part in enumerate(parts) if _MAGIC.search(part))
    deep = len(parts) > fixed + 1 or "**" in parts
    directory = "/".join(parts[:fixed])
    listed, service_now = yield from _list(workspace_id, item_id, directory, budget, recursive=deep)
    return [file for file in listed if not file.is_directory and fits(file.path.split("/"), parts)], service_now


def fits(path: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether a path fits a pattern, both in parts; case counts."""
    if not pattern:
        return not path
    if pattern[0] == "**":
        return any(fits(path[start:], pattern[1:]) for start in range(len(path) + 1))
    return bool(path) and fnmatchcase(path[0], pattern[0]) and fits(path[1:], pattern[1:])


def _request(method: str, path: str, action: str, **params: str) -> Request:
    return Request(method, path, action, params=params, service=Service.ONELAKE)


def _properties(
    workspace_id: str, item_id: str, path: str, budget: RetryBudget
) -> Flow[tuple[OneLakeFile | None, float | None]]:
    place = f"/{quote_segment(workspace_id, 'workspace')}/{quote_segment(item_id, 'item')}/{quote(path)}"
    try:
        answer = yield from send(_request("HEAD", place, f"look for {path!r}"), replay=Replay.SAFE, budget=budget)
    except FabricNotFoundError:
        return None, None
    headers, size = answer.headers, answer.headers.get("content-length", "0")
    is_directory = headers.get("x-ms-resource-type") == "directory"
    modified = http_date(headers.get("last-modified")) or 0.0
    file = OneLakeFile(path, int(size) if size.isdigit() and not is_directory else 0, modified, is_directory)
    return file, http_date(headers.get("date"))


def _list(
    workspace_id: str, item_id: str, directory: str, budget: RetryBudget, *, recursive: bool
) -> Flow[tuple[list[OneLakeFile], float | None]]:
    place = f"/{quote_segment(workspace_id, 'workspace')}"
    inside = f"{item_id}/{directory}" if directory else item_id
    action = f"list the files in {directory or 'the item'!r}"
    params = {"resource": "filesystem", "directory": inside, "recursive": str(recursive).lower()}
    files: list[OneLakeFile] = []
    seen: set[str] = set()
    while True:
        try:
            answer = yield from send(_request("GET", place, action, **params), replay=Replay.SAFE, budget=budget)
        except FabricNotFoundError:
            return [], None
        files += _entries(answer, action)
        token = answer.headers.get("x-ms-continuation")
        if not token:
            return files, http_date(answer.headers.get("date"))
        if token in seen or len(seen) >= MAX_PAGES:
            raise FabricProtocolError(f"Could not {action}: the pages do not end.")
        seen.add(token)
        params = {**params, "continuation": token}


def _entries(answer: Response, action: str) -> list[OneLakeFile]:
    entries = answer.json_object().get("paths")
    named = isinstance(entries, list) and all(isinstance(e, dict) and isinstance(e.get("name"), str) for e in entries)
    if not named:
        raise FabricProtocolError(f"Could not {action}: the answer has no list 'paths'.")
    return [_entry(entry) for entry in entries or ()]


def _entry(entry: dict[str, Any]) -> OneLakeFile:
    size = str(entry.get("contentLength", "0"))
    modified = http_date(entry.get("lastModified")) or 0.0
    is_directory = str(entry.get("isDirectory", "")).casefold() == "true"
    path = entry["name"].split("/", 1)[1] if "/" in entry["name"] else ""
    return OneLakeFile(path, int(size) if size.isdigit() else 0, modified, is_directory)


def wait_for_files(
    workspace_id: str,
    item_id: str,
    path: str,
    *,
    unchanged_for: float | None = None,
    check_interval: float = 60.0,
    first_poll_after: float = 0.0,
    deadline: float | None = None,
    clock: Clock = time.time,
) -> Flow[tuple[list[OneLakeFile], str]]:
    """Wait until files are there.

    The parameters are those of :func:`find_settled`.

    :param check_interval: seconds between polls.
    :param first_poll_after: seconds until the first poll.
    :param deadline: epoch seconds at which to give up; ``None`` for never.
    :returns: the files, and why they are not what is waited for: empty if they are.
    """
    pause, failing_since, seen = first_poll_after, None, ""
    while True:
        left = pause if deadline is None else min(pause, deadline - clock())
        yield Sleep(max(0.0, left), jitter=0.05)
        pause = check_interval
        files: list[OneLakeFile] = []
        try:
            files, ready = yield from find_settled(workspace_id, item_id, path, unchanged_for, clock=clock)
        except FabricError as error:
            failing_since = clock() if failing_since is None else failing_since
            if is_permanent(error) or clock() >= failing_since + PATIENCE:
                raise
            pause = max(check_interval, retry_after(error) or 0.0)
            seen = f"The last poll failed: {error}"
        else:
            if ready:
                return files, ""
            failing_since, seen = None, not_there(path, files, unchanged_for)
        if deadline is not None and clock() >= deadline:
            near = "" if files else (yield from what_is_there(workspace_id, item_id, path))
            return files, f"{seen} {near}".strip()


def not_there(path: str, files: Sequence[OneLakeFile], unchanged_for: float | None) -> str:
    """Return what a poll in vain has seen."""
    if not files:
        return f"No file fitted {path!r} at the last poll."
    changed = f"one had changed in the {unchanged_for:g} s before it"
    return f"{len(files)} files fitted {path!r} at the last poll, but {changed}."


def what_is_there(workspace_id: str, item_id: str, path: str) -> Flow[str]:
    """Return what lies where a path or a pattern was looked for in vain, in words; nothing if it cannot be read.

    :param workspace_id: GUID.
    :param item_id: GUID.
    :param path: the path or the pattern.
    """
    parts = check_path(path).split("/")
    fixed = next((index for index, part in enumerate(parts) if _MAGIC.search(part)), len(parts) - 1)
    directory = "/".join(parts[:fixed])
    try:
        listed, _ = yield from _list(workspace_id, item_id, directory, ONCE, recursive=False)
    except FabricError:
        return ""
    where = repr(directory) if directory else "the item"
    if not listed:
        return f"There is nothing in {where}."
    names = sorted(file.path.rsplit("/", 1)[-1] + ("/" if file.is_directory else "") for file in listed)
    wanted = parts[fixed].casefold()
    names[:MAX_COMPARED] = sorted(
        names[:MAX_COMPARED], key=lambda name: -SequenceMatcher(None, wanted, name.casefold()).ratio()
    )
    named = names[:MAX_NAMED]
    more = f" and {len(names) - len(named)} more" if len(names) > len(named) else ""
    return f"In {where} there is: {', '.join(one_line(name, 100) for name in named)}{more}."
