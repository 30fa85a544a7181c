"""What the triggers of one triggerer process share: connection, token, HTTP client."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from airflow_provider_fabric.api.jobs import cancel_item_job_instance
from airflow_provider_fabric.api.models import JobInstance, JobRef
from airflow_provider_fabric.api.retry import RetryBudget
from airflow_provider_fabric.api.waiting import Watch, watch_job_instance

if TYPE_CHECKING:
    from airflow_provider_fabric.hooks.fabric import FabricHook

_hooks: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, FabricHook]] = WeakKeyDictionary()

KILL_BUDGET = RetryBudget(attempts=2, seconds=3.0)


def shared_hook(fabric_conn_id: str) -> FabricHook:
    """Return the hook that all triggers of the running event loop share for a connection."""
    from airflow_provider_fabric.hooks.fabric import FabricHook

    hooks = _hooks.setdefault(asyncio.get_running_loop(), {})
    if fabric_conn_id not in hooks:
        hooks[fabric_conn_id] = FabricHook(fabric_conn_id)
    return hooks[fabric_conn_id]


async def wait(fabric_conn_id: str, watch: Watch) -> JobInstance:
    """Wait until a run is over; see :func:`~airflow_provider_fabric.api.waiting.watch_job_instance`."""
    return await shared_hook(fabric_conn_id).arun(watch_job_instance(watch))


async def cancel(fabric_conn_id: str, job: JobRef) -> bool:
    """Ask for a run's cancellation, at once and briefly."""
    flow = cancel_item_job_instance(job.workspace_id, job.item_id, job.job_instance_id, budget=KILL_BUDGET)
    return await shared_hook(fabric_conn_id).arun(flow)
