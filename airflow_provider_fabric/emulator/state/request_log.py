"""What was asked and answered: a bounded log and running totals.

Control calls are not in it. Bodies of token calls are never kept, since they hold secrets.
"""

from __future__ import annotations

import json
import sys
from collections import Counter, deque
from dataclasses import dataclass
from itertools import islice
from typing import Any

from airflow_provider_fabric.emulator.http.request import Call

MAX_ENTRIES = 200_000
MAX_BODY = 64 * 1024


@dataclass(slots=True)
class Entry:
    """One request. ``status`` is ``None`` when the connection was cut instead of answered."""

    n: int
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

    def add(self, call: Call, bucket: str, status: int | None, retry_after: str | None) -> None:
        """Write a request down."""
        route = call.route.name if call.route else None
        self.calls[bucket] += 1
        self.routes.setdefault(route or "unknown", Counter())[str(status or "dropped")] += 1
        keep_body = bucket != "token" and len(call.body) <= MAX_BODY
        self._entries.append(
            Entry(
                n=self._next,
                time=call.now,
                method=sys.intern(call.method),
                path=call.path,
                query=call.query_string if bucket != "token" else "",
                route=route,
                status=status,
                bucket=bucket,
                identity=call.identity.client_id if call.identity else None,
                authorized=call.authorized,
                retry_after=retry_after,
                connection=call.client_port,
                user_agent=sys.intern(call.header("user-agent") or ""),
                body=call.body if keep_body else b"",
                job_instance_id=call.job_instance_id,
            )
        )
        self._next += 1

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
