"""The store of pending device-code sign-ins: which application began each, and whether it was approved."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from airflow_provider_fabric.emulator.state.identities import Identity

LIFETIME = 900
"""Seconds."""
USER_CODE_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"


@dataclass
class DeviceCode:
    """One pending sign-in. ``approved`` is ``None`` until it is approved or refused."""

    device_code: str
    user_code: str
    client_id: str
    scope: str
    expires_at: float
    identity: Identity
    approved: bool | None = None


class DeviceCodes:
    """All pending sign-ins."""

    def __init__(self) -> None:
        self._all: dict[str, DeviceCode] = {}

    def start(self, client_id: str, scope: str, identity: Identity, now: float) -> DeviceCode:
        """Begin a sign-in."""
        user_code = "".join(secrets.choice(USER_CODE_LETTERS) for _ in range(9))
        started = DeviceCode(secrets.token_urlsafe(48), user_code, client_id, scope, now + LIFETIME, identity)
        self._all[started.device_code] = started
        return started

    def decide(self, user_code: str | None, approved: bool, identity: Identity | None) -> int:
        """Approve or refuse the sign-in with ``user_code``, or all that wait; return how many."""
        waiting = [
            entry for entry in self._all.values() if entry.approved is None and user_code in (None, entry.user_code)
        ]
        for entry in waiting:
            entry.approved = approved
            entry.identity = identity or entry.identity
        return len(waiting)

    def find(self, device_code: str, client_id: str) -> DeviceCode | None:
        """Return the sign-in that an application has begun."""
        entry = self._all.get(device_code)
        return entry if entry is not None and entry.client_id == client_id else None

    def remove(self, entry: DeviceCode) -> None:
        """Forget a sign-in that was decided."""
        del self._all[entry.device_code]
