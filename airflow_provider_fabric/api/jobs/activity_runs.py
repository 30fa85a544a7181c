"""What the activities of a pipeline run did, as the service tells it.

https://learn.microsoft.com/fabric/data-factory/pipeline-rest-api-capabilities#query-activity-runs, and for filters and
orders https://learn.microsoft.com/rest/api/datafactory/activity-runs/query-by-pipeline-run, which it resembles. What is
made of the answer is in :mod:`.activities`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timezone
from typing import Any

from airflow_provider_fabric.api.http.flow import Flow, Request, quote_segment
from airflow_provider_fabric.api.http.pages import MAX_PAGES
from airflow_provider_fabric.api.http.retry import PATIENT, Replay, RetryBudget, send
from airflow_provider_fabric.api.items.items import workspace_path
from airflow_provider_fabric.api.jobs.values import parameter_value
from airflow_provider_fabric.exceptions import FabricInputError, FabricProtocolError

NEWEST_FIRST: tuple[Mapping[str, str], ...] = ({"orderBy": "ActivityRunStart", "order": "DESC"},)

_TIME = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)"
    r"(?:[T ](?P<clock>\d\d:\d\d(?::\d\d)?)(?P<fraction>\.\d+)?\s*(?P<zone>Z|[+-]\d\d:?\d\d)?)?",
    re.IGNORECASE,
)
_EXAMPLE = "a datetime, or text such as 2024-05-22T14:02:04.1423888Z"


def query_activity_runs(
    workspace_id: str,
    job_instance_id: str,
    *,
    after: datetime | str,
    before: datetime | str,
    filters: Sequence[Mapping[str, Any]] = (),
    order_by: Sequence[Mapping[str, str]] = NEWEST_FIRST,
    budget: RetryBudget = PATIENT,
) -> Flow[list[dict[str, Any]]]:
    """Return what the activities of a pipeline run did, newest first.

    https://learn.microsoft.com/fabric/data-factory/pipeline-rest-api-capabilities#query-activity-runs. The detail may
    be gone about an hour after the run.

    :param job_instance_id: GUID of the pipeline's job instance.
    :param after: start of the time span: a datetime of any zone, or ISO 8601 text; without a zone it is UTC.
    :param before: end of the time span, in the same forms.
    :param filters: such as ``[{"operand": "Status", "operator": "Equals", "values": ["Failed"]}]``.
    :param order_by: such as ``[{"orderBy": "ActivityName", "order": "ASC"}]``.
    :param budget: how long each page is tried.
    :raises FabricInputError: a time, a filter or an order is none, or the time span ends before it starts.
    """
    job_id = quote_segment(job_instance_id, "job_instance_id")
    path = f"{workspace_path(workspace_id)}/datapipelines/pipelineruns/{job_id}/queryactivityruns"
    body: dict[str, Any] = {
        "filters": _objects(filters, "filters"),
        "orderBy": _objects(order_by, "order_by"),
        "lastUpdatedAfter": utc_text(after, "after"),
        "lastUpdatedBefore": utc_text(before, "before"),
    }
    if _comparable(body["lastUpdatedAfter"]) > _comparable(body["lastUpdatedBefore"]):
        raise FabricInputError(
            f"after ({body['lastUpdatedAfter']}) is later than before ({body['lastUpdatedBefore']}): exchange them."
        )
    runs: list[dict[str, Any]] = []
    seen: set[str] = set()
    while True:
        request = Request("POST", path, f"read the activity runs of {job_instance_id}", json=body)
        content = (yield from send(request, replay=Replay.SAFE, budget=budget)).json()
        page = content.get("value") if isinstance(content, dict) else content
        if not isinstance(page, list):
            raise FabricProtocolError(f"Could not {request.action}: the answer is no list.")
        runs += [run for run in page if isinstance(run, dict)]
        token = content.get("continuationToken") if isinstance(content, dict) else None
        if not isinstance(token, str) or not token or token in seen or len(seen) >= MAX_PAGES:
            return runs
        seen.add(token)
        body = {**body, "continuationToken": token}


def utc_text(value: datetime | str, name: str) -> str:
    """Return a time in UTC, with ``Z``, as the service's own examples write it; no digit of a text is lost.

    :param value: a datetime of any zone, or ISO 8601 text; without a zone it is UTC.
    :param name: the argument, for the error.
    :raises FabricInputError: it is no time, or one that no calendar has.
    """
    fraction = ""
    if isinstance(value, str):
        value, fraction = _read_text(value, name)
    elif isinstance(value, datetime):
        fraction = f".{value.microsecond:06d}" if value.microsecond else ""
    elif isinstance(value, date):
        value = datetime(value.year, value.month, value.day)
    else:
        raise FabricInputError(f"{name} must be {_EXAMPLE}, got {type(value).__name__}.")
    aware = value if value.tzinfo else value.replace(tzinfo=timezone.utc)
    try:
        moved = aware.astimezone(timezone.utc)
    except OverflowError:
        raise FabricInputError(f"{name} must be {_EXAMPLE}; {value} cannot be converted to UTC.") from None
    return f"{moved.replace(tzinfo=None, microsecond=0).isoformat()}{fraction}Z"


def _read_text(text: str, name: str) -> tuple[datetime, str]:
    """Return the whole seconds of a text, and its fraction of a second as it stands there."""
    match = _TIME.fullmatch(text.strip())
    if match is not None:
        zone = (match["zone"] or "Z").upper().replace("Z", "+00:00")
        if ":" not in zone:  # Python 3.10 reads no offset without a colon
            zone = f"{zone[:3]}:{zone[3:]}"
        try:
            return datetime.fromisoformat(f"{match['day']}T{match['clock'] or '00:00'}{zone}"), match["fraction"] or ""
        except ValueError:
            pass
    raise FabricInputError(f"{name} must be {_EXAMPLE}, got {text[:80]!r}.")


def _comparable(text: str) -> tuple[str, str]:
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return whole, fraction.rstrip("0")


def _objects(entries: Sequence[Mapping[str, Any]], name: str) -> list[Any]:
    """Return a list of objects as it is sent."""
    is_list = isinstance(entries, Sequence) and not isinstance(entries, str | bytes)
    if not is_list or not all(isinstance(entry, Mapping) for entry in entries):
        got = type(entries).__name__
        raise FabricInputError(f"{name} must be a list of mappings, such as {_SAMPLES[name]}, got {got}.")
    return [parameter_value(entry, f"{name}[{index}]") for index, entry in enumerate(entries)]


_SAMPLES = {
    "filters": '[{"operand": "Status", "operator": "Equals", "values": ["Failed"]}]',
    "order_by": '[{"orderBy": "ActivityRunStart", "order": "DESC"}]',
}
