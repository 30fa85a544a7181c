"""Both drivers against a real server that misbehaves, a second host that must learn nothing, and a proxy."""

from __future__ import annotations

import asyncio
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from airflow_provider_fabric.api.auth.sign_in import IdentityTokens
from airflow_provider_fabric.api.connection.settings import FabricSettings
from airflow_provider_fabric.api.http.flow import Flow, Request, Response, Sleep, TransportFailure
from airflow_provider_fabric.api.http.transport import HttpxDriver, RequestsDriver
from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.exceptions import FabricAuthError, FabricConnectionError
from tests.connect_proxy import ConnectProxy
from tests.contract.managed_identity import redirect_metadata


def once(path: str = "/v1/workspaces") -> Flow[Response | TransportFailure]:
    answer = yield Request("GET", path, "ask once")
    assert answer is not None
    return answer


class Both:
    """Run a flow with each driver; both must agree."""

    def __init__(self, colour: str) -> None:
        self.colour = colour

    def run(self, settings: FabricSettings, flow: Flow, tokens: IdentityTokens | None = None):
        tokens = tokens or IdentityTokens(settings, sleep=lambda seconds: None)
        if self.colour == "requests":
            driver = RequestsDriver(settings, tokens)
            try:
                return driver.run(flow)
            finally:
                driver.close()
        return asyncio.run(self._arun(settings, flow, tokens))

    async def _arun(self, settings: FabricSettings, flow: Flow, tokens: IdentityTokens):
        driver = HttpxDriver(settings, tokens)
        try:
            return await driver.run(flow)
        finally:
            await driver.aclose()


@pytest.fixture(params=["requests", "httpx"])
def driver(request) -> Both:
    return Both(request.param)


@pytest.fixture(scope="module")
def server():
    with FabricEmulator() as emulator:
        yield emulator


@pytest.fixture
def emulator(server):
    server.control.reset()
    server.control.clear_faults()
    return server


def settings_of(emulator, host: str | None = None, **extra) -> FabricSettings:
    connection = emulator.connection
    return FabricSettings.from_connection(
        "drivers", login=connection["login"], password=connection["password"], host=host or connection["host"],
        extra={**connection["extra"], **extra},
    )  # fmt: skip


@pytest.fixture
def second_host():
    """A host that notes what it is sent."""
    heard: list[dict[str, str]] = []

    class Listener(BaseHTTPRequestHandler):
        def answer(self) -> None:
            heard.append({"line": self.requestline, **{k.lower(): v for k, v in self.headers.items()}})
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        do_GET = do_POST = answer  # noqa: N815 - http.server's names

        def log_message(self, *words: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Listener) as listener:
        thread = threading.Thread(target=listener.serve_forever)
        thread.start()
        listener.heard = heard
        listener.url = f"http://127.0.0.1:{listener.server_address[1]}"
        yield listener
        listener.shutdown()
        thread.join()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(emulator, driver, second_host, status):
    emulator.control.add_fault(path="/v1/workspaces", status=status, headers={"Location": second_host.url})
    answer = driver.run(settings_of(emulator), once())
    assert (answer.status, answer.headers["location"]) == (status, second_host.url)
    assert second_host.heard == []


@pytest.mark.parametrize("status", [302, 307, 308])
def test_a_redirect_of_the_token_request_is_not_followed(emulator, driver, second_host, status):
    emulator.control.add_fault(path="*/token", status=status, headers={"Location": second_host.url}, count=None)
    with pytest.raises(FabricAuthError, match=f"answered {status} with a redirect"):
        driver.run(settings_of(emulator), once())
    assert second_host.heard == []


def test_a_token_goes_out_unencrypted_to_loopback_only(emulator, driver, second_host):
    answer = driver.run(settings_of(emulator, host=second_host.url), once("/v1/x"))
    assert answer.status == 200
    assert second_host.heard[0]["line"] == "GET /v1/x HTTP/1.1"
    assert second_host.heard[0]["authorization"].startswith("Bearer ")
    assert second_host.heard[0]["user-agent"].startswith("airflow-provider-fabric/")


def test_headers_come_in_lower_case_and_the_body_as_bytes(emulator, driver):
    answer = driver.run(settings_of(emulator), once())
    assert isinstance(answer.body, bytes)
    assert all(name == name.lower() for name in answer.headers)
    assert answer.json()["value"]


def test_who_does_not_listen_did_not_get_it(emulator, driver):
    answer = driver.run(settings_of(emulator, host="https://127.0.0.1:9"), once())
    assert (answer.unsent, answer.permanent) == (True, False)
    assert "127.0.0.1:9 refused the connection" in answer.reason


def test_a_name_that_does_not_resolve_is_named_with_its_field(emulator, driver, monkeypatch):
    known = socket.getaddrinfo

    def lookup(host, *more, **options):
        if host in {"nowhere.example", b"nowhere.example"}:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return known(host, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    answer = driver.run(settings_of(emulator, host="https://nowhere.example"), once())
    assert (answer.unsent, answer.permanent) == (True, True)
    assert "nowhere.example does not resolve. Check the connection's field 'host'" in answer.reason


def test_a_host_that_is_not_trusted_is_not_sent_anything(emulator, driver):
    trusting = settings_of(emulator)
    answer = driver.run(settings_of(emulator, verify=True), once(), IdentityTokens(trusting))
    assert (answer.unsent, answer.permanent) == (True, True)
    assert "'verify'" in answer.reason


def test_a_connection_that_breaks_may_have_carried_it(emulator, driver):
    emulator.control.add_fault(path="/v1/workspaces", action="drop")
    answer = driver.run(settings_of(emulator), once())
    assert (answer.unsent, answer.permanent) == (False, False)


def test_an_answer_that_does_not_come_may_have_been_given(emulator, driver):
    emulator.control.add_fault(path="/v1/workspaces", action="delay", delay_seconds=1)
    tokens = IdentityTokens(settings_of(emulator))
    tokens.token()
    answer = driver.run(settings_of(emulator, timeout_seconds=0.3), once(), tokens)
    assert (answer.unsent, answer.permanent) == (False, False)
    assert "did not answer in time" in answer.reason


def test_a_plain_http_server_behind_https_is_told(emulator, driver, second_host):
    tokens = IdentityTokens(settings_of(emulator))
    answer = driver.run(settings_of(emulator, host=second_host.url.replace("http:", "https:")), once(), tokens)
    assert (answer.unsent, answer.permanent) == (True, True)
    assert "does not speak TLS" in answer.reason


def test_the_flow_decides_what_a_failed_sign_in_means(emulator, driver):
    def patient() -> Flow[str]:
        try:
            yield Request("GET", "/v1/workspaces", "x")
        except FabricAuthError as error:
            yield Sleep(0.001)
            return f"waited: {error.error_code}"
        return "no error"

    settings = settings_of(emulator, tenant_id="00000000-0000-0000-0000-000000000001")
    assert driver.run(settings, patient()) == "waited: AADSTS90002"


@pytest.fixture
def proxy():
    with ConnectProxy() as running:
        yield running


def test_the_connections_proxy_carries_the_token_request_too(emulator, driver, proxy):
    answer = driver.run(settings_of(emulator, proxies=f'{{"https": "{proxy.url}"}}'), once())
    assert answer.status == 200
    assert proxy.connected == [emulator.url.removeprefix("https://")] * 2


def test_without_one_the_environments_proxy_does(emulator, driver, proxy, monkeypatch):
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    monkeypatch.setenv("https_proxy", proxy.url)
    assert driver.run(settings_of(emulator), once()).status == 200
    assert len(proxy.connected) == 2


def test_the_connections_proxy_wins_over_the_environments(emulator, driver, proxy, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    assert driver.run(settings_of(emulator, proxies={"https": proxy.url}), once()).status == 200


def test_a_proxy_that_is_not_there_is_to_blame(emulator, driver):
    tokens = IdentityTokens(settings_of(emulator))
    answer = driver.run(settings_of(emulator, proxies={"https": "http://user:pass-word@127.0.0.1:9"}), once(), tokens)
    assert (answer.unsent, answer.permanent) == (True, False)
    assert "prox" in answer.reason
    assert "pass-word" not in answer.reason


def test_a_managed_identity_is_asked_past_every_proxy(emulator, driver, monkeypatch):
    redirect_metadata(monkeypatch, emulator.url)
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    assert IdentityTokens(settings_of(emulator, auth_type="managed_identity")).token()


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_verification_can_be_switched_off_and_warns(emulator, driver, caplog):
    answer = driver.run(settings_of(emulator, verify="false"), once())
    assert answer.status == 200
    assert "verify=false" in caplog.text


def test_a_driver_can_be_used_again_after_it_was_closed(emulator):
    settings = settings_of(emulator)
    driver = RequestsDriver(settings, IdentityTokens(settings))
    for _ in range(2):
        assert driver.run(once()).status == 200
        driver.close()


async def test_a_cancelled_conversation_leaves_the_driver_whole(emulator):
    emulator.control.add_fault(path="/v1/workspaces", action="delay", delay_seconds=1)
    settings = settings_of(emulator)
    driver = HttpxDriver(settings, IdentityTokens(settings))
    ended: list[bool] = []

    def watched() -> Flow[object]:
        try:
            return (yield Request("GET", "/v1/workspaces", "x"))
        finally:
            ended.append(True)

    task = asyncio.create_task(driver.run(watched()))
    while not (await asyncio.to_thread(emulator.control.faults))[0]["hits"]:
        assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [True]
    assert (await driver.run(once())).status == 200
    await driver.aclose()


def test_a_bundle_that_is_none_is_refused_with_its_field(emulator, driver, tmp_path):
    bundle = tmp_path / "ca.pem"
    bundle.write_text("no certificate")
    settings = settings_of(emulator, verify=str(bundle))
    with pytest.raises(FabricConnectionError, match=r"'drivers': the extra field 'verify' names .*no CA bundle"):
        driver.run(settings, once())
    tokens = IdentityTokens(settings_of(emulator))
    with pytest.raises(FabricConnectionError, match="no CA bundle"):
        driver.run(settings, once(), tokens)
