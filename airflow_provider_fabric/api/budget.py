"""How many calls a minute an identity may make, spread evenly, and less when the service says so.

Fabric allows an identity 200 job-scheduler calls a minute (https://learn.microsoft.com/rest/api/fabric/articles/throttling).
Others may use the same identity, so a refusal (429) shrinks our share at once and it grows back slowly. No clock of its
own: times are given, in seconds.
"""

from __future__ import annotations

BURST = 0.1
"""Share of a minute's calls that may be made at once; the rest is spread, so that no minute exceeds the budget."""

SHRINK = 0.75
SMALLEST = 0.1
GROWTH_PER_MINUTE = 0.03
DEFAULT_PAUSE = 10.0


class CallBudget:
    """A bucket of calls that fills evenly.

    :param per_minute: calls in any minute at most.
    :param now: present time.
    :param minute: length of a minute, in seconds; shorter for time-scaled tests.
    """

    def __init__(self, per_minute: float, now: float, *, minute: float = 60.0) -> None:
        self.per_minute = float(per_minute)
        self.minute = minute
        self.share = 1.0
        self.spent = 0
        self._calls = self._capacity
        self._filled_at = now
        self._paused_until = now

    @property
    def _capacity(self) -> float:
        return max(1.0, BURST * self.per_minute * self.share)

    @property
    def rate(self) -> float:
        """Calls a second at which the bucket fills."""
        return max(self.per_minute * self.share - self._capacity, 0.5) / self.minute

    def delay(self, now: float) -> float:
        """Return seconds until the next call may be made."""
        self._fill(now)
        wait = max(0.0, (1.0 - self._calls) / self.rate)
        return max(wait, self._paused_until - now)

    def spend(self, now: float, calls: int = 1) -> None:
        """Take note of calls that are being made."""
        self._fill(now)
        self._calls -= calls
        self.spent += calls

    def spare(self, now: float) -> bool:
        """Whether there is more than is being used."""
        self._fill(now)
        return self.share >= 0.9 and self._calls >= self._capacity / 2 and now >= self._paused_until

    def refused(self, now: float, retry_after: float | None) -> None:
        """Take note of a 429: pause as told, and go on with a smaller share."""
        self._fill(now)
        pause = DEFAULT_PAUSE * self.minute / 60 if retry_after is None else retry_after
        if now >= self._paused_until:  # answers of calls that were under way together shrink it once
            self.share = max(SMALLEST, self.share * SHRINK)
        self._paused_until = max(self._paused_until, now + pause)
        self._calls = min(self._calls, 0.0)

    def _fill(self, now: float) -> None:
        passed = max(0.0, now - self._filled_at)
        self._filled_at = max(now, self._filled_at)
        self.share = min(1.0, self.share + GROWTH_PER_MINUTE * passed / self.minute)
        self._calls = min(self._capacity, self._calls + passed * self.rate)
