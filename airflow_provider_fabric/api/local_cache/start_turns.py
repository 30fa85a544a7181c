"""Turns to start runs: the tasks of one host and identity start them one after the other, not all at once.

Fabric allows an identity 200 job-scheduler calls a minute
(https://learn.microsoft.com/rest/api/fabric/articles/throttling), and starting a run takes two: a list, and the submit.
A crowd of mapped tasks that starts at once would spend them within seconds, be refused, and come back all at once.
So the first :data:`BURST` start at once, and the others are spread; a refusal stops all of them for as long as Fabric
asks, and makes the distances greater for a while. Other hosts are not known: their calls show as refusals.

No turn is a promise: without a cache directory nobody waits.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from airflow_provider_fabric.api.local_cache.directory import PrivateDirectory
from airflow_provider_fabric.api.local_cache.locks import FileLock
from airflow_provider_fabric.api.local_cache.stamps import Stamp

BURST = 20
"""Starts that nobody waits for, after a quiet minute."""

CALLS_OF_A_START = 2
FIRST_SHARE, GREATEST_SHARE = 2 / 3, 0.8
"""Shares of the calls of a minute that starts may use: at first, and when nothing has been refused for long."""

SLOWER, FASTER = 1.25, 0.98
"""What a refusal, and a start that had to wait, does to the distance of two starts."""

LONGEST_GAP = 3.0
"""Seconds. In a simulation of 300 tasks beside a busy triggerer, these figures gave 1.00 to 1.06 submits a task."""

QUIET = 120.0
"""Seconds without a start after which distances are the first ones again."""

LONGEST_WAIT = 900.0
"""Seconds: a turn farther off than that is no turn that tasks of this host can have taken."""

LOCK_TRIES, LOCK_PAUSE = 50, 0.01


@dataclass
class Schedule:
    """When the next run may be started. Times are the host's monotonic clock, in seconds.

    :param next_at: the earliest time of the next turn, if all turns so far had waited.
    :param gap: seconds between two turns.
    :param closed_until: nothing is to be started before.
    :param asked_at: time of the last turn that was asked for.
    """

    next_at: float
    gap: float
    closed_until: float
    asked_at: float

    @classmethod
    def new(cls, now: float, gap: float) -> Schedule:
        """Return the schedule of a quiet host."""
        return cls(now - (BURST - 1) * gap, gap, 0.0, now)

    @classmethod
    def from_state(cls, state: object) -> Schedule | None:
        """Read a schedule; ``None`` if it is none."""
        if not isinstance(state, dict) or state.keys() != {"next_at", "gap", "closed_until", "asked_at"}:
            return None
        if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in state.values()):
            return None
        return cls(**{name: float(value) for name, value in state.items()})

    def is_plausible(self, now: float) -> bool:
        """Whether tasks of this host may have made it."""
        latest = max(self.next_at, self.closed_until)
        return latest - now <= LONGEST_WAIT and self.asked_at <= now + 1.0 and 0 < self.gap <= LONGEST_GAP

    def take(self, now: float, first_gap: float, least_gap: float) -> float:
        """Take a turn, and return in how many seconds it is."""
        if now - self.asked_at > QUIET:
            self.gap = first_gap
        self.asked_at = now
        at = max(self.next_at, now - (BURST - 1) * self.gap, self.closed_until if self.closed_until > now else 0.0)
        self.next_at = at + self.gap
        if at <= now:
            return 0.0
        self.gap = max(least_gap, self.gap * FASTER)
        return at - now

    def refused(self, now: float, pause: float) -> float:
        """Take in that the service refuses for so many seconds, and return in how many seconds to try again."""
        if now >= self.closed_until:  # what was under way together counts once
            self.gap = min(LONGEST_GAP, self.gap * SLOWER)
        self.closed_until = max(self.closed_until, now + pause)
        at = max(self.next_at, self.closed_until)
        self.next_at = at + self.gap
        return max(pause, at - now)


class StartTurns:
    """The turns of one identity's tasks on this host.

    :param directory: where the schedule lies.
    :param identity: whose turns they are, as a digest.
    :param calls_per_minute: job-scheduler calls that the identity is allowed.
    :param clock: present time.
    :param sleep: waits that many seconds.
    """

    def __init__(
        self,
        directory: PrivateDirectory,
        identity: str,
        calls_per_minute: float,
        *,
        clock: Callable[[], Stamp] = Stamp.now,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._directory = directory
        self._name = f"turns-{identity}"
        self._clock = clock
        self._sleep = sleep
        self._least_gap = min(LONGEST_GAP, 60 * CALLS_OF_A_START / calls_per_minute / GREATEST_SHARE)
        self._first_gap = min(LONGEST_GAP, 60 * CALLS_OF_A_START / calls_per_minute / FIRST_SHARE)

    def take(self) -> float:
        """Take a turn, and return in how many seconds it is."""
        return self._update(lambda schedule, now: schedule.take(now, self._first_gap, self._least_gap), 0.0)

    def refused(self, pause: float) -> float:
        """Take in a refusal (429), and return in how many seconds to try again.

        :param pause: seconds that the service asked for.
        """
        return self._update(lambda schedule, now: schedule.refused(now, pause), pause)

    def _update(self, change: Callable[[Schedule, float], float], otherwise: float) -> float:
        lock = FileLock(self._directory, self._name)
        try:
            if not any(lock.acquire() or self._sleep(LOCK_PAUSE) for _ in range(LOCK_TRIES)):
                return otherwise
            now = self._clock()
            content = self._directory.read(self._name)
            written_at, schedule = Stamp.from_state(content.get("written")), Schedule.from_state(content.get("turns"))
            same_clock = written_at is not None and written_at.is_within(LONGEST_WAIT, now)
            if schedule is None or not same_clock or not schedule.is_plausible(now.monotonic):
                schedule = Schedule.new(now.monotonic, self._first_gap)
            seconds = change(schedule, now.monotonic)
            self._directory.write(self._name, {"written": now.to_state(), "turns": asdict(schedule)})
            return seconds
        finally:
            lock.release()
