"""Why it failed is shown, whatever the envelope: on one line, bounded, without a token."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_fabric.api.error_detail import ErrorDetail, plain_body
from airflow_provider_fabric.api.http.errors import api_error
from airflow_provider_fabric.api.http.flow import Request, Response
from airflow_provider_fabric.api.jobs.activities import failed_activities, summary
from airflow_provider_fabric.api.models import JobInstance
from airflow_provider_fabric.api.operations import wait_for_operation
from airflow_provider_fabric.api.plain_text import one_line
from airflow_provider_fabric.api.semantic_models import get_semantic_model_refresh, list_semantic_model_refreshes
from airflow_provider_fabric.exceptions import FabricApiError, FabricOperationError
from airflow_provider_fabric.retry_policies import is_permanent
from tests.flow_driver import ITEM, JOB, OPERATION, WORKSPACE, drive, instance, ok, refusal

REFUSED = "The login for user etl_reader was refused."
POWER_BI: dict[str, Any] = {
    "error": {
        "code": "DM_GWPipeline_Gateway_DataSourceAccessError",
        "pbi.error": {
            "code": "DM_GWPipeline_Gateway_DataSourceAccessError",
            "parameters": {},
            "details": [
                {"code": "DM_ErrorDetailNameCode_UnderlyingHResult", "detail": {"type": 1, "value": "-2147467259"}},
                {"code": "DM_ErrorDetailNameCode_UnderlyingErrorCode", "detail": {"type": 1, "value": "18456"}},
                {"code": "DM_ErrorDetailNameCode_X", "detail": {"type": 1, "value": "x"}},
                {"code": "DM_ErrorDetailNameCode_UnderlyingErrorMessage", "detail": {"type": 1, "value": REFUSED}},
            ],
            "exceptionCulprit": 1,
        },
    }
}
AS_TEXT = json.dumps(POWER_BI)
ODATA = {
    "error": {
        "code": "BadRequest",
        "message": "Bad Request",
        "details": [{"message": "notifyOption is not allowed", "target": "notifyOption"}],
    }
}
CHAIN = (
    "Operation on target Nightly failed: Fabric pipeline execution failed, error message received from failing "
    "pipeline - 'Operation on target Load failed: Login refused'"
)

ENVELOPES: list[tuple[Any, list[str]]] = [
    (POWER_BI, ["DM_GWPipeline_Gateway_DataSourceAccessError", REFUSED]),
    (AS_TEXT, ["DM_GWPipeline_Gateway_DataSourceAccessError", REFUSED]),
    (json.dumps(AS_TEXT), ["DM_GWPipeline_Gateway_DataSourceAccessError", REFUSED]),
    ({"errorCode": "RequestExecutionFailed", "message": AS_TEXT}, ["RequestExecutionFailed", REFUSED, "DM_GWPipeline"]),
    ({"Message": AS_TEXT}, ["DM_GWPipeline_Gateway_DataSourceAccessError", REFUSED]),
    ({"serviceExceptionJson": AS_TEXT}, ["DM_GWPipeline_Gateway_DataSourceAccessError", REFUSED]),
    ({"serviceExceptionJson": json.dumps({"errorCode": "ModelRefreshFailed"})}, ["ModelRefreshFailed"]),
    (ODATA, ["BadRequest", "Bad Request", "notifyOption is not allowed"]),
    ({"error": {"code": "A", "innererror": {"message": "deep", "innererror": {"code": "B"}}}}, ["A", "deep", "B"]),
    ({"errorCode": "A", "message": "m", "moreDetails": {"errorCode": "B", "message": "why"}}, ["A: m", "B: why"]),
    ({"errorCode": "A", "message": "m", "moreDetails": ["first", "second"]}, ["A: m", "first", "second"]),
    ({"errorCode": "A", "moreDetails": [{"errorCode": "B", "moreDetails": [{"message": "why"}]}]}, ["A", "B", "why"]),
    ({"errorCode": "A", "moreDetails": "only a text"}, ["A", "only a text"]),
    ({"errorCode": "A", "moreDetails": {"reason": "an unknown key"}}, ["A", "an unknown key"]),
    ({"ErrorCode": "A", "Message": "m", "MoreDetails": [{"ErrorCode": "B", "Message": "why"}]}, ["A: m", "B: why"]),
    ({"Error": {"Code": "A", "Message": "m"}}, ["A: m"]),
    ([{"errorCode": "A", "message": "m"}, {"errorCode": "B", "message": "why"}], ["A: m", "B: why"]),
    (["a text", "another"], ["a text", "another"]),
    ({"errors": [{"code": "A", "message": "m"}, {"message": "why"}]}, ["A: m", "why"]),
    ({"error": "invalid", "error_description": "said why"}, ["said why", "invalid"]),
    ({"type": "about:blank", "title": "Forbidden", "detail": "not yours", "status": 403}, ["not yours", "Forbidden"]),
    ({"message": {"lang": "en", "value": "in a language"}}, ["in a language"]),
    ({"Something": {"else": "entirely"}}, ["entirely"]),
    ("plain text", ["plain text"]),
    ('{"not": "whole', ['{"not": "whole']),
    (17, ["17"]),
]


@pytest.mark.parametrize(("content", "texts"), ENVELOPES)
class TestEveryEnvelope:
    def test_as_failure_reason(self, content: Any, texts: list[str]) -> None:
        detail = ErrorDetail.from_wire(content)
        assert detail is not None
        assert [text for text in texts if text not in str(detail)] == []

    def test_again_after_it_crossed_xcom(self, content: Any, texts: list[str]) -> None:
        first = ErrorDetail.from_wire(content)
        assert first is not None
        again = ErrorDetail.from_wire(json.loads(json.dumps(first.to_dict())))
        assert [text for text in texts if text not in str(again)] == []

    def test_as_a_refusal(self, content: Any, texts: list[str]) -> None:
        error = api_error(Request("GET", "/x", "ask"), Response(400, {}, json.dumps(content).encode()))
        assert [text for text in texts if text.rstrip(".") not in str(error)] == []

    def test_as_a_failed_operations_error(self, content: Any, texts: list[str]) -> None:
        error = drive(wait_for_operation(OPERATION), [ok({"status": "Failed", "error": content})]).error
        assert isinstance(error, FabricOperationError)
        assert [text for text in texts if text.rstrip(".") not in str(error)] == []

    def test_as_a_failed_run(self, content: Any, texts: list[str]) -> None:
        run = JobInstance.from_wire(instance("Failed", failureReason=content))
        assert [text for text in texts if text not in str(run.failure_reason)] == []

    def test_as_a_failed_refresh(self, content: Any, texts: list[str]) -> None:
        text = content if isinstance(content, str) else json.dumps(content)
        for failed in (
            {"status": "Failed", "serviceExceptionJson": text},
            {"status": "Failed", "refreshAttempts": [{"attemptId": 1}, {"serviceExceptionJson": text}]},
            {"status": "Failed", "messages": [{"code": "M", "message": text}, {"type": "Warning", "message": "no"}]},
        ):
            refresh = drive(get_semantic_model_refresh(WORKSPACE, ITEM, JOB), [ok(failed)]).result()
            assert [text for text in texts if text not in str(refresh.failure_reason)] == []
            listed = ok({"value": [{"requestId": JOB, **failed}]})
            assert drive(list_semantic_model_refreshes(WORKSPACE, ITEM), [listed]).result() == [refresh]

    def test_as_a_failed_activitys_error(self, content: Any, texts: list[str]) -> None:
        for error in (content, {"errorCode": "2200", "message": content}):
            said = summary(failed_activities([{"activityName": "Copy", "status": "Failed", "error": error}]))
            assert [t for t in texts for part in t.split(": ") if part.rstrip(".") not in said] == []


def test_invoke_pipelines_wording_around_a_chain() -> None:
    run = {"activityName": "Call", "activityType": "InvokePipeline", "status": "Failed"}
    for message in (CHAIN, CHAIN + ".", {"message": CHAIN}["message"]):
        (activity,) = failed_activities([{**run, "error": {"errorCode": "2011", "message": message}}])
        assert (activity.inside, activity.message) == (("Nightly", "Load"), "Login refused")
    (deep,) = failed_activities([{**run, "error": {"message": CHAIN.replace("Login refused", AS_TEXT)}}])
    assert deep.inside == ("Nightly", "Load")
    assert REFUSED in deep.message


@pytest.mark.parametrize("retriable", [True, False])
def test_a_failed_operations_word_on_repeating_reaches_the_retry_policy(retriable: bool) -> None:
    for error in ({"errorCode": "A", "isRetriable": retriable}, {"error": {"code": "A", "isRetriable": retriable}}):
        failed = drive(wait_for_operation(OPERATION), [ok({"status": "Failed", "error": error})]).error
        assert failed is not None
        assert is_permanent(failed) is not retriable


INNER = [{"errorCode": "B\n", "message": "m\x1b[0m" * 100_000}] * 9
HOSTILE = "begin\n2026-01-01 ERROR forged\r\n\x1b[31mred\x1b[0m \x07\x00\u202e\u2028" + "x" * 1_000_000 + " the end"


@pytest.mark.parametrize(
    "answer",
    [
        refusal(400, "A\nB\x1b[31m", {"message": HOSTILE, "moreDetails": INNER}),
        Response(400, {"requestid": "r\x1b[2J", "x-ms-public-api-error-code": HOSTILE}, HOSTILE.encode()),
        Response(400, {}, f"<html><body>{HOSTILE}</body></html>".encode()),
        Response(400, {}, json.dumps(HOSTILE).encode()),
        Response(400, {}, json.dumps([HOSTILE] * 50).encode()),
        Response(400, {}, json.dumps({HOSTILE: HOSTILE}).encode()),
    ],
)
def test_text_of_the_service_is_one_bounded_line(answer: Response) -> None:
    error = api_error(Request("GET", "/x", "ask"), answer)
    assert isinstance(error, FabricApiError)
    for text in (str(error), error.error_code or "", error.request_id or "", json.dumps(error.more_details)):
        assert text.isprintable()
        assert len(text) < 20_000
    assert len(str(error)) < 5_000
    assert "begin" in str(error)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one", "one"),
        (" two\r\n lines\t", "two lines"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("bell\x07 nul\x00 del\x7f c1\x9b", "bell\\x07 nul\\x00 del\\x7f c1\\x9b"),
        ("left\u202eright \u2066x \ufeff", "left\\u202eright \\u2066x \\ufeff"),
        ("half \ud800", "half \\ud800"),
        ("Grüße, 日本語 😀", "Grüße, 日本語 😀"),
        ("Authorization: Bearer abcdefgh12345678", "Authorization: Bearer ***"),
        ("x eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln y", "x *** y"),
        ("a bearer of news", "a bearer of news"),
    ],
)
def test_one_line(text: str, expected: str) -> None:
    assert one_line(text) == expected


def test_a_long_text_loses_its_middle() -> None:
    text = one_line("begin " + "x" * 10_000 + " end", 200)
    assert len(text) == 200
    assert text.startswith("begin xxx")
    assert text.endswith("xxx end")
    assert "characters left out" in text
    assert one_line("x" * 100, 10) == "x" * 9 + "…"


@given(st.text(), st.integers(40, 300))
def test_any_text_is_one_bounded_line(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line) <= limit
    assert "\n" not in line
    line.encode()
    assert one_line(line, limit) == line


def test_a_page_without_tags() -> None:
    assert plain_body(b"<html><h1>403 Forbidden</h1> by  the\n gateway</html>") == "403 Forbidden by the gateway"
    assert plain_body(b"<" * 20_000)
    assert plain_body(b"") == ""
