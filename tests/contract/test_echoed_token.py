"""A server that hands the request's own headers back, in every way it can: the token is in nothing that we keep."""

from __future__ import annotations

import asyncio
import base64
import html
import json
import logging
import pickle
import traceback
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest

from airflow_provider_fabric.api.connection.settings import FabricSettings
from airflow_provider_fabric.api.http.flow import Flow, Request, Response
from airflow_provider_fabric.api.http.transport import HttpxDriver, RequestsDriver
from airflow_provider_fabric.api.items.items import get_item, list_items
from airflow_provider_fabric.api.items.names import resolve_item
from airflow_provider_fabric.api.jobs.instances import cancel_item_job_instance, get_item_job_instance, run_item_job
from airflow_provider_fabric.api.jobs.listing import list_item_job_instances
from airflow_provider_fabric.api.jobs.polling import wait_for_job_instance
from airflow_provider_fabric.api.operations import wait_for_operation
from airflow_provider_fabric.api.refresh_requests import refresh_semantic_model
from airflow_provider_fabric.api.semantic_models import get_semantic_model_refresh
from airflow_provider_fabric.api.user_data_functions import invoke_user_data_function
from airflow_provider_fabric.exceptions import FabricError
from tests.flow_driver import ITEM, JOB, OPERATION, WORKSPACE
from tests.raw_server import FixedTokens, Heard, Piece, RawServer, http

JWT = (
    f"{base64.urlsafe_b64encode(json.dumps({'alg': 'RS256', 'kid': 'k' * 40}).encode()).decode().rstrip('=')}."
    f"{base64.urlsafe_b64encode(json.dumps({'aud': 'x', 'name': 'n' * 300}).encode()).decode().rstrip('=')}."
    f"{base64.urlsafe_b64encode(bytes(range(200))).decode().rstrip('=')}"
)
OPAQUE = "opaque/token+with=odd&characters<in>it'and/0123456789"


def as_ascii_escapes(text: str) -> str:
    return "".join(f"\\u{ord(character):04x}" for character in text)


ECHOES: dict[str, Callable[[str], bytes]] = {
    "message": lambda a: http(json.dumps({"errorCode": "A", "message": f"headers: {a}"}).encode(), 400),
    "every field": lambda a: http(
        json.dumps(
            {"errorCode": a, "message": a, "requestId": a, "moreDetails": [{"errorCode": a, "message": a}], a: a}
        ).encode(),
        403,
    ),
    "json text in a message": lambda a: http(
        json.dumps({"errorCode": "A", "message": json.dumps({"error": {"code": a, "message": a}})}).encode(), 400
    ),
    "ascii escapes": lambda a: http(f'{{"errorCode": "A", "message": "{as_ascii_escapes(a)}"}}'.encode(), 400),
    "escaped slashes": lambda a: http(json.dumps({"message": a}).replace("/", "\\/").encode(), 400),
    "page": lambda a: http(f"<html><pre>{html.escape(a)}</pre>{a}</html>".encode(), 502, Content_Type="text/html"),
    "text": lambda a: http(f"Authorization: {a}\n{a}".encode(), 500, Content_Type="text/plain"),
    "headers": lambda a: http(
        b"", 429, requestid=a, x_ms_request_id=a, x_ms_public_api_error_code=a, Retry_After=a, Location=f"/x?{a}"
    ),
    "redirect": lambda a: http(b"", 302, Location=f"https://elsewhere.example/?token={quote(a)}&again={a}"),
    "accepted": lambda a: http(b"", 202, Location=f"/v1/operations/{a}", x_ms_operation_id=a, x_ms_job_id=a),
    "succeeded": lambda a: http(json.dumps({"id": a, "status": a, "value": [{"id": a, "status": a}]}).encode()),
    "odd json": lambda a: http(json.dumps([a, {a: a}]).encode()),
    "reason": lambda a: http(
        json.dumps({"id": JOB, "status": "Failed", "failureReason": a, "error": a, "messages": [a]}).encode()
    ),
    "cut short": lambda a: http(json.dumps({"errorCode": a}).encode(), 400)[:-5],
    "status line": lambda a: f"HTTP/1.1 500 {a}\r\nContent-Length: 0\r\n\r\n".encode(),
    "no http": lambda a: a.encode() + b"\r\n\r\n",
}

FLOWS: dict[str, Callable[[], Flow[Any]]] = {
    "get": lambda: get_item_job_instance(WORKSPACE, ITEM, JOB),
    "list": lambda: list_item_job_instances(WORKSPACE, ITEM),
    "run": lambda: run_item_job(WORKSPACE, ITEM, "Execute"),
    "cancel": lambda: cancel_item_job_instance(WORKSPACE, ITEM, JOB),
    "wait": lambda: wait_for_job_instance(WORKSPACE, ITEM, JOB, timeout=0.0),
    "operation": lambda: wait_for_operation(OPERATION, deadline=0.0),
    "item": lambda: get_item(WORKSPACE, ITEM),
    "items": lambda: list_items(WORKSPACE),
    "name": lambda: resolve_item(WORKSPACE, "Daily load", "DataPipeline"),
    "function": lambda: invoke_user_data_function(WORKSPACE, ITEM, "f"),
    "refresh": lambda: refresh_semantic_model(WORKSPACE, ITEM, visible_within=0.0),
    "refresh state": lambda: get_semantic_model_refresh(WORKSPACE, ITEM, JOB),
    "raw": lambda: raw(),
}


def raw() -> Flow[Response]:
    answer = yield Request("GET", "/v1/x", "ask")
    return answer  # type: ignore[return-value]


def run_sync(settings: FabricSettings, tokens: FixedTokens) -> dict[str, Any]:
    driver = RequestsDriver(settings, tokens, sleep=lambda seconds: None)
    outcomes: dict[str, Any] = {}
    for name, flow in FLOWS.items():
        try:
            outcomes[name] = driver.run(flow())
        except FabricError as error:
            outcomes[name] = error
    driver.close()
    return outcomes


def run_async(settings: FabricSettings, tokens: FixedTokens) -> dict[str, Any]:
    async def run() -> dict[str, Any]:
        driver = HttpxDriver(settings, tokens, sleep=lambda seconds: asyncio.sleep(0))
        outcomes = await asyncio.gather(*(driver.run(flow()) for flow in FLOWS.values()), return_exceptions=True)
        await driver.aclose()
        return dict(zip(FLOWS, outcomes, strict=True))

    return asyncio.run(run())


def all_texts(value: Any) -> Iterator[str]:
    """Yield whatever of a result or an error might be shown, stored or sent on."""
    yield repr(value)
    yield str(value)
    if isinstance(value, BaseException):
        yield "".join(traceback.format_exception(value))
        yield repr(vars(value))
        yield pickle.dumps(value).decode("latin-1")
        for linked in (value.__cause__, value.__context__):
            if linked is not None:
                yield from all_texts(linked)
    elif hasattr(value, "body"):
        yield value.body.decode("latin-1") + repr(value.headers)
        yield value.body.decode("unicode_escape", "replace")


@pytest.mark.parametrize("run", [run_sync, run_async], ids=["requests", "httpx"])
@pytest.mark.parametrize("token", [JWT, OPAQUE], ids=["jwt", "opaque"])
@pytest.mark.parametrize("echo", ECHOES)
def test_the_token_is_in_nothing_that_came_back(
    run: Callable[..., Any], token: str, echo: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="airflow_provider_fabric")

    def answer(request: Heard) -> list[Piece]:
        return [ECHOES[echo](request.headers["authorization"])]

    with RawServer(answer) as server:
        settings = FabricSettings("echo", host=server.url, power_bi_host=server.url, timeout_seconds=5.0)
        for name, outcome in run(settings, FixedTokens(token)).items():
            assert isinstance(outcome, FabricError) or not isinstance(outcome, BaseException)
            shown = [*all_texts(outcome), caplog.text]
            assert not any(token in text or token[5:45] in text for text in shown), f"{name} shows the token"
        assert server.heard
        assert all(request.headers["authorization"] == f"Bearer {token}" for request in server.heard)
