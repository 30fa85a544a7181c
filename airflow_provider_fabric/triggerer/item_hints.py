"""Items that are watched for runs which somebody else starts: listed when an event says that one has ended.

What a stream covers is listed every :data:`RAREST` seconds beside that; anything else at the waiter's own interval.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from typing import Protocol

from airflow_provider_fabric.api.models import JobInstance
from airflow_provider_fabric.api.status import JobStatus
from airflow_provider_fabric.triggerer.coverage import ItemKey, RunKey

RAREST = 900.0
"""Seconds between lists of an item whose events come."""

RETRY = 2.0
"""Seconds until the item is listed again that does not show the end yet that an event announced; then twice that."""

RETRIES = 5

KEPT = 20_000
"""Ends that lists showed, remembered so that each is judged once."""


class Stream(Protocol):
    """The whole that these hints are a part of: :class:`.hints.Hints`."""

    def saw_end(self, key: RunKey) -> None:
        """Take in that a run is over, by the service."""

    def covers_item(self, item: ItemKey) -> bool:
        """Whether an item's ends will probably be announced."""

    def watch(self) -> None:
        """Take in that somebody waits for what changes."""


class ItemHints:
    """What a stream says of watched items.

    :param hints: the whole.
    """

    def __init__(self, hints: Stream) -> None:
        self._hints = hints
        self._ends: OrderedDict[ItemKey, int] = OrderedDict()
        """How many ends were announced."""
        self._open: dict[ItemKey, set[str]] = {}
        """Runs that are over by an event, and by no list yet; kept for watched items only."""
        self._tries: dict[ItemKey, int] = {}
        self._waiters: dict[ItemKey, set[asyncio.Future[None]]] = {}
        self._judged: OrderedDict[str, None] = OrderedDict()

    @property
    def watching(self) -> int:
        """How many waiters pause."""
        return sum(map(len, self._waiters.values()))

    def mark(self, item: ItemKey) -> int:
        """Return what to give to :meth:`pause` after the list that is read next."""
        return self._ends.get(item, 0)

    def ended(self, item: ItemKey, run: str) -> None:
        """Take in an event that says a run is over."""
        self._ends[item] = self._ends.get(item, 0) + 1
        self._ends.move_to_end(item)
        while len(self._ends) > KEPT:
            self._open.pop(self._ends.popitem(last=False)[0], None)
        if item in self._waiters:
            self._open.setdefault(item, set()).add(run)
        self._wake(item)

    def listed(self, item: ItemKey, over: Iterable[JobInstance], since: float) -> None:
        """Take in what a list showed.

        :param over: the runs in it that are over.
        :param since: epoch seconds; only runs that ended after that say something about the stream.
        """
        for instance in over:
            self._open.get(item, set()).discard(instance.id)
            if instance.end_time_utc is None or instance.end_time_utc.timestamp() <= since:
                continue
            if instance.id not in self._judged and instance.status is not JobStatus.DEDUPED:
                self._judged[instance.id] = None
                self._hints.saw_end((*item, instance.id))
        while len(self._judged) > KEPT:
            self._judged.popitem(last=False)
        if not self._open.get(item):
            self._open.pop(item, None)
            self._tries.pop(item, None)

    async def pause(self, item: ItemKey, seconds: float, mark: int) -> None:
        """Wait until an item is to be listed again.

        :param item: workspace and item.
        :param seconds: how long without a stream.
        :param mark: what :meth:`mark` said before the last list.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        tries = self._tries.get(item, 0)
        if item in self._open:
            self._tries[item] = tries + 1
            if tries >= RETRIES:
                del self._open[item], self._tries[item]
        while True:
            left = began + self._pause(item, seconds, mark, tries) - loop.time()
            if left <= 0:
                return
            await self._woken(item, left)

    def _pause(self, item: ItemKey, seconds: float, mark: int, tries: int) -> float:
        if self._ends.get(item, 0) != mark:
            return min(seconds, RETRY)
        if item in self._open:
            return min(seconds, RETRY * 2.0**tries)
        return max(seconds, RAREST) if self._hints.covers_item(item) else seconds

    async def _woken(self, item: ItemKey, seconds: float) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(item, set()).add(woken)
        self._hints.watch()
        try:
            await asyncio.wait([woken], timeout=seconds)
        finally:
            self._waiters[item].discard(woken)
            if not self._waiters[item]:
                del self._waiters[item]

    def wake_all(self) -> None:
        """Let every waiter think again: what is covered has changed."""
        for item in self._waiters:
            self._wake(item)

    def _wake(self, item: ItemKey) -> None:
        for waiter in self._waiters.get(item, ()):
            if not waiter.done():
                waiter.set_result(None)
