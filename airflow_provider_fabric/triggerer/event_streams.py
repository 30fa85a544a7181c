"""The eventstreams that the connections of an event loop name: read while somebody waits, by one reader each.

A connection that names none costs nothing: no import, no task.
"""

from __future__ import annotations

import asyncio
import logging
from contextvars import Context
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_fabric.api.eventstreams import get_topology
from airflow_provider_fabric.api.http.client_options import proxy_of, ssl_context
from airflow_provider_fabric.triggerer.clients import Client
from airflow_provider_fabric.triggerer.clocks import Clocks
from airflow_provider_fabric.triggerer.hints import Hints

if TYPE_CHECKING:
    from airflow_provider_fabric.triggerer.event_reader import EventReader

TOPOLOGY_EVERY = 60.0
"""Seconds between looks at which items a stream carries, and whether it runs."""

EXTRA = "pip install 'airflow-provider-fabric[events]'"

_log = logging.getLogger(__name__)


@dataclass
class _Stream:
    hints: Hints
    task: asyncio.Task[None]


class EventStreams:
    """The streams of one event loop, by client."""

    def __init__(self) -> None:
        self._streams: dict[Client, _Stream] = {}

    def hints_of(self, client: Client, clocks: Clocks) -> Hints | None:
        """Return what a client's stream says, and begin to read it; ``None`` if its connection names none.

        :param client: whose connection.
        :param clocks: those of its poller.
        """
        if client.settings.events_hub is None:
            return None
        stream = self._streams.get(client)
        if stream is None:
            hints = Hints(clocks, trust_succeeded=client.settings.events_trust_succeeded)
            task = Context().run(asyncio.get_running_loop().create_task, _read(client, hints))
            stream = self._streams[client] = _Stream(hints, task)
        return stream.hints

    def stop(self, client: Client) -> None:
        """Read no more for a client."""
        stream = self._streams.pop(client, None)
        if stream is not None:
            stream.task.cancel()
            stream.hints.stop()

    async def aclose(self) -> None:
        """Read nothing more."""
        tasks = [stream.task for stream in self._streams.values()]
        for client in list(self._streams):
            self.stop(client)
        if tasks:
            await asyncio.wait(tasks)


async def _read(client: Client, hints: Hints) -> None:
    try:
        reader = await asyncio.to_thread(_reader, client, hints)
    except ImportError as error:
        _log.error(
            "Connection %r names an eventstream, but its events cannot be read here: %s. Runs are polled. In the "
            "triggerer's environment: %s",
            *(client.settings.conn_id, error, EXTRA),
        )
        return
    except Exception:  # noqa: BLE001 - then runs are polled
        _log.exception("Job events of connection %r cannot be read; runs are polled.", client.settings.conn_id)
        return
    topology = asyncio.ensure_future(_follow_topology(client, hints))
    try:
        await reader.run()
    finally:
        topology.cancel()


def _reader(client: Client, hints: Hints) -> EventReader:
    """Make the reader; in a thread, because the import takes long and reads files."""
    from airflow_provider_fabric.triggerer.event_reader import EventReader

    settings = client.settings
    host = (settings.events_hub or ("", ""))[0]
    return EventReader(
        settings, client.hook.acredential(), hints, ssl_context(settings), proxy_of(settings, host.partition(":")[0])
    )


async def _follow_topology(client: Client, hints: Hints) -> None:
    stream = client.settings.events_stream
    failed = False
    while stream is not None:
        try:
            topology = await client.arun(get_topology(*stream))
        except Exception as error:  # noqa: BLE001 - then coverage is learned from events alone
            if not failed:
                _log.warning("Could not read the topology of eventstream %s: %s", stream[1], error)
            failed = True
        else:
            failed = False
            hints.carries(topology.carried)
        await asyncio.sleep(TOPOLOGY_EVERY)
