"""What HTTP headers say about time, and where they point to."""

from __future__ import annotations

import time
from datetime import timezone
from email.utils import parsedate_to_datetime
from urllib.parse import SplitResult, urlsplit

MAX_RETRY_AFTER = 600.0


def http_date(value: str | None) -> float | None:
    """Read an HTTP date, as epoch seconds, or ``None`` if it is none."""
    try:
        timestamp = parsedate_to_datetime(value or "")
        return (timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=timezone.utc)).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None


def parse_retry_after(value: str | None, date: str | None = None) -> float | None:
    """Read a ``Retry-After`` header: seconds, or an HTTP date.

    :param date: the answer's ``Date`` header: a date is meant by the service's clock, which may differ from ours.
    :returns: seconds from now, between 0 and 600, or ``None`` if there is none that makes sense.
    """
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        timestamp, now = http_date(value), http_date(date)
        if timestamp is None:
            return None
        seconds = timestamp - (time.time() if now is None else now)
    if seconds != seconds:  # NaN
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)


def split_link(link: object) -> SplitResult:
    """Take a link of an answer apart; what is none has no parts."""
    try:
        return urlsplit(link if isinstance(link, str) else "")
    except ValueError:
        return urlsplit("")
