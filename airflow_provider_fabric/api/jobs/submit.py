"""How a run is started once, whatever happens to the answer.

Fabric has no idempotency key. A submit that got no clear answer is never sent again; instead the item's instances are
looked at, by the service's own clock (the ``Date`` header of the list), so that clocks may differ.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from airflow_provider_fabric.api.http.flow import Clock, Flow, Sleep
from airflow_provider_fabric.api.jobs.instances import run_item_job
from airflow_provider_fabric.api.jobs.job_types import SubmitForm
from airflow_provider_fabric.api.jobs.listing import list_item_job_instances
from airflow_provider_fabric.api.models import JobInstance, Submission
from airflow_provider_fabric.exceptions import FabricAmbiguousError, FabricError, FabricJobMayBeRunning

LOOKS = (2.0, 5.0, 10.0, 20.0)
"""Pauses before each look for a run whose submit got no clear answer: it may become visible late."""


def submit_once(
    workspace_id: str,
    item_id: str,
    job_type: str,
    body: Mapping[str, Any] | None = None,
    *,
    known: Collection[str] = (),
    submit_form: SubmitForm = "auto",
    clock: Clock = time.time,
) -> Flow[Submission]:
    """Start a run, or find the one that an unclear answer started.

    :param known: ids of instances that cannot be ours, because they were there before.
    :param submit_form: ``"path"`` for the newer address of a job only, ``"query"`` for the older
        ``…/jobs/instances?jobType=`` only; ``"auto"`` sends the older one where the service does not know the newer.
    :param clock: epoch seconds.
    :raises FabricJobMayBeRunning: the answer was unclear, and not exactly one new instance was found.
    """
    before = clock()
    try:
        return (yield from run_item_job(workspace_id, item_id, job_type, body, submit_form=submit_form))
    except FabricAmbiguousError as error:
        unclear = error

    def find() -> Flow[list[JobInstance]]:
        since = before + unclear.waited
        return list_item_job_instances(workspace_id, item_id, job_type=job_type, since=since, clock=clock)

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
