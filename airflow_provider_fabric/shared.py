"""One connection look-up, one HTTP client and one watcher for all triggers of an event loop."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from airflow_provider_fabric.api.budget import CallBudget
from airflow_provider_fabric.api.flow import Flow
from airflow_provider_fabric.api.jobs import cancel_item_job_instance
from airflow_provider_fabric.api.models import JobInstance, JobRef
from airflow_provider_fabric.api.retry import KILL_BUDGET
from airflow_provider_fabric.api.waiting import Watch
from airflow_provider_fabric.watcher import Watcher

T = TypeVar("T")

CONNECTION_SECONDS = 300.0
"""For how long a connection is not looked up again; after that, new triggers see its changes."""


@dataclass
class _Loop:
    """What belongs to one event loop."""

    hooks: dict[str, tuple[float, asyncio.Task[Any]]] = field(default_factory=dict)
    watchers: dict[str, Watcher] = field(default_factory=dict)


_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, _Loop] = WeakKeyDictionary()


async def shared_hook(fabric_conn_id: str) -> Any:
    """Return the hook that all triggers of the running event loop share for a connection.

    :raises FabricConnectionError: a field of the connection is missing or wrong.
    """
    loop = asyncio.get_running_loop()
    hooks = _loops.setdefault(loop, _Loop()).hooks
    made_at, making = hooks.get(fabric_conn_id, (0.0, None))
    stale = time.monotonic() - made_at > CONNECTION_SECONDS
    if making is None or stale or (making.done() and (making.cancelled() or making.exception() is not None)):
        making = loop.create_task(_make_hook(fabric_conn_id, making))
        hooks[fabric_conn_id] = (time.monotonic(), making)
    return await asyncio.shield(making)


async def _make_hook(fabric_conn_id: str, earlier: asyncio.Task[Any] | None) -> Any:
    """Look the connection up; keep the earlier hook, and its open client, if nothing has changed."""
    from airflow_provider_fabric.hooks.fabric import FabricHook

    hook = FabricHook(fabric_conn_id)
    settings = await hook.aget_conn()
    if earlier is not None and earlier.done() and not earlier.cancelled() and earlier.exception() is None:
        held = earlier.result()
        if await held.aget_conn() == settings:
            return held
    return hook


async def aclose() -> None:
    """Close what the running event loop shares: for whoever ends the loop before the process."""
    loop = _loops.pop(asyncio.get_running_loop(), None)
    for _, making in loop.hooks.values() if loop is not None else ():
        if making.done() and not making.cancelled() and making.exception() is None:
            await making.result().aclose()


async def wait(fabric_conn_id: str, watch: Watch) -> JobInstance:
    """Wait until a run is over, together with everyone else who waits; see :meth:`.watcher.Watcher.wait`."""
    hook = await shared_hook(fabric_conn_id)
    settings = await hook.aget_conn()
    watchers = _loops[asyncio.get_running_loop()].watchers
    watcher = watchers.get(settings.identity)
    if watcher is None:
        budget = CallBudget(settings.job_calls_per_minute, time.time())
        watcher = watchers[settings.identity] = Watcher(hook.arun, budget)
    return await watcher.wait(watch)


async def arun(fabric_conn_id: str, flow: Flow[T]) -> T:
    """Run a flow on the shared client."""
    hook = await shared_hook(fabric_conn_id)
    return await hook.arun(flow)  # type: ignore[no-any-return]


async def cancel(fabric_conn_id: str, job: JobRef) -> bool:
    """Ask for a run's cancellation, at once and briefly."""
    flow = cancel_item_job_instance(job.workspace_id, job.item_id, job.job_instance_id, budget=KILL_BUDGET)
    return await arun(fabric_conn_id, flow)
