"""The table of everything the emulator answers to."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_provider_fabric.emulator.arm import capacities
from airflow_provider_fabric.emulator.entra import device_code, discovery, managed_identity, token_endpoint
from airflow_provider_fabric.emulator.fabric import (
    activities,
    copy_jobs,
    dataflows,
    definitions,
    deployment_pipelines,
    environments,
    eventstreams,
    git,
    items,
    jobs,
    lakehouses,
    mirroring,
    operations,
    power_bi,
    schedules,
    sql_endpoints,
    user_functions,
    workspaces,
)
from airflow_provider_fabric.emulator.http.routing import Handler, Route
from airflow_provider_fabric.emulator.onelake import blob_list, blobs, blocks, files
from airflow_provider_fabric.emulator.state.item_types import COLLECTIONS, ITEM_TYPES
from airflow_provider_fabric.emulator.state.tokens import FABRIC, MANAGEMENT, POWER_BI, STORAGE

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
    yield from _stages()
    yield from _power_bi()
    yield from _arm()
    yield from _onelake()


def _sign_in() -> Iterator[Route]:
    for method, template, handler in (
        ("GET", "/{tenantId}/v2.0/.well-known/openid-configuration", discovery.openid_configuration),
        ("GET", "/{tenantId}/discovery/v2.0/keys", discovery.signing_keys),
        ("GET", "/common/discovery/instance", discovery.instance_discovery),
        ("POST", "/{tenantId}/oauth2/v2.0/token", token_endpoint.token),
        ("POST", "/{tenantId}/oauth2/v2.0/devicecode", device_code.device_code),
        ("GET", "/metadata/identity/oauth2/token", managed_identity.instance_metadata),
        ("GET", "/msi/token", managed_identity.app_service),
    ):
        yield Route(method, template, handler, "token")


def _platform() -> Iterator[Route]:
    yield fabric("GET", "/v1/workspaces", workspaces.list_workspaces)
    yield fabric("POST", "/v1/workspaces", workspaces.create_workspace)
    yield fabric("GET", WORKSPACE, workspaces.get_workspace)
    yield fabric("PATCH", WORKSPACE, workspaces.update_workspace)
    yield fabric("DELETE", WORKSPACE, workspaces.delete_workspace)
    yield fabric("POST", f"{WORKSPACE}/assignToCapacity", workspaces.assign_to_capacity)
    yield fabric("GET", "/v1/capacities", workspaces.list_capacities)
    yield fabric("GET", f"{WORKSPACE}/roleAssignments", workspaces.list_role_assignments)
    yield fabric("GET", "/v1/capacities/{capacityId}", workspaces.get_capacity)
    folders = f"{WORKSPACE}/folders"
    yield fabric("GET", folders, workspaces.list_folders)
    yield fabric("POST", folders, workspaces.create_folder)
    yield fabric("GET", folders + "/{folderId}", workspaces.get_folder)
    yield fabric("PATCH", folders + "/{folderId}", workspaces.update_folder)
    yield fabric("DELETE", folders + "/{folderId}", workspaces.delete_folder)
    operation = "/v1/operations/{operationId}"
    yield fabric("GET", operation, operations.get_operation, "operations")
    yield fabric("GET", f"{operation}/result", operations.get_operation_result, "operations")


def _items(collection: str, item_type: str | None) -> Iterator[Route]:
    """Return the routes of one collection: ``/items``, or a typed one."""
    many = f"{WORKSPACE}/{collection}"
    one = many + "/{itemId}"
    for method, template, handler in (
        ("GET", many, items.list_items),
        ("POST", many, items.create_item),
        ("GET", one, items.get_item),
        ("PATCH", one, items.update_item),
        ("DELETE", one, items.delete_item),
        ("POST", f"{one}/getDefinition", definitions.get_definition),
        ("POST", f"{one}/updateDefinition", definitions.update_definition),
    ):
        yield fabric(method, template, handler, item_type=item_type)
    if item_type is None or ITEM_TYPES[item_type].jobs:
        yield from _jobs(f"{one}/jobs", item_type)


def _jobs(root: str, item_type: str | None) -> Iterator[Route]:
    """Return the job scheduler's routes under one item path."""
    instances, typed = f"{root}/instances", root + "/{jobType}/instances"
    schedule = root + "/{jobType}/schedules"
    table = [
        ("POST", typed, jobs.run_by_path),
        ("POST", instances, jobs.run_by_query),
        ("GET", instances, jobs.list_instances),
        ("GET", instances + "/{jobInstanceId}", jobs.get_instance),
        ("POST", instances + "/{jobInstanceId}/cancel", jobs.cancel_instance),
        ("GET", schedule, schedules.list_schedules),
        ("POST", schedule, schedules.create_schedule),
        ("GET", schedule + "/{scheduleId}", schedules.get_schedule),
        ("PATCH", schedule + "/{scheduleId}", schedules.update_schedule),
        ("DELETE", schedule + "/{scheduleId}", schedules.delete_schedule),
    ]
    if item_type is not None:  # only typed collections name the job type when they read (data pipeline file)
        table += [
            ("GET", typed, jobs.list_instances),
            ("GET", typed + "/{jobInstanceId}", jobs.get_instance),
        ]
    for method, template, handler in table:
        yield fabric(method, template, handler, "job_scheduler", item_type)


def _special() -> Iterator[Route]:
    yield fabric("POST", f"{WORKSPACE}/items" + "/{itemId}/move", items.move_item)
    yield fabric("GET", f"{WORKSPACE}/items" + "/{itemId}/connections", items.list_connections)
    runs = f"{WORKSPACE}/datapipelines/pipelineruns"
    yield fabric("POST", runs + "/{jobInstanceId}/queryactivityruns", activities.query_activity_runs)
    reset = f"{WORKSPACE}/copyJobs" + "/{itemId}/resetCopyJob"
    yield fabric("POST", reset, copy_jobs.reset_copy_job, item_type="CopyJob")
    parameters = f"{WORKSPACE}/dataflows" + "/{itemId}/parameters"
    yield fabric("GET", parameters, dataflows.list_parameters, item_type="Dataflow")
    query = f"{WORKSPACE}/dataflows" + "/{itemId}/executeQuery"
    yield fabric("POST", query, dataflows.execute_query, item_type="Dataflow")
    staging = f"{WORKSPACE}/environments" + "/{itemId}/staging"
    yield fabric("POST", f"{staging}/publish", environments.publish, item_type="Environment")
    yield fabric("POST", f"{staging}/cancelPublish", environments.cancel_publish, item_type="Environment")
    library = staging + "/libraries/{libraryName}"
    yield fabric("POST", library, environments.upload_library, item_type="Environment")
    tables = f"{WORKSPACE}/lakehouses" + "/{itemId}/tables"
    yield fabric("GET", tables, lakehouses.list_tables, item_type="Lakehouse")
    yield fabric("POST", tables + "/{tableName}/load", lakehouses.load_table, item_type="Lakehouse")
    mirrored = f"{WORKSPACE}/mirroredDatabases" + "/{itemId}"
    yield fabric("POST", f"{mirrored}/startMirroring", mirroring.start, item_type="MirroredDatabase")
    yield fabric("POST", f"{mirrored}/stopMirroring", mirroring.stop, item_type="MirroredDatabase")
    yield fabric("POST", f"{mirrored}/getMirroringStatus", mirroring.get_status, item_type="MirroredDatabase")
    per_table = f"{mirrored}/getTablesMirroringStatus"
    yield fabric("POST", per_table, mirroring.get_tables_status, item_type="MirroredDatabase")
    yield from _eventstreams(f"{WORKSPACE}/eventstreams" + "/{itemId}")
    refresh = f"{WORKSPACE}/sqlEndpoints" + "/{sqlEndpointId}/refreshMetadata"
    yield fabric("POST", refresh, sql_endpoints.refresh_metadata)
    invoke = f"{WORKSPACE}/userDataFunctions" + "/{itemId}/functions/{functionName}/invoke"
    yield fabric("POST", invoke, user_functions.invoke_function, item_type="UserDataFunction")


def _eventstreams(one: str) -> Iterator[Route]:
    source, destination = one + "/sources/{nodeId}", one + "/destinations/{nodeId}"
    for method, template, handler in (
        ("GET", f"{one}/topology", eventstreams.get_topology),
        ("POST", f"{one}/pause", eventstreams.pause_all),
        ("POST", f"{one}/resume", eventstreams.resume_all),
        ("GET", source, eventstreams.get_source),
        ("POST", f"{source}/pause", eventstreams.pause_source),
        ("POST", f"{source}/resume", eventstreams.resume_source),
        ("GET", destination, eventstreams.get_destination),
        ("GET", f"{destination}/connection", eventstreams.get_destination_connection),
        ("POST", f"{destination}/pause", eventstreams.pause_destination),
        ("POST", f"{destination}/resume", eventstreams.resume_destination),
    ):
        yield fabric(method, template, handler, item_type="Eventstream")


def _stages() -> Iterator[Route]:
    """Return what moves items from one stage to the next: Git, and deployment pipelines."""
    many = "/v1/deploymentPipelines"
    one = many + "/{deploymentPipelineId}"
    stage = one + "/stages/{stageId}"
    for method, template, handler in (
        ("GET", f"{WORKSPACE}/git/status", git.get_status),
        ("POST", f"{WORKSPACE}/git/updateFromGit", git.update_from_git),
        ("POST", f"{WORKSPACE}/git/commitToGit", git.commit_to_git),
        ("GET", many, deployment_pipelines.list_pipelines),
        ("POST", many, deployment_pipelines.create_pipeline),
        ("GET", one, deployment_pipelines.get_pipeline),
        ("GET", f"{one}/stages", deployment_pipelines.list_stages),
        ("GET", f"{stage}/items", deployment_pipelines.list_stage_items),
        ("POST", f"{stage}/assignWorkspace", deployment_pipelines.assign_workspace),
        ("POST", f"{one}/deploy", deployment_pipelines.deploy),
        ("GET", f"{one}/operations", deployment_pipelines.list_operations),
        ("GET", one + "/operations/{operationId}", deployment_pipelines.get_operation),
    ):
        yield fabric(method, template, handler)


def _power_bi() -> Iterator[Route]:
    group = "/v1.0/myorg/groups/{workspaceId}"
    refreshes = group + "/datasets/{itemId}/refreshes"
    for method, template, handler in (
        ("GET", group, power_bi.get_group),
        ("POST", refreshes, power_bi.start_refresh),
        ("GET", refreshes, power_bi.list_refreshes),
        ("GET", refreshes + "/{refreshId}", power_bi.get_refresh),
        ("DELETE", refreshes + "/{refreshId}", power_bi.cancel_refresh),
    ):
        yield Route(method, template, handler, "powerbi", (POWER_BI,))


def _arm() -> Iterator[Route]:
    """Return the routes of Azure Resource Manager, whose root is ``/arm`` here."""
    subscription = "/arm/subscriptions/{subscriptionId}"
    one = subscription + "/resourceGroups/{resourceGroup}/providers/Microsoft.Fabric/capacities/{capacityName}"
    for method, template, handler in (
        ("GET", "/arm/subscriptions", capacities.list_subscriptions),
        ("GET", subscription + "/providers/Microsoft.Fabric/capacities", capacities.list_capacities),
        ("GET", one, capacities.get_capacity),
        ("POST", one + "/resume", capacities.resume_capacity),
        ("POST", one + "/suspend", capacities.suspend_capacity),
    ):
        yield Route(method, template, handler, "arm", (MANAGEMENT,))


def _onelake() -> Iterator[Route]:
    """Return the routes of OneLake's two endpoints, whose roots are ``/onelake/dfs`` and ``/onelake/blob`` here."""
    dfs, blob = "/onelake/dfs/{workspace}", "/onelake/blob/{workspace}"
    for method, template, handler in (
        ("GET", dfs, files.list_paths),
        ("HEAD", f"{dfs}/{{*path}}", files.get_properties),
        ("GET", f"{dfs}/{{*path}}", files.read),
        ("PUT", f"{dfs}/{{*path}}", files.create),
        ("PATCH", f"{dfs}/{{*path}}", files.update),
        ("DELETE", f"{dfs}/{{*path}}", files.delete),
    ):
        yield Route(method, template, handler, "onelake", (STORAGE,))
    for method, template, handler in (
        ("HEAD", blob, blob_list.container_exists),
        ("GET", blob, blob_list.list_blobs),
        ("HEAD", f"{blob}/{{*path}}", blobs.get_blob_properties),
        ("GET", f"{blob}/{{*path}}", blobs.get_blob),
        ("PUT", f"{blob}/{{*path}}", blocks.put),
        ("DELETE", f"{blob}/{{*path}}", blobs.delete_blob),
    ):
        yield Route(method, template, handler, "onelake_blob", (STORAGE,))
