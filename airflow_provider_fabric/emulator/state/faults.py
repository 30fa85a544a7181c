"""Injected faults: what a test asks to go wrong, where, and how often."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import asdict, dataclass, fields
from typing import Any

from airflow_provider_fabric.emulator.errors import invalid_input

ACTIONS = ("status", "drop", "delay", "garbage")


@dataclass
class Fault:
    """One fault.

    :param method: HTTP method, ``None`` is any.
    :param path: glob over the path, e.g. ``*/jobs/*/instances``.
    :param skip: so many matching requests pass unharmed first.
    :param count: then so many are hit; ``None`` is every one.
    :param action: what happens: ``status`` answers with ``status``; ``drop`` cuts the connection; ``delay`` only waits;
        ``garbage`` answers with something that is not JSON.
    :param status: HTTP status of the answer.
    :param error_code: ``errorCode`` in the service's envelope.
    :param headers: further headers of the answer.
    :param is_retriable: ``isRetriable`` in the envelope; absent leaves it out.
    :param phase: ``before`` the request is processed, or ``after``: it is, and then its answer is lost.
    :param body: replaces the envelope: a string is sent as it is, anything else as JSON.
    :param retry_after: header value, sent as it is (so an HTTP date works, and nothing is scaled).
    :param delay_seconds: wait before the request is processed, or after it is and before its answer, by ``phase``; in
        real seconds.
    """

    id: str = ""
    method: str | None = None
    path: str = "*"
    skip: int = 0
    count: int | None = 1
    action: str = "status"
    status: int = 503
    error_code: str | None = None
    body: Any = None
    headers: dict[str, str] | None = None
    retry_after: float | str | None = None
    phase: str = "before"
    delay_seconds: float = 0
    is_retriable: bool | None = None
    seen: int = 0
    hits: int = 0

    def __post_init__(self) -> None:
        self._pattern = re.compile(fnmatch.translate(self.path), re.IGNORECASE)

    @classmethod
    def from_wire(cls, body: dict[str, Any], fault_id: str) -> Fault:
        """Read a fault.

        :raises ServiceError: 400 for unknown keys or values.
        """
        known = {entry.name for entry in fields(cls)} - {"id", "seen", "hits"}
        unknown = sorted(set(body) - known)
        if unknown:
            raise invalid_input(f"Unknown keys of a fault: {', '.join(unknown)}")
        if body.get("action", "status") not in ACTIONS:
            raise invalid_input(f"action must be one of {', '.join(ACTIONS)}")
        if body.get("phase", "before") not in ("before", "after"):
            raise invalid_input("phase must be before or after")
        if not isinstance(body.get("path", "*"), str) or not isinstance(body.get("status", 503), int):
            raise invalid_input("path must be a glob and status a number")
        return cls(id=fault_id, **body)

    def matches(self, method: str, path: str) -> bool:
        """Say whether the request is one of those to hit."""
        return self.method in (None, method) and self._pattern.match(path) is not None

    def take(self) -> bool:
        """Count a matching request; say whether this one is hit."""
        self.seen += 1
        if self.seen <= self.skip or (self.count is not None and self.hits >= self.count):
            return False
        self.hits += 1
        return True

    def to_wire(self) -> dict[str, Any]:
        """Return the fault with its counts."""
        return asdict(self)


class Faults:
    """The faults in force."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._numbers = 0

    def add(self, body: dict[str, Any]) -> Fault:
        """Add a fault."""
        self._numbers += 1
        fault = Fault.from_wire(body, f"fault-{self._numbers}")
        self._faults.append(fault)
        return fault

    def take(self, method: str, path: str) -> Fault | None:
        """Return the first fault that hits this request."""
        for fault in self._faults:
            if fault.matches(method, path) and fault.take():
                return fault
        return None

    def all(self) -> list[Fault]:
        """Return every fault, used up ones too."""
        return list(self._faults)

    def clear(self) -> None:
        """Forget all faults."""
        self._faults.clear()
