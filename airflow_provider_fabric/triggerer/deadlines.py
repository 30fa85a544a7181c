"""When to give a wait up although its last poll gets no budget or no answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context

from airflow_provider_fabric.triggerer.clocks import Clocks
from airflow_provider_fabric.triggerer.turns import TICK

LAST_POLL = 5.0
"""Seconds after its deadline at which a wait ends without a last poll."""


class GivingUp:
    """Gives up at a deadline, unless it is cancelled before.

    :param deadline: epoch seconds; ``None`` for never.
    :param clocks: the deadline is on the wall clock, which may be set meanwhile.
    :param grace: seconds for the last poll.
    :param give_up: ends the wait.
    """

    def __init__(self, deadline: float | None, clocks: Clocks, grace: float, give_up: Callable[[], None]) -> None:
        self._deadline, self._clocks, self._grace, self._give_up = deadline, clocks, grace, give_up
        self._timer: asyncio.TimerHandle | None = None
        self._check()

    def _check(self) -> None:
        if self._deadline is None:
            return
        left = self._deadline + self._grace - self._clocks.wall()
        if left > TICK:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(left, self._check, context=Context())
        else:
            self._give_up()

    def cancel(self) -> None:
        """Leave the wait alone."""
        if self._timer is not None:
            self._timer.cancel()
