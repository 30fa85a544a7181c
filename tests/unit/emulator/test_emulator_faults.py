"""Injected faults, and the log that judges what happened."""

from __future__ import annotations

import httpx
import pytest

from airflow_provider_fabric.emulator.app import EmulatorApp

from .conftest import CONTROL, DirectTransport, Service, error_of


def test_a_fault_skips_hits_and_ends(service: Service) -> None:
    fault = {"method": "GET", "path": "*/items", "skip": 1, "count": 2, "status": 503, "retry_after": "soon"}
    service.control("POST", "faults", fault)
    answers = [service.get("/items") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 503, 503, 200]
    assert error_of(answers[1]) == (503, "ServiceUnavailable")
    assert answers[1].headers["retry-after"] == "soon"
    (listed,) = service.control("GET", "faults")["value"]
    assert (listed["seen"], listed["hits"]) == (4, 2)


def test_a_fault_without_end_until_it_is_cleared(service: Service) -> None:
    fault = {"path": "*/items", "count": None, "status": 429, "error_code": "Busy", "is_retriable": False}
    service.control("POST", "faults", fault)
    for _ in range(3):
        answer = service.get("/items")
        assert error_of(answer) == (429, "Busy")
        assert answer.json()["isRetriable"] is False
    service.control("DELETE", "faults")
    assert service.get("/items").status_code == 200


def test_a_submit_that_is_accepted_and_then_answered_503(service: Service) -> None:
    item_id = service.create()
    service.control("POST", "faults", {"path": "*/jobs/*/instances", "phase": "after"})
    assert service.post(f"/items/{item_id}/jobs/Execute/instances").status_code == 503
    assert service.control("GET", "stats")["jobs"]["started"] == 1
    entry = service.control("GET", "requests")["value"][-1]
    assert entry["status"] == 503
    assert entry["job_instance_id"] == service.control("GET", "jobs")["value"][0]["id"]


def test_a_submit_that_is_refused_before_it_starts(service: Service) -> None:
    item_id = service.create()
    service.control("POST", "faults", {"method": "POST", "path": "*/jobs/*/instances", "status": 500})
    assert service.post(f"/items/{item_id}/jobs/Execute/instances").status_code == 500
    assert service.control("GET", "stats")["jobs"]["started"] == 0


def test_a_dropped_connection_is_in_the_log(service: Service) -> None:
    service.control("POST", "faults", {"action": "drop"})
    with pytest.raises(ConnectionAbortedError):
        service.get("/items")
    entry = service.control("GET", "requests")["value"][-1]
    assert (entry["status"], entry["authorized"]) == (None, False)
    assert service.control("GET", "stats")["routes"]["GET /v1/workspaces/{workspaceId}/items"] == {"dropped": 1}


def test_bodies_of_a_fault(service: Service) -> None:
    service.control("POST", "faults", {"action": "garbage"})
    answer = service.get("/items")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    service.control("POST", "faults", {"status": 400, "body": {"a": 1}, "headers": {"x-y": "z"}})
    answer = service.get("/items")
    assert (answer.json(), answer.headers["x-y"]) == ({"a": 1}, "z")
    service.control("POST", "faults", {"status": 200, "body": '{"value": [{"id": "tru'})
    assert service.get("/items").text.endswith("tru")


def test_delays_wait_and_then_answer(service: Service) -> None:
    service.control("POST", "faults", {"action": "delay", "delay_seconds": 4})
    assert service.get("/items").status_code == 200
    service.control("POST", "faults", {"status": 504, "delay_seconds": 2})
    assert service.get("/items").status_code == 504
    assert service.slept == [4, 2]


def test_faults_of_token_routes_speak_as_entra(service: Service) -> None:
    service.control("POST", "faults", {"path": "*/oauth2/v2.0/token", "status": 500})
    answer = service.http.post(f"/{service.world.tenant.tenant_id}/oauth2/v2.0/token")
    assert (answer.status_code, answer.json()["error"]) == (500, "temporarily_unavailable")


@pytest.mark.parametrize(
    "body", [{"action": "explode"}, {"phase": "never"}, {"colour": "red"}, {"status": "x"}, {"path": 1}, []]
)
def test_bad_faults(service: Service, body: object) -> None:
    answer = service.http.post("/_emulator/faults", json=body)
    assert answer.status_code == 400


def test_the_log_tells_who_asked_what(service: Service) -> None:
    service.create(name="A")
    service.get("/items?type=DataPipeline", headers={"User-Agent": "tester/1"})
    service.get("/items", headers={"Authorization": ""})
    log = service.control("GET", "requests")
    created, listed, refused = log["value"]
    assert created["body"] == {"displayName": "A", "type": "DataPipeline"}
    assert created["route"] == "POST /v1/workspaces/{workspaceId}/items"
    assert (created["identity"], created["authorized"]) == (service.world.tenant.client_id, True)
    assert (listed["query"], listed["user_agent"], listed["body"]) == ("type=DataPipeline", "tester/1", None)
    assert (refused["status"], refused["authorized"], refused["identity"]) == (401, False, None)
    assert service.control("GET", f"requests?since={log['next']}")["value"] == []
    assert len(service.control("GET", "requests?since=1&limit=1")["value"]) == 1
    calls = service.control("GET", "stats")["calls"]
    assert calls["platform"] == 3, "control calls do not count"


def test_token_calls_leave_no_secret_in_the_log(service: Service) -> None:
    form = {"grant_type": "client_credentials", "client_secret": service.world.tenant.client_secret}
    service.http.post(f"/{service.world.tenant.tenant_id}/oauth2/v2.0/token", data=form)
    log = service.http.get("/_emulator/requests").text
    assert service.world.tenant.client_secret not in log


def test_a_delay_after_the_fact_holds_back_only_the_answer(service: Service) -> None:
    item_id = service.create()
    started: list[int] = []

    async def observe(seconds: float) -> None:
        started.append(len(list(service.world.jobs.all())))

    transport = DirectTransport(EmulatorApp(service.world, control=CONTROL, sleep=observe))
    with httpx.Client(transport=transport, base_url="https://fabric.test", headers=service.http.headers) as slow:
        for phase in ("before", "after"):
            service.control("POST", "faults", {"action": "delay", "phase": phase, "delay_seconds": 4})
            answer = slow.post(f"{service.root}/items/{item_id}/jobs/Execute/instances")
            assert answer.status_code == 202
    assert started == [0, 2]


def test_every_answer_is_dated_by_the_services_clock(service: Service) -> None:
    assert service.get("/items").headers["Date"] == "Sun, 15 Jun 2025 15:06:40 GMT"
