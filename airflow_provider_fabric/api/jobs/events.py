"""Job events: what Fabric publishes of a run, read from a message of an eventstream.

A message is a CloudEvent (https://learn.microsoft.com/fabric/real-time-hub/explore-fabric-job-events). Its type is
written ``Microsoft.Fabric.JobEvents.ItemJobCreated`` on the wire and ``Microsoft.Fabric.ItemJobCreated`` in parts of
the documentation, so only what follows the last dot counts. Whatever else comes through the stream is left out: a
message may be anything, from anybody who may write to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from airflow_provider_fabric.api.json_text import parse_json
from airflow_provider_fabric.api.models import JobInstance, is_guid, parse_time
from airflow_provider_fabric.api.status import JobStatus

MAX_BYTES = 1024 * 1024
"""Longest message that is read: Event Hubs takes none that is longer."""

_SUBJECT = re.compile(r"/workspaces/([^/]+)/items/([^/]+)/jobs/instances/([^/]+)", re.IGNORECASE)


class EventKind(str, Enum):
    """What happened to a run."""

    CREATED = "ItemJobCreated"
    STATUS_CHANGED = "ItemJobStatusChanged"
    SUCCEEDED = "ItemJobSucceeded"
    FAILED = "ItemJobFailed"
    """It failed, got stuck or was cancelled."""

    @property
    def is_end(self) -> bool:
        """Whether the run is said to be over."""
        return self in {EventKind.SUCCEEDED, EventKind.FAILED}


@dataclass(frozen=True)
class JobEvent:
    """One event. Nothing proves that it is true.

    :param kind: what happened.
    :param workspace_id: GUID, in lower case, as the other ids.
    :param item_id: GUID.
    :param run_id: GUID of the job instance.
    :param at: when it happened, by the event.
    :param job_type: kind of job, in the service's word.
    :param started: when the run started, or was scheduled.
    :param ended: when it ended.
    """

    kind: EventKind
    workspace_id: str
    item_id: str
    run_id: str
    at: datetime | None = None
    job_type: str = ""
    started: datetime | None = None
    ended: datetime | None = None

    @property
    def item(self) -> tuple[str, str]:
        """Workspace and item."""
        return self.workspace_id, self.item_id

    def as_instance(self) -> JobInstance:
        """Return a run that succeeded as a poll would have returned it, as far as the event says."""
        return JobInstance(
            id=self.run_id,
            item_id=self.item_id,
            job_type=self.job_type,
            invoke_type="",
            status=JobStatus.COMPLETED,
            status_text=JobStatus.COMPLETED.value,
            start_time_utc=self.started,
            end_time_utc=self.ended or self.at,
        )


def read_events(message: bytes | str) -> list[JobEvent]:
    """Return the job events in a message: it holds one CloudEvent, or a list of them.

    :param message: the message's body.
    """
    if len(message) > MAX_BYTES:
        return []
    try:
        content = parse_json(message)
    except ValueError:
        return []
    return list(_events(content if isinstance(content, list) else [content]))


def _events(entries: list[Any]) -> Iterator[JobEvent]:
    for entry in entries:
        event = _event(entry) if isinstance(entry, Mapping) else None
        if event is not None:
            yield event


def _event(content: Mapping[str, Any]) -> JobEvent | None:
    kind = _kind(content.get("type"))
    data = content.get("data")
    if kind is None or not isinstance(data, Mapping):
        return None
    ids = [data.get(name) for name in ("workspaceId", "itemId", "jobInstanceId")]
    subject = content.get("subject")
    named = _SUBJECT.fullmatch(subject) if isinstance(subject, str) else None
    if not all(map(is_guid, ids)) or (named and [i.lower() for i in named.groups()] != [str(i).lower() for i in ids]):
        return None  # an event that contradicts itself says nothing
    workspace_id, item_id, run_id = (str(each).lower() for each in ids)
    job_type = data.get("jobType")
    return JobEvent(
        kind=kind,
        workspace_id=workspace_id,
        item_id=item_id,
        run_id=run_id,
        at=parse_time(content.get("time")),
        job_type=job_type[:256] if isinstance(job_type, str) else "",
        started=parse_time(data.get("jobStartTime")) or parse_time(data.get("jobScheduleTime")),
        ended=parse_time(data.get("jobEndTime")),
    )


def _kind(word: object) -> EventKind | None:
    last = word.rpartition(".")[2].casefold() if isinstance(word, str) else ""
    return next((kind for kind in EventKind if kind.value.casefold() == last), None)
