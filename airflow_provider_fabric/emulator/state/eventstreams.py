"""Eventstreams: which items' job events they carry, and the hub at the end of each, from which readers read.

Events are computed from the runs, as those are computed from the clock: whoever asks for a hub's events gets all that
have happened by then. Definition: https://learn.microsoft.com/rest/api/fabric/articles/item-management/definitions/eventstream-definition;
events: https://learn.microsoft.com/fabric/real-time-hub/explore-fabric-job-events. The same page says that ``Failed``
covers stuck and cancelled runs; it does not mention ``Deduped`` ones, for which nothing is published here.
"""

from __future__ import annotations

import heapq
import json
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any

from airflow_provider_fabric.emulator.errors import invalid_input
from airflow_provider_fabric.emulator.state.ids import derived_id
from airflow_provider_fabric.emulator.state.items import Item, ItemStore
from airflow_provider_fabric.emulator.state.jobs import TERMINAL, JobInstance, JobStore
from airflow_provider_fabric.emulator.state.times import service_time

PREFIX = "Microsoft.Fabric.JobEvents.ItemJob"
DEFINITION = "eventstream.json"
LINES = ("up", "down", "hanging")
KEPT = 20_000
"""Events that a hub keeps."""


@dataclass(frozen=True)
class EventFaults:
    """What goes wrong between a run and a reader.

    :param delay_seconds: from what happens to the event, in real seconds, as the next.
    :param reorder_seconds: by which events may overtake one another.
    :param drop: share of events that are lost.
    :param duplicate: share of events that come twice.
    :param line: ``up``; ``down`` cuts every reader off and lets none in; ``hanging`` leaves readers without another
        byte.
    """

    delay_seconds: float = 0.0
    reorder_seconds: float = 0.0
    drop: float = 0.0
    duplicate: float = 0.0
    line: str = "up"

    @classmethod
    def from_wire(cls, body: dict[str, Any]) -> EventFaults:
        """Read the control call's form.

        :raises ServiceError: 400 for unknown keys or values.
        """
        unknown = sorted(set(body) - {entry.name for entry in fields(cls)})
        if unknown:
            raise invalid_input(f"Unknown keys: {', '.join(unknown)}")
        numbers = {name: value for name, value in body.items() if name != "line"}
        if any(isinstance(n, bool) or not isinstance(n, int | float) or n < 0 for n in numbers.values()):
            raise invalid_input("The delays and shares must be numbers, not below 0")
        if body.get("line", "up") not in LINES:
            raise invalid_input(f"line must be one of {', '.join(LINES)}")
        return cls(**body)


@dataclass(frozen=True)
class Entry:
    """An event in a hub's log."""

    number: int
    enqueued_at: float
    body: bytes


@dataclass
class _Stream:
    """What an eventstream item has become at run time.

    :param paused: names of nodes that were paused.
    :param waiting: events on their way: when they arrive, a number, and their bytes.
    :param published: by run, how many of its steps were published.
    :param numbers: events in the log so far.
    :param queued: events that were on their way so far.
    """

    log: deque[Entry] = field(default_factory=lambda: deque(maxlen=KEPT))
    paused: set[str] = field(default_factory=set)
    waiting: list[tuple[float, int, bytes]] = field(default_factory=list)
    published: dict[str, int] = field(default_factory=dict)
    numbers: int = 0
    queued: int = 0


class EventstreamStore:
    """The eventstreams of one emulator, by the ids of their items."""

    def __init__(self, items: ItemStore, jobs: JobStore) -> None:
        self.faults = EventFaults()
        self._items = items
        self._jobs = jobs
        self._streams: dict[str, _Stream] = {}
        self._random = random.Random(0)  # noqa: S311 - so that faults are the same in every run

    def topology(self, item: Item) -> dict[str, list[dict[str, Any]]]:
        """Return the nodes of an eventstream, as its definition has them."""
        part = next((part for part in item.parts if part.path == DEFINITION), None)
        body = part.json() if part is not None else {}
        return {kind: list(body.get(kind, [])) for kind in ("sources", "destinations", "streams", "operators")}

    def status(self, item: Item, name: str, ready_at: float, now: float) -> str:
        """Return a node's status."""
        if now < ready_at:
            return "Creating"
        return "Paused" if name in self._stream(item.id).paused else "Running"

    def pause(self, item: Item, names: list[str], paused: bool) -> None:
        """Pause nodes, or let them go on."""
        if paused:
            self._stream(item.id).paused.update(names)
        else:
            self._stream(item.id).paused.difference_update(names)

    def by_hub(self, hub: str) -> Item | None:
        """Return the eventstream with a destination of this hub's name."""
        for item_id in list(self._streams):
            item = self._items.get(item_id)
            if item is None:
                del self._streams[item_id]
            elif any(hub_name(item, node["name"]) == hub for node in self.topology(item)["destinations"]):
                return item
        return None

    def know(self, item: Item) -> None:
        """Keep an eventstream's events from now on."""
        self._stream(item.id)

    def _stream(self, item_id: str) -> _Stream:
        return self._streams.setdefault(item_id, _Stream())

    def entries(self, item: Item, now: float) -> list[Entry]:
        """Return the events that readers of an eventstream can read by now, in order."""
        stream, topology = self._stream(item.id), self.topology(item)
        sources = [node for node in topology["sources"] if node.get("type") == "FabricJobEvents"]
        for job in self._jobs.all():
            for source in sources:
                wanted = source["properties"].get("includedEventTypes")
                if job.item_id == source["properties"].get("itemId") and job.started_at >= item.modified_at:
                    self._publish(stream, job, wanted, now)
        names = {node["name"] for kind in ("sources", "destinations") for node in topology[kind]}
        while stream.waiting and stream.waiting[0][0] <= now and not names & stream.paused:
            arrived, _, body = heapq.heappop(stream.waiting)
            stream.numbers += 1
            enqueued = max(arrived, stream.log[-1].enqueued_at if stream.log else 0.0)
            stream.log.append(Entry(stream.numbers, enqueued, body))
        return list(stream.log)

    def _publish(self, stream: _Stream, job: JobInstance, wanted: list[str] | None, now: float) -> None:
        steps = [step for step in _steps(job) if step[0] <= now]
        for at, kind, status in steps[stream.published.get(job.id, 0) :]:
            if wanted and f"{PREFIX}{kind}" not in wanted:
                continue
            body = json.dumps(self._event(job, at, kind, status)).encode()
            if self._random.random() < self.faults.drop:
                continue
            for _ in range(2 if self._random.random() < self.faults.duplicate else 1):
                stream.queued += 1
                delay = self.faults.delay_seconds + self._random.uniform(0, self.faults.reorder_seconds)
                heapq.heappush(stream.waiting, (at + delay, stream.queued, body))
        stream.published[job.id] = len(steps)

    def _event(self, job: JobInstance, at: float, kind: str, status: str) -> dict[str, Any]:
        item = self._items.get(job.item_id)
        return {
            "specversion": "1.0",
            "id": derived_id(job.id, f"{kind} {at}"),
            "source": job.submitter,
            "subject": f"/workspaces/{job.workspace_id}/items/{job.item_id}/jobs/instances/{job.id}",
            "type": f"{PREFIX}{kind}",
            "time": f"{service_time(at)}Z",
            "dataschemaversion": "1.0",
            "data": {
                "itemId": job.item_id,
                "itemKind": job.item_type,
                "itemName": item.display_name if item is not None else "",
                "workspaceId": job.workspace_id,
                "workspaceName": "",
                "executingPricipalId": job.submitter,
                "jobInstanceId": job.id,
                "jobType": job.job_type,
                "jobInovkeType": job.invoke_type,
                "jobStatus": status,
                "jobScheduleTime": f"{service_time(job.started_at)}Z",
                "jobStartTime": f"{service_time(job.started_at)}Z",
                "jobEndTime": f"{service_time(at)}Z" if status in TERMINAL else None,
            },
        }


def _steps(job: JobInstance) -> Iterator[tuple[float, str, str]]:
    """Return what is published of a run: when, which kind of event, and the status then."""
    for number, (at, status) in enumerate(job.timeline):
        if status == "Deduped":
            return
        if number == 0:
            yield at, "Created", "NotStarted"
        if status == "Completed":
            yield at, "Succeeded", status
        elif status in TERMINAL:
            yield at, "Failed", status
        elif status != "NotStarted":
            yield at, "StatusChanged", status


def hub_name(item: Item, destination: str) -> str:
    """Return the name of the hub behind a destination."""
    return f"es_{derived_id(item.id, f'destination {destination}')}"
