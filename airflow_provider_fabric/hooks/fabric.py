"""The hook: an Airflow connection, and every Fabric conversation as a method, synchronous and asynchronous."""

from __future__ import annotations

import functools
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from airflow_provider_fabric.api import (
    capacities,
    capacity_runs,
    capacity_states,
    copy_jobs,
    onelake,
    operations,
    refresh_requests,
    rest,
    semantic_models,
    sql_endpoints,
    user_data_functions,
)
from airflow_provider_fabric.api.auth.credential import AsyncFabricTokenCredential, FabricTokenCredential
from airflow_provider_fabric.api.auth.sign_in import token_source
from airflow_provider_fabric.api.connection.fields import AuthType
from airflow_provider_fabric.api.connection.settings import FabricSettings
from airflow_provider_fabric.api.deploy import flow as deploy
from airflow_provider_fabric.api.http.flow import Flow
from airflow_provider_fabric.api.http.transport import HttpxDriver, RequestsDriver, TokenSource
from airflow_provider_fabric.api.items import confirmed_names, folders, items, names, upsert
from airflow_provider_fabric.api.items.confirmed_names import known_names
from airflow_provider_fabric.api.items.names import naming_workspaces
from airflow_provider_fabric.api.jobs import (
    activity_runs,
    instances,
    listing,
    notebooks,
    parameters,
    polling,
    schedules,
    submit,
)
from airflow_provider_fabric.api.local_cache.known_names import KnownNames
from airflow_provider_fabric.compat import (
    BaseHook,
    get_connection_async,
    is_missing_connection,
    mask_secrets,
    mask_secrets_async,
    read_extra_async,
)
from airflow_provider_fabric.hooks.connection_form import hook_field_behaviour
from airflow_provider_fabric.hooks.flags import check_flags
from airflow_provider_fabric.hooks.form_widgets import hook_form_widgets
from airflow_provider_fabric.hooks.masked_tokens import MaskedTokens, TokenMask
from airflow_provider_fabric.hooks.reissued_tokens import ReissuedTokens

if TYPE_CHECKING:
    from collections.abc import Mapping

P = ParamSpec("P")
T = TypeVar("T")


def both(
    flow: Callable[P, Flow[T]],
) -> tuple[Callable[Concatenate[FabricHook, P], T], Callable[Concatenate[FabricHook, P], Awaitable[T]]]:
    """Make two methods of a flow: one blocks, as workers do, and one is awaited, as triggers do."""

    @functools.wraps(flow)
    def method(self: FabricHook, *args: P.args, **kwargs: P.kwargs) -> T:
        check_flags(flow, args, kwargs)
        return self.run(flow(*args, **kwargs))

    @functools.wraps(flow)
    async def amethod(self: FabricHook, *args: P.args, **kwargs: P.kwargs) -> T:
        check_flags(flow, args, kwargs)
        return await self.arun(flow(*args, **kwargs))

    return method, amethod  # type: ignore[return-value]  # functools.wraps keeps the flow's own type


def by_name(
    flow: Callable[P, Flow[T]], confirmed: Callable[Concatenate[KnownNames | None, P], Flow[T]]
) -> tuple[Callable[Concatenate[FabricHook, P], T], Callable[Concatenate[FabricHook, P], Awaitable[T]]]:
    """Make two methods of a flow that looks names up: the one that blocks profits from what other tasks found."""
    _, amethod = both(flow)

    @functools.wraps(flow)
    def method(self: FabricHook, *args: P.args, **kwargs: P.kwargs) -> T:
        check_flags(flow, args, kwargs)
        found = self.run(confirmed(known_names(self.get_conn()), *args, **kwargs))
        if flow is names.resolve_workspace:
            self.workspace_names[str(found)] = str(next(iter([*args, *kwargs.values()])))
        return found

    return method, amethod  # type: ignore[return-value]  # functools.wraps keeps the flow's own type


class FabricHook(BaseHook):
    """Sign in to Microsoft Fabric with an Airflow connection and call its REST API.

    Every call to Fabric has a twin that starts with ``a`` and is awaited; both run the same flow, whose parameters,
    result and errors are described there (*Methods of the hook* in the documentation).

    :param fabric_conn_id: id of a connection of type ``fabric``.
    :param sleep: how to pause between tries in synchronous calls.
    """

    conn_name_attr = "fabric_conn_id"
    default_conn_name = "fabric_default"
    conn_type = "fabric"
    hook_name = "Microsoft Fabric"

    def __init__(self, fabric_conn_id: str = default_conn_name, *, sleep: Callable[[float], None] = time.sleep) -> None:
        super().__init__()
        self.fabric_conn_id = fabric_conn_id
        self._sleep = sleep
        self._settings: FabricSettings | None = None
        self._masker = TokenMask()
        self._driver: RequestsDriver | None = None
        self._async_driver: HttpxDriver | None = None
        self.workspace_names: dict[str, str] = {}
        """Workspace id → the name it was looked up by: messages of errors show both."""

    # The methods: one line each, the flow tells the rest.

    run_item_job, arun_item_job = both(submit.submit_once)
    get_item_job_instance, aget_item_job_instance = both(instances.get_item_job_instance)
    list_item_job_instances, alist_item_job_instances = both(listing.list_item_job_instances)
    cancel_item_job_instance, acancel_item_job_instance = both(instances.cancel_item_job_instance)
    wait_for_job_instance, await_for_job_instance = both(polling.wait_for_job_instance)
    get_notebook_run, aget_notebook_run = both(notebooks.get_notebook_run)
    query_activity_runs, aquery_activity_runs = both(activity_runs.query_activity_runs)

    list_workspaces, alist_workspaces = both(items.list_workspaces)
    list_items, alist_items = both(items.list_items)
    create_item, acreate_item = both(items.create_item)
    get_item, aget_item = both(items.get_item)
    update_item, aupdate_item = both(items.update_item)
    delete_item, adelete_item = both(items.delete_item)
    list_folders, alist_folders = both(folders.list_folders)
    create_folder, acreate_folder = both(folders.create_folder)
    resolve_folder, aresolve_folder = both(folders.resolve_folder)
    move_item, amove_item = both(folders.move_item)
    get_item_definition, aget_item_definition = both(items.get_item_definition)
    update_item_definition, aupdate_item_definition = both(items.update_item_definition)
    upsert_item_definition, aupsert_item_definition = both(upsert.upsert_item_definition)
    deploy_folder, adeploy_folder = both(deploy.deploy_folder)
    reset_copy_job, areset_copy_job = both(copy_jobs.reset_copy_job)

    list_dataflow_parameters, alist_dataflow_parameters = both(parameters.list_dataflow_parameters)
    list_pipeline_parameters, alist_pipeline_parameters = both(parameters.list_pipeline_parameters)
    list_notebook_parameters, alist_notebook_parameters = both(parameters.list_notebook_parameters)

    refresh_semantic_model, arefresh_semantic_model = both(refresh_requests.refresh_semantic_model)
    list_semantic_model_refreshes, alist_semantic_model_refreshes = both(semantic_models.list_semantic_model_refreshes)
    get_semantic_model_refresh, aget_semantic_model_refresh = both(semantic_models.get_semantic_model_refresh)
    cancel_semantic_model_refresh, acancel_semantic_model_refresh = both(semantic_models.cancel_semantic_model_refresh)
    invoke_user_data_function, ainvoke_user_data_function = both(user_data_functions.invoke_user_data_function)

    list_item_schedules, alist_item_schedules = both(schedules.list_item_schedules)
    create_item_schedule, acreate_item_schedule = both(schedules.create_item_schedule)
    get_item_schedule, aget_item_schedule = both(schedules.get_item_schedule)
    update_item_schedule, aupdate_item_schedule = both(schedules.update_item_schedule)
    delete_item_schedule, adelete_item_schedule = both(schedules.delete_item_schedule)

    get_operation_state, aget_operation_state = both(operations.get_operation_state)
    get_operation_result, aget_operation_result = both(operations.get_operation_result)
    wait_for_operation, await_for_operation = both(operations.wait_for_operation)

    get_sql_endpoint, aget_sql_endpoint = both(sql_endpoints.get_sql_endpoint)
    refresh_sql_endpoint, arefresh_sql_endpoint = both(sql_endpoints.refresh_sql_endpoint)

    find_onelake_files, afind_onelake_files = both(onelake.find_files)

    list_capacities, alist_capacities = both(capacities.list_capacities)
    get_capacity, aget_capacity = both(capacities.get_capacity)
    resume_capacity, aresume_capacity = both(capacity_states.resume_capacity)
    suspend_capacity, asuspend_capacity = both(capacity_states.suspend_capacity)
    list_active_runs, alist_active_runs = both(capacity_runs.list_active_runs)

    request, arequest = by_name(rest.request, rest.request_by_known_names)

    resolve_workspace, aresolve_workspace = by_name(names.resolve_workspace, confirmed_names.resolve_workspace)
    find_item, afind_item = both(names.find_item)
    resolve_item, aresolve_item = by_name(names.resolve_item, confirmed_names.resolve_item)
    resolve_items, aresolve_items = both(names.resolve_items)

    # The connection, and what is made of it.

    def get_conn(self) -> FabricSettings:
        """Return the connection, read and checked. The look-up happens once.

        :raises FabricConnectionError: there is no such connection, or a field is missing or wrong.
        """
        if self._settings is None:
            self._settings = self._look_up()
        return self._settings

    def _look_up(self) -> FabricSettings:
        with self._missing_connection():
            connection = self.get_connection(self.fabric_conn_id)
        settings = self._read(connection, connection.extra_dejson)
        mask_secrets(settings.secrets())
        return settings

    async def aget_conn(self) -> FabricSettings:
        """Return the connection, read and checked, without blocking the event loop."""
        if self._settings is None:
            self._settings = await self._alook_up()
        return self._settings

    async def _alook_up(self) -> FabricSettings:
        with self._missing_connection():
            connection = await get_connection_async(self.fabric_conn_id)
        settings = self._read(connection, await read_extra_async(connection))
        await mask_secrets_async(settings.secrets())
        return settings

    @contextmanager
    def _missing_connection(self) -> Iterator[None]:
        """Turn Airflow's error for a connection that does not exist into ours."""
        from airflow_provider_fabric.exceptions import FabricConnectionError

        try:
            yield
        except Exception as error:
            if not is_missing_connection(error):
                raise
            variable = f"AIRFLOW_CONN_{self.fabric_conn_id.upper()}"
            raise FabricConnectionError(
                f"There is no Airflow connection {self.fabric_conn_id!r}. Create one of type 'fabric' (Admin, "
                f"Connections), or set the environment variable {variable} for workers and triggerers."
            ) from error

    def _read(self, connection: Any, extra: Mapping[str, Any]) -> FabricSettings:
        return FabricSettings.from_connection(
            self.fabric_conn_id,
            login=connection.login,
            password=connection.password,
            host=connection.host,
            port=connection.port,
            schema=connection.schema,
            extra=extra,
        )

    def credential(self) -> FabricTokenCredential:
        """Return the connection's identity as a ``TokenCredential``, for Azure's SDKs and whatever else takes one.

        Tokens are for the audience that the other library asks for, such as ``https://storage.azure.com/.default``.
        """
        return FabricTokenCredential(self.fabric_conn_id, self.get_conn, self._masker.mask)

    def acredential(self) -> AsyncFabricTokenCredential:
        """Return the connection's identity as an ``AsyncTokenCredential``, whose ``get_token`` is awaited."""
        return AsyncFabricTokenCredential(self.fabric_conn_id, self.aget_conn, self._masker.amask)

    def run(self, flow: Flow[T]) -> T:
        """Run any flow, synchronously."""
        if self._driver is None:
            settings = self.get_conn()
            self._driver = RequestsDriver(settings, self._tokens(settings), sleep=self._sleep)
        with naming_workspaces(self.workspace_names):
            return self._driver.run(flow)

    async def arun(self, flow: Flow[T]) -> T:
        """Run any flow on the running event loop."""
        if self._async_driver is None:
            settings = await self.aget_conn()
            self._async_driver = HttpxDriver(settings, self._tokens(settings))
        with naming_workspaces(self.workspace_names):
            return await self._async_driver.run(flow)

    def _tokens(self, settings: FabricSettings) -> TokenSource:
        source: TokenSource = token_source(settings)
        if settings.auth_type is AuthType.ACCESS_TOKEN:
            source = ReissuedTokens(settings, self._look_up, self._alook_up)
        return MaskedTokens(source, self._masker)

    def close(self) -> None:
        """Close the synchronous connections."""
        if self._driver is not None:
            self._driver.close()
            self._driver = None

    async def aclose(self) -> None:
        """Close the asynchronous connections of the running event loop. Each loop that uses the hook has its own."""
        if self._async_driver is not None:
            await self._async_driver.aclose()

    def test_connection(self) -> tuple[bool, str]:
        """Get a token and list workspaces; say what is wrong, and what to do, if that fails."""
        from airflow_provider_fabric.exceptions import FabricError
        from airflow_provider_fabric.hooks.connection_check import diagnose

        try:
            return diagnose(self.get_conn())
        except FabricError as error:
            return False, str(error)

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return labels, placeholders and hidden fields of the connection form (Airflow 2)."""
        return hook_field_behaviour()

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the connection form's extra fields (Airflow 2, where wtforms is at hand)."""
        return hook_form_widgets()
