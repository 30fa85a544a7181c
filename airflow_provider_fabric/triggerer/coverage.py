"""What the events of a stream are good for: which runs need not be polled often, because their ends are announced.

No network, no clock and no wait in here: times are given, in seconds on a clock that nobody sets; those called ``wall``
are epoch seconds. An event is a hint. Coverage is learned from what came, and lost at the first sign that something
did not:

* the line is down, or no event at all has come for :data:`SILENCE`;
* an event came late, or after one that should have come before it and never did: for :data:`DOUBT`;
* a poll found a run over that no event had announced: its item, until an end of it is announced in time again.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from math import inf

from airflow_provider_fabric.api.jobs.events import EventKind, JobEvent

ItemKey = tuple[str, str]
"""Workspace and item, in lower case."""

RunKey = tuple[str, str, str]
"""Workspace, item and run, in lower case."""

SILENCE = 60.0
"""Seconds without any event after which runs are polled as if there was no stream."""

GRACE = 30.0
"""Seconds that an event may take, or come after one that it should have preceded."""

LATE = 60.0
"""Seconds after which an event is late: whoever publishes, or carries it, is behind."""

DOUBT = 600.0
"""Seconds for which a stream that lost an event covers nothing."""

TOPOLOGY_SECONDS = 180.0
"""For how long it is believed which items a stream carries, by the service."""

KEPT = 20_000
"""Runs whose events are remembered."""


@dataclass
class _Run:
    """What came of one run."""

    created: bool = False
    end: JobEvent | None = None


class _Missing(Enum):
    CREATED = "created"
    END = "end"


class Coverage:
    """What one stream has shown of itself.

    :param kept: runs whose events are remembered.
    """

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._runs: OrderedDict[RunKey, _Run] = OrderedDict()
        self._items: OrderedDict[ItemKey, None] = OrderedDict()
        """Items of which an event came."""
        self._uncovered: OrderedDict[ItemKey, None] = OrderedDict()
        self._carried: frozenset[ItemKey] = frozenset()
        self._carried_until = -inf
        self._expected: deque[tuple[float, RunKey, _Missing]] = deque()
        """Events that should come by a time, in its order."""
        self._connected = False
        self._reads_from = inf
        self._last_event = -inf
        self._doubted_until = -inf
        self.received = 0
        self.gaps = 0
        self._changes = 0

    # What the stream brings

    def connected(self, wall: float) -> None:
        """Take in that the line is up. What happened before its first time is not missed."""
        self._connected = True
        self._reads_from = min(self._reads_from, wall)

    def lost(self) -> None:
        """Take in that the line is down, or hangs."""
        self._connected = False

    def carries(self, items: Collection[ItemKey], now: float) -> None:
        """Take in which items the stream carries, by the service."""
        carried = frozenset(items)
        self._changes += carried != self._carried
        self._carried, self._carried_until = carried, now + TOPOLOGY_SECONDS

    def record(self, event: JobEvent, now: float, wall: float) -> RunKey:
        """Take in an event; return its run."""
        self.received += 1
        self._last_event = now
        key = (*event.item, event.run_id)
        known = self._runs.setdefault(key, _Run())
        self._runs.move_to_end(key)
        self._note_item(event.item)
        if event.kind is EventKind.CREATED:
            known.created = True
        elif not known.created and self._is_watched_from_the_start(event):
            self._expected.append((now + GRACE, key, _Missing.CREATED))
        if event.kind.is_end:
            known.end = known.end or event
        in_time = self._judge_delay(event, now, wall)
        if event.kind.is_end and in_time and event.item in self._uncovered:
            del self._uncovered[event.item]
            self._changes += 1
        while len(self._runs) > self._kept:
            self._runs.popitem(last=False)
        return key

    def _note_item(self, item: ItemKey) -> None:
        self._items[item] = None
        self._items.move_to_end(item)
        while len(self._items) > self._kept:
            self._items.popitem(last=False)

    def _is_watched_from_the_start(self, event: JobEvent) -> bool:
        return event.started is not None and event.started.timestamp() > self._reads_from

    def _judge_delay(self, event: JobEvent, now: float, wall: float) -> bool:
        """Return whether an event came in time; one that did not makes others doubtful."""
        if event.at is None or event.at.timestamp() < self._reads_from:
            return False
        if wall - event.at.timestamp() > LATE:
            self._doubted_until = max(self._doubted_until, now + LATE)
        return wall - event.at.timestamp() <= GRACE

    # What polls show

    def found_over(self, key: RunKey, now: float) -> None:
        """Take in that a poll found a run over."""
        known = self._runs.get(key)
        if known is None or known.end is None:
            self._expected.append((now + GRACE, key, _Missing.END))

    def settle(self, now: float) -> None:
        """Draw the conclusions that are due: from events that should have come by now, and did not."""
        while self._expected and self._expected[0][0] <= now:
            _, key, missing = self._expected.popleft()
            known = self._runs.get(key)
            if missing is _Missing.END and (known is None or known.end is None):
                self._uncovered[key[:2]] = None
                self._changes += 1
                while len(self._uncovered) > self._kept:
                    self._uncovered.popitem(last=False)
                if known is not None and known.created:
                    self._note_gap(now)
            elif missing is _Missing.CREATED and known is not None and not known.created:
                self._note_gap(now)

    def _note_gap(self, now: float) -> None:
        self.gaps += 1
        self._doubted_until = max(self._doubted_until, now + DOUBT)

    # What follows

    def is_open(self, now: float) -> bool:
        """Whether the stream covers anything at all."""
        return self._connected and now >= self._doubted_until

    def is_silent(self, now: float) -> bool:
        """Whether no event has come for too long."""
        return now >= self._last_event + SILENCE

    def covers_run(self, key: RunKey, now: float) -> bool:
        """Whether the end of a run will probably be announced."""
        known = self._runs.get(key)
        return (
            known is not None
            and known.created
            and self.is_open(now)
            and not self.is_silent(now)
            and key[:2] not in self._uncovered
        )

    def covers_item(self, item: ItemKey, now: float) -> bool:
        """Whether the ends of an item's next runs will probably be announced: silence says nothing against that."""
        carried = item in self._items if now >= self._carried_until else item in self._carried
        return carried and self.is_open(now) and item not in self._uncovered

    def end_of(self, key: RunKey) -> JobEvent | None:
        """Return the event that says a run is over, if it came."""
        known = self._runs.get(key)
        return None if known is None else known.end

    def next_change(self, now: float) -> float:
        """Return when time alone changes something next."""
        times = [self._last_event + SILENCE, self._doubted_until, self._carried_until]
        times += [self._expected[0][0]] if self._expected else []
        return min((each for each in times if each > now), default=inf)

    def state(self, now: float) -> tuple[bool, bool, bool, int]:
        """Return what decides about all runs and items at once: if it is as it was, so is every answer."""
        return self.is_open(now), self.is_silent(now), now >= self._carried_until, self._changes
