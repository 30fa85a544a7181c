"""Writing requests into the log, without their secrets: the form of a token request is never kept."""

from __future__ import annotations

import sys

from starlette.responses import Response

from airflow_provider_fabric.emulator.http.request import ApiRequest
from airflow_provider_fabric.emulator.http.routing import Route
from airflow_provider_fabric.emulator.state.request_log import Entry, RequestLog

MAX_BODY = 64 * 1024
"""Longer bodies are left out."""


def record(log: RequestLog, request: ApiRequest, route: Route | None, response: Response | None) -> None:
    """Write a request and its response into the log.

    :param route: what it was for; ``None`` when no route takes it.
    :param response: ``None`` when the connection was cut instead.
    """
    bucket = route.bucket if route else "unknown"
    for_token = bucket == "token"
    log.add(
        Entry(
            time=request.now,
            method=sys.intern(request.method),
            path=request.path,
            query="" if for_token else request.query_string,
            route=route.name if route else None,
            status=response.status_code if response else None,
            bucket=bucket,
            identity=request.identity.client_id if request.identity else None,
            authorized=request.authorized,
            retry_after=response.headers.get("retry-after") if response else None,
            connection=request.client_port,
            user_agent=sys.intern(request.header("user-agent") or ""),
            body=b"" if for_token or len(request.body) > MAX_BODY else request.body,
            job_instance_id=request.job_instance_id,
        )
    )
