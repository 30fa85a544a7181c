"""What both drivers share, without sockets: requests made ready, flows moved on, failures named."""

from __future__ import annotations

import socket
import ssl
from http.client import RemoteDisconnected

import httpx
import pytest
import requests
from urllib3.exceptions import MaxRetryError

from airflow_provider_fabric.api.connection.settings import FabricSettings
from airflow_provider_fabric.api.http.client_options import requests_options, trusted
from airflow_provider_fabric.api.http.failures import failure_of
from airflow_provider_fabric.api.http.flow import Request, Response, Service, Sleep
from airflow_provider_fabric.api.http.flow_runner import USER_AGENT, FlowRunner, seconds_of
from airflow_provider_fabric.exceptions import FabricAuthError, FabricInputError

SETTINGS = FabricSettings("c", host="https://gateway.example/fabric", power_bi_host="https://pbi.example")


def asking(*requests_: Request):
    answers = []
    for request in requests_:
        answers.append((yield request))
    return answers


class TestConversation:
    def test_a_flow_is_moved_on_and_returns(self):
        runner = FlowRunner(asking(Request("GET", "/a", "a"), Request("GET", "/b", "b")), SETTINGS)
        assert runner.pending == Request("GET", "/a", "a")
        runner.answer(Response(200))
        assert not runner.done
        runner.answer(Response(204))
        assert runner.done
        assert runner.result == [Response(200), Response(204)]

    def test_a_failed_sign_in_is_thrown_into_the_flow(self):
        def patient():
            try:
                yield Request("GET", "/a", "a")
            except FabricAuthError as error:
                yield Sleep(5)
                return str(error)

        runner = FlowRunner(patient(), SETTINGS)
        runner.throw(FabricAuthError("not now"))
        assert runner.pending == Sleep(5)
        runner.answer(None)
        assert runner.result == "not now"

    def test_closing_runs_the_flows_own_clean_up(self):
        ended = []

        def careful():
            try:
                yield Request("GET", "/a", "a")
            finally:
                ended.append(True)

        FlowRunner(careful(), SETTINGS).close()
        assert ended == [True]

    def test_a_call_has_host_credentials_and_bytes(self):
        request = Request("POST", "/v1/x%2Fy", "x", params={"a": "b c&d", "e": "ü"}, json={"k": "ü"})
        call = FlowRunner(asking(request), SETTINGS).call(request, "token-1")
        assert (call.method, call.url) == ("POST", "https://gateway.example/fabric/v1/x%2Fy?a=b%20c%26d&e=%C3%BC")
        assert call.content == b'{"k": "\\u00fc"}'
        assert call.headers == {
            "Authorization": "Bearer token-1",
            "Accept": "application/json",
            "Accept-Encoding": "gzip, deflate",
            "User-Agent": USER_AGENT,
            "Content-Type": "application/json",
        }
        assert "token-1" not in repr(call)

    def test_each_service_has_its_host_and_a_call_without_a_body_has_none(self):
        request = Request("GET", "/v1.0/x", "x", service=Service.POWER_BI)
        call = FlowRunner(asking(request), SETTINGS).call(request, "t")
        assert (call.url, call.content, "Content-Type" in call.headers) == ("https://pbi.example/v1.0/x", None, False)

    @pytest.mark.parametrize("path", ["@evil.example/x", "v1/x", "", "//evil.example", "https://evil.example"])
    def test_a_path_cannot_leave_the_host(self, path):
        request = Request("GET", path, "x")
        with pytest.raises(FabricInputError, match="one slash"):
            FlowRunner(asking(request), SETTINGS).call(request, "t")

    def test_the_refused_token_is_the_one_that_this_flow_used(self):
        first, again = Request("GET", "/a", "a"), Request("GET", "/a", "a", fresh_token=True)
        runner = FlowRunner(asking(first, again), SETTINGS)
        assert runner.refused(first) is None
        runner.call(first, "old")
        assert runner.refused(first) is None
        assert runner.refused(again) == "old"

    def test_jitter_only_adds(self):
        pauses = {seconds_of(Sleep(10, jitter=0.2)) for _ in range(50)}
        assert len(pauses) > 1
        assert all(10 <= pause <= 12 for pause in pauses)
        assert seconds_of(Sleep(10)) == 10


def wrapped(outer: BaseException, inner: BaseException) -> BaseException:
    outer.__cause__ = inner
    return outer


UNTRUSTED = ssl.SSLCertVerificationError(1, "certificate verify failed")
NO_NAME = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
TUNNEL = OSError("Tunnel connection failed: 407 Proxy Authentication Required")
LATER = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")


class TestFailures:
    @pytest.mark.parametrize(
        ("error", "unsent", "permanent", "words"),
        [
            (requests.exceptions.SSLError(MaxRetryError(None, "/", UNTRUSTED)), True, True, "verify"),
            (wrapped(httpx.ConnectError("x"), UNTRUSTED), True, True, "verify"),
            (wrapped(httpx.ConnectError("x"), ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER]")), True, True, "http://"),
            (wrapped(httpx.ConnectError("x"), NO_NAME), True, True, "'host'"),
            (wrapped(requests.ConnectionError("x"), NO_NAME), True, True, "'host'"),
            (wrapped(httpx.ConnectError("x"), LATER), True, False, "for now"),
            (wrapped(httpx.ConnectError("x"), ConnectionRefusedError(111, "x")), True, False, "refused"),
            (wrapped(requests.ConnectionError("x"), ConnectionRefusedError(111, "x")), True, False, "refused"),
            (wrapped(requests.exceptions.ProxyError("user:password@proxy"), TUNNEL), True, False, "proxy"),
            (wrapped(requests.exceptions.ProxyError("x"), ConnectionRefusedError(111, "x")), True, False, "proxy"),
            (wrapped(requests.exceptions.ProxyError("x"), RemoteDisconnected("closed")), False, False, "broke"),
            (requests.exceptions.ProxyError("x"), False, False, "broke"),
            (httpx.ProxyError("407"), True, False, "proxy"),
            (requests.exceptions.ConnectTimeout("x"), True, False, "in time"),
            (httpx.ConnectTimeout("x"), True, False, "in time"),
            (httpx.ConnectError("x"), True, False, "no connection"),
            (requests.exceptions.InvalidURL("x"), True, True, "formed"),
            (httpx.LocalProtocolError("x"), True, True, "formed"),
            (requests.exceptions.ReadTimeout("x"), False, False, "did not answer"),
            (httpx.ReadTimeout("x"), False, False, "did not answer"),
            (httpx.WriteTimeout("x"), False, False, "did not answer"),
            (httpx.RemoteProtocolError("x"), False, False, "broke"),
            (httpx.ReadError("x"), False, False, "broke"),
            (requests.exceptions.ChunkedEncodingError("x"), False, False, "broke"),
            (wrapped(requests.ConnectionError("x"), ConnectionResetError(104, "x")), False, False, "broke"),
        ],
    )  # fmt: skip
    def test_an_exception_says_whether_the_request_was_sent(self, error, unsent, permanent, words):
        failure = failure_of(error, "api.example")
        assert (failure.unsent, failure.permanent) == (unsent, permanent)
        assert words in failure.reason
        assert "api.example" in failure.reason
        assert "password" not in failure.reason

    def test_a_proxy_of_the_connection_is_named_too(self):
        failure = failure_of(wrapped(httpx.ConnectError("x"), NO_NAME), "api.example", proxied=True)
        assert "'proxies'" in failure.reason

    def test_a_chain_that_bites_its_tail_ends(self):
        one, two = OSError("one"), OSError("two")
        one.__cause__, two.__cause__ = two, one
        assert failure_of(one, "h").unsent is False


class TestOptions:
    def test_trust_comes_from_the_connection_then_from_the_environment(self, monkeypatch, tmp_path):
        bundle = tmp_path / "ca.pem"
        bundle.touch()
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
            monkeypatch.delenv(name, raising=False)
        assert trusted(SETTINGS) is True
        monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
        assert trusted(SETTINGS) == str(bundle)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/not/there")
        assert trusted(SETTINGS) == str(bundle)
        assert trusted(FabricSettings("c", verify=False)) is False

    def test_a_netrc_file_does_not_replace_the_token(self, monkeypatch, tmp_path):
        netrc = tmp_path / "netrc"
        netrc.write_text("machine api.example login user password pass")
        netrc.chmod(0o600)
        monkeypatch.setenv("NETRC", str(netrc))
        session = requests.Session()
        mine = requests.Request("GET", "https://api.example", headers={"Authorization": "Bearer t"},
                                auth=requests_options(SETTINGS, "https://api.example")["auth"])  # fmt: skip
        assert session.prepare_request(mine).headers["Authorization"] == "Bearer t"
        session.close()
