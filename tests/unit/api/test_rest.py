"""Any call of the API: what is sent, and what is refused before anything is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_fabric.api.http.flow import Response
from airflow_provider_fabric.api.rest import request
from airflow_provider_fabric.exceptions import (
    FabricAmbiguousError,
    FabricInputError,
    FabricNameError,
    FabricOperationError,
    FabricProtocolError,
)
from tests.flow_driver import ITEM, LOST, OTHER_JOB, WORKSPACE, drive, page, refusal


def ok(content: Any = None, **headers: str) -> Response:
    return Response(200, {"content-type": "application/json", **headers}, json.dumps(content).encode())


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/workspaces/{workspace}/items", f"/v1/workspaces/{WORKSPACE}/items"),
        ("workspaces/{workspace}/items/{item}", f"/v1/workspaces/{WORKSPACE}/items/{ITEM}"),
        ("/v1/capacities", "/v1/capacities"),
        ("/v1.0/myorg", "/v1.0/myorg"),
        ("/v1beta", "/v1/v1beta"),
        ("/workspaces/{workspace}/a%20b", f"/v1/workspaces/{WORKSPACE}/a%20b"),
    ],
)
def test_the_path_that_is_sent(path: str, sent: str) -> None:
    talk = drive(request("GET", path, workspace=WORKSPACE, item=ITEM), [ok({})])
    assert [r.path for r in talk.requests] == [sent]


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("https://evil.example/v1/x", "names a host"),
        ("//evil.example/x", "names a host"),
        ("/workspaces/../../admin", "leave the API"),
        ("/workspaces/%2e%2e/admin", "leave the API"),
        ("/workspaces/%252e%252e/admin", "leave the API"),
        ("/workspaces/..%2fadmin", "leave the API"),
        ("/a%5c..%5cb", "leave the API"),
        ("/a//b", "leave the API"),
        ("/a?x=1", "query"),
        ("/a#b", "fragment"),
        ("/a b", "character"),
        ("/a\r\nHost: evil", "character"),
        ("", "path must be text"),
        (None, "path must be text"),
        ("/workspaces/{lakehouse}", "{lakehouse} is not known"),
        ("/workspaces/{}", "{} is not known"),
    ],
)
def test_a_path_that_leaves_the_api_is_refused(path: Any, why: str) -> None:
    with pytest.raises(FabricInputError, match="path") as refused:
        drive(request("GET", path, workspace=WORKSPACE), []).result()
    assert why in str(refused.value)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"method": "POST"}, "replay_safe"),
        ({"method": "TRACE"}, "method"),
        ({"method": "POST", "replay_safe": "no"}, "replay_safe"),
        ({"method": "PUT", "json": {}, "data": b""}, "one body"),
        ({"method": "PUT", "data": 5}, "data"),
        ({"method": "POST", "replay_safe": True, "pages": True}, "pages"),
        ({"method": "GET", "query": "a=b"}, "query"),
        ({"method": "GET", "query": {"a": [1]}}, "query"),
        ({"method": "GET", "path": "/workspaces/{workspace}", "workspace": None}, "workspace"),
        ({"method": "GET", "path": "/items/{item}", "item": None}, "item"),
        ({"method": "GET", "workspace": None, "item": ITEM}, "workspace"),
    ],
)
def test_wrong_arguments_are_named_before_anything_is_sent(arguments: dict[str, Any], why: str) -> None:
    given = {"path": "/workspaces/{workspace}/x", "workspace": WORKSPACE, **arguments}
    with pytest.raises(FabricInputError, match=why):
        drive(request(given.pop("method"), given.pop("path"), **given), []).result()


def test_names_are_resolved_and_a_wrong_one_sends_nothing_else() -> None:
    workspaces = page({"id": WORKSPACE, "displayName": "Sales"})
    items = page({"id": ITEM, "displayName": "Bronze", "type": "Lakehouse"})
    flow = request(
        "GET", "/workspaces/{workspace}/items/{item}", workspace="Sales", item="Bronze", item_type="Lakehouse"
    )
    talk = drive(flow, [workspaces, items, ok({"id": ITEM})])
    assert talk.result() == {"id": ITEM}
    with pytest.raises(FabricNameError):
        drive(request("GET", "/workspaces/{workspace}", workspace="Sailes"), [workspaces]).result()


def test_a_post_that_must_not_be_repeated_is_sent_once() -> None:
    flow = request("POST", "/workspaces/{workspace}/x", workspace=WORKSPACE, replay_safe=False, json={"a": 1})
    talk = drive(flow, [LOST])
    with pytest.raises(FabricAmbiguousError):
        talk.result()
    assert len(talk.requests) == 1


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
def test_what_may_be_repeated_is(method: str) -> None:
    talk = drive(request(method, "/workspaces/{workspace}/x", workspace=WORKSPACE), [LOST, refusal(503), ok({"a": 1})])
    assert talk.result() == {"a": 1}
    assert len(talk.requests) == 3


def test_a_patch_is_not_repeated_unless_the_author_says_so() -> None:
    with pytest.raises(FabricAmbiguousError):
        drive(request("PATCH", "/x", json={}), [LOST]).result()
    assert drive(request("PATCH", "/x", json={}, replay_safe=True), [LOST, ok({})]).result() == {}


def test_pages_are_joined() -> None:
    talk = drive(request("GET", "/x", pages=True), [page({"id": "1"}, token="t"), page({"id": "2"})])
    assert talk.result() == [{"id": "1"}, {"id": "2"}]


def test_a_long_running_operation_is_followed() -> None:
    accepted = Response(202, {"x-ms-operation-id": OTHER_JOB, "retry-after": "3"})
    done = ok({"status": "Succeeded"}, location=f"https://host/v1/operations/{OTHER_JOB}/result")
    talk = drive(request("POST", "/x", replay_safe=False), [accepted, done, ok({"made": True})])
    assert talk.result() == {"made": True}
    assert talk.sleeps == [3.0]


@pytest.mark.parametrize(
    "path",
    [
        "/workspaces/{workspace}/items/{item}/jobs/Execute/instances",
        "/workspaces/{workspace}/items/{item}/jobs/instances",
        "/workspaces/{workspace}/notebooks/{item}/jobs/execute/instances/",
        "/workspaces/{workspace}/items/{item}/JOBS/RunNotebook/%49nstances",
    ],
)
def test_what_starts_a_job_is_refused(path: str) -> None:
    flow = request("POST", path, workspace=WORKSPACE, item=ITEM, replay_safe=False)
    with pytest.raises(FabricInputError, match=r"path: .* starts a job.*FabricRunItemJobOperator"):
        drive(flow, []).result()


@pytest.mark.parametrize("end", ["", f"/{OTHER_JOB}", f"/{OTHER_JOB}/cancel"])
def test_other_calls_about_jobs_are_not(end: str) -> None:
    path = f"/workspaces/{WORKSPACE}/items/{ITEM}/jobs/instances{end}"
    method = "POST" if end.endswith("cancel") else "GET"
    talk = drive(request(method, path, replay_safe=True, acceptance_is_enough=True), [Response(202)])
    assert talk.result() is None


def test_an_answer_that_cannot_be_read_does_not_make_it_be_sent_again() -> None:
    cut = Response(200, {"content-type": "application/json"}, b'{"cut')
    with pytest.raises(FabricAmbiguousError, match="carried out"):
        drive(request("POST", "/x", replay_safe=False), [cut]).result()
    with pytest.raises(FabricProtocolError):
        drive(request("POST", "/x", replay_safe=True), [cut]).result()


@pytest.mark.parametrize("value", ["", "a\r\nX: y", "a\n", " a", None, "é"])
@pytest.mark.parametrize("name", ["accept", "content_type"])
def test_a_media_type_is_one_header(name: str, value: Any) -> None:
    with pytest.raises(FabricInputError, match=name):
        drive(request("GET", "/x", **{name: value}), []).result()


def test_the_media_type_is_asked_for_in_the_result_too() -> None:
    accepted = Response(202, {"x-ms-operation-id": OTHER_JOB})
    done = ok({"status": "Succeeded"}, location=f"https://host/v1/operations/{OTHER_JOB}/result")
    binary = Response(200, {"content-type": "application/vnd.apache.arrow.stream"}, b"\xff\xff")
    talk = drive(request("POST", "/x", replay_safe=True, accept="a/b"), [accepted, done, binary])
    assert talk.result() == b"\xff\xff"
    assert [r.accept for r in talk.requests] == ["a/b", "application/json", "a/b"]


def test_pages_of_tables_are_called_data() -> None:
    first = ok({"data": [{"name": "a"}], "continuationToken": "t"})
    talk = drive(request("GET", "/x", pages=True), [first, ok({"data": [{"name": "b"}]})])
    assert talk.result() == [{"name": "a"}, {"name": "b"}]


UNFOLLOWED = Response(202, {"content-type": "application/json", "location": "https://x/y"}, b'{"jobInstanceId": "x"}')


def test_202_that_names_no_operation_is_no_success() -> None:
    talk = drive(request("POST", "/x", replay_safe=False), [UNFOLLOWED])
    assert isinstance(talk.error, FabricAmbiguousError)
    assert talk.error.accepted
    assert "names no operation" in str(talk.error)
    assert "acceptance_is_enough=True" in str(talk.error)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "GET"])
def test_neither_is_it_one_of_a_request_that_may_be_repeated(method: str) -> None:
    talk = drive(request(method, "/x", replay_safe=True), [UNFOLLOWED])
    assert isinstance(talk.error, FabricProtocolError)
    assert len(talk.requests) == 1


def test_it_returns_what_it_says_if_acceptance_is_enough() -> None:
    flow = request("POST", "/x", replay_safe=False, acceptance_is_enough=True)
    assert drive(flow, [UNFOLLOWED]).result() == {"jobInstanceId": "x"}


def test_an_operation_is_followed_though_acceptance_is_enough() -> None:
    accepted = Response(202, {"x-ms-operation-id": OTHER_JOB})
    flow = request("POST", "/x", replay_safe=False, acceptance_is_enough=True)
    talk = drive(flow, [accepted, ok({"status": "Failed", "error": {"errorCode": "E", "message": "m"}})])
    assert isinstance(talk.error, FabricOperationError)


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("application/json; charset=utf-8", b"[1]", [1]),
        ("application/problem+json", b'{"a": 1}', {"a": 1}),
        ("text/plain", b"200 OK", "200 OK"),
        ("application/vnd.apache.arrow.stream", b"\x00\x01", b"\x00\x01"),
        ("", b'{"a": 1}', {"a": 1}),
        ("application/json", b"", None),
    ],
)
def test_what_comes_back(kind: str, body: bytes, expected: Any) -> None:
    assert drive(request("GET", "/x"), [Response(200, {"content-type": kind}, body)]).result() == expected


def test_an_answer_that_is_not_what_it_says_is_a_typed_error() -> None:
    with pytest.raises(FabricProtocolError):
        drive(request("GET", "/x"), [Response(200, {"content-type": "application/json"}, b"<html>")]).result()


def test_query_and_body() -> None:
    flow = request(
        "POST", "/x", query={"a": True, "b": 1, "c": None}, data="text", content_type="text/csv", replay_safe=True
    )
    (sent,) = drive(flow, [ok({})]).requests
    assert sent.params == {"a": "true", "b": "1"}
    assert (sent.content, sent.content_type, sent.json) == (b"text", "text/csv", None)
