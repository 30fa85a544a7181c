"""The table of everything the emulator answers to."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_provider_fabric.emulator import (
    activities,
    copy_jobs,
    dataflows,
    device_code,
    discovery,
    entra,
    item_routes,
    job_routes,
    managed_identity,
    operations,
    powerbi,
    schedules,
    user_functions,
    workspace_routes,
)
from airflow_provider_fabric.emulator.item_types import COLLECTIONS, ITEM_TYPES
from airflow_provider_fabric.emulator.routing import Handler, Route
from airflow_provider_fabric.emulator.tokens import FABRIC, POWER_BI

WORKSPACE = "/v1/workspaces/{workspaceId}"


def fabric(
    method: str, template: str, handler: Handler, bucket: str = "platform", item_type: str | None = None
) -> Route:
    """Return a route of the Fabric API; it takes Power BI's audience too, which Microsoft's own command line sends."""
    return Route(method, template, handler, bucket, (FABRIC, POWER_BI), item_type)


def all_routes() -> Iterator[Route]:
    """Return every route of the service itself; control endpoints are separate."""
    yield from _sign_in()
    yield from _platform()
    yield from _items("items", None)
    for collection, item_type in COLLECTIONS.items():
        yield from _items(collection, item_type)
    yield from _special()
    yield from _power_bi()


def _sign_in() -> Iterator[Route]:
    for method, template, handler in (
        ("GET", "/{tenantId}/v2.0/.well-known/openid-configuration", discovery.openid_configuration),
        ("GET", "/{tenantId}/discovery/v2.0/keys", discovery.signing_keys),
        ("GET", "/common/discovery/instance", discovery.instance_discovery),
        ("POST", "/{tenantId}/oauth2/v2.0/token", entra.token),
        ("POST", "/{tenantId}/oauth2/v2.0/devicecode", device_code.device_code),
        ("GET", "/metadata/identity/oauth2/token", managed_identity.instance_metadata),
        ("GET", "/msi/token", managed_identity.app_service),
    ):
        yield Route(method, template, handler, "token")


def _platform() -> Iterator[Route]:
    yield fabric("GET", "/v1/workspaces", workspace_routes.list_workspaces)
    yield fabric("POST", "/v1/workspaces", workspace_routes.create_workspace)
    yield fabric("GET", WORKSPACE, workspace_routes.get_workspace)
    yield fabric("PATCH", WORKSPACE, workspace_routes.update_workspace)
    yield fabric("DELETE", WORKSPACE, workspace_routes.delete_workspace)
    yield fabric("GET", "/v1/capacities", workspace_routes.list_capacities)
    folders = f"{WORKSPACE}/folders"
    yield fabric("GET", folders, workspace_routes.list_folders)
    yield fabric("POST", folders, workspace_routes.create_folder)
    yield fabric("GET", folders + "/{folderId}", workspace_routes.get_folder)
    yield fabric("PATCH", folders + "/{folderId}", workspace_routes.update_folder)
    yield fabric("DELETE", folders + "/{folderId}", workspace_routes.delete_folder)
    operation = "/v1/operations/{operationId}"
    yield fabric("GET", operation, operations.get_operation, "operations")
    yield fabric("GET", f"{operation}/result", operations.get_operation_result, "operations")


def _items(collection: str, item_type: str | None) -> Iterator[Route]:
    """Return the routes of one collection: ``/items``, or a typed one."""
    many = f"{WORKSPACE}/{collection}"
    one = many + "/{itemId}"
    for method, template, handler in (
        ("GET", many, item_routes.list_items),
        ("POST", many, item_routes.create_item),
        ("GET", one, item_routes.get_item),
        ("PATCH", one, item_routes.update_item),
        ("DELETE", one, item_routes.delete_item),
        ("POST", f"{one}/getDefinition", item_routes.get_definition),
        ("POST", f"{one}/updateDefinition", item_routes.update_definition),
    ):
        yield fabric(method, template, handler, item_type=item_type)
    if item_type is None or ITEM_TYPES[item_type].jobs:
        yield from _jobs(f"{one}/jobs", item_type)


def _jobs(root: str, item_type: str | None) -> Iterator[Route]:
    """Return the job scheduler's routes under one item path."""
    instances, typed = f"{root}/instances", root + "/{jobType}/instances"
    schedule = root + "/{jobType}/schedules"
    table = [
        ("POST", typed, job_routes.run_by_path),
        ("POST", instances, job_routes.run_by_query),
        ("GET", instances, job_routes.list_instances),
        ("GET", instances + "/{jobInstanceId}", job_routes.get_instance),
        ("POST", instances + "/{jobInstanceId}/cancel", job_routes.cancel_instance),
        ("GET", schedule, schedules.list_schedules),
        ("POST", schedule, schedules.create_schedule),
        ("GET", schedule + "/{scheduleId}", schedules.get_schedule),
        ("PATCH", schedule + "/{scheduleId}", schedules.update_schedule),
        ("DELETE", schedule + "/{scheduleId}", schedules.delete_schedule),
    ]
    if item_type is not None:  # only typed collections name the job type when they read (data pipeline file)
        table += [
            ("GET", typed, job_routes.list_instances),
            ("GET", typed + "/{jobInstanceId}", job_routes.get_instance),
        ]
    for method, template, handler in table:
        yield fabric(method, template, handler, "job_scheduler", item_type)


def _special() -> Iterator[Route]:
    yield fabric("POST", f"{WORKSPACE}/items" + "/{itemId}/move", item_routes.move_item)
    yield fabric("GET", f"{WORKSPACE}/items" + "/{itemId}/connections", item_routes.list_connections)
    runs = f"{WORKSPACE}/datapipelines/pipelineruns"
    yield fabric("POST", runs + "/{jobInstanceId}/queryactivityruns", activities.query_activity_runs)
    reset = f"{WORKSPACE}/copyJobs" + "/{itemId}/resetCopyJob"
    yield fabric("POST", reset, copy_jobs.reset_copy_job, item_type="CopyJob")
    parameters = f"{WORKSPACE}/dataflows" + "/{itemId}/parameters"
    yield fabric("GET", parameters, dataflows.list_parameters, item_type="Dataflow")
    invoke = f"{WORKSPACE}/userDataFunctions" + "/{itemId}/functions/{functionName}/invoke"
    yield fabric("POST", invoke, user_functions.invoke_function, item_type="UserDataFunction")


def _power_bi() -> Iterator[Route]:
    refreshes = "/v1.0/myorg/groups/{workspaceId}/datasets/{itemId}/refreshes"
    for method, template, handler in (
        ("POST", refreshes, powerbi.start_refresh),
        ("GET", refreshes, powerbi.list_refreshes),
        ("GET", refreshes + "/{refreshId}", powerbi.get_refresh),
        ("DELETE", refreshes + "/{refreshId}", powerbi.cancel_refresh),
    ):
        yield Route(method, template, handler, "powerbi", (POWER_BI,))
