"""Which errors repeating cannot mend. The rest may pass: a blip, a throttled minute, a run that failed on its data."""

from __future__ import annotations

from airflow_provider_fabric.exceptions import (
    FabricApiError,
    FabricAuthError,
    FabricBadRequestError,
    FabricConflictError,
    FabricError,
    FabricInputError,
    FabricJobError,
    FabricNotFoundError,
    FabricPermissionError,
    FabricTransportError,
)

PERMANENT_CODES = frozenset(
    {
        "DataflowNeverPublishedError",
        "DataflowNotParametricError",
        "SPNBasedRefreshNotAllowed",
        "PrincipalTypeNotSupported",
        "InsufficientPrivileges",
        "InsufficientScopes",
        "FeatureNotAvailable",
        "InvalidItemType",
        "InvalidJobType",
        "UnsupportedCapacitySKU",
        "WorkspaceTypeNotSupported",
    }
)
"""Codes of failed runs that will fail again until somebody changes something."""

PASSING_CODES = frozenset({"ItemDisplayNameNotAvailableYet", "RefreshInProgressException", "CapacityNotActive"})
"""Codes of refusals that pass though their HTTP status says otherwise."""

_REFUSALS = (FabricBadRequestError, FabricPermissionError, FabricNotFoundError, FabricConflictError)


def is_permanent(error: BaseException) -> bool:
    """Whether the same would surely fail again.

    The service's own word (``isRetriable``) counts most.

    :param error: any exception; one that is not of this package is not judged.
    """
    if isinstance(error, FabricApiError):
        return _refused_for_good(error)
    if isinstance(error, FabricJobError):
        return _failed_for_good(error)
    if isinstance(error, FabricAuthError):
        return not error.is_retriable
    if isinstance(error, FabricTransportError):
        return error.permanent
    return isinstance(error, FabricInputError)


def _refused_for_good(error: FabricApiError) -> bool:
    if error.is_retriable or error.error_code in PASSING_CODES:
        return False
    return isinstance(error, _REFUSALS) and error.status_code != 408


def _failed_for_good(error: FabricJobError) -> bool:
    reason = error.failure_reason
    code = reason.get("errorCode") if isinstance(reason, dict) else None
    return code in PERMANENT_CODES


def retry_after(error: BaseException) -> float | None:
    """Return how many seconds the service asked to wait, if the error, or what caused it, says so."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, FabricApiError) and seen.retry_after is not None:
            return seen.retry_after
        seen = seen.__cause__ if isinstance(seen.__cause__, FabricError) else None
    return None
