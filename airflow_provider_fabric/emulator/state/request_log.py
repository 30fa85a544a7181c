"""The log of requests and how they were answered: bounded, with totals over all of them.

Control calls are not in it.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from dataclasses import dataclass
from itertools import islice
from typing import Any

MAX_ENTRIES = 200_000


@dataclass(slots=True)
class Entry:
    """One request.

    :param status: of the response; ``None`` when the connection was cut instead.
    :param n: its number, which the log gives.
    """

    time: float
    method: str
    path: str
    query: str
    route: str | None
    status: int | None
    bucket: str
    identity: str | None
    authorized: bool
    retry_after: str | None
    connection: int | None
    user_agent: str | None
    body: bytes
    job_instance_id: str | None
    n: int = 0

    def to_wire(self) -> dict[str, Any]:
        """Return the entry as the control endpoint prints it."""
        wire = {name: getattr(self, name) for name in self.__slots__}
        wire["body"] = _parsed(self.body)
        return wire


class RequestLog:
    """The last requests, and totals over all of them."""

    def __init__(self, size: int = MAX_ENTRIES) -> None:
        self._entries: deque[Entry] = deque(maxlen=size)
        self._next = 0
        self.calls: Counter[str] = Counter()
        self.routes: dict[str, Counter[str]] = {}

    def add(self, entry: Entry) -> None:
        """Keep a request, give it its number, and count it."""
        entry.n = self._next
        self._next += 1
        self.calls[entry.bucket] += 1
        self.routes.setdefault(entry.route or "unknown", Counter())[str(entry.status or "dropped")] += 1
        self._entries.append(entry)

    def since(self, number: int, limit: int | None = None) -> tuple[list[Entry], int]:
        """Return the entries from ``number`` on, and the number to ask for next time."""
        first = self._entries[0].n if self._entries else self._next
        start = max(0, number - first)
        stop = None if limit is None else start + limit
        found = list(islice(self._entries, start, stop))
        return found, found[-1].n + 1 if found else max(number, self._next)


def _parsed(body: bytes) -> Any:
    if not body:
        return None
    try:
        return json.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")
