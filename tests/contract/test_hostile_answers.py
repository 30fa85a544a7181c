"""Both drivers against answers that no HTTP library would send: what was sent once is known, and nothing crashes."""

from __future__ import annotations

import asyncio
import gc
import gzip
import json
import socket
import ssl
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import requests

from airflow_provider_fabric.api.connection.settings import FabricSettings
from airflow_provider_fabric.api.http.body import MAX_BODY
from airflow_provider_fabric.api.http.flow import Flow, Request, Response, TransportFailure
from airflow_provider_fabric.api.http.transport import HttpxDriver, RequestsDriver
from airflow_provider_fabric.api.jobs.instances import get_item_job_instance, run_item_job
from airflow_provider_fabric.api.jobs.listing import list_item_job_instances
from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.exceptions import FabricAmbiguousError, FabricProtocolError, FabricTransportError
from airflow_provider_fabric.hooks.fabric import FabricHook
from tests.flow_driver import ITEM, JOB, WORKSPACE, instance
from tests.raw_server import FixedTokens, Heard, Piece, RawServer, http

LOCATION = f"https://api.fabric.microsoft.com/v1/workspaces/{WORKSPACE}/items/{ITEM}/jobs/instances/{JOB}"
TOKENS = FixedTokens()


def once(method: str = "GET") -> Flow[Response | TransportFailure]:
    answer = yield Request(method, "/v1/workspaces", "ask once")
    assert answer is not None
    return answer


def _with_requests(settings: FabricSettings, flow: Flow[Any]) -> Any:
    driver = RequestsDriver(settings, TOKENS, sleep=lambda seconds: None)
    try:
        return driver.run(flow)
    finally:
        driver.close()


def _with_httpx(settings: FabricSettings, flow: Flow[Any]) -> Any:
    async def no_sleep(seconds: float) -> None:
        """Return at once."""

    async def run() -> Any:
        driver = HttpxDriver(settings, TOKENS, sleep=no_sleep)
        try:
            return await driver.run(flow)
        finally:
            await driver.aclose()

    return asyncio.run(run())


@pytest.fixture(params=[_with_requests, _with_httpx], ids=["requests", "httpx"])
def run(request: pytest.FixtureRequest) -> Callable[[FabricSettings, Flow[Any]], Any]:
    return request.param  # type: ignore[no-any-return]


@contextmanager
def serving(*pieces: Piece, **options: Any) -> Iterator[tuple[RawServer, FabricSettings]]:
    with RawServer(lambda request: pieces) as server:
        yield server, FabricSettings("raw", host=server.url, timeout_seconds=options.get("timeout", 5.0))


# Sent or not sent: what the library saw in this request, not what the caller was handling.

HANDLED: list[BaseException] = [
    ConnectionRefusedError(111, "refused"),
    socket.gaierror(socket.EAI_NONAME, "no name"),
    ssl.SSLCertVerificationError(1, "not trusted"),
    requests.exceptions.ConnectTimeout("x"),
    requests.exceptions.InvalidURL("x"),
    httpx.ConnectError("x"),
    httpx.ProxyError("x"),
    OSError("Tunnel connection failed: 407"),
    requests.exceptions.SSLError(ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER]")),
]


@pytest.mark.parametrize("handled", HANDLED, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_lost_answer_is_not_taken_for_unsent_because_of_what_the_caller_handles(
    run: Callable[..., Any], handled: BaseException, wrapped: bool
) -> None:
    with serving(None) as (server, settings):
        try:
            if not wrapped:
                raise handled
            raise RuntimeError("wraps it") from handled
        except (type(handled), RuntimeError):
            with pytest.raises(FabricAmbiguousError):
                run(settings, run_item_job(WORKSPACE, ITEM, "Execute"))
    assert server.posts == 1


def test_a_refused_connection_is_still_unsent_inside_an_except_block(run: Callable[..., Any]) -> None:
    with serving() as (_, settings):
        pass  # nobody listens there any more
    try:
        raise httpx.ReadTimeout("x")
    except httpx.ReadTimeout:
        answer = run(settings, once())
    assert (answer.unsent, answer.permanent) == (True, False)


# Bodies.

BOMB = b"[" + b"0," * (MAX_BODY // 2) + b"0]"
DEEP = b"[" * 100_000


def compressed(coding: str, body: bytes) -> bytes:
    if coding == "gzip":
        return gzip.compress(body)
    squeeze = zlib.compressobj(wbits=zlib.MAX_WBITS if coding == "deflate" else -zlib.MAX_WBITS)
    return squeeze.compress(body) + squeeze.flush()


@pytest.mark.parametrize("coding", ["gzip", "deflate", "raw deflate"])
@pytest.mark.parametrize("status", [200, 202])
def test_a_body_that_grows_too_large_is_refused_while_it_streams(
    run: Callable[..., Any], coding: str, status: int
) -> None:
    body = compressed(coding, BOMB)
    with serving(http(body, status, Content_Encoding=coding.split()[-1])) as (server, settings):
        with pytest.raises(FabricProtocolError, match=r"larger than 16 MiB, decompressed\. It was not read"):
            run(settings, get_item_job_instance(WORKSPACE, ITEM, JOB))
        with pytest.raises(FabricAmbiguousError):
            run(settings, run_item_job(WORKSPACE, ITEM, "Execute"))
    assert server.posts == 1


def test_a_body_without_end_is_refused(run: Callable[..., Any]) -> None:
    def endless(request: Heard) -> Iterator[Piece]:
        yield b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        while True:
            yield b"10000\r\n" + b" " * 0x10000 + b"\r\n"

    with RawServer(endless) as server:
        settings = FabricSettings("raw", host=server.url, timeout_seconds=5.0)
        with pytest.raises(FabricProtocolError, match="larger than 16 MiB"):
            run(settings, get_item_job_instance(WORKSPACE, ITEM, JOB))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 400, 403, 429, 500])
def test_a_body_that_grows_too_large_is_refused_whatever_the_status(run: Callable[..., Any], status: int) -> None:
    """To see where a redirect leads, requests reads the whole answer first."""
    body = compressed("gzip", BOMB)
    with serving(http(body, status, Content_Encoding="gzip", Location="https://elsewhere.example/")) as (_, settings):
        answer = run(settings, once())
    assert (answer.status, answer.body) == (status, b"")
    assert "larger than 16 MiB" in answer.unread


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "x\r\n y"])
def test_a_coding_that_was_not_asked_for_is_refused(run: Callable[..., Any], coding: str) -> None:
    with (
        serving(http(b"\x1b\xff" * 100, 200, Content_Encoding=coding)) as (_, settings),
        pytest.raises(FabricProtocolError, match="not asked for"),
    ):
        run(settings, get_item_job_instance(WORKSPACE, ITEM, JOB))


@pytest.mark.parametrize("coding", ["gzip", "deflate", "raw deflate"])
def test_a_compressed_body_is_read(run: Callable[..., Any], coding: str) -> None:
    run_of_500 = [instance("Completed", job=f"{n:08d}-0000-4000-8000-000000000000") for n in range(500)]
    body = compressed(coding, json.dumps({"value": run_of_500}).encode())
    head, tail = http(body, 200, Content_Encoding=coding.split()[-1]).split(b"\r\n\r\n", 1)
    pieces = [head, b"\r\n\r\n", tail[:1], tail[1:2], tail[2:300], 0.05, tail[300:]]
    with serving(*pieces) as (_, settings):
        assert len(run(settings, list_item_job_instances(WORKSPACE, ITEM))) == 500


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
@pytest.mark.parametrize("damage", ["cut", "broken"])
def test_a_damaged_body_is_a_broken_answer(run: Callable[..., Any], coding: str, damage: str) -> None:
    body = compressed(coding, json.dumps(instance("Completed")).encode())
    body = body[:-9] if damage == "cut" else body[:20] + b"\xff\xff\xff\xff" + body[24:]
    with serving(http(body, 200, Content_Encoding=coding)) as (server, settings):
        with pytest.raises(FabricTransportError):
            run(settings, get_item_job_instance(WORKSPACE, ITEM, JOB))
        with pytest.raises(FabricAmbiguousError):
            run(settings, run_item_job(WORKSPACE, ITEM, "Execute"))
    assert server.posts == 1


@pytest.mark.parametrize("body", [DEEP, b'{"a":' * 100_000, b"[" * 5000 + b"]" * 5000, b"[" * 300 + b"]" * 300])
def test_nesting_that_overflows_is_the_calls_own_error(run: Callable[..., Any], body: bytes) -> None:
    with serving(http(body, 202)) as (server, settings):
        with pytest.raises(FabricProtocolError, match=r"nested too deeply|not JSON"):
            run(settings, get_item_job_instance(WORKSPACE, ITEM, JOB))
        with pytest.raises(FabricAmbiguousError):
            run(settings, run_item_job(WORKSPACE, ITEM, "Execute"))
    assert server.posts == 1


@pytest.mark.parametrize("body", [BOMB, DEEP, b"null", b"[[]]", b'{"id": 7, "status": []}', b"NaN", b"\xff\xfe"])
def test_a_run_is_known_by_its_location_whatever_the_body_is(run: Callable[..., Any], body: bytes) -> None:
    with serving(http(body, 202, Location=LOCATION)) as (server, settings):
        assert run(settings, run_item_job(WORKSPACE, ITEM, "Execute")).job_instance_id == JOB
    assert server.posts == 1


@pytest.mark.parametrize(
    "location",
    [
        f"https://api.fabric.microsoft.com/v1/workspaces/{WORKSPACE}/items/{ITEM}",
        f"https://api.fabric.microsoft.com/v1/operations/{JOB}",
        f"https://api.fabric.microsoft.com/v1/workspaces/{WORKSPACE}/items/{ITEM}/jobs/{JOB}",
        f"/jobs/instances/{JOB}/cancel",
        "http://[",
        "",
    ],
)
def test_a_location_that_is_no_runs_names_none(run: Callable[..., Any], location: str) -> None:
    with (
        serving(http(b"", 202, Location=location)) as (server, settings),
        pytest.raises(FabricAmbiguousError, match="did not name the job instance"),
    ):
        run(settings, run_item_job(WORKSPACE, ITEM, "Execute"))
    assert server.posts == 1


def test_a_body_that_drips_is_read_and_one_that_drips_for_ever_is_given_up(run: Callable[..., Any]) -> None:
    body = json.dumps(instance("Completed")).encode()
    head, tail = http(body).split(b"\r\n\r\n", 1)
    drops: list[Piece] = [head, b"\r\n\r\n"]
    for start in range(0, len(tail), 60):
        drops += [0.02, tail[start : start + 60]]
    with serving(*drops, timeout=0.5) as (_, settings):
        assert run(settings, get_item_job_instance(WORKSPACE, ITEM, JOB)).id == JOB

    def for_ever(request: Heard) -> Iterator[Piece]:
        yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        while True:
            yield 0.02
            yield b"1\r\n \r\n"

    with RawServer(for_ever) as server:
        settings = FabricSettings("raw", host=server.url, timeout_seconds=0.1)
        answer = run(settings, once())
    assert (answer.unsent, answer.permanent) == (False, False)


# Loopback: no proxy of the environment sees a token that travels unencrypted.


def test_no_proxy_of_the_environment_for_http_loopback(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with RawServer(lambda request: [http(b'{"from": "proxy"}')]) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        with serving(http(b'{"from": "host"}')) as (server, settings):
            assert run(settings, once()).json() == {"from": "host"}
            localhost = FabricSettings("raw", host=server.url.replace("127.0.0.1", "localhost"))
            assert run(localhost, once()).json() == {"from": "host"}
    assert proxy.heard == []


# Loops.


def test_one_driver_serves_one_loop_after_the_other_and_two_at_once() -> None:
    async def ask() -> int:
        answer = await driver.run(once())
        return answer.status if isinstance(answer, Response) else 0

    async def ask_and_close() -> int:
        try:
            return await ask()
        finally:
            await driver.aclose()

    async def in_another_thread() -> tuple[int, int]:
        mine, other = await asyncio.gather(ask(), asyncio.to_thread(asyncio.run, ask_and_close()))
        await driver.aclose()
        return mine, other

    with RawServer(lambda request: [http(b"{}")], keep_alive=True) as server:
        driver = HttpxDriver(FabricSettings("raw", host=server.url), TOKENS)
        assert [asyncio.run(ask_and_close()) for _ in range(3)] == [200, 200, 200]
        assert asyncio.run(in_another_thread()) == (200, 200)


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_driver_works_after_its_loop_was_closed_without_closing_it() -> None:
    async def ask() -> int:
        answer = await driver.run(once())
        return answer.status if isinstance(answer, Response) else 0

    with RawServer(lambda request: [http(b"{}")], keep_alive=True) as server:
        driver = HttpxDriver(FabricSettings("raw", host=server.url), TOKENS)
        assert [asyncio.run(ask()) for _ in range(3)] == [200, 200, 200]
        asyncio.run(driver.aclose())
    gc.collect()  # what the first loops left: here, where it is not held against another test


# A loop that ends while a hook is open leaves its sockets to the garbage collector, which says so.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_one_hook_serves_one_loop_after_the_other_and_two_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with FabricEmulator() as emulator:
        monkeypatch.setenv("AIRFLOW_CONN_FABRIC_DEFAULT", json.dumps(emulator.connection))
        hook = FabricHook()

        async def names() -> list[str]:
            try:
                return [workspace.display_name for workspace in await hook.alist_workspaces()]
            finally:
                await hook.aclose()

        async def in_two() -> list[list[str]]:
            return await asyncio.gather(names(), asyncio.to_thread(asyncio.run, names()))

        expected = ["Emulator workspace"]
        assert asyncio.run(names()) == asyncio.run(names()) == expected
        assert asyncio.run(in_two()) == [expected, expected]
        assert [workspace.display_name for workspace in hook.list_workspaces()] == expected
        hook.close()
