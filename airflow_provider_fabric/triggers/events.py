"""DAGs that start when a Fabric job has ended (Airflow ≥ 3.0).

::

    loaded = fabric_asset("Sales", "Daily load", watchers=[
        AssetWatcher(name="daily_load", trigger=FabricJobEventTrigger("Sales", "Daily load"))
    ])
    with DAG("report", schedule=[loaded]): ...
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import math
import random
import time
from collections.abc import AsyncIterator, Hashable, Iterable
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

try:
    from airflow.triggers.base import BaseEventTrigger
except ImportError:  # Airflow 2: the class below can be imported, not used
    BaseEventTrigger = BaseTrigger

from airflow_provider_fabric.api.http.permanent import is_permanent, retry_after
from airflow_provider_fabric.api.http.retry import ONCE
from airflow_provider_fabric.api.items.names import resolve_item, resolve_workspace
from airflow_provider_fabric.api.jobs.ended_runs import EndedRuns, read_statuses
from airflow_provider_fabric.api.jobs.listing import list_with_clock
from airflow_provider_fabric.api.models import JobInstance
from airflow_provider_fabric.api.status import JobStatus
from airflow_provider_fabric.exceptions import FabricError, FabricInputError
from airflow_provider_fabric.links import run_url
from airflow_provider_fabric.triggerer import shared

log = logging.getLogger(__name__)

STATE_KEY = "fabric_reported_runs"

ERROR_PAUSE = 60.0
"""Seconds between polls at least after an error that polling again is unlikely to change."""

READ_PAUSES = (1.0, 5.0, 15.0, 30.0)
"""Seconds between attempts to read the state store, before :data:`ERROR_PAUSE`."""

JITTER = 0.05


@dataclass(frozen=True)
class Listed:
    """One poll of an item: what siblings share.

    :param workspace_id: GUID.
    :param item_id: GUID.
    :param host: API root of the connection.
    :param instances: the item's runs.
    :param ahead: seconds by which the service's clock is ahead of ours.
    """

    workspace_id: str
    item_id: str
    host: str
    instances: list[JobInstance]
    ahead: float


class FabricJobEventTrigger(BaseEventTrigger):
    """Fires whenever a run of an item has ended, for an ``AssetWatcher``. It never ends, whatever goes wrong.

    On Airflow ≥ 3.3 all triggers of an item share one poll of its list, and what was reported is kept in the asset's
    state store: what ends while no triggerer runs is reported when one runs again, as long as the item still lists it
    (about the 100 runs that ended last). An event may come twice, if a triggerer dies just after it. Before 3.3 nothing
    is kept: what ends while no triggerer runs is not reported. What had ended before the trigger first ran never is.

    With an eventstream that carries the item's job events (experimental, see the connection's ``events_hub``) the list
    is read when an event says that a run has ended, and every 15 minutes.

    The event's payload is the run, as the operators return it, with its ``run_url``, and ``workspace``, ``item`` and
    ``item_type`` as they are given here.

    :param workspace: GUID or display name of the workspace.
    :param item: GUID or display name of the item.
    :param job_type: kind of job; ``None`` for any.
    :param statuses: which ends: some of ``Completed``, ``Failed``, ``Cancelled`` and ``Deduped``, in any order.
    :param item_type: kind of item, if the name alone is not enough.
    :param fabric_conn_id: id of the connection.
    :param check_interval: seconds between polls.
    :raises FabricInputError: an argument is wrong, or this Airflow is older than 3.0.
    """

    def __init__(
        self,
        workspace: str,
        item: str,
        job_type: str | None = None,
        statuses: Iterable[str | JobStatus] = ("Completed",),
        item_type: str | None = None,
        fabric_conn_id: str = "fabric_default",
        check_interval: float = 60.0,
    ) -> None:
        if BaseEventTrigger is BaseTrigger:
            raise FabricInputError("FabricJobEventTrigger needs Airflow 3.0 or newer: older ones watch no assets.")
        if isinstance(check_interval, bool) or not _is_positive(check_interval):
            raise FabricInputError(f"check_interval must be a positive number of seconds, got {check_interval!r}.")
        super().__init__()
        self.workspace = workspace
        self.item = item
        self.job_type = job_type
        self.statuses = read_statuses(statuses)
        self.item_type = item_type
        self.fabric_conn_id = fabric_conn_id
        self.check_interval = float(check_interval)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "workspace": self.workspace,
                "item": self.item,
                "job_type": self.job_type,
                "statuses": list(self.statuses),
                "item_type": self.item_type,
                "fabric_conn_id": self.fabric_conn_id,
                "check_interval": self.check_interval,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Fire for every end: the stream and the filter, without siblings."""
        async for event in self.filter_shared_stream(self.open_shared_stream(self.serialize()[1])):
            yield event

    def shared_stream_key(self) -> Hashable:
        """Return what siblings have in common: the item, how it is reached, and how often it is polled."""
        names = (self.fabric_conn_id, self.workspace, self.item, self.item_type or "")
        return ("airflow_provider_fabric", *names, self.check_interval)

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[Listed]:
        """Poll the item's list, again and again.

        :param kwargs: the arguments of one of the triggers that share the stream.
        """
        conn_id, interval = kwargs["fabric_conn_id"], float(kwargs["check_interval"])
        ids: tuple[str, str] | None = None
        began = time.time()
        while True:
            pause, hints, mark = interval, None, 0
            try:
                if ids is None:
                    workspace_id = await shared.arun(conn_id, resolve_workspace(kwargs["workspace"]))
                    item = resolve_item(workspace_id, kwargs["item"], kwargs.get("item_type"))
                    ids = workspace_id, await shared.arun(conn_id, item)
                hints = await shared.item_hints(conn_id)
                mark = hints.mark(_key(ids)) if hints is not None else 0
                found, ahead = await shared.arun_job_calls(conn_id, list_with_clock(*ids, budget=ONCE))
                host = (await (await shared.shared_hook(conn_id)).aget_conn()).host
            except Exception as error:  # noqa: BLE001 - a watcher that dies is not started again by every Airflow
                where = _where(kwargs["workspace"], kwargs["item"], ids)
                log.warning("Could not poll the runs of %s, will poll again: %r", where, error)
                pause, hints = _pause_after(error, interval), None
                if not isinstance(error, FabricError) or is_permanent(error):
                    ids = None  # it may have been made anew under the same name
            else:
                if hints is not None:
                    hints.listed(_key(ids), [run for run in found if run.status.is_terminal], began + ahead)
                yield Listed(*ids, host, found, ahead)
            pause *= 1.0 + random.uniform(0, JITTER)  # noqa: S311 - it only spreads polls
            if hints is None or ids is None:
                await asyncio.sleep(pause)
            else:
                await shared.pause_for_item(conn_id, hints, _key(ids), pause, mark)

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        """Fire for the ends that were not reported yet.

        What was reported is written one poll later: by then Airflow has stored the events.
        """
        began = time.time()
        key, where, known, written = "", "", EndedRuns(began), -1
        async for listed in shared_stream:
            if key != self._state_key(listed):
                key = self._state_key(listed)
                where = _where(self.workspace, self.item, (listed.workspace_id, listed.item_id))
                known, is_new = await self._read(key, began + listed.ahead, where)
                written = -1 if is_new else known.changes
            if known.changes != written:
                written = await self._write(key, known, where)
            service_now = time.time() + listed.ahead
            for instance in known.new(listed.instances, self.statuses, self.job_type, now=service_now):
                yield TriggerEvent(self._payload(listed, instance))
            began = time.time()  # of another item under the same name, only what ends from here on is reported

    def _payload(self, listed: Listed, instance: JobInstance) -> dict[str, Any]:
        url = run_url(listed.host, listed.workspace_id, listed.item_id, self.item_type, instance.id)
        names = {"workspace": self.workspace, "item": self.item, "item_type": self.item_type}
        return {**instance.result(listed.workspace_id), **names, "run_url": url}

    async def _read(self, key: str, since: float, where: str) -> tuple[EndedRuns, bool]:
        """Return what was reported already to the assets that this trigger serves, and whether that is a fresh start.

        Until it can be read nothing is reported and nothing written: a fresh start would lose what ended meanwhile.
        """
        for pause in chain(READ_PAUSES, repeat(ERROR_PAUSE)):
            try:
                states = [EndedRuns.from_state(await store.aget(key)) for store in self._stores()]
            except Exception as error:  # noqa: BLE001 - of the database, or of Airflow's API
                log.warning("Could not read which runs of %s were reported, will try again: %r", where, error)
                await asyncio.sleep(pause)
                continue
            first, *others = [state for state in states if state is not None] or [EndedRuns(since)]
            for other in others:
                first.merge(other)
            return first, all(state is None for state in states)
        raise AssertionError("unreachable: it is attempted for ever")

    async def _write(self, key: str, known: EndedRuns, where: str) -> int:
        """Write what was reported; return which change that is, or -1 if it failed."""
        try:
            for store in self._stores():
                await store.aset(key, known.to_state())
        except Exception as error:  # noqa: BLE001
            log.warning("Could not write which runs of %s were reported: %r", where, error)
            return -1
        return known.changes

    def _state_key(self, listed: Listed) -> str:
        """Return the key of what this trigger reported: an asset may have several, for other items and other ends."""
        what = (self.fabric_conn_id, listed.workspace_id, listed.item_id, self.item_type, self.job_type)
        text = json.dumps([*what, sorted(self.statuses)])
        return f"{STATE_KEY}:{hashlib.sha256(text.encode()).hexdigest()[:32]}"

    def _stores(self) -> list[Any]:
        """Return the state stores of the assets that this trigger serves (Airflow ≥ 3.3)."""
        stores = getattr(self, "asset_state_store", None)
        if stores is None:
            return []
        return list(getattr(stores, "_by_name", {}).values()) or [stores]


def _key(ids: tuple[str, str]) -> tuple[str, str]:
    return ids[0].lower(), ids[1].lower()


def _where(workspace: str, item: str, ids: tuple[str, str] | None) -> str:
    """Return which item is meant, for a message: as the author named it, with the ids once they are known."""
    names = (item, workspace)
    shown = [
        repr(name) if id_ is None or name.lower() == id_.lower() else f"{name!r} ({id_})"
        for name, id_ in zip(names, reversed(ids) if ids else (None, None), strict=True)
    ]
    return "item {} in workspace {}".format(*shown)


def _pause_after(error: Exception, interval: float) -> float:
    """Return how long to pause after an error, in seconds."""
    if isinstance(error, FabricError) and not is_permanent(error):
        return max(interval, retry_after(error) or 0.0)
    return max(interval, ERROR_PAUSE)


def _is_positive(seconds: object) -> bool:
    return isinstance(seconds, int | float) and 0 < seconds < math.inf
