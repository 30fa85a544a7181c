"""How a run is started once, whatever happens to the answer.

Fabric has no idempotency key. A submit that got no clear answer is never sent again; instead the item's list is read,
and the run adopted that is proven to be ours (see :mod:`.ownership`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from airflow_provider_fabric.api.http.flow import Clock, Flow
from airflow_provider_fabric.api.http.retry import RetryBudget
from airflow_provider_fabric.api.jobs.instances import run_item_job
from airflow_provider_fabric.api.jobs.job_types import SubmitForm
from airflow_provider_fabric.api.jobs.listing import list_item_job_instances
from airflow_provider_fabric.api.jobs.ownership import VISIBLE_WITHIN, Sightings, proven, search, window_of
from airflow_provider_fabric.api.jobs.service_time import ServiceClock, SubmitTrace, observed
from airflow_provider_fabric.api.models import JobInstance, Submission
from airflow_provider_fabric.exceptions import FabricAmbiguousError, FabricJobMayBeRunning

ListRuns = Callable[[RetryBudget], Flow[list[JobInstance]]]


def submit_once(
    workspace_id: str,
    item_id: str,
    job_type: str,
    body: Mapping[str, Any] | None = None,
    *,
    known: Collection[str] | None = None,
    submit_form: SubmitForm = "auto",
    clock: Clock = time.monotonic,
) -> Flow[Submission]:
    """Start a run, or find the one that an unclear answer started.

    :param known: ids of instances that cannot be ours, because they were there before.
    :param submit_form: ``"path"`` for the newer address of a job only, ``"query"`` for the older
        ``…/jobs/instances?jobType=`` only; ``"auto"`` sends the older one where the service does not know the newer.
    :param clock: any clock that runs evenly.
    :raises FabricJobMayBeRunning: the answer was unclear, and no run is proven to be the one that was asked for.
    """

    def list_runs(budget: RetryBudget) -> Flow[list[JobInstance]]:
        return list_item_job_instances(workspace_id, item_id, job_type=job_type, budget=budget)

    submit = run_item_job(workspace_id, item_id, job_type, body, submit_form=submit_form)
    return (yield from submit_or_find(submit, list_runs, workspace_id, item_id, known=known, clock=clock))


def submit_or_find(
    submit: Flow[Submission],
    list_runs: ListRuns,
    workspace_id: str,
    item_id: str,
    *,
    known: Collection[str] | None,
    clock: Clock,
) -> Flow[Submission]:
    """Run a submit; if its answer is unclear, find the run that is proven to be what it started.

    :param submit: the conversation that starts a run.
    :param list_runs: reads the item's runs of the same job.
    :raises FabricJobMayBeRunning: none is proven.
    """
    service, trace, sightings = ServiceClock(clock), SubmitTrace(), Sightings()
    try:
        return (yield from observed(submit, service, trace))
    except FabricAmbiguousError as error:
        unclear = error
    answered = service.read()
    yield from search(sightings, list_runs, service, lambda: answered + VISIBLE_WITHIN, at_once=True)
    window = window_of(trace, service, known)
    candidates = sightings.candidates(window) if window else {id_: None for id_ in sightings.latest}
    found = proven(sightings.candidates(window)) if window and sightings.complete else None
    if found is not None:
        return Submission(found, adopted=True)
    raise may_be_running(unclear, workspace_id, item_id, list(candidates))


def may_be_running(
    unclear: FabricAmbiguousError, workspace_id: str, item_id: str, candidates: Collection[str]
) -> FabricJobMayBeRunning:
    """Return the error for a submit of which nobody knows whether it started a run."""
    named = ", ".join(candidates)
    seen = f"these job instances are new: {named}" if named else "no new instance has appeared"
    error = FabricJobMayBeRunning(
        f"{unclear} A run may be going on; {seen}. Check the item's runs in Fabric before you start another.",
        job={"workspace_id": workspace_id, "item_id": item_id},
    )
    error.__cause__ = unclear
    return error
