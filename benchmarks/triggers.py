"""What the provider's trigger is compared with: a poller as one writes it by hand, and a trigger that does nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
from airflow.triggers.base import BaseTrigger, TriggerEvent

AT_ONCE = 20
"""Requests at the same time. Without a bound ``httpx`` queues a thousand, in a list it walks through for each of them:
on a machine that is a little too slow the loop then blocks for ten seconds and more at a time, and never recovers."""

_clients: dict[str, NaiveClient] = {}


class NaiveClient:
    """One HTTP client and one token for all pollers of a process: the best that polling each run can do.

    :param connection: an Airflow connection of type ``fabric``, as a dictionary.
    """

    def __init__(self, connection: dict[str, Any]) -> None:
        self._connection = connection
        self._http = httpx.AsyncClient(verify=connection["extra"]["verify"], base_url=connection["host"])
        self._token: asyncio.Task[str] | None = None
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def _sign_in(self) -> str:
        extra = self._connection["extra"]
        form = {
            "grant_type": "client_credentials",
            "client_id": self._connection["login"],
            "client_secret": self._connection["password"],
            "scope": "https://api.fabric.microsoft.com/.default",
        }
        answer = await self._http.post(f"{extra['authority']}/{extra['tenant_id']}/oauth2/v2.0/token", data=form)
        return str(answer.json()["access_token"])

    async def status(self, path: str) -> str | None:
        """Return a run's status, or ``None`` if the service did not say."""
        if self._token is None:
            self._token = asyncio.ensure_future(self._sign_in())
        token = await asyncio.shield(self._token)
        try:
            async with self._turn:
                answer = await self._http.get(path, headers={"Authorization": f"Bearer {token}"})
        except httpx.HTTPError:
            return None
        return str(answer.json()["status"]) if answer.status_code == 200 else None


class NaiveTrigger(BaseTrigger):
    """Asks for its run every ``interval`` seconds, whatever else is going on."""

    def __init__(self, connection: dict[str, Any], path: str, first_poll_after: float, interval: float) -> None:
        super().__init__()
        self.arguments = {
            "connection": connection,
            "path": path,
            "first_poll_after": first_poll_after,
            "interval": interval,
        }

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments."""
        return f"{__name__}.NaiveTrigger", self.arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll."""
        arguments = self.arguments
        host = arguments["connection"]["host"]
        client = _clients.get(host) or _clients.setdefault(host, NaiveClient(arguments["connection"]))
        await asyncio.sleep(max(0.0, arguments["first_poll_after"] - time.time()))
        over = {"Completed", "Failed", "Cancelled", "Deduped"}
        while await client.status(arguments["path"]) not in over:  # noqa: ASYNC110 - no event tells; that is the point
            await asyncio.sleep(arguments["interval"])
        yield TriggerEvent({"ending": "over"})


class IdleTrigger(BaseTrigger):
    """Waits for a moment and fires: what any trigger costs."""

    def __init__(self, until: float) -> None:
        super().__init__()
        self.until = until

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments."""
        return f"{__name__}.IdleTrigger", {"until": self.until}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Sleep."""
        await asyncio.sleep(max(0.0, self.until - time.time()))
        yield TriggerEvent({"ending": "over"})
