"""Long-running operations: followed to their end, and no further."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_fabric.api.http.flow import Response
from airflow_provider_fabric.api.http.permanent import PATIENCE
from airflow_provider_fabric.api.models import ErrorDetail, Operation
from airflow_provider_fabric.api.operations import (
    DEFAULT_TIMEOUT,
    finish,
    get_operation_result,
    get_operation_state,
    operation_id_of,
    wait_for_operation,
)
from airflow_provider_fabric.api.status import OperationStatus
from airflow_provider_fabric.exceptions import (
    FabricApiError,
    FabricBadRequestError,
    FabricError,
    FabricInputError,
    FabricOperationError,
    FabricProtocolError,
)
from airflow_provider_fabric.remedies import REMEDIES
from tests.flow_driver import (
    HTML,
    ITEM,
    NO_SUCH_HOST,
    OPERATION,
    WORKSPACE,
    Answer,
    FakeClock,
    drive,
    ok,
    refusal,
)

HOST = "https://api.fabric.microsoft.com"
STATE = f"GET /v1/operations/{OPERATION}"
RESULT = f"{STATE}/result"


def state(status: str, *, result: bool = False, **headers: str) -> Response:
    location = f"{HOST}/v1/operations/{OPERATION}/result" if result else f"{HOST}/v1/operations/{OPERATION}"
    return ok({"status": status, "percentComplete": 50}, location=location, **headers)


def test_it_is_looked_at_until_it_has_succeeded_then_its_result_is_fetched() -> None:
    flow = wait_for_operation(OPERATION, first_poll_after=20.0)
    talk = drive(flow, [state("NotStarted"), state("Running"), state("Succeeded", result=True), ok({"id": ITEM})])
    assert talk.result() == {"id": ITEM}
    assert talk.paths == [STATE, STATE, STATE, RESULT]
    assert talk.sleeps == [20.0, 5.0, 5.0]


def test_a_result_that_is_not_announced_is_not_asked_for() -> None:
    """Asking would be ``OperationHasNoResult``."""
    talk = drive(wait_for_operation(OPERATION), [state("Succeeded")])
    assert talk.result() is None
    assert talk.paths == [STATE]


def test_a_result_that_is_not_there_is_the_services_error() -> None:
    talk = drive(get_operation_result(OPERATION), [refusal(400, "OperationHasNoResult")])
    assert isinstance(talk.error, FabricBadRequestError)
    assert talk.error.error_code == "OperationHasNoResult"


@pytest.mark.parametrize("word", ["Undefined", "NotStarted", "Running", "Paused", "", None, 7])
def test_only_the_words_that_say_so_end_it(word: Any) -> None:
    talk = drive(wait_for_operation(OPERATION), [ok({"status": word}), state("Succeeded")])
    assert talk.result() is None
    assert len(talk.requests) == 2


def test_retry_after_sets_the_pace_but_not_to_a_rush() -> None:
    answers = [state("Running", retry_after="30"), state("Running", retry_after="0"), state("Succeeded")]
    assert drive(wait_for_operation(OPERATION), answers).sleeps == [0.0, 30.0, 1.0]


@pytest.mark.parametrize("retry_after", ["0", "7", "600"])
def test_it_ends_at_the_deadline_whatever_the_pace(retry_after: str) -> None:
    clock = FakeClock()
    deadline = clock() + 1000
    flow = wait_for_operation(OPERATION, deadline=deadline, clock=clock, action="create it")
    talk = drive(flow, lambda _: state("Running", retry_after=retry_after), clock)
    assert isinstance(talk.error, FabricOperationError)
    assert talk.error.operation_id == OPERATION
    assert "create it in time" in str(talk.error)
    assert clock() == deadline


def test_the_default_deadline_is_an_hour() -> None:
    clock = FakeClock()
    start = clock()
    talk = drive(wait_for_operation(OPERATION, clock=clock), lambda _: state("Undefined"), clock)
    assert isinstance(talk.error, FabricOperationError)
    assert clock() == start + DEFAULT_TIMEOUT


def test_an_operation_that_ended_before_a_deadline_long_past_is_still_told() -> None:
    clock = FakeClock()
    flow = wait_for_operation(OPERATION, deadline=clock() - 3600, clock=clock)
    assert drive(flow, [state("Succeeded", result=True), ok({"id": ITEM})], clock).result() == {"id": ITEM}


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (
            {"errorCode": "CorruptedPayload", "message": "m", "requestId": "r"},
            "CorruptedPayload",
            "CorruptedPayload: m (request r)",
        ),
        ("it broke", None, "it broke"),
        (None, None, "no reason given"),
    ],
)
def test_a_failed_operation_says_why(error: Any, code: str | None, text: str) -> None:
    talk = drive(wait_for_operation(OPERATION, action="create it"), [ok({"status": "Failed", "error": error})])
    assert isinstance(talk.error, FabricOperationError)
    assert (talk.error.operation_id, talk.error.error_code) == (OPERATION, code)
    assert f"Could not create it: operation {OPERATION} failed: {text}." in str(talk.error)
    if code:
        assert talk.error.request_id == "r"
        assert REMEDIES[code] in str(talk.error)


def test_the_state_in_full() -> None:
    answer = ok(
        {"status": "Failed", "percentComplete": 70, "error": {"errorCode": "A"}}, location="x/result", retry_after="3"
    )
    operation = drive(get_operation_state(OPERATION), [answer]).result()
    assert operation == Operation(OPERATION, OperationStatus.FAILED, 70, ErrorDetail("A"), True)
    assert operation.retry_after == 3.0
    assert drive(get_operation_state(OPERATION), [ok({"percentComplete": None})]).result().percent_complete is None


def test_an_id_that_leaves_its_place_is_refused_before_anything_is_sent() -> None:
    assert isinstance(drive(get_operation_state("")).error, FabricInputError)
    talk = drive(get_operation_state("../workspaces"), [state("Running")])
    assert talk.paths == ["GET /v1/operations/..%2Fworkspaces"]


@pytest.mark.parametrize(
    "passing",
    [
        HTML,
        NO_SUCH_HOST,
        refusal(403, "CapacityNotActive"),
        refusal(404, "OperationNotFound", {"isRetriable": True}),
        refusal(409, "Busy"),
    ],
)
def test_an_error_that_may_pass_is_waited_out(passing: Answer) -> None:
    clock = FakeClock()
    flow = wait_for_operation(OPERATION, clock=clock)
    talk = drive(flow, [state("Running"), *[passing] * 9, state("Running"), *[passing] * 9, state("Succeeded")], clock)
    assert talk.result() is None
    talk = drive(wait_for_operation(OPERATION, deadline=clock() + 9e9, clock=clock), lambda _: passing, clock)
    assert isinstance(talk.error, FabricError)
    assert PATIENCE <= sum(talk.sleeps) <= PATIENCE + 60


@pytest.mark.parametrize("final", [refusal(403, "InsufficientPrivileges"), refusal(404, "OperationNotFound")])
def test_a_final_error_ends_the_wait_for_an_operation_at_once(final: Answer) -> None:
    talk = drive(wait_for_operation(OPERATION), [state("Running"), final])
    assert isinstance(talk.error, FabricApiError)


def test_errors_until_the_deadline_end_the_wait_for_an_operation() -> None:
    clock = FakeClock()
    talk = drive(wait_for_operation(OPERATION, deadline=clock() + 45.0, clock=clock), [HTML, HTML, HTML], clock)
    assert isinstance(talk.error, FabricProtocolError)
    assert talk.sleeps == [0.0, 30.0, 15.0]


@pytest.mark.parametrize("retriable", [True, False, None])
def test_a_failed_operation_keeps_what_the_service_says_about_repeating_it(retriable: bool | None) -> None:
    failed = ok({"status": "Failed", "error": {"errorCode": "X", "message": "m", "isRetriable": retriable}})
    error = drive(wait_for_operation(OPERATION), [failed]).error
    assert isinstance(error, FabricOperationError)
    assert error.is_retriable is retriable


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x-ms-operation-id": OPERATION}, OPERATION),
        ({"x-ms-operation-id": OPERATION, "location": f"{HOST}/v1/operations/{ITEM}"}, OPERATION),
        ({"location": f"{HOST}/v1/operations/{OPERATION}"}, OPERATION),
        ({"location": f"{HOST}/v1/operations/{OPERATION}/result"}, OPERATION),
        ({"location": f"https://evil.example/v1/operations/{OPERATION}"}, OPERATION),
        ({"location": f"{HOST}/v1/workspaces/{WORKSPACE}/items/{ITEM}"}, None),
        ({"x-ms-operation-id": "../../x", "location": f"{HOST}/v1/operations"}, None),
        ({}, None),
    ],
)
def test_which_operation_an_answer_names(headers: dict[str, str], expected: str | None) -> None:
    assert operation_id_of(Response(202, headers)) == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (ok({"id": ITEM}), {"id": ITEM}),
        (ok({"id": ITEM}, 201), {"id": ITEM}),
        (ok(), None),
        (Response(200, body=b" null"), None),
        (Response(200, body=b"200 OK"), None),
        (Response(200, body=b" 200 ok\n"), None),
        (Response(201, body=b"201 Created"), None),
        (Response(200, body=b"OK"), None),
    ],
)
def test_what_is_answered_now_is_taken_now(answer: Response, expected: Any) -> None:
    talk = drive(finish(answer, "create it"))
    assert talk.result() == expected
    assert talk.requests == []


def test_202_is_followed_after_the_time_it_asks_for() -> None:
    answer = ok(status=202, x_ms_operation_id=OPERATION, retry_after="20")
    talk = drive(finish(answer, "create it"), [state("Succeeded", result=True), ok({"id": ITEM})])
    assert talk.result() == {"id": ITEM}
    assert talk.sleeps == [20.0]
    assert drive(finish(ok(status=202, x_ms_operation_id=OPERATION), "x"), [state("Succeeded")]).sleeps == [5.0]


def test_a_link_of_an_operation_to_another_host_is_not_followed() -> None:
    answer = ok(status=202, location=f"https://evil.example/v1/operations/{OPERATION}")
    talk = drive(finish(answer, "create it"), [state("Succeeded")])
    assert talk.paths == [STATE]


@pytest.mark.parametrize("headers", [{}, {"location": "https://api.fabric.microsoft.com/"}, {"x_ms_operation_id": "x"}])
def test_202_without_an_operation_says_that_it_may_have_been_done(headers: dict[str, str]) -> None:
    talk = drive(finish(ok(status=202, **headers), "create it"))
    with pytest.raises(FabricProtocolError, match=r"create it.*may have been"):
        talk.result()
