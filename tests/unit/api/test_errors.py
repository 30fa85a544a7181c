"""From an answer that says no to the exception that says why."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_fabric.api.http.errors import api_error, detail_of, transport_error
from airflow_provider_fabric.api.http.flow import Request, Response
from airflow_provider_fabric.api.models import ErrorDetail
from airflow_provider_fabric.exceptions import (
    FabricApiError,
    FabricBadRequestError,
    FabricCapacityError,
    FabricConflictError,
    FabricError,
    FabricNotFoundError,
    FabricPermissionError,
    FabricProtocolError,
    FabricServerError,
    FabricThrottledError,
    FabricUnauthorizedError,
)
from airflow_provider_fabric.remedies import REMEDIES
from tests.flow_driver import LOST, NO_SUCH_HOST, refusal

REQUEST = Request("POST", "/v1/x", "start job 'Execute' of item 'Daily load'")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, FabricBadRequestError),
        (401, FabricUnauthorizedError),
        (403, FabricPermissionError),
        (404, FabricNotFoundError),
        (405, FabricBadRequestError),
        (408, FabricBadRequestError),
        (409, FabricConflictError),
        (422, FabricBadRequestError),
        (429, FabricThrottledError),
        (430, FabricCapacityError),
        (500, FabricServerError),
        (503, FabricServerError),
        (599, FabricServerError),
        (301, FabricProtocolError),
        (304, FabricProtocolError),
    ],
)
def test_the_status_decides_the_class(status: int, kind: type[FabricError]) -> None:
    assert type(api_error(REQUEST, refusal(status, "SomeCode"))) is kind


def test_all_that_the_service_says_becomes_a_field() -> None:
    details = [{"errorCode": "Inner", "message": "because"}, "not a mapping"]
    answer = refusal(429, "RequestBlocked", {"isRetriable": True, "moreDetails": details}, retry_after="55")
    error = api_error(REQUEST, answer)
    assert isinstance(error, FabricApiError)
    assert (error.status_code, error.error_code, error.request_id) == (429, "RequestBlocked", "req-1")
    assert (error.is_retriable, error.retry_after) == (True, 55.0)
    assert error.more_details == [{"errorCode": "Inner", "message": "because"}, {"message": "not a mapping"}]


def test_the_text_says_what_for_why_and_what_to_do() -> None:
    details = [{"errorCode": "Inner", "message": "because"}]
    text = str(api_error(REQUEST, refusal(403, "InsufficientPrivileges", {"moreDetails": details})))
    assert text == (
        "Could not start job 'Execute' of item 'Daily load': 403 InsufficientPrivileges: said the service "
        f"[Inner: because] (request req-1). {REMEDIES['InsufficientPrivileges']}"
    )


def test_a_code_without_remedy_adds_nothing() -> None:
    assert str(api_error(REQUEST, refusal(400, "Strange"))).endswith("400 Strange: said the service (request req-1).")


@pytest.mark.parametrize("body", [b"", b"<html>Forbidden</html>", b'{"errorCode": "Cut', b"[]", b"null", b"{}"])
def test_a_refusal_without_envelope_is_still_told_by_its_headers(body: bytes) -> None:
    headers = {"x-ms-public-api-error-code": "UnknownError", "requestid": "req-2"}
    error = api_error(REQUEST, Response(403, headers, body))
    assert isinstance(error, FabricPermissionError)
    assert (error.error_code, error.request_id, error.is_retriable) == ("UnknownError", "req-2", None)
    assert "<html>" not in str(error)


def test_the_body_goes_before_the_headers() -> None:
    headers = {"x-ms-public-api-error-code": "Header", "requestid": "h-1", "x-ms-request-id": "h-2"}
    body = json.dumps({"errorCode": "Body", "requestId": "b-1"}).encode()
    assert detail_of(Response(400, headers, body)) == ErrorDetail("Body", None, "b-1")
    assert detail_of(Response(400, headers)).request_id == "h-1"
    assert detail_of(Response(400, {"x-ms-request-id": "h-2"})).request_id == "h-2"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, None),
        ("", None),
        ({}, None),
        ("it broke", ErrorDetail(message="it broke")),
        (["it", "broke"], ErrorDetail(message="it", more_details=[{"message": "broke"}])),
        ({"errorCode": "A", "message": "b"}, ErrorDetail("A", "b")),
        ({"code": "A"}, ErrorDetail("A")),
        ({"error": {"code": "A", "message": "b"}}, ErrorDetail("A", "b")),
        ({"error": {"code": "A"}, "errorCode": "Outer"}, ErrorDetail("Outer", more_details=[{"errorCode": "A"}])),
        ({"error": "text"}, ErrorDetail(message="text")),
        ({"errorCode": 17, "isRetriable": "yes", "moreDetails": {}}, ErrorDetail("17")),
        ({"errorCode": "A", "isRetriable": False}, ErrorDetail("A", is_retriable=False)),
    ],
)
def test_failure_reasons_of_every_shape_seen(content: object, expected: ErrorDetail | None) -> None:
    assert ErrorDetail.from_wire(content) == expected


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda x: (
            st.lists(x)
            | st.dictionaries(
                st.sampled_from(["error", "errorCode", "code", "message", "requestId", "isRetriable", "moreDetails"]), x
            )
        ),
    )
)
def test_no_shape_breaks_the_telling(content: Any) -> None:
    detail = ErrorDetail.from_wire(content)
    if detail is not None:
        assert str(detail)
        json.dumps(detail.to_dict())
        assert {type(detail.error_code), type(detail.message), type(detail.request_id)} <= {str, type(None)}


def test_plain_values_leave_out_what_was_not_said() -> None:
    assert ErrorDetail("A", is_retriable=False).to_dict() == {"errorCode": "A", "isRetriable": False}
    assert ErrorDetail().to_dict() == {}
    full = {
        "errorCode": "A",
        "message": "b",
        "requestId": "c",
        "isRetriable": True,
        "moreDetails": [{"errorCode": "D"}],
    }
    assert ErrorDetail.from_wire(full).to_dict() == full  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("detail", "text"),
    [
        (ErrorDetail(), "no reason given"),
        (ErrorDetail("A"), "A"),
        (ErrorDetail(message="b"), "b"),
        (ErrorDetail("A", "b", "c"), "A: b (request c)"),
        (ErrorDetail("A", more_details=[{}, {"message": "m"}, {"errorCode": "E"}, {"errorCode": "4th"}]), "A [m; E]"),
        (ErrorDetail("A", more_details=[{}]), "A"),
    ],
)
def test_a_detail_on_one_line(detail: ErrorDetail, text: str) -> None:
    assert str(detail) == text


def test_no_answer_says_what_for_and_why() -> None:
    error = transport_error(REQUEST, LOST)
    assert str(error) == "Could not start job 'Execute' of item 'Daily load': the connection was reset"
    assert not error.permanent
    assert transport_error(REQUEST, NO_SUCH_HOST).permanent
