"""Cancels of killed tasks: sent first, repeated until the service accepts them.

Airflow 3.3 grants ``on_kill`` about a second before it cancels it, again and again, once a second; a quota may ask for
a minute. So every cancel is a task of its own, which goes on in the background.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Any

from airflow_provider_fabric.api.http.permanent import is_permanent, retry_after
from airflow_provider_fabric.api.jobs.visibility import VISIBILITY_GRACE
from airflow_provider_fabric.exceptions import FabricError, FabricNotFoundError, FabricThrottledError
from airflow_provider_fabric.triggerer.clocks import Clocks
from airflow_provider_fabric.triggerer.turns import TurnQueue

AT_ONCE = 8
"""Cancels on their way at the same time."""

PATIENCE = 900.0
"""Seconds after which a cancel that is never accepted is given up."""

LONGEST_PAUSE = 30.0

_log = logging.getLogger(__name__)


class CancelQueue:
    """Sends cancels, before anything else that waits for the budget.

    :param turns: the identity's queue.
    :param clocks: its clocks.
    """

    def __init__(self, turns: TurnQueue, clocks: Clocks) -> None:
        self._turns = turns
        self._clocks = clocks
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._one_by_one = asyncio.Lock()
        self._careful = 0
        """After a 429, so many cancels are sent one by one."""
        self.tasks: set[asyncio.Task[bool]] = set()
        """Cancels that were not accepted yet."""

    @property
    def pending(self) -> int:
        """How many cancels were not accepted yet."""
        return len(self.tasks)

    def start(self, what: str, send: Callable[[], Awaitable[bool]], submitted_at: float) -> asyncio.Task[bool]:
        """Send a cancel, now; the task goes on, whatever becomes of the caller.

        :param what: what is cancelled, in words.
        :param send: asks the service once; whether there was anything to cancel.
        :param submitted_at: when the run was submitted, in epoch seconds: it may not be visible for a while.
        """
        grace = min(submitted_at + VISIBILITY_GRACE - self._clocks.wall(), VISIBILITY_GRACE)
        work = self._until_accepted(what, send, self._clocks.steady() + grace)
        task: asyncio.Task[bool] = Context().run(asyncio.get_running_loop().create_task, work)
        self.tasks.add(task)
        task.add_done_callback(self._done)
        return task

    async def _until_accepted(self, what: str, send: Callable[[], Awaitable[bool]], visible_by: float) -> bool:
        give_up_at = self._clocks.steady() + PATIENCE
        failures = 0
        while True:
            try:
                accepted = await self._send_first(send)
            except FabricError as error:
                now = self._clocks.steady()
                young = isinstance(error, FabricNotFoundError) and now < visible_by
                if now >= give_up_at or (is_permanent(error) and not young):
                    _log.warning("Could not cancel %s, which may go on: %s", what, error)
                    raise
                if isinstance(error, FabricThrottledError) and self._turns.budget.pause(now) > 0:
                    continue  # it is sent again when the pause is over
                failures += 1
                await asyncio.sleep(retry_after(error) or min(2.0 ** (failures - 1), LONGEST_PAUSE))
            else:
                done = "Asked Fabric to cancel %s." if accepted else "Nothing to cancel: %s has already ended."
                _log.info(done, what)
                return accepted

    async def _send_first(self, send: Callable[[], Awaitable[bool]]) -> bool:
        """Send once the identity is not paused, ahead of every poll; it may overdraw the budget."""
        self._turns.cancel_waits()
        try:
            async with self._slots:
                if not self._careful:
                    return await self._send(send)
                async with self._one_by_one:
                    return await self._send(send)
        finally:
            self._turns.cancel_sent()

    async def _send(self, send: Callable[[], Awaitable[bool]]) -> bool:
        while (pause := self._turns.budget.pause(self._clocks.steady())) > 0:  # noqa: ASYNC110 - a 429 may prolong it
            await asyncio.sleep(pause)
        try:
            accepted = await send()
        except FabricThrottledError:
            self._careful = AT_ONCE
            raise
        self._careful = max(0, self._careful - 1)
        return accepted

    def _done(self, task: asyncio.Task[Any]) -> None:
        self.tasks.discard(task)
        if not task.cancelled():
            task.exception()  # it was logged
