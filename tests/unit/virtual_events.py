"""An eventstream in virtual time: it announces the runs of a FakeFabric, as badly as it is set to."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone

from airflow_provider_fabric.api.jobs.events import EventKind, JobEvent
from airflow_provider_fabric.triggerer.hints import Hints
from tests.unit.virtual_time import EPOCH, WORKSPACE, clock, guid

Window = tuple[float, float]
"""From and until, in seconds since :data:`EPOCH`."""


def event(kind: EventKind, item: int, run: int, started: float, at: float | None = None) -> JobEvent:
    """Return an event of a run; times are epoch seconds."""
    when = datetime.fromtimestamp(clock() if at is None else at, timezone.utc)
    begun = datetime.fromtimestamp(started, timezone.utc)
    return JobEvent(kind, WORKSPACE, guid(item), guid(run), when, "Pipeline", begun, when if kind.is_end else None)


@dataclass
class VirtualStream:
    """Delivers events to those who read it.

    :param readers: one for each event loop that reads.
    :param delay: seconds from what happens to the event.
    :param dropped: share of events that never come.
    :param doubled: share of events that come twice.
    :param shuffled: seconds by which events overtake one another at most.
    :param down: when nobody can read; what happens meanwhile is read afterwards.
    :param paused: when nothing is published; it is afterwards.
    :param carried: which items it carries.
    """

    readers: list[Hints]
    delay: float = 2.0
    dropped: float = 0.0
    doubled: float = 0.0
    shuffled: float = 0.0
    down: Window | None = None
    paused: Window | None = None
    carried: Callable[[int], bool] = lambda item: True
    sent: int = 0
    _source: random.Random = field(default_factory=lambda: random.Random(11))
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def open(self) -> None:
        """Connect the readers, and cut them off when they are to be."""
        for reader in self.readers:
            reader.connected()
        if self.down is not None:
            self._later(self._cut(*self.down))

    async def _cut(self, start: float, end: float) -> None:
        await asyncio.sleep(EPOCH + start - clock())
        for reader in self.readers:
            reader.lost()
        await asyncio.sleep(end - start)
        for reader in self.readers:
            reader.connected()

    def announce(self, item: int, run: int, takes: float, outcome: EventKind = EventKind.SUCCEEDED) -> None:
        """Announce a run that starts now: its creation, its start, and its end."""
        if self.carried(item):
            self._later(self._tell(item, run, takes, outcome))

    async def _tell(self, item: int, run: int, takes: float, outcome: EventKind) -> None:
        started = clock()
        self._publish(event(EventKind.CREATED, item, run, started))
        await asyncio.sleep(min(1.0, takes / 2))
        self._publish(event(EventKind.STATUS_CHANGED, item, run, started))
        await asyncio.sleep(max(0.0, started + takes - clock()))
        self._publish(event(outcome, item, run, started))

    def _publish(self, event: JobEvent) -> None:
        if self._source.random() < self.dropped:
            return
        for _ in range(2 if self._source.random() < self.doubled else 1):
            self._later(self._deliver(event))

    async def _deliver(self, event: JobEvent) -> None:
        await asyncio.sleep(self.delay + self._source.uniform(0, self.shuffled))
        for window in (self.paused, self.down):
            if window is not None and EPOCH + window[0] <= clock() < EPOCH + window[1]:
                await asyncio.sleep(EPOCH + window[1] - clock() + self._source.uniform(0.1, 2.0))
        self.sent += 1
        for reader in self.readers:
            reader.received(event)

    def _later(self, work: object) -> None:
        task = asyncio.get_running_loop().create_task(work)  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
