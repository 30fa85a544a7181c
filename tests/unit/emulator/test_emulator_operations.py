"""Long-running operations, and being told to answer either way."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import PIPELINE, Service, error_of


def follow(service: Service, answer: Any) -> Any:
    """Check a 202 and wait for its operation."""
    assert (answer.status_code, answer.content) == (202, b"")
    assert answer.headers["x-ms-operation-id"] in answer.headers["location"]
    assert answer.headers["retry-after"] == "2"
    state = service.get(answer.headers["location"])
    assert state.json()["status"] in ("NotStarted", "Running")
    assert "retry-after" in state.headers
    service.clock.advance(0.25)
    state = service.get(state.headers["location"])
    assert (state.json()["status"], state.json()["percentComplete"]) == ("Running", 25)
    service.clock.advance(1)
    state = service.get(answer.headers["location"])
    assert (state.json()["status"], state.json()["percentComplete"]) == ("Succeeded", 100)
    assert "retry-after" not in state.headers
    return state


def test_creating_with_an_operation(service: Service) -> None:
    service.control("POST", "config", {"force_lro": True})
    answer = service.post("/dataPipelines", {"displayName": "a", "definition": PIPELINE})
    state = follow(service, answer)
    assert state.headers["location"].endswith("/result")
    item = service.get(state.headers["location"]).json()
    assert service.get(f"/items/{item['id']}").json() == item


def test_reading_a_definition_with_an_operation(service: Service) -> None:
    item_id = service.create(definition=PIPELINE)
    service.control("POST", "config", {"force_lro": {"get_definition": True}})
    state = follow(service, service.post(f"/items/{item_id}/getDefinition"))
    assert service.get(state.headers["location"]).json()["definition"]["parts"]
    service.create(name="create is not forced")


def test_an_operation_without_a_result(service: Service) -> None:
    item_id = service.create()
    service.control("POST", "config", {"force_lro": True})
    answer = service.post(f"/items/{item_id}/updateDefinition", {"definition": PIPELINE})
    state = follow(service, answer)
    assert "location" not in state.headers
    result = service.get(f"{answer.headers['location']}/result")
    assert error_of(result) == (400, "OperationHasNoResult")


def test_asking_for_a_result_too_early(service: Service) -> None:
    service.control("POST", "config", {"force_lro": True})
    answer = service.post("/items", {"displayName": "a", "type": "Notebook"})
    result = service.get(f"{answer.headers['location']}/result")
    assert error_of(result) == (400, "OperationNotCompleted")


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("nonsense", (400, "InvalidInput")),
        ("00000000-0000-0000-0000-000000000000", (404, "OperationNotFound")),
    ],
)
def test_unknown_operations(service: Service, operation: str, expected: tuple[int, str]) -> None:
    assert error_of(service.get(f"/v1/operations/{operation}")) == expected
