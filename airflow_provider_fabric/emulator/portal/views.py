"""What the portal shows, as plain data: read from the world, bounded in size, with nothing secret in it.

Times are epoch seconds. Of definitions there are the names of the parts only, of activities neither inputs nor
outputs, of identities their id or user name.
"""

from __future__ import annotations

import json
from collections import deque
from itertools import islice
from typing import Any

from airflow_provider_fabric.emulator.state.activities import activity_runs
from airflow_provider_fabric.emulator.state.identities import Identity
from airflow_provider_fabric.emulator.state.items import Item
from airflow_provider_fabric.emulator.state.jobs import JobInstance
from airflow_provider_fabric.emulator.state.refreshes import Refresh
from airflow_provider_fabric.emulator.state.workspaces import Workspace
from airflow_provider_fabric.emulator.state.world import World

RUNS_SHOWN = 100
ITEMS_SHOWN = 200
"""Of each workspace."""
EVERYBODY = Identity("portal")
"""An identity that may see every workspace."""

Run = tuple["Item | None", "JobInstance | Refresh"]
"""A run and its item, which may be deleted meanwhile."""


def overview(world: World, now: float) -> dict[str, Any]:
    """Return every workspace with its items, and the latest runs of all, newest first."""
    workspaces = world.workspaces.all(EVERYBODY)
    latest: list[Run] = [(world.items.get(job.item_id), job) for job in deque(world.jobs.all(), RUNS_SHOWN)]
    for workspace in workspaces:
        for item in world.items.of_workspace(workspace.id):
            latest += _refreshes(world, item)
    return {
        "now": now,
        "started": world.jobs.started,
        "workspaces": [_workspace(world, workspace) for workspace in workspaces],
        "runs": _newest_first(world, latest, now),
    }


def item_state(world: World, item: Item, now: float) -> dict[str, Any]:
    """Return an item and its runs, newest first."""
    runs: list[Run] = [(item, job) for job in world.jobs.listed(item.id, now)]
    return {
        "now": now,
        "item": _item(item) | {"workspace": _workspace_name(world, item.workspace_id), "description": item.description},
        "parts": [part.path for part in item.parts],
        "runs": _newest_first(world, runs + _refreshes(world, item), now),
    }


def find_run(world: World, workspace_id: str, item_id: str, run_id: str) -> Run | None:
    """Return the run that an address names, if it belongs to the item and the workspace of the address."""
    item = world.items.get(item_id)
    job = world.jobs.get(run_id)
    if job is not None:
        return (item, job) if (job.workspace_id, job.item_id) == (workspace_id, item_id) else None
    if item is None or item.workspace_id != workspace_id:
        return None
    return next((run for run in _refreshes(world, item) if run[1].id == run_id), None)


def run_state(world: World, run: Run, now: float) -> dict[str, Any]:
    """Return everything about one run."""
    job = run[1]
    shown = _run(world, run, now)
    if isinstance(job, Refresh):
        return {"now": now, "run": shown | {"failure": _failure(job.error) if job.is_over(now) else None}, "parts": []}
    details = {
        "rootActivityId": job.root_activity_id,
        "cancelRequestedAt": job.cancel_requested_at,
        "failure": _failure(job.failure_reason) if job.is_over(now) else None,
    }
    activities = activity_runs(world, job, now) if job.item_type == "DataPipeline" else []
    return {
        "now": now,
        "run": shown | details,
        "activities": [_activity(activity) for activity in activities],
        "parts": [part.path for part in job.parts],
    }


def _workspace(world: World, workspace: Workspace) -> dict[str, Any]:
    items = list(world.items.of_workspace(workspace.id))
    shown = [_item(item) | {"folder": workspace.folder_path(item.folder_id)} for item in islice(items, ITEMS_SHOWN)]
    return {
        "id": workspace.id,
        "name": workspace.display_name,
        "total": len(items),
        "folders": sorted(map(workspace.folder_path, islice(workspace.folders, ITEMS_SHOWN))),
        "items": sorted(shown, key=lambda item: (item["folder"], item["type"])),
    }


def _workspace_name(world: World, workspace_id: str) -> str | None:
    found = world.workspaces.get(workspace_id)
    return found.display_name if found else None


def _item(item: Item) -> dict[str, Any]:
    return {"id": item.id, "workspaceId": item.workspace_id, "type": item.type, "name": item.display_name}


def _refreshes(world: World, item: Item) -> list[Run]:
    """Return the refreshes of a semantic model, which are no job instances; none for other items."""
    if item.type != "SemanticModel":
        return []
    return [(item, refresh) for refresh in world.refreshes.of_item(item.id)]


def _newest_first(world: World, runs: list[Run], now: float) -> list[dict[str, Any]]:
    newest = sorted(runs, key=lambda run: run[1].started_at, reverse=True)[:RUNS_SHOWN]
    return [_run(world, run, now) for run in newest]


def _run(world: World, run: Run, now: float) -> dict[str, Any]:
    item, job = run
    over = job.is_over(now)
    shown: dict[str, Any] = {
        "id": job.id,
        "name": item.display_name if item else None,
        "startedAt": job.started_at,
        "endedAt": job.ends_at if over else None,
    }
    if isinstance(job, JobInstance):
        return shown | {
            "workspaceId": job.workspace_id,
            "workspace": _workspace_name(world, job.workspace_id),
            "itemId": job.item_id,
            "type": job.item_type,
            "jobType": job.job_type,
            "invokeType": job.invoke_type,
            "by": _who(world, job.submitter),
            "status": job.status(now),
            "steps": [[since, status] for since, status in job.timeline if since <= now],
        }
    assert item is not None  # noqa: S101 - refreshes are found through their item
    status = job.outcome if over else "InProgress"
    return shown | {
        "workspaceId": item.workspace_id,
        "workspace": _workspace_name(world, item.workspace_id),
        "itemId": item.id,
        "type": item.type,
        "jobType": f"Refresh, {job.refresh_type}",
        "invokeType": "ViaEnhancedApi",
        "by": None,
        "status": status,
        "steps": [[job.started_at, "InProgress"]] + ([[job.ends_at, status]] if over else []),
    }


def _who(world: World, submitter: str) -> str:
    identity = world.identities.get(submitter)
    if identity is None:
        return submitter
    if identity.kind == "user":
        return identity.user_principal_name or identity.object_id
    return f"{'managed identity' if identity.kind == 'managed_identity' else 'application'} {identity.client_id}"


def _failure(reason: Any) -> dict[str, str] | None:
    """Return why a run failed, whatever shape a job rule gave the reason."""
    if reason is None:
        return None
    if not isinstance(reason, dict):
        return {"code": "", "message": str(reason), "details": ""}
    more = {key: value for key, value in reason.items() if key not in ("errorCode", "message")}
    return {
        "code": str(reason.get("errorCode") or ""),
        "message": str(reason.get("message") or ""),
        "details": json.dumps(more, indent=2) if more else "",
    }


def _activity(run: dict[str, Any]) -> dict[str, Any]:
    error = run.get("error")
    said = [str(error.get(key) or "") for key in ("errorCode", "message")] if isinstance(error, dict) else [str(error)]
    return {
        "name": str(run["activityName"]),
        "type": str(run["activityType"]),
        "status": str(run["status"]),
        "startedAt": run["_start"],
        "endedAt": None if run["activityRunEnd"] is None else run["_end"],
        "error": ": ".join(filter(None, said)) if error else "",
    }
