"""Who may use the control endpoints: no web page, and beyond loopback addresses only who has the token."""

from __future__ import annotations

import httpx
import pytest

from airflow_provider_fabric.emulator.app import EmulatorApp
from airflow_provider_fabric.emulator.control.access import ControlAccess
from airflow_provider_fabric.emulator.http.hosts import host_name, is_loopback

from .conftest import DirectTransport, Service, error_of

TOKEN = "a-control-token"
LOCAL = "https://127.0.0.1:8443"


def call(
    service: Service, access: ControlAccess | None, path: str = "/_emulator/reset", **headers: str
) -> httpx.Response:
    """Send a reset to an emulator with such a rule, to a loopback address unless ``host`` says otherwise."""
    service.world.jobs.cancel_requests = 7
    transport = DirectTransport(EmulatorApp(service.world, control=access))
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with httpx.Client(transport=transport, base_url=LOCAL) as http:
        answer = http.post(path, json={}, headers=named)
    assert (service.world.jobs.cancel_requests == 0) == (answer.status_code == 200), "refused means: nothing was done"
    return answer


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8443", "localhost:1", "LOCALHOST", "[::1]:8443", "127.8.0.9"])
def test_loopback_addresses_are_ours(service: Service, host: str) -> None:
    assert call(service, ControlAccess(), host=host).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8443", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.7", ""]
)
def test_a_foreign_host_is_refused(service: Service, host: str) -> None:
    """A page whose own name resolves to 127.0.0.1 sends that name."""
    assert error_of(call(service, ControlAccess(), host=host)) == (403, "ForeignHost")


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://127.0.0.1:8443"},
        {"origin": "https://127.0.0.1:8444"},
        {"origin": "null"},
        {"origin": ""},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"origin": LOCAL, "sec_fetch_site": "cross-site"},
    ],
)
@pytest.mark.parametrize("access", [ControlAccess(), ControlAccess(None, TOKEN)], ids=["local", "with-token"])
def test_a_page_of_another_origin_is_refused(service: Service, access: ControlAccess, headers: dict[str, str]) -> None:
    answer = call(service, access, authorization=f"Bearer {TOKEN}", **headers)
    assert error_of(answer) == (403, "ForeignOrigin")


@pytest.mark.parametrize(
    "headers", [{}, {"origin": LOCAL}, {"origin": LOCAL, "sec_fetch_site": "same-origin"}, {"sec_fetch_site": "none"}]
)
def test_programs_and_our_own_pages_are_let_in(service: Service, headers: dict[str, str]) -> None:
    assert call(service, ControlAccess(), **headers).status_code == 200


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer ", "Bearer another", f"Basic {TOKEN}", TOKEN])
def test_without_the_token_nobody_is_let_in(service: Service, authorization: str) -> None:
    answer = call(service, ControlAccess(None, TOKEN), authorization=authorization)
    assert error_of(answer) == (401, "ControlTokenRequired")
    assert TOKEN not in answer.text


def test_an_access_token_is_no_control_token(service: Service) -> None:
    access_token = service.http.headers["Authorization"]
    assert call(service, ControlAccess(None, TOKEN), authorization=access_token).status_code == 401


def test_with_the_token_the_host_does_not_matter(service: Service) -> None:
    access = ControlAccess(None, TOKEN)
    assert call(service, access, host="emulator.lan", authorization=f"Bearer {TOKEN}").status_code == 200
    assert TOKEN not in repr(access)


@pytest.mark.parametrize("path", ["/_EMULATOR/reset", "/_Emulator/reset", "/%5Femulator/reset", "/_emulator/nothing"])
@pytest.mark.parametrize(
    ("access", "expected"),
    [
        (None, (404, "EntityNotFound")),
        (ControlAccess(None, TOKEN), (401, "ControlTokenRequired")),
        (ControlAccess(), (403, "ForeignHost")),
    ],
)
def test_no_spelling_of_the_path_is_a_way_in(
    service: Service, path: str, access: ControlAccess | None, expected: tuple[int, str]
) -> None:
    answer = call(service, access, path, host="evil.example")
    assert error_of(answer) == expected


def test_the_api_itself_takes_any_host(service: Service) -> None:
    """Microsoft's clients send Microsoft's names."""
    assert service.get("/items", headers={"Host": "api.fabric.microsoft.com"}).status_code == 200


@pytest.mark.parametrize(
    ("name", "expected"),
    [("localhost", True), ("127.0.0.1", True), ("127.1.2.3", True), ("::1", True), ("0.0.0.0", False), ("", False)],
)
def test_loopback(name: str, expected: bool) -> None:
    assert is_loopback(name) is expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [("A.example:1", "a.example"), ("[::1]:8443", "::1"), ("[::1]", "::1"), ("a.example.", "a.example"), ("", "")],
)
def test_the_name_in_a_host_header(host: str, expected: str) -> None:
    assert host_name(host) == expected
