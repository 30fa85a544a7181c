"""Long-running operations over HTTP: 202 with a link to the state, and a state with a link to the result.

``Location`` of a succeeded operation leads to ``…/result`` only if there is one; asking for another answers
``OperationHasNoResult`` (https://learn.microsoft.com/rest/api/fabric/articles/long-running-operation).
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from airflow_provider_fabric.emulator.errors import ServiceError
from airflow_provider_fabric.emulator.http.request import ApiRequest
from airflow_provider_fabric.emulator.http.responses import empty_response, json_response
from airflow_provider_fabric.emulator.state.operations import Operation
from airflow_provider_fabric.emulator.state.world import World


def accepted_response(
    world: World, request: ApiRequest, result: Any = None, error: ServiceError | None = None
) -> Response:
    """Answer 202 and begin an operation."""
    takes = world.config.scaled(world.config.lro_seconds)
    operation = world.operations.start(request.now, takes, result, error)
    return empty_response(202, _headers(world, request, operation, goes_on=True))


def _headers(world: World, request: ApiRequest, operation: Operation, *, goes_on: bool) -> dict[str, str]:
    """Return the headers that lead on from an operation."""
    headers = {"x-ms-operation-id": operation.id}
    path = f"/v1/operations/{operation.id}"
    if goes_on:
        headers["Location"] = request.url(path)
        headers["Retry-After"] = str(world.config.retry_after())
    elif operation.result is not None and operation.error is None:
        headers["Location"] = request.url(f"{path}/result")
    return headers


def get_operation(world: World, request: ApiRequest) -> Response:
    """``GET /v1/operations/{operationId}``."""
    operation = world.operations.get(request.params["operationId"])
    headers = _headers(world, request, operation, goes_on=request.now < operation.ends_at)
    return json_response(operation.to_wire(request.now), headers=headers)


def get_operation_result(world: World, request: ApiRequest) -> Response:
    """``GET /v1/operations/{operationId}/result``."""
    operation = world.operations.get(request.params["operationId"])
    if request.now < operation.ends_at:
        raise ServiceError(400, "OperationNotCompleted", "The operation has not completed yet", is_retriable=True)
    if operation.error is not None:
        raise operation.error
    if operation.result is None:
        raise ServiceError(400, "OperationHasNoResult", "The operation has no result")
    return json_response(operation.result)
