"""Lists that come in pages.

A page has ``value`` (the tables of a lakehouse: ``data``), and ``continuationToken`` with ``continuationUri`` unless it
is the last (https://learn.microsoft.com/rest/api/fabric/articles/pagination). Only the token is used, at the configured
host: a link from an answer is never followed, so a bearer token cannot be lured away (CWE-918).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, unquote

from airflow_provider_fabric.api.http.flow import Flow, Request, Response
from airflow_provider_fabric.api.http.headers import http_date, split_link
from airflow_provider_fabric.api.http.retry import PATIENT, Replay, RetryBudget, send
from airflow_provider_fabric.exceptions import FabricProtocolError

MAX_PAGES = 10_000


def list_all(request: Request, budget: RetryBudget = PATIENT) -> Flow[list[dict[str, Any]]]:
    """Return the entries of all pages.

    :param request: asks for the first page.
    :param budget: how long each page is tried.
    :raises FabricProtocolError: an answer is not a page, or the pages do not end.
    """
    entries, _ = yield from list_dated(request, budget)
    return entries


def list_dated(request: Request, budget: RetryBudget = PATIENT) -> Flow[tuple[list[dict[str, Any]], float | None]]:
    """Return the entries of all pages, and when the last was sent, in epoch seconds by the service's clock."""
    entries: list[dict[str, Any]] = []
    seen: set[str] = set()
    service_now = None
    while True:
        page, token, answer = yield from list_page(request, budget)
        entries += page
        service_now = http_date(answer.headers.get("date")) or service_now
        if token is None:
            return entries, service_now
        if token in seen or len(seen) >= MAX_PAGES:
            raise FabricProtocolError(f"Could not {request.action}: the service's pages do not end.")
        seen.add(token)
        request = replace(request, params={**request.params, "continuationToken": token})


def list_page(
    request: Request, budget: RetryBudget = PATIENT
) -> Flow[tuple[list[dict[str, Any]], str | None, Response]]:
    """Return one page: its entries, the token of the next one (``None`` after the last), the whole answer."""
    answer = yield from send(request, replay=Replay.SAFE, budget=budget)
    content = answer.json_object()
    page = content.get("value", content.get("data"))
    if not isinstance(page, list) or not all(isinstance(entry, dict) for entry in page):
        raise FabricProtocolError(f"Could not {request.action}: the answer lacks the list 'value'.")
    return page, _next_token(content, request.action), answer


def _next_token(content: dict[str, Any], action: str) -> str | None:
    """Return the next page's token, unquoted: the documented examples quote it already (``…DA%3D``)."""
    token = content.get("continuationToken")
    if isinstance(token, str) and token:
        return unquote(token)
    link = content.get("continuationUri")
    if not link:
        return None
    tokens = parse_qs(split_link(link).query).get("continuationToken")
    if not tokens:
        raise FabricProtocolError(f"Could not {action}: the page's continuationUri has no continuationToken.")
    return tokens[0]
