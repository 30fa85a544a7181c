"""Answers that no service should give: wrong shapes, lies, and now and then the truth."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

from airflow_provider_fabric.api.http.flow import Request, Response, TransportFailure
from tests.flow_driver import ITEM, JOB, OPERATION, WORKSPACE

HOST = "https://api.fabric.microsoft.com"
TIMES = ("2024-06-22T06:35:00.7812154", "2024-06-22T06:35:00Z", "0001-01-01T00:00:00", "9999-12-31T23:59:59+14:00", "x")
STATUSES = (
    "NotStarted",
    "InProgress",
    "Completed",
    "Failed",
    "Cancelled",
    "Deduped",
    "Running",
    "Succeeded",
    "Unknown",
)
WORDS = (
    *STATUSES,
    "",
    "Active",
    "Paused",
    "a\nb\x1b[31m",
    "\ud800",
    "é" * 50,
    "x" * 5000,
    "null",
    "{",
    "[]",
    ITEM,
    JOB,
)
CODES = ("InvalidJobType", "EntityNotFound", "ItemNotFound", "CapacityNotActive", "RequestBlocked", "NotFound", "Odd")
LOCATIONS = (
    f"{HOST}/v1/workspaces/{WORKSPACE}/items/{ITEM}/jobs/instances/{JOB}",
    f"{HOST}/v1/workspaces/{WORKSPACE}/items/{ITEM}",
    f"{HOST}/v1/operations/{OPERATION}",
    f"{HOST}/v1/operations/{OPERATION}/result",
    f"https://evil.example/v1/operations/{OPERATION}",
    f"{HOST}/v1.0/myorg/groups/{WORKSPACE}/datasets/{ITEM}/refreshes/{JOB}",
    "http://[",
    "//[::1",
    "/",
    "\x00",
    "a" * 3000,
)
WAITS = (
    "0",
    "1",
    "60",
    "-5",
    "1e999",
    "nan",
    "Wed, 21 Oct 2015 07:28:00 GMT",
    "Wed, 99 Oct 99999 07:28:00 GMT",
    "soon",
    "9" * 400,
)

TRUTH: dict[str, Any] = {
    "id": JOB,
    "itemId": ITEM,
    "jobType": "Execute",
    "invokeType": "Manual",
    "status": "Completed",
    "extendedStatus": "Completed",
    "rootActivityId": ITEM,
    "startTimeUtc": TIMES[0],
    "endTimeUtc": TIMES[0],
    "startTime": TIMES[1],
    "endTime": TIMES[1],
    "failureReason": {"errorCode": "A", "message": "b", "moreDetails": [{"errorCode": "C"}], "isRetriable": False},
    "requestId": JOB,
    "refreshType": "ViaEnhancedApi",
    "refreshAttempts": [{"attemptId": 1, "serviceExceptionJson": '{"errorCode": "X"}'}],
    "messages": [{"code": "M", "message": "m", "type": "Error"}],
    "serviceExceptionJson": '{"errorCode": "X"}',
    "percentComplete": 100,
    "error": {"errorCode": "E", "message": "m", "details": [{"message": "d"}]},
    "errors": [{"name": "N", "message": "m"}],
    "invocationId": JOB,
    "output": 1,
    "displayName": "Daily load",
    "name": "Daily load",
    "type": "DataPipeline",
    "workspaceId": WORKSPACE,
    "folderId": ITEM,
    "parentFolderId": ITEM,
    "description": "",
    "definition": {
        "format": "x",
        "parts": [{"path": "pipeline-content.json", "payload": "eyJhIjp7fX0=", "payloadType": "InlineBase64"}],
    },
    "properties": {"state": "Active", "parameters": {"day": {"type": "string"}}},
    "enabled": True,
    "configuration": {"type": "Cron", "interval": 5},
    "state": "Active",
    "sku": {"name": "F2"},
    "capacityId": ITEM,
    "activityName": "Copy",
    "activityType": "Copy",
    "activityRunStart": TIMES[0],
    "activityRunEnd": TIMES[0],
    "durationInMs": 1000,
    "iterationHash": "",
    "retryAttempt": None,
}  # fmt: skip


def junk(rng: random.Random, depth: int = 0) -> Any:
    """Return any JSON value."""
    kind = rng.randrange(12 if depth < 3 else 8)
    if kind < 2:
        return rng.choice(WORDS)
    if kind == 2:
        return rng.choice((0, -1, 1, 2**70, 0.5, 1e308, -0.0))
    if kind == 3:
        return rng.choice((None, True, False, [], {}))
    if kind == 4:
        return rng.choice(TIMES)
    if kind == 5:
        return json.dumps(rng.choice(([TRUTH["error"]], TRUTH["error"], "text")))
    if kind == 6:
        return rng.choice((ITEM, JOB, WORKSPACE, OPERATION))
    if kind == 7:
        return nested(rng.randrange(1, 400))
    if kind < 10:
        return [junk(rng, depth + 1) for _ in range(rng.randrange(4))]
    return {rng.choice((*TRUTH, "x", "\n")): junk(rng, depth + 1) for _ in range(rng.randrange(4))}


def nested(depth: int) -> Any:
    """Return lists inside one another."""
    value: Any = "deep"
    for _ in range(depth):
        value = [value]
    return value


def content(rng: random.Random) -> Any:
    """Return an object of the service, mostly damaged, in one of the shapes that lists and objects come in."""
    value: dict[str, Any] = copy.copy(TRUTH)
    value["status"] = rng.choice(STATUSES)
    for _ in range(rng.choice((0, 0, 1, 1, 2, 5, 20))):
        key = rng.choice(list(TRUTH))
        if rng.random() < 0.3:
            value.pop(key, None)
        else:
            value[key] = junk(rng)
    page = {"value": [value] * rng.choice((0, 1, 1, 2, 3))}
    if rng.random() < 0.2:
        page["continuationToken"] = junk(rng) if rng.random() < 0.5 else str(rng.random())
    if rng.random() < 0.1:
        page["continuationUri"] = rng.choice(
            (junk(rng), f"{HOST}/v1/x?continuationToken={rng.random()}", "http://[", "?")
        )
    shapes = (value, page, {**value, **page}, [value], {"error": value}, junk(rng), value.get("definition"))
    return rng.choices(shapes, (5, 5, 5, 1, 1, 1, 1))[0]


def body(rng: random.Random) -> bytes:
    """Return a body: JSON, and less often what is none."""
    kind = rng.randrange(20)
    if kind == 0:
        return rng.choice((b"", b"null", b"<html>403</html>", b"\xff\xfe", b"NaN", b"[" * 5000, b'"\\ud800"', b"{}"))
    if kind == 1:
        return rng.randbytes(rng.randrange(200))
    text = json.dumps(content(rng)).encode()
    if kind == 2:
        return text[: rng.randrange(len(text) + 1)]
    if kind == 3:
        at = rng.randrange(len(text) + 1)
        return text[:at] + rng.randbytes(2) + text[at:]
    return text


def headers(rng: random.Random) -> dict[str, str]:
    """Return headers, each as it should be, as it should not, or not at all."""
    soup: dict[str, str] = {}
    for name, values in {
        "location": LOCATIONS,
        "retry-after": WAITS,
        "x-ms-operation-id": (OPERATION, ITEM, "x"),
        "x-ms-job-id": (JOB, "x", ""),
        "requestid": (JOB, "\x1b[31m", "x" * 3000),
        "x-ms-public-api-error-code": CODES,
        "date": WAITS,
        "content-type": ("application/json", "text/html", "\x00", ""),
    }.items():
        if rng.random() < 0.35:
            soup[name] = rng.choice(values)
    return soup


def status(rng: random.Random) -> int:
    """Return an HTTP status."""
    if rng.random() < 0.6:
        return rng.choice((200, 200, 200, 201, 202, 202, 204))
    if rng.random() < 0.1:
        return rng.choice((100, 101, 199, 299, 304, 306, 418, 451, 499, 511, 599, 600, 999))
    return rng.choice(
        (301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 408, 409, 410, 422, 429, 430, 500, 502, 503, 504)
    )


def answer(rng: random.Random, request: Request) -> Response | TransportFailure:
    """Return what comes of a request."""
    if rng.random() < 0.08:
        unsent = rng.random() < 0.4
        return TransportFailure("no answer", unsent=unsent, permanent=unsent and rng.random() < 0.3)
    code = status(rng)
    if rng.random() < 0.03:
        return Response(code, headers(rng), b"", "is larger than 16 MiB")
    if code >= 400 and rng.random() < 0.6:
        refused = {"errorCode": rng.choice(CODES), "message": junk(rng), "isRetriable": rng.choice((True, False, None))}
        return Response(code, headers(rng), json.dumps(refused).encode())
    return Response(code, headers(rng), body(rng))
