"""Long-running operations, and the setting that decides which calls answer with one."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_fabric.emulator.errors import ServiceError
from airflow_provider_fabric.emulator.state.operations import Operation
from airflow_provider_fabric.emulator.state.times import operation_time

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
    assert (state.json()["status"], state.json()["percentComplete"]) == ("Running", None)
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


def test_the_state_of_an_operation_as_a_tenant_writes_it(service: Service) -> None:
    """Every property is there; a percentage only in the end; times without offset and trailing zeros."""
    service.control("POST", "config", {"force_lro": True})
    service.clock.advance(0.25)
    location = service.post("/items", {"displayName": "a", "type": "Notebook"}).headers["location"]
    service.clock.advance(0.5)
    nothing = {"error": None, "blobInfoId": None, "resultContentType": None}
    assert service.get(location).json() == {
        "status": "Running",
        "createdTimeUtc": "2025-06-15T15:06:40.25",
        "lastUpdatedTimeUtc": "2025-06-15T15:06:40.75",
        "percentComplete": None,
        **nothing,
    }
    service.clock.advance(10)
    assert service.get(location).json() == {
        "status": "Succeeded",
        "createdTimeUtc": "2025-06-15T15:06:40.25",
        "lastUpdatedTimeUtc": "2025-06-15T15:06:41.25",
        "percentComplete": 100,
        **nothing,
    }


def test_the_state_of_a_failed_operation() -> None:
    error = ServiceError(409, "ItemDisplayNameNotAvailableYet", "Not yet", is_retriable=True)
    failed = Operation("an-id", 1_750_000_000.0, 1_750_000_001.0, error=error)
    assert failed.to_wire(1_750_000_002.0) == {
        "status": "Failed",
        "createdTimeUtc": "2025-06-15T15:06:40",
        "lastUpdatedTimeUtc": "2025-06-15T15:06:41",
        "percentComplete": None,
        "error": {"errorCode": "ItemDisplayNameNotAvailableYet", "message": "Not yet", "isRetriable": True},
        "blobInfoId": None,
        "resultContentType": None,
    }
    assert failed.to_wire(1_750_000_000.5)["error"] is None


@pytest.mark.parametrize(
    ("epoch_seconds", "text"),
    [
        (1_750_000_000.0, "2025-06-15T15:06:40"),
        (1_750_000_000.5, "2025-06-15T15:06:40.5"),
        (1_750_000_000.0009765625, "2025-06-15T15:06:40.0009766"),
        (1_749_999_600.0, "2025-06-15T15:00:00"),
    ],
)
def test_the_times_of_operations(epoch_seconds: float, text: str) -> None:
    assert operation_time(epoch_seconds) == text


def test_what_is_an_operation_when_nobody_asks_for_one(service: Service) -> None:
    """Creating with a definition and reading a variable library's answer 202, as measured; the rest at once."""
    service.control("POST", "config", {"force_lro": None})
    follow(service, service.post("/items", {"displayName": "b", "type": "DataPipeline", "definition": PIPELINE}))
    follow(service, service.post("/warehouses", {"displayName": "w"}))
    item_id = service.create()
    assert service.post(f"/items/{item_id}/updateDefinition", {"definition": PIPELINE}).status_code == 200
    assert service.post(f"/items/{item_id}/getDefinition").status_code == 200
    library_id = service.create("VariableLibrary")
    follow(service, service.post(f"/items/{library_id}/getDefinition"))


@pytest.mark.parametrize(
    ("force_lro", "statuses"),
    [(True, (202, 202, 202)), (False, (201, 200, 200)), ({"update_definition": True}, (202, 200, 202))],
)
def test_operations_on_demand(service: Service, force_lro: Any, statuses: tuple[int, ...]) -> None:
    item_id = service.create()
    service.control("POST", "config", {"force_lro": force_lro})
    answers = (
        service.post("/items", {"displayName": "b", "type": "DataPipeline", "definition": PIPELINE}),
        service.post(f"/items/{item_id}/getDefinition"),
        service.post(f"/items/{item_id}/updateDefinition", {"definition": PIPELINE}),
    )
    assert tuple(answer.status_code for answer in answers) == statuses


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("nonsense", (400, "InvalidInput")),
        ("00000000-0000-0000-0000-000000000000", (404, "OperationNotFound")),
    ],
)
def test_unknown_operations(service: Service, operation: str, expected: tuple[int, str]) -> None:
    assert error_of(service.get(f"/v1/operations/{operation}")) == expected
