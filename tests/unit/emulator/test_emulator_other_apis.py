"""Semantic model refreshes (Power BI) and user data functions."""

from __future__ import annotations

import pytest

from airflow_provider_fabric.emulator.state.tokens import POWER_BI

from .conftest import Service


@pytest.fixture
def refreshes(service: Service) -> str:
    item_id = service.create("SemanticModel")
    service.sign_in(audience=POWER_BI)
    return f"/v1.0/myorg/groups/{service.world.tenant.workspace_id}/datasets/{item_id}/refreshes"


def test_a_refresh_runs_and_completes(service: Service, refreshes: str) -> None:
    url = f"https://fabric.test{refreshes}"
    started = service.post(url, {"type": "Full"})
    assert (started.status_code, started.content) == (202, b"")
    assert started.headers["location"] == f"{url}/{started.headers['requestid']}"
    running = service.get(started.headers["location"])
    assert (running.status_code, running.json()["extendedStatus"]) == (202, "InProgress")
    again = service.post(url)
    assert (again.status_code, again.json()["error"]["code"]) == (400, "RefreshInProgressException")
    service.clock.advance(3)
    ended = service.get(started.headers["location"])
    assert (ended.status_code, ended.json()["status"]) == (200, "Completed")
    (listed,) = service.get(f"{url}?$top=1").json()["value"]
    assert (listed["requestId"], listed["status"]) == (started.headers["requestid"], "Completed")


def test_a_refresh_that_fails_and_one_that_is_cancelled(service: Service, refreshes: str) -> None:
    url = f"https://fabric.test{refreshes}"
    reason = {"errorCode": "ModelRefresh_ShortMessage_ProcessingError"}
    service.control("POST", "jobs", {"item_type": "SemanticModel", "outcome": "Failed", "failure_reason": reason})
    location = service.post(url, {"type": "Full"}).headers["location"]
    service.clock.advance(3)
    ended = service.get(location).json()
    assert (ended["status"], ended["messages"][0]["type"]) == ("Failed", "Error")
    assert "ProcessingError" in ended["messages"][0]["message"]
    location = service.post(url, {"type": "Full"}).headers["location"]
    assert service.call("DELETE", location).status_code == 200
    assert service.get(location).json()["status"] == "Cancelled"
    assert service.call("DELETE", location).status_code == 400


def test_power_bi_wants_its_own_audience_and_speaks_its_own_errors(service: Service, refreshes: str) -> None:
    url = f"https://fabric.test{refreshes}"
    assert service.post(url, {"type": "Nonsense"}).status_code == 400
    assert service.get(f"{url}?$top=none").status_code == 400
    missing = service.get(f"{url}/nothing")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "PowerBIEntityNotFound")
    other = service.get(url.replace("/datasets/", "/datasets/x"))
    assert other.status_code == 404
    service.sign_in()
    assert service.get(url).status_code == 401


def test_a_function_answers_with_its_arguments(service: Service) -> None:
    path = f"/userDataFunctions/{service.create('UserDataFunction')}/functions/hello/invoke"
    body = service.post(path, {"name": "x"}).json()
    assert (body["functionName"], body["status"], body["output"], body["errors"]) == (
        "hello",
        "Succeeded",
        {"name": "x"},
        [],
    )
    rule = {"item_type": "UserDataFunction", "outcome": "Failed", "failure_reason": {"errorCode": "E", "message": "m"}}
    service.control("POST", "jobs", rule)
    body = service.post(path).json()
    assert (body["status"], body["errors"][0]["name"]) == ("Failed", "E")
    service.control("POST", "jobs", {"job_type": "hello", "refuse": {"status": 403}})
    assert service.post(path).status_code == 403
