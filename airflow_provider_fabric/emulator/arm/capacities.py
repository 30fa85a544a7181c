"""Azure Resource Manager, as far as Fabric capacities go.

https://learn.microsoft.com/rest/api/microsoftfabric/fabric-capacities. Like Azure it insists on ``api-version``, wraps
errors in ``{"error": {"code", "message"}}``, and takes its time to resume and to suspend. Its ids ignore case.
"""

from __future__ import annotations

from starlette.responses import Response

from airflow_provider_fabric.emulator.errors import ServiceError, new_request_id
from airflow_provider_fabric.emulator.http.request import ApiRequest
from airflow_provider_fabric.emulator.http.responses import empty_response, json_response
from airflow_provider_fabric.emulator.state.capacities import ACTIVE, PAUSED, Capacity
from airflow_provider_fabric.emulator.state.ids import new_id
from airflow_provider_fabric.emulator.state.world import World

CAPACITY_VERSIONS = frozenset({"2023-11-01", "2025-01-15-preview"})
SUBSCRIPTION_VERSIONS = frozenset({"2016-06-01", "2020-01-01", "2022-12-01"})


def list_subscriptions(world: World, request: ApiRequest) -> Response:
    """``GET /subscriptions``."""
    _check_version(request, SUBSCRIPTION_VERSIONS)
    ids = sorted({capacity.subscription_id for capacity in world.capacities.all()})
    entries = [
        {"id": f"/subscriptions/{i}", "subscriptionId": i, "displayName": "Emulator", "state": "Enabled"} for i in ids
    ]
    return json_response({"value": entries})


def list_capacities(world: World, request: ApiRequest) -> Response:
    """``GET /subscriptions/{subscriptionId}/providers/Microsoft.Fabric/capacities``, in pages with a ``nextLink``."""
    _check_version(request, CAPACITY_VERSIONS)
    wanted = _subscription(world, request)
    found = [c for c in world.capacities.all() if c.subscription_id == wanted]
    start = request.query.get("$skiptoken", "0")
    first, size = int(start) if start.isdigit() else 0, world.config.page_size
    content: dict[str, object] = {"value": [c.to_arm(request.now) for c in found[first : first + size]]}
    if len(found) > first + size:
        query = {"api-version": request.query["api-version"], "$skiptoken": str(first + size)}
        content["nextLink"] = request.url(request.path, query)
    return json_response(content)


def get_capacity(world: World, request: ApiRequest) -> Response:
    """``GET …/capacities/{capacityName}``."""
    return json_response(_capacity(world, request).to_arm(request.now))


def resume_capacity(world: World, request: ApiRequest) -> Response:
    """``POST …/capacities/{capacityName}/resume``: accepted at once, done a little later."""
    return _change(world, request, ACTIVE)


def suspend_capacity(world: World, request: ApiRequest) -> Response:
    """``POST …/capacities/{capacityName}/suspend``: the runs on it fail."""
    response = _change(world, request, PAUSED)
    capacity = _capacity(world, request)
    reason = {"errorCode": "CapacityNotActive", "message": "The capacity was paused", "isRetriable": False}
    for job in world.jobs.all():
        workspace = world.workspaces.get(job.workspace_id)
        if workspace is not None and workspace.capacity_id == capacity.id and not job.is_over(request.now):
            job.force(request.now, "Failed", reason)
    return response


def _change(world: World, request: ApiRequest, state: str) -> Response:
    _capacity(world, request).change(state, request.now, world.config.scaled(world.config.capacity_seconds))
    operation = (
        f"/arm/subscriptions/{request.params['subscriptionId']}/providers/Microsoft.Fabric/operations/{new_id()}"
    )
    headers = {"Location": request.url(operation), "Retry-After": str(world.config.retry_after())}
    return empty_response(202, headers)


def _capacity(world: World, request: ApiRequest) -> Capacity:
    _check_version(request, CAPACITY_VERSIONS)
    subscription, params = _subscription(world, request), request.params
    found = world.capacities.find(subscription, params["resourceGroup"], params["capacityName"])
    if found is None:
        text = (
            f"The Resource 'Microsoft.Fabric/capacities/{params['capacityName']}' under resource group "
            f"'{params['resourceGroup']}' was not found."
        )
        raise ServiceError(404, "ResourceNotFound", text)
    return found


def _subscription(world: World, request: ApiRequest) -> str:
    wanted = request.params["subscriptionId"].lower()
    if wanted not in {capacity.subscription_id for capacity in world.capacities.all()}:
        raise ServiceError(404, "SubscriptionNotFound", f"The subscription '{wanted}' could not be found.")
    return wanted


def _check_version(request: ApiRequest, known: frozenset[str]) -> None:
    version = request.query.get("api-version")
    if version is None:
        text = "The api-version query parameter (?api-version=) is required for all requests."
        raise ServiceError(400, "MissingApiVersionParameter", text)
    if version not in known:
        raise ServiceError(400, "InvalidApiVersionParameter", f"The api-version '{version}' is invalid.")


def arm_error(error: ServiceError) -> Response:
    """Answer in Azure's envelope: ``{"error": {"code", "message"}}``."""
    headers = {"x-ms-request-id": new_request_id(), **error.headers}
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    return json_response({"error": {"code": error.code, "message": error.message}}, error.status, headers)
