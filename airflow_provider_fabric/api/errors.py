"""From an answer that says no to the exception that says why.

The service's envelope is ``ErrorResponse {errorCode, message, moreDetails[], relatedResource, requestId,
isRetriable}`` (https://learn.microsoft.com/rest/api/fabric/articles/using-fabric-apis#errors). The code may also
come in the header ``x-ms-public-api-error-code`` alone, and a gateway may answer with no envelope at all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_fabric.exceptions import (
    STATUS_ERRORS,
    FabricApiError,
    FabricBadRequestError,
    FabricProtocolError,
    FabricServerError,
    FabricTransportError,
)
from airflow_provider_fabric.remedies import remedy_for

if TYPE_CHECKING:
    from airflow_provider_fabric.api.flow import Request, Response, TransportFailure


@dataclass(frozen=True)
class ErrorDetail:
    """An ``ErrorResponse``, from the body of a refusal, a job's ``failureReason`` or an operation's ``error``.

    :param error_code: stable code.
    :param message: text for people; never matched on.
    :param request_id: what Microsoft's support asks for.
    :param is_retriable: the service's word on it.
    :param more_details: further entries, as they came.
    """

    error_code: str | None = None
    message: str | None = None
    request_id: str | None = None
    is_retriable: bool | None = None
    more_details: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def from_wire(cls, content: object) -> ErrorDetail | None:
        """Read an ``ErrorResponse``, the plain string that old clients report, or nothing."""
        if content is None or content == "" or content == {}:
            return None
        if not isinstance(content, dict):
            return cls(message=str(content))
        nested = content.get("error")
        if isinstance(nested, dict):  # OData shape, as the Power BI API and gateways answer
            content = {"errorCode": nested.get("code"), "message": nested.get("message"), **content}
        details = content.get("moreDetails")
        retriable = content.get("isRetriable")
        return cls(
            error_code=_text(content.get("errorCode") or content.get("code")),
            message=_text(content.get("message")),
            request_id=_text(content.get("requestId")),
            is_retriable=retriable if isinstance(retriable, bool) else None,
            more_details=[d for d in details if isinstance(d, dict)] if isinstance(details, list) else [],
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, in the service's own words, for XCom."""
        pairs = {
            "errorCode": self.error_code,
            "message": self.message,
            "requestId": self.request_id,
            "isRetriable": self.is_retriable,
            "moreDetails": self.more_details or None,
        }
        return {key: value for key, value in pairs.items() if value is not None}

    def __str__(self) -> str:
        """Return code, message, first details and request id, as one line."""
        message = (self.message or "").strip().rstrip(".")
        text = ": ".join(part for part in (self.error_code, message) if part) or "no reason given"
        details = [
            ": ".join(str(part) for part in (d.get("errorCode"), d.get("message")) if part)
            for d in self.more_details[:3]
        ]
        if any(details):
            text += f" [{'; '.join(d for d in details if d)}]"
        return f"{text} (request {self.request_id})" if self.request_id else text


def _text(value: object) -> str | None:
    return str(value) if value not in (None, "") else None


def detail_of(answer: Response) -> ErrorDetail:
    """Return what an unsuccessful answer says, wherever it says it."""
    try:
        detail = ErrorDetail.from_wire(answer.json())
    except FabricProtocolError:
        detail = None
    detail = detail or ErrorDetail()
    return ErrorDetail(
        error_code=detail.error_code or answer.headers.get("x-ms-public-api-error-code"),
        message=detail.message,
        request_id=detail.request_id or answer.headers.get("requestid") or answer.headers.get("x-ms-request-id"),
        is_retriable=detail.is_retriable,
        more_details=detail.more_details,
    )


def api_error(request: Request, answer: Response) -> FabricApiError | FabricProtocolError:
    """Return the exception for an answer that is not a success.

    :param request: what was asked; its ``action`` becomes part of the text.
    :param answer: what came back.
    """
    if 300 <= answer.status < 400:
        return FabricProtocolError(
            f"Could not {request.action}: the service answered {answer.status} with a redirect, which is not "
            "followed, so that the token stays with the configured host. Check the connection's host."
        )
    detail = detail_of(answer)
    default = FabricServerError if answer.status >= 500 else FabricBadRequestError
    error_class = STATUS_ERRORS.get(answer.status, default)
    text = f"Could not {request.action}: {answer.status} {detail}."
    remedy = remedy_for(detail.error_code, answer.status)
    return error_class(
        f"{text} {remedy}" if remedy else text,
        status_code=answer.status,
        error_code=detail.error_code,
        request_id=detail.request_id,
        is_retriable=detail.is_retriable,
        more_details=detail.more_details,
        retry_after=answer.retry_after,
    )


def transport_error(request: Request, failure: TransportFailure) -> FabricTransportError:
    """Return the exception for a request that got no answer."""
    return FabricTransportError(f"Could not {request.action}: {failure.reason}", permanent=failure.permanent)
