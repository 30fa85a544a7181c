"""What the service's answers mean, as plain immutable values.

Times come as ``2024-06-22T06:35:00.7812154``: up to seven fractional digits, no offset, UTC
(https://learn.microsoft.com/rest/api/fabric/core/job-scheduler/get-item-job-instance).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from typing import Any

from airflow_provider_fabric.api.error_detail import ErrorDetail as ErrorDetail
from airflow_provider_fabric.api.plain_text import MAX_CODE, one_line
from airflow_provider_fabric.api.status import JobStatus, OperationStatus
from airflow_provider_fabric.exceptions import FabricInputError, FabricProtocolError

_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)?")


def is_guid(text: object) -> bool:
    """Whether a text is a GUID, as Fabric writes its ids."""
    return isinstance(text, str) and _GUID.fullmatch(text) is not None


def require_guid(value: object, name: str) -> str:
    """Return the id in lower case.

    :raises FabricInputError: it is not a GUID.
    """
    if not is_guid(value):
        got = repr(value)[:80]
        raise FabricInputError(f"{name} must be a GUID such as 1f69e798-5e3c-4b0e-9d3c-2a4f9c1c8d11, got {got}.")
    return str(value).lower()


def parse_time(text: object) -> datetime | None:
    """Read one of the service's times, as an aware datetime in UTC, or ``None`` if there is none.

    The first day of year 1 is what .NET services write for a time that was never set.
    """
    match = _TIME.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        return None
    whole, fraction, offset = match.groups()
    micro = (fraction or "0")[:6].ljust(6, "0")
    zone = "+00:00" if offset in (None, "Z") else offset
    try:
        timestamp = datetime.fromisoformat(f"{whole}.{micro}{zone}").astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None
    return timestamp if timestamp.year > 1 else None


def _word(value: object) -> str:
    """Return a short text of the service's, such as a status, fit for a log line."""
    return one_line(value, MAX_CODE) if isinstance(value, str) else ""


def _field(content: Mapping[str, Any], name: str, what: str) -> str:
    value = content.get(name)
    if not isinstance(value, str) or not value:
        raise FabricProtocolError(f"The service's {what} has no {name!r}.")
    return value


@dataclass(frozen=True)
class Workspace:
    """A workspace.

    :param id: GUID.
    :param display_name: its name.
    """

    id: str
    display_name: str

    @classmethod
    def from_wire(cls, content: Mapping[str, Any]) -> Workspace:
        """Read the service's form."""
        return cls(_field(content, "id", "workspace"), str(content.get("displayName") or ""))


@dataclass(frozen=True)
class Item:
    """An item of a workspace.

    :param id: GUID.
    :param workspace_id: GUID of its workspace.
    :param type: kind, such as ``DataPipeline``.
    :param display_name: its name.
    :param description: free text.
    :param folder_id: GUID of the folder it lies in, or ``None`` for the workspace's root.
    """

    id: str
    workspace_id: str
    type: str
    display_name: str
    description: str = ""
    folder_id: str | None = None

    @classmethod
    def from_wire(cls, content: Mapping[str, Any]) -> Item:
        """Read the service's form."""
        return cls(
            id=_field(content, "id", "item"),
            workspace_id=str(content.get("workspaceId") or ""),
            type=str(content.get("type") or ""),
            display_name=str(content.get("displayName") or ""),
            description=str(content.get("description") or ""),
            folder_id=_word(content.get("folderId")) or None,
        )


@dataclass(frozen=True)
class JobRef:
    """Where a job instance lives; what crosses from a worker to a triggerer.

    :param workspace_id: GUID.
    :param item_id: GUID.
    :param job_instance_id: GUID.
    """

    workspace_id: str
    item_id: str
    job_instance_id: str

    def to_state(self) -> dict[str, str]:
        """Return plain values."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> JobRef:
        """Read :meth:`to_state`'s form, checked.

        :raises FabricInputError: an id is missing or not a GUID.
        """
        return cls(**{n: require_guid(state.get(n), n) for n in ("workspace_id", "item_id", "job_instance_id")})


@dataclass(frozen=True)
class Submission:
    """What the service answered to a submit.

    :param job_instance_id: GUID of the new instance.
    :param retry_after: seconds to wait before the first look, if the service said so.
    :param adopted: the answer was unclear, and the run was found among the item's instances.
    """

    job_instance_id: str
    retry_after: float | None = None
    adopted: bool = False


@dataclass(frozen=True)
class JobInstance:
    """One run of a job, as the service last reported it.

    :param id: GUID.
    :param item_id: GUID.
    :param job_type: kind of job, in the service's word.
    :param invoke_type: ``Manual`` or ``Scheduled``.
    :param status: state.
    :param status_text: the service's own word for it.
    :param root_activity_id: id that ties together what ran on its behalf.
    :param start_time_utc: when it started, or was asked for.
    :param end_time_utc: when it ended.
    :param failure_reason: why it failed.
    """

    id: str
    item_id: str
    job_type: str
    invoke_type: str
    status: JobStatus
    status_text: str
    root_activity_id: str | None = None
    start_time_utc: datetime | None = None
    end_time_utc: datetime | None = None
    failure_reason: ErrorDetail | None = None

    @classmethod
    def from_wire(cls, content: Mapping[str, Any]) -> JobInstance:
        """Read the service's form.

        :raises FabricProtocolError: it has no id or no status: it is something else, such as an error body.
        """
        word = _word(_field(content, "status", "job instance"))
        return cls(
            id=_word(_field(content, "id", "job instance")).lower(),
            item_id=_word(content.get("itemId")).lower(),
            job_type=_word(content.get("jobType")),
            invoke_type=_word(content.get("invokeType")),
            status=JobStatus.from_wire(word),
            status_text=word,
            root_activity_id=_word(content.get("rootActivityId")) or None,
            start_time_utc=parse_time(content.get("startTimeUtc")),
            end_time_utc=parse_time(content.get("endTimeUtc")),
            failure_reason=ErrorDetail.from_wire(content.get("failureReason")),
        )

    def result(self, workspace_id: str) -> dict[str, Any]:
        """Return the operators' return value: plain values, times as ISO 8601 in UTC."""
        return {
            "workspace_id": workspace_id,
            "item_id": self.item_id,
            "job_instance_id": self.id,
            "job_type": self.job_type,
            "status": self.status_text if self.status is JobStatus.UNKNOWN else self.status.value,
            "start_time_utc": self.start_time_utc.isoformat() if self.start_time_utc else None,
            "end_time_utc": self.end_time_utc.isoformat() if self.end_time_utc else None,
            "root_activity_id": self.root_activity_id,
            "failure_reason": self.failure_reason.to_dict() if self.failure_reason else None,
        }


@dataclass(frozen=True)
class Operation:
    """State of a long-running operation.

    :param id: GUID.
    :param status: state.
    :param percent_complete: 0 to 100, if the service says.
    :param error: why it failed.
    :param has_result: there is something to fetch.
    :param retry_after: seconds to wait before the next look.
    """

    id: str
    status: OperationStatus
    percent_complete: int | None = None
    error: ErrorDetail | None = None
    has_result: bool = False
    retry_after: float | None = field(default=None, compare=False)
