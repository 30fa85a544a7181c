"""Starting a run: refusals, rules, deduplication, publishing, and the instance that results."""

from __future__ import annotations

from typing import Any

from airflow_provider_fabric.emulator.errors import ServiceError
from airflow_provider_fabric.emulator.state.identities import Identity
from airflow_provider_fabric.emulator.state.ids import new_id
from airflow_provider_fabric.emulator.state.item_types import ITEM_TYPES
from airflow_provider_fabric.emulator.state.items import Item
from airflow_provider_fabric.emulator.state.job_rules import JobRule, plan
from airflow_provider_fabric.emulator.state.jobs import JobInstance
from airflow_provider_fabric.emulator.state.publishing import (
    NEVER_PUBLISHED,
    PUBLISH_JOBS,
    published_revision,
    publishes,
)
from airflow_provider_fabric.emulator.state.world import World


def read_job_type(item: Item, requested: str) -> str:
    """Return the job type that a request means.

    :raises ServiceError: 400 ``InvalidJobType``.
    """
    job_type = ITEM_TYPES[item.type].job_type(requested)
    if job_type is None:
        raise invalid_job_type(item, requested)
    return job_type


def invalid_job_type(item: Item, requested: str) -> ServiceError:
    """Return the error for a job type that the item does not run."""
    return ServiceError(400, "InvalidJobType", f"The requested job type '{requested}' is invalid for {item.type}")


def check_may_run(world: World, item: Item, caller: Identity, now: float) -> None:
    """Refuse a run that the service would refuse: by who calls, or because too many runs are active.

    Users only for dataflow jobs: the identity tables of the OpenAPI dataflow file (2026-08).

    :raises ServiceError: 403 ``PrincipalTypeNotSupported``, 429 ``TooManyRequestsForJobs``.
    """
    if item.type == "Dataflow" and caller.is_app and world.config.users_only_dataflow:
        raise ServiceError(
            403, "PrincipalTypeNotSupported", "The operation is not supported for the principal type of the caller"
        )
    limit = world.config.max_active_jobs_per_item
    if limit is not None and len(world.jobs.active(item.id, now)) >= limit:
        raise ServiceError(
            429,
            "TooManyRequestsForJobs",
            "The caller requests too many on-demand job requests",
            retry_after=world.config.retry_after(),
        )


def start_run(
    world: World,
    item: Item,
    job_type: str,
    rule: JobRule | None,
    data: dict[str, Any],
    *,
    submitter: str,
    now: float,
    invoke_type: str = "Manual",
) -> JobInstance:
    """Start a run: decide now what its statuses will be, and when."""
    config = world.config
    number = world.jobs.started + 1
    timeline = plan(rule, config, now, "Completed", number)
    outcome, reason = _ending(world, item, job_type, rule, data, now)
    if outcome == "Deduped" and (rule is None or rule.outcome is None):
        timeline = ((now, "Deduped"),)
    else:
        timeline = (*timeline[:-1], (timeline[-1][0], outcome))
    job = JobInstance(
        id=new_id(),
        number=number,
        workspace_id=item.workspace_id,
        item_id=item.id,
        item_type=item.type,
        job_type=job_type,
        invoke_type=invoke_type,
        submitter=submitter,
        timeline=timeline,
        failure_reason=reason,
        root_activity_id=new_id(),
        visible_at=now + config.scaled(rule.visible_after_seconds if rule else 0),
        dated_at=now + config.scaled(rule.dated_after_seconds if rule else 0),
        rule=rule,
        parts=item.parts,
        compute=str(data.get("compute") or "Spark"),
    )
    world.jobs.add(job, now)
    if item.type == "Dataflow" and publishes(job_type, data):
        item.publishing.append((job, item.revision))
    if rule is not None:
        rule.uses += 1
    return job


def _ending(
    world: World, item: Item, job_type: str, rule: JobRule | None, data: dict[str, Any], now: float
) -> tuple[str, Any]:
    """Return the last status of a run and its failure reason."""
    if rule is not None and rule.outcome is not None:
        reason = rule.failure_reason
        if reason is None and rule.outcome == "Failed" and "failure_reason" not in rule.given:
            reason = {"errorCode": "JobInstanceFailed", "message": "The job failed", "requestId": new_id()}
        return rule.outcome, reason
    if rule is not None and rule.failed_activities:
        return "Failed", rule.failure_reason or {**rule.failed_activities_reason(), "requestId": new_id()}
    if _is_deduplicated(world, item, job_type, now):
        return "Deduped", None
    needs_publishing = item.type == "Dataflow" and job_type not in PUBLISH_JOBS and not publishes(job_type, data)
    if needs_publishing and published_revision(item, now) == 0:
        return "Failed", {**NEVER_PUBLISHED, "requestId": new_id()}
    return "Completed", None if rule is None else rule.failure_reason


def _is_deduplicated(world: World, item: Item, job_type: str, now: float) -> bool:
    """Say whether an active run of the same job type makes this one ``Deduped``."""
    config = world.config
    dedupes = item.type in config.dedupe_item_types if config.dedupe is None else config.dedupe
    return dedupes and any(job.job_type == job_type for job in world.jobs.active(item.id, now))
