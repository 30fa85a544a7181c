"""What the service's answer to a submit says about the run: its id, and when to poll first.

The id is read from a header, from a ``Location`` that is a run's address, or, failing both, from the answer's body.
https://learn.microsoft.com/rest/api/fabric/core/job-scheduler/run-on-demand-item-job documents the headers;
https://learn.microsoft.com/fabric/data-factory/dataflow-gen2-public-apis prints a body. An id that none of them names
as a GUID is never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from airflow_provider_fabric.api.http.flow import Response
from airflow_provider_fabric.api.models import Submission, is_guid
from airflow_provider_fabric.exceptions import FabricAmbiguousError, FabricProtocolError


@dataclass(frozen=True)
class RunAddress:
    """Where one of Microsoft's services names a run that it accepted.

    :param noun: what to call the run in messages.
    :param path: matches the path of a run's address; its group is the id.
    :param headers: headers that name the run and count more than ``Location``.
    :param fallback_headers: headers that name it where ``Location`` does not.
    """

    noun: str
    path: re.Pattern[str]
    headers: tuple[str, ...] = ()
    fallback_headers: tuple[str, ...] = ()


JOB_INSTANCE = RunAddress("job instance", re.compile(r"/jobs/(?:[^/]+/)?instances/([^/]+)/?"), headers=("x-ms-job-id",))
"""The job scheduler, by the generic address of an item's jobs or that of one kind of job."""

REFRESH = RunAddress("refresh", re.compile(r"/refreshes/([^/]+)/?"), fallback_headers=("requestid", "x-ms-request-id"))
"""Power BI's refreshes of semantic models."""


def read_submission(answer: Response, action: str, item_id: str, where: RunAddress = JOB_INSTANCE) -> Submission:
    """Return the run that the service accepted.

    :param action: what was asked for, for messages.
    :param item_id: GUID of the item that runs: a body about another item names no run of ours.
    :param where: how this service names a run.
    :raises FabricAmbiguousError: the answer names no run; one may be running.
    """
    headers = answer.headers
    candidates = (
        *(headers.get(name) for name in where.headers),
        _id_in_location(headers.get("location", ""), where.path),
        *(headers.get(name) for name in where.fallback_headers),
        *_ids_in_body(answer, item_id),
    )
    for candidate in candidates:
        text = (candidate or "").strip()
        if is_guid(text):
            return Submission(text.lower(), answer.retry_after)
    raise FabricAmbiguousError(
        f"Could not {action}: the service accepted it ({answer.status}) but did not name the {where.noun}. It may be "
        "running.",
        accepted=True,
    )


def _id_in_location(location: str, pattern: re.Pattern[str]) -> str | None:
    """Return the id at the end of a run's address; that of an item, or of an operation, names no run."""
    try:
        path = unquote(urlsplit(location.strip()).path).strip()
    except ValueError:  # no address at all
        return None
    found = re.search(pattern.pattern + r"\Z", path)
    return found[1] if found else None


def _ids_in_body(answer: Response, item_id: str) -> Iterator[str]:
    """Yield the id that a body names: ``jobInstanceId``, or without one ``id``, of the one run that it is about."""
    if not answer.body or answer.status != 202:
        return
    try:
        content = answer.json()
    except FabricProtocolError:
        return
    entries: list[Any] = content if isinstance(content, list) else [content]
    if len(entries) != 1 or not isinstance(entries[0], dict):  # which of several is ours cannot be known
        return
    entry = entries[0]
    of_item = entry.get("itemId")
    named = entry.get("jobInstanceId") or entry.get("id")
    of_other_item = is_guid(of_item) and str(of_item).lower() != item_id.lower()
    if isinstance(named, str) and not of_other_item and named.strip().lower() != item_id.lower():
        yield named
