"""Activity runs of a pipeline run, made up from the pipeline's own definition.

The activities run one after another over the run's duration; those inside ``ForEach``, ``IfCondition``, ``Switch`` and
``Until`` are listed flat, as in Fabric. A failed run ends with its last activity failed for the run's own reason. Shape
of an entry: https://learn.microsoft.com/fabric/data-factory/pipeline-rest-api-capabilities#query-activity-runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airflow_provider_fabric.emulator.state.ids import new_id
from airflow_provider_fabric.emulator.state.jobs import JobInstance
from airflow_provider_fabric.emulator.state.times import service_time
from airflow_provider_fabric.emulator.state.world import World

Activity = dict[str, Any]
NO_ERROR = {"errorCode": "", "message": "", "failureType": "", "details": ""}


def activity_runs(world: World, job: JobInstance, now: float) -> list[Activity]:
    """Return the activity runs of a pipeline run; ``_start`` and ``_end`` are epoch seconds."""
    if job.is_over(now) and now - job.ends_at > world.config.scaled(world.config.activity_retention_seconds):
        return []
    if job.rule is not None and job.rule.activities is not None:
        return [_given(job, activity, now) for activity in job.rule.activities]
    planned = list(_flattened(_declared(job)))
    end = job.ends_at if job.is_over(now) else max(now, job.ends_at)
    share = (end - job.started_at) / max(1, len(planned))
    starts = [job.started_at + index * share for index in range(len(planned))]
    return [
        _run(job, activity, start, start + share, now, is_last=index == len(planned) - 1)
        for index, (activity, start) in enumerate(zip(planned, starts, strict=True))
        if start <= now
    ]


def _declared(job: JobInstance) -> list[Activity]:
    for part in job.parts:
        if part.path == "pipeline-content.json":
            activities = (part.json().get("properties") or {}).get("activities")
            return [entry for entry in activities or [] if isinstance(entry, dict)]
    return []


def _flattened(activities: list[Activity]) -> Iterator[Activity]:
    for activity in activities:
        yield activity
        inner = activity.get("typeProperties") or {}
        for key in ("activities", "ifTrueActivities", "ifFalseActivities", "defaultActivities"):
            yield from _flattened([entry for entry in inner.get(key) or [] if isinstance(entry, dict)])
        for case in inner.get("cases") or []:
            yield from _flattened(case.get("activities") or [])


def _run(job: JobInstance, activity: Activity, start: float, end: float, now: float, *, is_last: bool) -> Activity:
    name = str(activity.get("name") or "Activity")
    status, error = _status(job, name, end, now, is_last=is_last)
    return _shape(job, name, str(activity.get("type") or "Unknown"), status, start, end, now) | {
        "input": dict(activity.get("typeProperties") or {}),
        "error": {**NO_ERROR, "target": name, **error},
    }


def _status(job: JobInstance, name: str, end: float, now: float, *, is_last: bool) -> tuple[str, dict[str, Any]]:
    """Return the status of an activity, and what to show as its error."""
    outcome = job.status(now)
    if job.rule is not None and job.rule.failed_activities:
        reason = job.rule.failed_activity(name)
        ended = job.is_over(now) or end <= now
        if ended and reason is not None:
            return "Failed", _error(reason)
        is_last = False
    if job.is_over(now) and is_last and outcome == "Failed":
        return "Failed", _error(job.failure_reason)
    if job.is_over(now) and is_last and outcome == "Cancelled":
        return "Cancelled", {}
    return ("Succeeded", {}) if job.is_over(now) or end <= now else ("InProgress", {})


def _error(reason: Any) -> dict[str, Any]:
    if isinstance(reason, dict):
        code, message = str(reason.get("errorCode", "")), str(reason.get("message", ""))
    else:
        code, message = "", "" if reason is None else str(reason)
    return {"errorCode": code, "message": message, "failureType": "UserError"}


def _given(job: JobInstance, activity: Activity, now: float) -> Activity:
    """Complete an activity run that a rule spells out."""
    name = str(activity.get("activityName") or "Activity")
    status = str(activity.get("status") or "Succeeded")
    kind = str(activity.get("activityType") or "Unknown")
    shaped = _shape(job, name, kind, status, job.started_at, min(now, job.ends_at), now)
    return shaped | {"error": {**NO_ERROR, "target": name}} | activity


def _shape(job: JobInstance, name: str, kind: str, status: str, start: float, end: float, now: float) -> Activity:
    running = status in ("InProgress", "Queued")
    run_id = new_id()
    return {
        "pipelineName": job.item_id,
        "pipelineRunId": job.id,
        "activityName": name,
        "activityType": kind,
        "activityRunId": run_id,
        "linkedServiceName": "",
        "status": status,
        "activityRunStart": f"{service_time(start)}Z",
        "activityRunEnd": None if running else f"{service_time(end)}Z",
        "durationInMs": int(1000 * ((now if running else end) - start)),
        "input": {},
        "output": {},
        "retryAttempt": None,
        "iterationHash": "",
        "userProperties": {},
        "recoveryStatus": "None",
        "integrationRuntimeNames": None,
        "executionDetails": None,
        "id": f"/PROVIDERS/MICROSOFT.TRIDENT/WORKSPACES/{job.workspace_id}/pipelineruns/{job.id}/activityruns/{run_id}",
        "_start": start,
        "_end": now if running else end,
    }
