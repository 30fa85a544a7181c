"""Times that hold across the processes of a host: what is said to be fresh was written on this host, since it started.

The wall clock may be set; the monotonic one starts anew with the host, and another host has another. A stamp whose two
ages agree was taken by the same monotonic clock.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

TOLERANCE = 2.0
"""Seconds by which the two clocks may have drifted apart."""


@dataclass(frozen=True)
class Stamp:
    """A time.

    :param wall: epoch seconds.
    :param monotonic: seconds of the host's monotonic clock.
    """

    wall: float
    monotonic: float

    @classmethod
    def now(cls) -> Stamp:
        """Return the present time."""
        return cls(time.time(), time.monotonic())

    @classmethod
    def from_state(cls, state: object) -> Stamp | None:
        """Read :meth:`to_state`'s form; ``None`` if it is none."""
        if not isinstance(state, list) or len(state) != 2:
            return None
        if not all(isinstance(part, int | float) and not isinstance(part, bool) for part in state):
            return None
        return cls(float(state[0]), float(state[1]))

    def to_state(self) -> list[float]:
        """Return plain values."""
        return [self.wall, self.monotonic]

    def is_within(self, seconds: float, now: Stamp) -> bool:
        """Whether this was at most so many seconds ago, by both clocks, and the clocks are those of ``now``."""
        wall, monotonic = now.wall - self.wall, now.monotonic - self.monotonic
        return abs(wall - monotonic) <= TOLERANCE and -0.001 <= monotonic <= seconds and wall <= seconds + TOLERANCE
