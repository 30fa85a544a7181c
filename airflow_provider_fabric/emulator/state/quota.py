"""Call quotas: so many accepted calls per identity and bucket in any minute.

https://learn.microsoft.com/rest/api/fabric/articles/throttling: 200 calls a minute and identity for the platform's
APIs, and 200 for the job scheduler's. The answer is 429 ``RequestBlocked`` with ``Retry-After``. The window slides; a
refused call does not fill it.
"""

from __future__ import annotations

import math
from collections import deque

from airflow_provider_fabric.emulator.errors import ServiceError
from airflow_provider_fabric.emulator.state.config import Config

MINUTE = 60.0


class Quota:
    """Sliding windows of calls, and the highest count each bucket ever saw."""

    def __init__(self) -> None:
        self.throttled = 0
        self.peaks: dict[str, int] = {}
        self._accepted: dict[tuple[str, str], deque[float]] = {}
        self._seen: dict[tuple[str, str], deque[float]] = {}

    def take(self, config: Config, bucket: str, identity: str, now: float) -> None:
        """Count one call.

        :raises ServiceError: 429 when the identity's minute is full.
        """
        window = config.scaled(MINUTE)
        key = (bucket, identity)
        seen = _slide(self._seen.setdefault(key, deque()), now - window)
        seen.append(now)
        if len(seen) > self.peaks.get(bucket, 0):
            self.peaks[bucket] = len(seen)
        limit = config.quotas.get(bucket)
        if limit is None:
            return
        accepted = _slide(self._accepted.setdefault(key, deque()), now - window)
        if len(accepted) >= limit:
            self.throttled += 1
            wait = max(1, math.ceil(accepted[0] + window - now))
            raise ServiceError(
                429, "RequestBlocked", "Request is blocked by the upstream service", retry_after=wait, is_retriable=True
            )
        accepted.append(now)


def _slide(calls: deque[float], start: float) -> deque[float]:
    while calls and calls[0] <= start:
        calls.popleft()
    return calls
