"""Both drivers against bytes: broken framing, header soup, slow drips, redirects; and cancelled at every await."""

from __future__ import annotations

import asyncio
import gzip
import random
import threading
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest

from airflow_provider_fabric.api.connection.settings import FabricSettings
from airflow_provider_fabric.api.http.flow import Flow, Request, Response
from airflow_provider_fabric.api.http.transport import HttpxDriver, RequestsDriver
from airflow_provider_fabric.api.jobs.instances import get_item_job_instance, run_item_job
from airflow_provider_fabric.api.jobs.listing import list_item_job_instances
from airflow_provider_fabric.api.user_data_functions import invoke_user_data_function
from airflow_provider_fabric.exceptions import FabricError
from tests.flow_driver import ITEM, JOB, WORKSPACE
from tests.fuzz import CASES, answers, case
from tests.raw_server import FixedTokens, Heard, Piece, RawServer, http

WIRE_CASES = min(max(CASES // 40, 100), 20_000)
"""Cases of each driver: sockets are slow."""
WIRE_SHARDS = 4
REPEATABLE = frozenset({400, 401, 404, 405, 429, 430})
"""Statuses after which a submit may be sent again, in this form or the other."""

FLOWS: tuple[Callable[[], Flow[Any]], ...] = (
    lambda: run_item_job(WORKSPACE, ITEM, "Execute"),
    lambda: invoke_user_data_function(WORKSPACE, ITEM, "f"),
    lambda: get_item_job_instance(WORKSPACE, ITEM, JOB),
    lambda: list_item_job_instances(WORKSPACE, ITEM),
)


def frame(rng: random.Random, status: int, body: bytes) -> bytes:
    """Return an answer's bytes, framed in one of the ways that HTTP knows, or in none."""
    lines = [f"{name}: {value}".encode("latin-1", "replace") for name, value in answers.headers(rng).items()]
    lines = [line.replace(b"\0", b"").replace(b"\n", b" ") for line in lines]
    if rng.random() < 0.3:
        body = gzip.compress(body)
        lines.append(b"Content-Encoding: gzip")
    kind = rng.randrange(6)
    if kind < 3:
        lines.append(b"Content-Length: %d" % len(body))
    elif kind == 3:
        lines.append(b"Content-Length: %d" % max(0, len(body) + rng.choice((-5, 5, 10**12))))
    elif kind == 4:
        lines.append(b"Transfer-Encoding: chunked")
        cuts = sorted({0, len(body), *(rng.randrange(len(body) + 1) for _ in range(3))})
        chunks = [body[start:end] for start, end in pairwise(cuts)]
        body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    soup = (
        b"Set-Cookie: a=b",
        b"X: " + b"y" * 3000,
        b"Location: /a",
        b" folded",
        b"no colon",
        b"Content-Length: 3",
        b"\xff\xfe: \xff",
        b"Content-Encoding: br",
        *[b"H%d: v" % n for n in range(120)],
    )
    while rng.random() < 0.25:
        lines.append(rng.choice(soup))
    if rng.random() < 0.02:
        lines += soup
    rng.shuffle(lines)
    version = rng.choice((b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2", b"ICY"))
    return b"%s %d Said\r\n%s\r\n\r\n%s" % (version, status, b"\r\n".join(lines), body)


def pieces(rng: random.Random, status: int) -> Iterator[Piece]:
    """Yield what is sent: whole, in drips, cut, or reset."""
    sent = frame(rng, status, answers.body(rng))
    kind = rng.randrange(8)
    if kind == 0:
        yield rng.choice((None, b"", rng.randbytes(30), b"\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"))
        return
    if kind == 1:
        sent = sent[: rng.randrange(len(sent))]
    if kind == 2:
        for start in range(0, min(len(sent), 400), 100):
            yield sent[start : start + 100]
            yield 0.005
        sent = sent[400:]
    yield sent
    if kind == 3:
        yield None


def with_requests(settings: FabricSettings) -> Callable[[Flow[Any]], Any]:
    return RequestsDriver(settings, FixedTokens(), sleep=lambda seconds: None).run


def with_httpx(settings: FabricSettings) -> Callable[[Flow[Any]], Any]:
    async def converse(flow: Flow[Any]) -> Any:
        driver = HttpxDriver(settings, FixedTokens(), sleep=lambda seconds: asyncio.sleep(0))
        try:
            return await driver.run(flow)
        finally:
            await driver.aclose()

    return lambda flow: asyncio.run(converse(flow))


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("shard", range(WIRE_SHARDS))
@pytest.mark.parametrize("driver", [with_requests, with_httpx])
def test_every_conversation_ends_well(driver: Callable[..., Any], shard: int) -> None:
    lock = threading.Lock()
    current: list[Any] = [None, []]

    def answer(request: Heard) -> Iterator[Piece]:
        with lock:
            rng, statuses = current
            status = answers.status(rng)
            if request.method == "POST":
                statuses.append(status)
            return iter(list(pieces(rng, status)))

    with RawServer(answer) as server:
        run = driver(FabricSettings("raw", host=server.url, power_bi_host=server.url, timeout_seconds=0.3))
        for number in range(shard, WIRE_CASES, WIRE_SHARDS):
            statuses: list[int] = []
            current[:] = [case("wire", number), statuses]
            flow = FLOWS[number % len(FLOWS)]()
            try:
                run(flow)
            except FabricError as error:
                text = str(error)
            except Exception as error:
                raise AssertionError(f"wire case {number}: {error!r}") from error
            else:
                text = ""
            assert text.isprintable(), f"wire case {number}: {text!r}"
            assert FixedTokens().value not in text
            assert set(statuses[:-1]) <= REPEATABLE, f"wire case {number} was sent again after {statuses}"


def ask() -> Flow[Response]:
    answer = yield Request("GET", "/v1/x", "ask")
    assert isinstance(answer, Response)
    again = yield Request("POST", "/v1/x", "ask", json={"a": 1})
    assert isinstance(again, Response)
    return again


async def test_cancelled_at_every_await_it_leaves_the_driver_whole() -> None:
    body = b'{"a": 1}'
    drips: list[Piece] = [http(body)[:20], 0.002, http(body)[20:-3], 0.002, http(body)[-3:]]
    with RawServer(lambda request: drips, keep_alive=True) as server:
        driver = HttpxDriver(FabricSettings("raw", host=server.url, timeout_seconds=2.0), FixedTokens())
        cancelled = 0
        for steps in range(120):
            task = asyncio.create_task(driver.run(ask()))
            for _ in range(min(steps, 60)):
                await asyncio.sleep(0)
            await asyncio.sleep(max(0, steps - 60) * 0.0002)
            task.cancel()
            outcome = (await asyncio.gather(task, return_exceptions=True))[0]
            assert isinstance(outcome, asyncio.CancelledError | Response), repr(outcome)
            cancelled += isinstance(outcome, asyncio.CancelledError)
        assert cancelled >= 60
        together = await asyncio.gather(*(driver.run(ask()) for _ in range(40)))
        assert [answer.json() for answer in together] == [{"a": 1}] * 40
        await driver.aclose()
