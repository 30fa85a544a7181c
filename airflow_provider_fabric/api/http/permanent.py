"""Is an error final? The one answer for the retry policy, polls, sensors and event triggers.

An error is final (permanent) if the same request would surely be refused again. Everything else may pass: an outage, a
throttled minute, a paused capacity, a name server that is down. Whoever waits goes on waiting within its own limits
(:data:`PATIENCE`, a deadline, a task's ``retries``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from airflow_provider_fabric.exceptions import (
    FabricApiError,
    FabricAuthError,
    FabricBadRequestError,
    FabricError,
    FabricInputError,
    FabricJobError,
    FabricNotFoundError,
    FabricOperationError,
    FabricPermissionError,
)

PATIENCE = 1800.0
"""Seconds of nothing but errors after which a wait for a run or an operation ends, although each error may pass."""

PERMANENT_CODES = frozenset(
    {
        "DataflowNeverPublishedError",
        "DataflowNotParametricError",
        "SPNBasedRefreshNotAllowed",
        "PrincipalTypeNotSupported",
        "InsufficientPrivileges",
        "InsufficientScopes",
        "FeatureNotAvailable",
        "FolderDisplayNameAlreadyInUse",
        "InvalidItemType",
        "InvalidJobType",
        "ItemDisplayNameAlreadyInUse",
        "UnsupportedCapacitySKU",
        "WorkspaceTypeNotSupported",
    }
)
"""Codes of refusals and of failed runs that stay until somebody changes something."""

PASSING_CODES = frozenset(
    {
        "CapacityLimitExceeded",
        "CapacityNotActive",
        "CapacityNotAvailable",
        "InvalidCapacityState",
        "ItemDisplayNameNotAvailableYet",
        "RefreshInProgressException",
        "RequestBlocked",
        "TooManyRequestsForCapacity",
        "TooManyRequestsForJobs",
    }
)
"""Codes of refusals that pass though their HTTP status says otherwise: the capacity is paused or full, …"""

_REFUSALS = (FabricBadRequestError, FabricPermissionError, FabricNotFoundError)


def is_permanent(error: BaseException) -> bool:
    """Whether the same would surely fail again.

    The service's own word (``isRetriable: true``) counts most, then its codes, then the HTTP status. A request that
    got no answer is never final, whatever the reason: name servers and proxies have outages too.

    :param error: any exception; one that is not of this package is not judged.
    """
    if isinstance(error, FabricApiError):
        return _is_refused_for_good(error)
    if isinstance(error, FabricOperationError):
        return _is_operation_final(error)
    if isinstance(error, FabricJobError):
        return _is_run_final(error)
    if isinstance(error, FabricAuthError):
        return not (error.is_retriable or error.unreachable)
    return isinstance(error, FabricInputError)


def _is_refused_for_good(error: FabricApiError) -> bool:
    codes = {error.error_code, *_codes_in(error.more_details)}
    if error.is_retriable or codes & PASSING_CODES:
        return False
    if error.status_code == 409:  # in conflict with what is there now, which may change
        return bool(codes & PERMANENT_CODES)
    return isinstance(error, _REFUSALS) and error.status_code != 408


def _is_operation_final(error: FabricOperationError) -> bool:
    if error.is_retriable is not None:
        return not error.is_retriable
    return error.error_code in PERMANENT_CODES


def _is_run_final(error: FabricJobError) -> bool:
    reason = error.failure_reason
    if not isinstance(reason, Mapping) or reason.get("isRetriable") is True:
        return False
    return bool(set(_codes_in([reason])) & PERMANENT_CODES)


def _codes_in(details: Iterable[Any]) -> Iterator[str]:
    """Yield the error codes of ``ErrorResponse`` entries and of their ``moreDetails``, one level deep."""
    for detail in details:
        if not isinstance(detail, Mapping):
            continue
        inner = detail.get("moreDetails")
        for entry in (detail, *(inner if isinstance(inner, list) else ())):
            code = entry.get("errorCode") if isinstance(entry, Mapping) else None
            if isinstance(code, str):
                yield code


def retry_after(error: BaseException) -> float | None:
    """Return how many seconds the service asked to wait, if the error, or what caused it, says so."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, FabricApiError) and seen.retry_after is not None:
            return seen.retry_after
        seen = seen.__cause__ if isinstance(seen.__cause__, FabricError) else None
    return None
