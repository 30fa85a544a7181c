"""One connection look-up, one HTTP client and one poller for all triggers of an event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_fabric.api.auth.identity import quota_key
from airflow_provider_fabric.api.http.flow import Clock, Flow
from airflow_provider_fabric.api.jobs.polling import JobPoll
from airflow_provider_fabric.api.models import JobInstance
from airflow_provider_fabric.exceptions import (
    FabricAuthError,
    FabricConnectionError,
    FabricJobMayBeRunning,
    FabricUnauthorizedError,
)
from airflow_provider_fabric.triggerer.call_budget import CallBudget
from airflow_provider_fabric.triggerer.clients import Client, Clients
from airflow_provider_fabric.triggerer.event_streams import EventStreams
from airflow_provider_fabric.triggerer.poller import JobPoller

if TYPE_CHECKING:
    from airflow_provider_fabric.hooks.fabric import FabricHook
    from airflow_provider_fabric.triggerer.hints import Hints
    from airflow_provider_fabric.triggerer.item_hints import ItemHints

T = TypeVar("T")

SIGN_IN_ERRORS = (FabricAuthError, FabricConnectionError, FabricUnauthorizedError)

UNLIMITED = 1e9


@dataclass(frozen=True)
class Options:
    """How an event loop's shared state works; tests and benchmarks pass others.

    :param clock: epoch seconds.
    :param minute: a minute of the quota, in seconds.
    :param new_hook: makes a hook of a connection's id; ``None`` for the provider's own class.
    :param stats: where metrics go; ``None`` for Airflow's.
    """

    clock: Clock = time.time
    minute: float = 60.0
    new_hook: Callable[[str], Any] | None = None
    stats: Any = None


class Shared:
    """What belongs to one event loop.

    :param options: how it works.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self.clients = Clients(options.new_hook, self._forget)
        self.streams = EventStreams()
        self.pollers: dict[str, JobPoller] = {}
        """By identity, as far as the quota is concerned."""

    def poller(self, client: Client) -> JobPoller:
        """Return what makes the job-scheduler calls of a client's identity."""
        key = quota_key(client.settings)
        if key not in self.pollers:
            options = self.options
            budget = CallBudget(client.settings.job_calls_per_minute, options.clock(), minute=options.minute)
            self.pollers[key] = JobPoller(
                client.arun, budget, clock=options.clock, identity=key[:8], stats=options.stats
            )
        return self.pollers[key]

    def hints(self, client: Client) -> Hints | None:
        """Return what the eventstream says that a client's connection names, if it names one."""
        if client.settings.events_hub is None:
            return None
        return self.streams.hints_of(client, self.poller(client).clocks)

    def _forget(self, client: Client) -> None:
        self.streams.stop(client)
        keys = {quota_key(other.settings) for other in self.clients.open.values()}
        poller = self.pollers.get(key := quota_key(client.settings))
        if key not in keys and poller is not None and not poller.cancels.pending:
            poller.reporter.stop()
            del self.pollers[key]


_loops: dict[asyncio.AbstractEventLoop, Shared] = {}


def configure(options: Options) -> None:
    """Set how the running event loop's shared state works, before anything uses it.

    :raises RuntimeError: something has used it already.
    """
    loop = asyncio.get_running_loop()
    if loop in _loops:
        raise RuntimeError("The event loop's shared state is in use already.")
    _begin(loop, options)


def of_running_loop() -> Shared:
    """Return what the triggers of the running event loop share."""
    loop = asyncio.get_running_loop()
    return _loops[loop] if loop in _loops else _begin(loop, Options())


def _begin(loop: asyncio.AbstractEventLoop, options: Options) -> Shared:
    for closed in [other for other in _loops if other.is_closed()]:
        del _loops[closed]
    _loops[loop] = Shared(options)
    return _loops[loop]


async def shared_hook(fabric_conn_id: str) -> FabricHook:
    """Return the hook that all triggers of the running event loop share for a connection.

    :raises FabricConnectionError: a field of the connection is missing or wrong.
    """
    return (await of_running_loop().clients.get(fabric_conn_id)).hook


async def aclose() -> None:
    """Close what the running event loop shares: for whoever ends the loop before the process ends."""
    shared = _loops.pop(asyncio.get_running_loop(), None)
    if shared is not None:
        await shared.streams.aclose()
        for poller in shared.pollers.values():
            await poller.aclose()
        await shared.clients.aclose()


@asynccontextmanager
async def _poller(fabric_conn_id: str) -> AsyncIterator[tuple[JobPoller, Client]]:
    shared = of_running_loop()
    async with shared.clients.use(fabric_conn_id) as client:
        yield shared.poller(client), client


async def wait(fabric_conn_id: str, poll: JobPoll) -> JobInstance:
    """Wait until a run is over, with the shared client of a connection; with its new fields, if the old ones fail.

    :raises FabricJobTimeout: the deadline passed first.
    :raises FabricJobMayBeRunning: polling on could not help.
    """
    try:
        async with _poller(fabric_conn_id) as (poller, client):
            return await poller.wait(poll, client.arun, of_running_loop().hints(client))
    except FabricJobMayBeRunning as error:
        if not isinstance(error.__cause__, SIGN_IN_ERRORS):
            raise
        lost = error
    of_running_loop().clients.refused(fabric_conn_id, client)
    async with _poller(fabric_conn_id) as (poller, renewed):
        if renewed is client:
            raise lost
        poll.schedule_at(poller.clocks.steady())
        return await poller.wait(poll, renewed.arun, of_running_loop().hints(renewed))


async def arun(fabric_conn_id: str, flow: Flow[T]) -> T:
    """Run a flow on the shared client."""
    async with of_running_loop().clients.use(fabric_conn_id) as client:
        return await client.arun(flow)


async def arun_job_calls(fabric_conn_id: str, flow: Flow[T], *, deadline: float | None = None) -> T:
    """Run a flow of job-scheduler calls on the shared client, each call in its turn within the identity's budget.

    :param deadline: epoch seconds from which on a call that gets no turn fails.
    """
    async with _poller(fabric_conn_id) as (poller, client):
        return await poller.run(flow, client.arun, deadline=deadline)


async def item_hints(fabric_conn_id: str) -> ItemHints | None:
    """Return what the eventstream says of items that a connection names; ``None`` if it names none."""
    async with of_running_loop().clients.use(fabric_conn_id) as client:
        hints = of_running_loop().hints(client)
    return None if hints is None else hints.items


async def pause_for_item(
    fabric_conn_id: str, hints: ItemHints, item: tuple[str, str], seconds: float, mark: int
) -> None:
    """Wait until an item is to be listed again; see :meth:`.item_hints.ItemHints.pause`."""
    async with of_running_loop().clients.use(fabric_conn_id):  # or the stream would not be read on
        await hints.pause(item, seconds, mark)


async def cancel(
    fabric_conn_id: str, what: str, flow: Callable[[], Flow[bool]], submitted_at: float, *, counts: bool = True
) -> bool:
    """Ask for a run's cancellation: at once, and again until it is accepted, in the background if need be.

    :param what: the run, in words.
    :param flow: asks once; returns whether there was anything to cancel.
    :param submitted_at: when the run was submitted, in epoch seconds.
    :param counts: its calls are the job scheduler's.
    """
    async with _poller(fabric_conn_id) as (poller, client):
        send = poller.run_at_once if counts else _plainly
        return await poller.cancels.start(what, lambda: send(flow(), client.arun), submitted_at)


async def _plainly(flow: Flow[T], arun: Callable[[Flow[Any]], Any]) -> T:
    return await arun(flow)  # type: ignore[no-any-return]
