"""The service's error envelope, and the one exception that handlers raise to answer with it.

Shape: ``ErrorResponse {errorCode, message, requestId, moreDetails, relatedResource, isRetriable}`` of Microsoft's
OpenAPI file ``common/definitions.json``. The code is repeated in the header ``x-ms-public-api-error-code``, which
Microsoft's own deployment client reads instead of the body.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

CODE_BY_STATUS = {
    400: "InvalidRequest",
    401: "Unauthorized",
    403: "InsufficientPrivileges",
    404: "EntityNotFound",
    405: "MethodNotAllowed",
    408: "RequestTimeout",
    409: "Conflict",
    429: "RequestBlocked",
    430: "TooManyRequestsForCapacity",
    500: "InternalServerError",
    502: "BadGateway",
    503: "ServiceUnavailable",
    504: "GatewayTimeout",
}
"""The code an injected fault carries when its author names none."""

RETRIABLE_STATUSES = frozenset({408, 429, 430, 500, 502, 503, 504})


@dataclass
class ServiceError(Exception):
    """An answer in the error envelope.

    :param status: HTTP status.
    :param code: ``errorCode``; the part of the envelope that the service promises to keep stable.
    :param message: text for people; clients must not match on it.
    :param more_details: entries of ``moreDetails``.
    :param retry_after: seconds for the header ``Retry-After``, already scaled.
    :param is_retriable: ``isRetriable``; derived from the status when not given.
    """

    status: int
    code: str
    message: str
    more_details: list[dict[str, Any]] = field(default_factory=list)
    retry_after: int | None = None
    is_retriable: bool | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def envelope(self, request_id: str) -> dict[str, Any]:
        """Return the JSON body."""
        retriable = self.status in RETRIABLE_STATUSES if self.is_retriable is None else self.is_retriable
        body: dict[str, Any] = {
            "requestId": request_id,
            "errorCode": self.code,
            "message": self.message,
            "isRetriable": retriable,
        }
        if self.more_details:
            body["moreDetails"] = self.more_details
        return body


def new_request_id() -> str:
    """Return the id that the service would print in its trace."""
    return str(uuid.uuid4())


def invalid_input(message: str, *, code: str = "InvalidInput", detail_code: str = "InvalidParameter") -> ServiceError:
    """400 for a body or parameter of the wrong shape; the offending part is named in ``moreDetails``."""
    return ServiceError(
        400,
        code,
        "The request has an invalid input",
        more_details=[{"errorCode": detail_code, "message": message}],
    )


def not_found(code: str, what: str, identifier: str) -> ServiceError:
    """404 for something that is not there, or is not visible to the caller."""
    return ServiceError(404, code, f"The requested {what} '{identifier}' was not found")
