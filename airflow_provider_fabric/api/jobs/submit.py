"""How a run is started once, whatever happens to the answer.

Fabric has no idempotency key. A submit that got no clear answer is never sent again; instead the item's list is read,
and the run adopted that is proven to be ours (see :mod:`.ownership`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, get_args

from airflow_provider_fabric.api.http.flow import Clock, Flow
from airflow_provider_fabric.api.http.retry import RetryBudget
from airflow_provider_fabric.api.jobs.instances import check_submit, run_item_job
from airflow_provider_fabric.api.jobs.job_types import OnUnclearSubmit, SubmitForm
from airflow_provider_fabric.api.jobs.listing import list_item_job_instances
from airflow_provider_fabric.api.jobs.ownership import (
    LIST_BEFORE,
    VISIBLE_WITHIN,
    Sightings,
    doubt,
    search,
    window_of,
)
from airflow_provider_fabric.api.jobs.service_time import ServiceClock, SubmitTrace, observed
from airflow_provider_fabric.api.models import JobInstance, Submission
from airflow_provider_fabric.exceptions import (
    FabricAmbiguousError,
    FabricError,
    FabricInputError,
    FabricJobMayBeRunning,
)

ListRuns = Callable[[RetryBudget], Flow[list[JobInstance]]]


def submit_once(
    workspace_id: str,
    item_id: str,
    job_type: str,
    body: Mapping[str, Any] | None = None,
    *,
    known: Collection[str] | None = None,
    submit_form: SubmitForm = "auto",
    on_unclear_submit: OnUnclearSubmit = "adopt",
    visible_within: float = VISIBLE_WITHIN,
    clock: Clock = time.monotonic,
) -> Flow[Submission]:
    """Start a run, or find the one that an unclear answer started.

    The item's list is read first: a run that is in it cannot be ours.

    :param known: ids of the instances that the item lists now; the list is not read first then.
    :param submit_form: ``"path"`` for the newer address of a job only, ``"query"`` for the older
        ``…/jobs/instances?jobType=`` only; ``"auto"`` sends the older one where the service does not know the newer.
    :param on_unclear_submit: what to do when the answer was lost: ``"adopt"`` the run that is proven to be the one it
        started, or ``"fail"`` and name the candidates, for an item that others start, too.
    :param visible_within: seconds after which a run that was accepted is taken to be in the item's list.
    :param clock: any clock that runs evenly.
    :raises FabricJobMayBeRunning: the answer was unclear, and no run is proven to be the one that was asked for.
    """

    check_submit(job_type, submit_form)

    def list_runs(budget: RetryBudget) -> Flow[list[JobInstance]]:
        return list_item_job_instances(workspace_id, item_id, budget=budget)

    return (
        yield from submit_or_find(
            run_item_job(workspace_id, item_id, job_type, body, submit_form=submit_form),
            list_runs,
            (workspace_id, item_id, job_type),
            known=known,
            on_unclear_submit=on_unclear_submit,
            visible_within=visible_within,
            clock=clock,
        )
    )


def submit_or_find(
    submit: Flow[Submission],
    list_runs: ListRuns,
    item: tuple[str, str, str],
    *,
    known: Collection[str] | None = None,
    on_unclear_submit: OnUnclearSubmit = "adopt",
    visible_within: float = VISIBLE_WITHIN,
    clock: Clock = time.monotonic,
) -> Flow[Submission]:
    """Run a submit; if its answer is unclear, find the run that is proven to be what it started.

    :param submit: the conversation that starts a run.
    :param list_runs: reads the item's runs, of whatever job.
    :param item: workspace, item, job type.

    The other parameters are those of :func:`submit_once`.

    :raises FabricJobMayBeRunning: none is proven.
    """
    if on_unclear_submit not in get_args(OnUnclearSubmit):
        raise FabricInputError(f"on_unclear_submit must be 'adopt' or 'fail', got {on_unclear_submit!r}.")
    service, trace, sightings = ServiceClock(clock), SubmitTrace(), Sightings(item[2])
    before = (yield from _listed_before(list_runs, service)) if known is None else known
    try:
        return (yield from observed(submit, service, trace))
    except FabricAmbiguousError as error:
        unclear = error
    yield from search(sightings, list_runs, service, at_once=True, visible_within=visible_within)
    window = window_of(trace, service, before)
    candidates = sightings.candidates(window)
    reason = doubt(sightings, window, candidates) if on_unclear_submit == "adopt" else "on_unclear_submit='fail'"
    if candidates and not reason:
        return Submission(next(iter(candidates)), adopted=True)
    if not candidates and sightings.complete:
        reason = "no new instance has appeared"
    raise may_be_running(unclear, item, candidates, reason)


def _listed_before(list_runs: ListRuns, service: ServiceClock) -> Flow[list[str] | None]:
    """Return which runs the item lists before a submit; ``None`` if it cannot be read: then nothing is proven."""
    try:
        found = yield from observed(list_runs(LIST_BEFORE), service)
    except FabricError:
        return None
    return [instance.id for instance in found]


def may_be_running(
    unclear: FabricAmbiguousError, item: tuple[str, str, str], candidates: Collection[str], reason: str
) -> FabricJobMayBeRunning:
    """Return the error for a submit of which nobody knows whether it started a run.

    :param item: workspace, item, job type.
    :param candidates: ids of the runs that it may have started.
    :param reason: why none of them is proven.
    """
    seen = f"these job instances are new: {', '.join(candidates)}; {reason}" if candidates else reason
    error = FabricJobMayBeRunning(
        f"{unclear} A run may be going on; {seen}. Check the item's runs in Fabric before you start another.",
        job={"workspace_id": item[0], "item_id": item[1]},
    )
    error.__cause__ = unclear
    return error
