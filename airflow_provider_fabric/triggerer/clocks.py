"""Two clocks: intervals and the call budget need one that nobody sets, deadlines cross machines as epoch seconds."""

from __future__ import annotations

import asyncio
import time

from airflow_provider_fabric.api.http.flow import Clock


class Clocks:
    """The clocks of one event loop.

    :param wall: epoch seconds; it may be set at any time.
    """

    def __init__(self, wall: Clock = time.time) -> None:
        self.wall = wall
        self._loop = asyncio.get_running_loop()
        self._ahead = wall() - self._loop.time()

    def steady(self) -> float:
        """Return epoch seconds as the wall clock would have gone on from the start, had nobody set it."""
        return self._loop.time() + self._ahead
