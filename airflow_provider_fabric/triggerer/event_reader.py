"""Reads an eventstream's custom endpoint for a triggerer: AMQP over WebSocket, on port 443, through proxies.

The only module that imports ``azure-eventhub``, which is an extra (``airflow-provider-fabric[events]``); it is imported
by triggerers whose connection names a hub, and by nobody else.

Every triggerer reads everything, from five minutes before it began; no position is stored. A line of this client can
hang without an error, so another line asks regularly for the number of the newest event: while that is ahead of what
was read, the stream counts as lost, and the next attempt goes on where the last one ended.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlsplit

from azure.eventhub import TransportType
from azure.eventhub.aio import EventHubConsumerClient

from airflow_provider_fabric.api.auth.credential import AccessToken, AccessTokenInfo, AsyncFabricTokenCredential
from airflow_provider_fabric.api.connection.settings import FabricSettings
from airflow_provider_fabric.api.jobs.events import read_events
from airflow_provider_fabric.triggerer.hints import Hints

SCOPE = "https://eventhubs.azure.net/.default"

BACK = timedelta(minutes=5)
"""How far before the beginning the first attempt reads."""

CHECK = 20.0
"""Seconds between checks that the line brings what there is."""

HANGING = 15.0
"""Seconds after which a line hangs that has something to bring, and brings nothing; opening it takes a few."""

STEP = 1.0
"""Seconds between looks while something is yet to be read."""

CHECK_SECONDS = 20.0
"""Seconds that a check, or closing the line, may take."""

PAUSES = (1.0, 5.0, 15.0, 30.0)
"""Seconds between attempts to connect; the last one is repeated."""

_log = logging.getLogger(__name__)


class EventsLostError(Exception):
    """The line is down, or hangs."""


class HubCredential:
    """A connection's identity, which signs in to Event Hubs and to nothing else, whatever it is asked for.

    :param credential: the connection's.
    """

    def __init__(self, credential: AsyncFabricTokenCredential) -> None:
        self._credential = credential

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """Return a token for Event Hubs."""
        return await self._credential.get_token(SCOPE, **options)

    async def get_token_info(self, *scopes: str, options: Any = None) -> AccessTokenInfo:
        """Return a token for Event Hubs, in azure-core's newer form."""
        return await self._credential.get_token_info(SCOPE, options=options)

    async def close(self) -> None:
        """Do nothing: no connection is kept."""

    async def __aenter__(self) -> HubCredential:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()


class EventReader:
    """Reads one hub, and reads it again when that fails, until it is cancelled.

    :param settings: the connection.
    :param credential: its identity.
    :param hints: takes in what is read.
    :param context: whom TLS trusts.
    :param proxy: URL of the proxy, if there is one.
    """

    def __init__(
        self,
        settings: FabricSettings,
        credential: AsyncFabricTokenCredential,
        hints: Hints,
        context: ssl.SSLContext,
        proxy: str | None = None,
    ) -> None:
        if settings.events_hub is None:
            raise ValueError("the connection names no hub")
        self._settings = settings
        self._host, self._hub = settings.events_hub
        self._credential = HubCredential(credential)
        self._hints = hints
        self._context = context
        self._proxy = proxy
        self._from = datetime.now(timezone.utc) - BACK
        self._read: dict[str, int] = {}
        """Number of the event read last, by partition."""
        self._error: Exception | None = None
        self._failures = 0
        azure = logging.getLogger("azure.eventhub")
        if azure.level == logging.NOTSET:
            azure.setLevel(logging.WARNING)  # it reports every step of every link

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._settings.conn_id!r}, {self._host}/{self._hub})"

    async def run(self) -> None:
        """Read for ever."""
        while True:
            client = self._client()
            try:
                await self._read_on(client)
            except Exception as error:  # noqa: BLE001 - whatever it is, polling goes on, and the next attempt follows
                self._report(error)
            finally:
                self._hints.lost()
                await self._close(client)
            await asyncio.sleep(PAUSES[max(0, min(self._failures, len(PAUSES)) - 1)])

    def _report(self, error: Exception) -> None:
        self._failures += 1
        if self._failures == 1:
            reason = self._settings.redact(str(error).partition("\n")[0][:500])
            _log.warning(
                "Job events of %s/%s cannot be read, runs are polled as if there were none: %s: %s",
                *(self._host, self._hub, type(error).__name__, reason),
            )

    def _client(self) -> EventHubConsumerClient:
        parts = urlsplit(f"https://{self._host}")
        return EventHubConsumerClient(
            parts.hostname or "",
            self._hub,
            self._settings.events_consumer_group,
            credential=self._credential,
            transport_type=TransportType.AmqpOverWebsocket,
            custom_endpoint_address=f"sb://{self._host}" if parts.port else None,
            http_proxy=_proxy_of(self._proxy) if self._proxy else None,
            ssl_context=self._context,
            auth_timeout=self._settings.timeout_seconds,
            retry_total=0,
        )

    async def _close(self, client: EventHubConsumerClient) -> None:
        with suppress(Exception):  # a broken connection cannot be closed well, and another client follows
            await asyncio.wait_for(client.close(), CHECK_SECONDS)

    async def _read_on(self, client: EventHubConsumerClient) -> None:
        self._error = None
        first = await self._newest(client)
        positions: dict[str, Any] = {partition: self._read.get(partition, self._from) for partition in first}
        reading = asyncio.ensure_future(
            client.receive(on_event=self._on_event, on_error=self._on_error, starting_position=positions)
        )
        try:
            await self._watch(client, reading, first)
        finally:
            await self._close(client)  # which ends reading
            await asyncio.wait([reading], timeout=STEP)
            reading.cancel()
            await asyncio.wait([reading], timeout=CHECK_SECONDS)

    async def _watch(
        self, client: EventHubConsumerClient, reading: asyncio.Future[Any], newest: dict[str, int]
    ) -> None:
        """Check again and again that what there was at the last check has been read by now.

        :raises EventsLostError: it has not, and nothing else was; or reading has ended.
        """
        loop = asyncio.get_running_loop()
        read, since, pause = dict(self._read), loop.time(), STEP
        while True:
            await asyncio.wait([reading], timeout=pause)
            if self._error is not None:
                raise self._error
            if reading.done():
                raise EventsLostError("reading has ended")
            if all(self._read.get(partition, -1) >= number for partition, number in newest.items()):
                self._is_up()
                newest, pause = await self._newest(client), CHECK
            elif self._read == read and loop.time() - since >= HANGING:
                raise EventsLostError("the line hangs: events that are there were not read")
            else:
                pause = STEP
            if self._read != read or pause == CHECK:
                read, since = dict(self._read), loop.time()

    def _is_up(self) -> None:
        if self._failures:
            _log.info("Job events of %s/%s are read again.", self._host, self._hub)
        self._failures = 0
        self._hints.connected()

    async def _newest(self, client: EventHubConsumerClient) -> dict[str, int]:
        """Return the number of the newest event of each partition, on a line of its own; -1 for one from long ago."""
        found = {}
        for partition in await asyncio.wait_for(client.get_partition_ids(), CHECK_SECONDS):
            state = await asyncio.wait_for(client.get_partition_properties(partition), CHECK_SECONDS)
            is_ours = not state["is_empty"] and state["last_enqueued_time_utc"] > self._from
            found[partition] = int(state["last_enqueued_sequence_number"]) if is_ours else -1
        return found

    async def _on_event(self, context: Any, event: Any) -> None:
        if event is None:
            return
        for each in read_events(b"".join(event.body)):
            self._hints.received(each)
        self._read[context.partition_id] = event.sequence_number

    async def _on_error(self, context: Any, error: Exception) -> None:
        self._error = error


def _proxy_of(url: str) -> dict[str, Any]:
    """Return a proxy in the client's form; it joins name and port to what ``aiohttp`` takes for a URL."""
    parts = urlsplit(url)
    proxy: dict[str, Any] = {
        "proxy_hostname": f"{parts.scheme}://{parts.hostname}",
        "proxy_port": parts.port or (443 if parts.scheme == "https" else 80),
    }
    if parts.username:
        proxy |= {"username": parts.username, "password": parts.password or ""}
    return proxy
