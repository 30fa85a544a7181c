"""One connection look-up, one HTTP client and one watcher for all triggers of an event loop."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from contextvars import Context
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_fabric.api.http.flow import Flow
from airflow_provider_fabric.api.http.retry import KILL_BUDGET
from airflow_provider_fabric.api.jobs.instances import cancel_item_job_instance
from airflow_provider_fabric.api.jobs.polling import JobPoll
from airflow_provider_fabric.api.models import JobInstance, JobRef
from airflow_provider_fabric.exceptions import (
    FabricAuthError,
    FabricConnectionError,
    FabricError,
    FabricJobMayBeRunning,
    FabricUnauthorizedError,
)
from airflow_provider_fabric.triggerer.call_budget import CallBudget, rate_limited
from airflow_provider_fabric.triggerer.poller import JobPoller

if TYPE_CHECKING:
    from airflow_provider_fabric.hooks.fabric import FabricHook

T = TypeVar("T")

CONNECTION_SECONDS = 300.0
"""For how long a connection is not looked up again; after that, new triggers see its changes."""

RENEWAL_SECONDS = 5.0
"""A connection whose sign-in fails is looked up again at once, unless that has just been done."""

SIGN_IN_ERRORS = (FabricAuthError, FabricConnectionError, FabricUnauthorizedError)

PAUSES = (2.0, 10.0, 30.0)
"""Seconds between tries of a look-up while Airflow is in trouble."""

MINUTE = 60.0
"""A minute of the quota, in seconds; the benchmarks shorten it together with the emulator's."""

clock = time.time
"""Epoch seconds."""

_log = logging.getLogger(__name__)


@dataclass
class _Connection:
    """A connection, and when it was looked up."""

    hook: asyncio.Task[FabricHook]
    at: float

    @property
    def failed(self) -> bool:
        return self.hook.done() and (self.hook.cancelled() or self.hook.exception() is not None)

    def of(self, hook: FabricHook) -> bool:
        """Whether this look-up brought a hook."""
        return self.hook.done() and not self.failed and self.hook.result() is hook


@dataclass
class _Shared:
    """What belongs to one event loop."""

    connections: dict[str, _Connection] = field(default_factory=dict)
    watchers: dict[str, JobPoller] = field(default_factory=dict)


_loops: dict[asyncio.AbstractEventLoop, _Shared] = {}


def _shared() -> _Shared:
    loop = asyncio.get_running_loop()
    if loop not in _loops:
        for closed in [other for other in _loops if other.is_closed()]:
            del _loops[closed]
        _loops[loop] = _Shared()
    return _loops[loop]


async def shared_hook(fabric_conn_id: str) -> FabricHook:
    """Return the hook that all triggers of the running event loop share for a connection.

    :raises FabricConnectionError: a field of the connection is missing or wrong.
    """
    loop, connections = asyncio.get_running_loop(), _shared().connections
    known = connections.get(fabric_conn_id)
    if known is None or known.failed or loop.time() - known.at > CONNECTION_SECONDS:
        old = known.hook if known is not None and known.hook.done() and not known.failed else None
        look_up = _look_up(fabric_conn_id, None if old is None else old.result())
        known = _Connection(Context().run(loop.create_task, look_up), loop.time())
        connections[fabric_conn_id] = known
    return await asyncio.shield(known.hook)


async def _look_up(fabric_conn_id: str, old: FabricHook | None) -> FabricHook:
    """Look a connection up. One that has not changed keeps its hook, and thereby its HTTP connections."""
    if "airflow_provider_fabric.hooks.fabric" not in sys.modules:
        await asyncio.to_thread(import_module, "airflow_provider_fabric.hooks.fabric")  # too long for an event loop
    from airflow_provider_fabric.hooks.fabric import FabricHook

    hook = FabricHook(fabric_conn_id)
    for pause in (*PAUSES, None):
        try:
            settings = await hook.aget_conn()
        except FabricError:
            raise
        except Exception as error:
            if old is not None:
                _log.warning("Could not look connection %r up again: %r", fabric_conn_id, error)
                return old
            if pause is None:
                raise
            await asyncio.sleep(pause)
        else:
            return old if old is not None and settings == await old.aget_conn() else hook
    raise AssertionError("unreachable: the last try returns or raises")


async def aclose() -> None:
    """Close what the running event loop shares: for whoever ends the loop before the process ends."""
    shared = _loops.pop(asyncio.get_running_loop(), None)
    for connection in shared.connections.values() if shared is not None else ():
        if connection.hook.done() and not connection.failed:
            await connection.hook.result().aclose()


async def _watcher(hook: FabricHook) -> JobPoller:
    settings = await hook.aget_conn()
    watchers = _shared().watchers
    if settings.identity not in watchers:
        budget = CallBudget(settings.job_calls_per_minute, clock(), minute=MINUTE)
        watchers[settings.identity] = JobPoller(hook.arun, budget, clock=clock)
    return watchers[settings.identity]


async def wait_with(hook: FabricHook, poll: JobPoll) -> JobInstance:
    """Wait until a run is over, together with everyone else who waits; see :meth:`.watcher.JobPoller.wait`."""
    return await (await _watcher(hook)).wait(poll)


async def wait(fabric_conn_id: str, poll: JobPoll) -> JobInstance:
    """Wait until a run is over, with the shared hook of a connection; with its new fields, if the old ones fail."""
    hook = await shared_hook(fabric_conn_id)
    try:
        return await wait_with(hook, poll)
    except FabricJobMayBeRunning as error:
        renewed = await _renewed(fabric_conn_id, hook) if isinstance(error.__cause__, SIGN_IN_ERRORS) else hook
        if renewed is hook:
            raise
    poll.schedule_at(clock())
    return await wait_with(renewed, poll)


async def _renewed(fabric_conn_id: str, hook: FabricHook) -> FabricHook:
    """Return the hook of a connection whose fields may have changed since it was looked up, such as a new secret."""
    loop, connections = asyncio.get_running_loop(), _shared().connections
    known = connections.get(fabric_conn_id)
    if known is not None and known.of(hook) and loop.time() - known.at > RENEWAL_SECONDS:
        known.at = loop.time() - CONNECTION_SECONDS - 1.0
    return await shared_hook(fabric_conn_id)


async def arun(fabric_conn_id: str, flow: Flow[T]) -> T:
    """Run a flow on the shared client."""
    return await (await shared_hook(fabric_conn_id)).arun(flow)


async def arun_job_calls(fabric_conn_id: str, flow: Flow[T]) -> T:
    """Run a flow of job-scheduler calls on the shared client, each call in its turn within the identity's budget."""
    hook = await shared_hook(fabric_conn_id)
    watcher = await _watcher(hook)
    return await hook.arun(rate_limited(watcher.budget, flow, clock))


async def cancel(fabric_conn_id: str, job: JobRef) -> bool:
    """Ask for a run's cancellation, at once and briefly; it counts, but does not wait for its turn."""
    hook = await shared_hook(fabric_conn_id)
    watcher = await _watcher(hook)
    flow = cancel_item_job_instance(job.workspace_id, job.item_id, job.job_instance_id, budget=KILL_BUDGET)
    watcher.budget.spend(clock())
    return await hook.arun(flow)
