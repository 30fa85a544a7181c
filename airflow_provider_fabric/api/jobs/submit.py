"""How a run is started once, whatever happens to the answer.

Fabric has no idempotency key. A submit that got no clear answer is never sent again; instead the item's instances are
looked at, by the service's own clock (the ``Date`` header of the list), so that clocks may differ.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from math import inf
from typing import Any

from airflow_provider_fabric.api.http.flow import Flow, Request, Sleep
from airflow_provider_fabric.api.http.pages import list_dated
from airflow_provider_fabric.api.http.retry import PATIENT, RetryBudget
from airflow_provider_fabric.api.jobs.instances import instances_path, run_item_job
from airflow_provider_fabric.api.jobs.job_types import same_job_type
from airflow_provider_fabric.api.models import JobInstance, Submission
from airflow_provider_fabric.exceptions import FabricAmbiguousError, FabricError, FabricJobMayBeRunning

LOOKS = (2.0, 5.0, 10.0, 20.0)
"""Pauses before each look for a run whose submit got no clear answer: it may become visible late."""

CLOCK_MARGIN = 2.0
"""Seconds that ``Date`` (whole seconds) and ``startTimeUtc`` may be apart."""

Clock = Callable[[], float]


def list_job_instances_by_type(
    workspace_id: str,
    item_id: str,
    job_type: str | None,
    *,
    since: float | None = None,
    clock: Clock = time.time,
    budget: RetryBudget = PATIENT,
) -> Flow[list[JobInstance]]:
    """Return an item's instances of a job type, newest first.

    :param job_type: kind of job; aliases count as the same; ``None`` for any.
    :param since: epoch seconds by our clock; only instances started at or after it, or active without a start yet.
    :param clock: epoch seconds.
    :param budget: how long each page is tried.
    """
    request = Request("GET", instances_path(workspace_id, item_id), f"list job instances of {item_id}")
    entries, service_now = yield from list_dated(request, budget)
    found = list(map(JobInstance.from_wire, entries))
    if job_type is not None:
        found = [i for i in found if same_job_type(i.job_type, job_type)]
    if since is not None:
        found = started_since(found, since, service_now, clock)
    return sorted(found, key=_started, reverse=True)


def started_since(
    found: Iterable[JobInstance], since: float, service_now: float | None, clock: Clock
) -> list[JobInstance]:
    """Return the instances that started at or after a moment, or are active without a start yet.

    :param since: epoch seconds by our clock.
    :param service_now: epoch seconds by the service's clock, as its answer says.
    """
    skew = service_now - clock() if service_now is not None else 0.0
    return [instance for instance in found if _started(instance) >= since + skew - CLOCK_MARGIN]


def _started(instance: JobInstance) -> float:
    """Return when a run started, in epoch seconds: never yet, if it is active and the service names no moment."""
    if instance.start_time_utc is not None:
        return instance.start_time_utc.timestamp()
    return 0.0 if instance.status.is_terminal else inf


def submit_once(
    workspace_id: str,
    item_id: str,
    job_type: str,
    body: Mapping[str, Any] | None = None,
    *,
    known: Collection[str] = (),
    clock: Clock = time.time,
) -> Flow[Submission]:
    """Start a run, or find the one that an unclear answer started.

    :param known: ids of instances that cannot be ours, because they were there before.
    :param clock: epoch seconds.
    :raises FabricJobMayBeRunning: the answer was unclear, and not exactly one new instance was found.
    """
    before = clock()
    try:
        return (yield from run_item_job(workspace_id, item_id, job_type, body))
    except FabricAmbiguousError as error:
        unclear = error

    def find() -> Flow[list[JobInstance]]:
        return list_job_instances_by_type(workspace_id, item_id, job_type, since=before + unclear.waited, clock=clock)

    return (yield from find_submitted(unclear, find, workspace_id, item_id, known=known))


def find_submitted(
    unclear: FabricAmbiguousError,
    find: Callable[[], Flow[list[JobInstance]]],
    workspace_id: str,
    item_id: str,
    *,
    known: Collection[str] = (),
) -> Flow[Submission]:
    """Find the run that an unclear answer started.

    :param unclear: what came instead of an answer.
    :param find: lists the runs that were started since.
    :param known: ids of instances that cannot be ours.
    :raises FabricJobMayBeRunning: there is not exactly one.
    """
    candidates: list[str] = []
    for pause in LOOKS:
        yield Sleep(pause)
        try:
            found = yield from find()
        except FabricError:
            continue
        new = [i for i in found if i.invoke_type.casefold() != "scheduled" and i.id not in known]
        candidates = [i.id for i in new]
        dated = [i.id for i in new if i.start_time_utc is not None]  # the others may have been asked for before
        if len(dated) == 1:
            return Submission(dated[0], adopted=True)
        if dated:
            break
    raise _may_be_running(unclear, workspace_id, item_id, candidates)


def _may_be_running(
    unclear: FabricAmbiguousError, workspace_id: str, item_id: str, candidates: list[str]
) -> FabricJobMayBeRunning:
    named = ", ".join(candidates)
    seen = f"these instances started since, or wait: {named}" if named else "no new instance is to be seen"
    error = FabricJobMayBeRunning(
        f"{unclear} A run may be going on; {seen}. Look at the item's runs in Fabric before you start another.",
        job={"workspace_id": workspace_id, "item_id": item_id},
    )
    error.__cause__ = unclear
    return error
