"""From an answer that says no to the exception that says why.

The service's envelope is ``ErrorResponse {errorCode, message, moreDetails[], relatedResource, requestId,
isRetriable}`` (https://learn.microsoft.com/rest/api/fabric/articles/using-fabric-apis#errors). The code may also
come in the header ``x-ms-public-api-error-code`` alone, and a gateway may answer with no envelope at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_fabric.api.error_detail import ErrorDetail, plain_body
from airflow_provider_fabric.api.plain_text import MAX_CODE, one_line
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
    from airflow_provider_fabric.api.http.flow import Request, Response, TransportFailure


def detail_of(answer: Response) -> ErrorDetail:
    """Return what an unsuccessful answer says, wherever it says it."""
    try:
        detail = ErrorDetail.from_wire(answer.json()) or ErrorDetail()
    except FabricProtocolError:
        text = f"its body {answer.unread}" if answer.unread else plain_body(answer.body)
        detail = ErrorDetail(message=text or None)
    headers = answer.headers
    return replace(
        detail,
        error_code=detail.error_code or _header(headers, "x-ms-public-api-error-code"),
        request_id=detail.request_id or _header(headers, "requestid") or _header(headers, "x-ms-request-id"),
    )


def _header(headers: Mapping[str, str], name: str) -> str | None:
    return one_line(headers.get(name, ""), MAX_CODE) or None


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
