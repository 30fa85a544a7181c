"""How many calls a minute an identity may make, spread evenly, and less when the service says so.

Fabric allows an identity 200 job-scheduler calls a minute (https://learn.microsoft.com/rest/api/fabric/articles/throttling).
Others may use the same identity, so a refusal (429) shrinks our share at once and it grows back slowly. No clock of its
own: times are given, in seconds.
"""

from __future__ import annotations

from math import exp

BURST = 0.05
"""Share of a minute's calls that may be made at once; the rest is spread, so that no minute exceeds the budget."""

SHRINK = 0.75
SMALLEST = 0.1
GROWTH_PER_MINUTE = 0.03
DEFAULT_PAUSE = 10.0
SHORTEST_PAUSE = 1.0

EASY, TIGHT = 0.5, 0.8
"""Up to this share of the budget in use there is slack; from that share on there is none."""


class CallBudget:
    """A bucket of calls that fills evenly. Calls that cannot wait overdraw it, by a minute's calls at most.

    :param per_minute: calls in any minute at most.
    :param now: present time.
    :param minute: length of a minute, in seconds; shorter for time-scaled measurements.
    """

    def __init__(self, per_minute: float, now: float, *, minute: float = 60.0) -> None:
        self.per_minute = float(per_minute)
        self.minute = minute
        self.share = 1.0
        self.spent = 0
        self.refusals = 0
        self._calls = self._capacity
        self._recent = 0.0
        self._filled_at = now
        self._paused_until = now

    @property
    def _capacity(self) -> float:
        return max(1.0, BURST * self.per_minute * self.share)

    @property
    def rate(self) -> float:
        """Calls a second at which the bucket fills."""
        allowed = self.per_minute * self.share
        return max(allowed - self._capacity, allowed / 2) / self.minute

    def delay(self, now: float) -> float:
        """Return seconds until the next call may be made."""
        self._fill(now)
        return max(0.0, (1.0 - self._calls) / self.rate, self._paused_until - now)

    def pause(self, now: float) -> float:
        """Return seconds until a pause that the service asked for is over."""
        self._fill(now)
        return max(0.0, self._paused_until - now)

    def spend(self, now: float, calls: int = 1) -> None:
        """Record calls that are being made."""
        self._fill(now)
        self._calls = max(self._calls - calls, -self.per_minute * self.share)
        self._recent += calls
        self.spent += calls

    def give_back(self, calls: int) -> None:
        """Take back calls that were recorded and not made."""
        self._calls = min(self._capacity, self._calls + calls)
        self.spent -= calls

    def used(self, now: float) -> float:
        """Return the share of the budget that is in use, from 0 to about 1."""
        self._fill(now)
        return self._recent / (self.per_minute * self.share)

    def slack(self, now: float) -> float:
        """Return how freely calls may be made that are not strictly needed: from 0, not at all, to 1."""
        return min(1.0, max(0.0, (TIGHT - self.used(now)) / (TIGHT - EASY)))

    def refused(self, now: float, retry_after: float | None) -> None:
        """Record a 429: pause for as long as it asks, and go on with a smaller share.

        One that comes while the bucket is overdrawn says nothing about others, and costs no share.
        """
        self._fill(now)
        self.refusals += 1
        asked = DEFAULT_PAUSE * self.minute / 60 if retry_after is None else retry_after
        pause = max(asked, SHORTEST_PAUSE * self.minute / 60)
        under_way_together = now < self._paused_until  # their answers shrink it once
        if not under_way_together and self._calls > -1.0:
            self.share = max(SMALLEST, self.share * SHRINK)
        self._paused_until = max(self._paused_until, now + pause)
        self._calls = min(self._calls, 1.0)

    def _fill(self, now: float) -> None:
        if now < self._filled_at:  # a clock that was set back: the pause is as long as before
            self._paused_until -= self._filled_at - now
            self._filled_at = now
        passed = now - self._filled_at
        open_for = max(0.0, now - max(self._filled_at, self._paused_until))  # a pause saves up nothing for after it
        self._filled_at = now
        self._recent *= exp(-passed / self.minute)
        self.share = min(1.0, self.share + GROWTH_PER_MINUTE * passed / self.minute)
        if self._calls < 0:  # a debt is paid in a pause, too
            open_for = passed
        self._calls = min(self._capacity, self._calls + open_for * self.rate)
