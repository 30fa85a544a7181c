"""Airflow's names, wherever the installed version keeps them. Only this module and :mod:`.compat_tasks` know versions.

Supported: 2.10.5, 2.11 and every 3.x.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import (
        BaseHook,
        BaseOperator,
        BaseOperatorLink,
        BaseSensorOperator,
        PokeReturnValue,
        conf,
    )
    from airflow.sdk.definitions._internal.mixins import ResolveMixin
    from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy
    from airflow.sdk.exceptions import (
        AirflowException,
        AirflowFailException,
        AirflowSensorTimeout,
        AirflowSkipException,
        TaskDeferred,
    )

_PLACES: Mapping[str, tuple[str, ...]] = {
    "AirflowException": ("airflow.sdk.exceptions", "airflow.exceptions"),
    "AirflowFailException": ("airflow.sdk.exceptions", "airflow.exceptions"),
    "AirflowSensorTimeout": ("airflow.sdk.exceptions", "airflow.exceptions"),
    "AirflowSkipException": ("airflow.sdk.exceptions", "airflow.exceptions"),
    "BaseHook": ("airflow.sdk", "airflow.hooks.base"),
    "BaseOperator": ("airflow.sdk", "airflow.models.baseoperator"),
    "BaseOperatorLink": ("airflow.sdk", "airflow.models.baseoperatorlink"),
    "BaseSensorOperator": ("airflow.sdk", "airflow.sdk.bases.sensor", "airflow.sensors.base"),
    "PokeReturnValue": ("airflow.sdk", "airflow.sdk.bases.sensor", "airflow.sensors.base"),
    "ResolveMixin": ("airflow.sdk.definitions._internal.mixins", "airflow.utils.mixins"),
    "RetryDecision": ("airflow.sdk.definitions.retry_policy",),
    "RetryPolicy": ("airflow.sdk.definitions.retry_policy",),
    "TaskDeferred": ("airflow.sdk.exceptions", "airflow.exceptions"),
    "conf": ("airflow.sdk", "airflow.configuration"),
}
"""Where a name may be, the newest Airflow's place first. Looked up when it is asked for: a DAG file needs few."""

_NEWER = frozenset({"RetryDecision", "RetryPolicy"})
"""Since Airflow 3.3; ``None`` before."""


def __getattr__(name: str) -> Any:
    """Return one of Airflow's names, from wherever the installed version keeps it."""
    found = globals()[name] = _find(name)
    return found


def _find(name: str) -> Any:
    for place in _PLACES.get(name, ()):
        try:
            return getattr(import_module(place), name)
        except (ImportError, AttributeError):
            continue
    if name in _NEWER:
        return None
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


if TYPE_CHECKING:
    Context = Mapping[str, Any]

__all__ = [
    "AirflowException",
    "AirflowFailException",
    "AirflowSensorTimeout",
    "AirflowSkipException",
    "BaseHook",
    "BaseOperator",
    "BaseOperatorLink",
    "BaseSensorOperator",
    "PokeReturnValue",
    "ResolveMixin",
    "RetryDecision",
    "RetryPolicy",
    "TaskDeferred",
    "asset_class",
    "conf",
    "default_deferrable",
    "first_rescheduled",
    "get_connection_async",
    "is_missing_connection",
    "mask_secrets",
    "mask_secrets_async",
    "metrics_stats",
    "push_link",
    "read_extra_async",
    "read_own_xcom",
    "render_text",
    "set_outlet_event",
    "settling_seconds",
    "was_deferred",
]


def default_deferrable() -> bool:
    """Return ``[operators] default_deferrable``."""
    return bool(_find("conf").getboolean("operators", "default_deferrable", fallback=False))


def settling_seconds() -> float:
    """Return how long after its deferral a task may still look busy to Airflow.

    The supervisor of a task may notice the end of its process only after ``[workers] min_heartbeat_interval`` (5 s). A
    trigger that fires before that meets a scheduler that takes the late report for a failure: "reported that the task
    finished with state success, but the task instance's state attribute is queued" (seen on 3.3.2 under load).
    """
    return 1.5 * float(_find("conf").getfloat("workers", "min_heartbeat_interval", fallback=5.0))


def mask_secrets(secrets: Iterable[str]) -> None:
    """Have Airflow replace secrets by asterisks in every log."""
    try:  # Airflow ≥ 3.0
        from airflow.sdk.log import mask_secret
    except ImportError:
        from airflow.utils.log.secrets_masker import mask_secret
    for secret in secrets:
        mask_secret(secret)


async def mask_secrets_async(secrets: Iterable[str]) -> None:
    """Do the same without blocking the event loop: in a triggerer, masking asks the supervisor."""
    from asgiref.sync import sync_to_async

    await sync_to_async(mask_secrets)(list(secrets))


def render_text(template: str, context: Mapping[str, Any]) -> str:
    """Return a rendered template as text, its last line end included, whatever the DAG says of native rendering."""
    try:  # Airflow ≥ 3.0
        from airflow.sdk.definitions.context import render_template_to_string
    except ImportError:
        from airflow.utils.helpers import render_template_to_string
    task = context["task"]
    environment = task.dag.get_template_env(force_sandboxed=True) if task.has_dag() else task.get_template_env()
    environment.keep_trailing_newline = True
    return str(render_template_to_string(environment.from_string(template), context))


def asset_class() -> Any:
    """Return ``Asset``, or what was called ``Dataset`` before Airflow 3.0."""
    try:
        from airflow.sdk.definitions.asset import Asset
    except ImportError:
        from airflow.datasets import Dataset as Asset
    return Asset


def set_outlet_event(context: Mapping[str, Any], outlet: Any, extra: Mapping[str, Any]) -> None:
    """Add to what the event of a task's outlet tells; what is there already stays.

    :param outlet: an asset among the task's outlets.
    :param extra: plain JSON.
    """
    if "outlet_events" in context:
        recorded = context["outlet_events"][outlet].extra
        recorded.update({key: value for key, value in extra.items() if key not in recorded})


def first_rescheduled(context: Mapping[str, Any]) -> Any:
    """Return when a rescheduled sensor looked first, or ``None``."""
    ti = context["ti"]
    ask = getattr(ti, "get_first_reschedule_date", None)
    if ask is not None:
        return ask(context)
    from airflow.sensors.base import _orig_start_date  # Airflow 2: as its own sensors ask

    first_try = (ti.max_tries or 0) - (context["task"].retries or 0) + 1
    return _orig_start_date(
        dag_id=ti.dag_id, task_id=ti.task_id, run_id=ti.run_id, map_index=ti.map_index, try_number=first_try
    )


def operator_lineage_class() -> Any:
    """Return what OpenLineage's provider takes from an operator, wherever that provider is installed."""
    from airflow.providers.openlineage.extractors import OperatorLineage

    return OperatorLineage


def metrics_stats() -> Any:
    """Return what sends metrics to wherever Airflow is configured to send its own."""
    try:  # Airflow ≥ 3.2
        from airflow.sdk.observability import stats
    except ImportError:
        from airflow.stats import Stats

        return Stats
    return stats


async def get_connection_async(conn_id: str) -> Any:
    """Look a connection up without blocking the event loop.

    ``BaseHook.aget_connection`` exists since 3.1, and before 3.3.2 masks secrets with a synchronous call that raises
    ``DeadlockImminentError`` in a busy triggerer (see apache-airflow-providers-common-compat); ``aextra_dejson`` tells
    those versions apart. Otherwise the synchronous look-up runs in a thread; so it does if the other finds nothing:
    ``dag.test()`` runs triggers where only the synchronous look-up reaches Airflow's database (seen on 3.3.2).
    """
    hook = _find("BaseHook")
    if hasattr(hook, "aget_connection"):
        from airflow.sdk import Connection

        if hasattr(Connection, "aextra_dejson"):
            try:
                return await hook.aget_connection(conn_id)
            except Exception as error:
                if not is_missing_connection(error):
                    raise
    from asgiref.sync import sync_to_async

    return await sync_to_async(hook.get_connection)(conn_id)


async def read_extra_async(connection: Any) -> dict[str, Any]:
    """Return a connection's extra without blocking the event loop: reading it masks its secrets."""
    if hasattr(connection, "aextra_dejson"):
        return dict(await connection.aextra_dejson())
    from asgiref.sync import sync_to_async

    return dict(await sync_to_async(lambda: connection.extra_dejson)())


def read_own_xcom(ti_key: Any, key: str) -> Any:
    """Return an XCom of the task that a link belongs to."""
    try:  # in a worker of Airflow 3
        from airflow.sdk.execution_time.xcom import XCom
    except ImportError:
        from airflow.models.xcom import XCom
    return XCom.get_value(ti_key=ti_key, key=key)


def push_link(ti: Any, key: str, url: str) -> None:
    """Show a link while its task runs, past a custom XCom backend: Airflow ≥ 3 by itself does so as a task ends.

    Best effort: Airflow publishes the link again in the end.
    """
    runner = sys.modules.get("airflow.sdk.execution_time.task_runner")  # there in a worker
    push = getattr(runner, "_xcom_push_to_db", None)
    if push is not None and isinstance(ti, getattr(runner, "RuntimeTaskInstance", ())):
        with suppress(Exception):
            push(ti, key=key, value=url)


def was_deferred(ti: Any) -> bool:
    """Whether a task instance of Airflow 3 goes on after a deferral."""
    started = getattr(ti, "_ti_context_from_server", None)
    return getattr(started, "next_method", None) is not None


def is_missing_connection(error: BaseException) -> bool:
    """Whether an error says that there is no such connection: it has another class in each Airflow."""
    names = {kind.__name__ for kind in type(error).__mro__}
    if "AirflowNotFoundException" in names:
        return True
    reason = getattr(getattr(error, "error", None), "error", None)
    return "AirflowRuntimeError" in names and "CONNECTION_NOT_FOUND" in str(reason).upper()
