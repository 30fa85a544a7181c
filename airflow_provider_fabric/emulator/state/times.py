"""The ways in which the service's APIs write a time."""

from __future__ import annotations

from datetime import datetime, timezone


def service_time(epoch_seconds: float) -> str:
    """Write a time as the job scheduler does: seven fractional digits, UTC, no offset (OpenAPI ``ItemJobInstance``)."""
    seconds, ticks = divmod(round(epoch_seconds * 1e7), 10**7)
    text = datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{ticks:07d}"


def operation_time(epoch_seconds: float) -> str:
    """Write a time as long-running operations do: up to seven digits without trailing zeros, UTC, no offset."""
    return service_time(epoch_seconds).rstrip("0").rstrip(".")


def power_bi_time(epoch_seconds: float) -> str:
    """Write a time as Power BI does: milliseconds, and ``Z`` for UTC."""
    return service_time(epoch_seconds)[:-4] + "Z"
