"""An item's list of job instances: all of it with filters, or some of it by id.

https://learn.microsoft.com/rest/api/fabric/core/job-scheduler/list-item-job-instances: every active instance, and about
the 100 most recently completed.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from dataclasses import replace
from math import inf
from typing import Any

from airflow_provider_fabric.api.http.flow import Clock, Flow, Request
from airflow_provider_fabric.api.http.pages import MAX_PAGES, list_dated, list_page
from airflow_provider_fabric.api.http.retry import PATIENT, RetryBudget
from airflow_provider_fabric.api.jobs.instances import instances_path
from airflow_provider_fabric.api.jobs.job_types import same_job_type
from airflow_provider_fabric.api.models import JobInstance

CLOCK_MARGIN = 2.0
"""Seconds that ``Date`` (whole seconds) and ``startTimeUtc`` may be apart."""


def list_item_job_instances(
    workspace_id: str,
    item_id: str,
    *,
    job_type: str | None = None,
    since: float | None = None,
    item_type: str | None = None,
    typed: bool = False,
    budget: RetryBudget = PATIENT,
    clock: Clock = time.time,
) -> Flow[list[JobInstance]]:
    """Return an item's job instances, all pages: newest first if they are filtered, else in the service's order.

    :param workspace_id: GUID.
    :param item_id: GUID.
    :param job_type: only this kind of job; aliases count as the same; ``None`` for any.
    :param since: epoch seconds by our clock; only instances started at or after it, or active without a start yet.
    :param item_type: kind of item, for ``typed``.
    :param typed: use the kind's own collection.
    :param budget: how long each page is tried.
    :param clock: epoch seconds.
    """
    found, ahead = yield from list_with_clock(
        workspace_id, item_id, item_type=item_type, typed=typed, budget=budget, clock=clock
    )
    if job_type is not None:
        found = [instance for instance in found if same_job_type(instance.job_type, job_type)]
    if since is not None:
        found = started_since(found, since + ahead)
    if job_type is None and since is None:
        return found
    return sorted(found, key=started_at, reverse=True)


def list_with_clock(
    workspace_id: str,
    item_id: str,
    *,
    item_type: str | None = None,
    typed: bool = False,
    budget: RetryBudget = PATIENT,
    clock: Clock = time.time,
) -> Flow[tuple[list[JobInstance], float]]:
    """Return an item's job instances, and by how many seconds the service's clock is ahead of ours.

    The parameters are those of :func:`list_item_job_instances`.
    """
    path = instances_path(workspace_id, item_id, item_type, typed)
    entries, service_now = yield from list_dated(Request("GET", path, f"list job instances of {item_id}"), budget)
    return list(map(JobInstance.from_wire, entries)), 0.0 if service_now is None else service_now - clock()


def started_since(found: Iterable[JobInstance], since: float) -> list[JobInstance]:
    """Return the instances that started at or after a time, or are active without a start yet.

    :param since: epoch seconds by the service's clock.
    """
    return [instance for instance in found if started_at(instance) >= since - CLOCK_MARGIN]


def started_at(instance: JobInstance) -> float:
    """Return when a run started, in epoch seconds: infinity, if it is active and the service names no time yet."""
    if instance.start_time_utc is not None:
        return instance.start_time_utc.timestamp()
    return 0.0 if instance.status.is_terminal else inf


def get_job_instances_by_id(
    workspace_id: str, item_id: str, wanted: Collection[str], *, budget: RetryBudget = PATIENT
) -> Flow[tuple[dict[str, JobInstance], list[dict[str, Any]], int]]:
    """Look for some of an item's job instances in its list, and read no more pages than that takes.

    One that is listed twice, with two statuses, counts as not listed: its own Get says which holds.

    :param wanted: ids, in lower case.
    :returns: those found, by id; all others that came along, in the service's form; and how many pages that took.
    """
    request = Request("GET", instances_path(workspace_id, item_id), f"list job instances of {item_id}")
    found: dict[str, JobInstance] = {}
    others: list[dict[str, Any]] = []
    seen: set[str] = set()
    unclear: set[str] = set()
    pages = 0
    while True:
        entries, token, _ = yield from list_page(request, budget)
        pages += 1
        for entry in entries:
            if str(entry.get("id")).lower() in wanted:
                instance = JobInstance.from_wire(entry)
                if found.setdefault(instance.id, instance).status is not instance.status:
                    unclear.add(instance.id)
            else:
                others.append(entry)
        if token is None or token in seen or len(found) == len(wanted) or pages >= MAX_PAGES:
            return {run: found[run] for run in found if run not in unclear}, others, pages
        seen.add(token)
        request = replace(request, params={**request.params, "continuationToken": token})
