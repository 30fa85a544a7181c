"""What a callback needs to know of the Fabric run of its task: for messages to a chat, a mail box or a pager.

Read from the XCom ``fabric_run`` that every task with a run writes when the run is submitted, and again at its end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["describe_fabric_run", "fabric_run_of"]

KEY = "fabric_run"


def fabric_run_of(context: Mapping[str, Any]) -> dict[str, Any]:
    """Return the XCom ``fabric_run`` of the context's own task.

    Its fields, which are ``None`` where they do not apply:

    * ``outcome``: ``None`` while the run is under way; then ``completed``, ``started`` (the task does not wait),
      ``failed``, ``cancelled``, ``deduped``, ``timeout``, ``skipped``, ``not_started``, ``may_be_running``, or
      ``error``: the task failed, whatever became of the run
    * ``workspace``, ``item``: as the DAG names them; ``workspace_id``, ``item_id``, ``item_type``, ``job_type``
    * ``job_instance_id``, ``run_url``, ``submitted_at``; ``ours``: whether this task started it; ``operation_id``: of
      the refresh of a SQL endpoint; ``attempt``: the task's
    * ``status``, ``start_time_utc``, ``end_time_utc``, ``root_activity_id``, ``failure_reason``: as last reported
    * ``failed_activities``: of a pipeline, a list of dicts; ``error_type`` and ``error``: of the task
    * ``rows``: ``read`` and ``written`` by the copy activities of a pipeline, if a :func:`.fabric_asset` is among the
      task's ``outlets``

    :param context: what Airflow hands to a callback, or to a task.
    :returns: the run; empty if the task has published none, or if it cannot be read where the callback runs. Nothing is
        raised: a message without a run is better than none.
    """
    try:
        ti = context["ti"]
        found = ti.xcom_pull(task_ids=ti.task_id, key=KEY, map_indexes=ti.map_index)
    except Exception:  # noqa: BLE001 - whatever Airflow's API raises
        return {}
    return dict(found) if isinstance(found, Mapping) else {}


def describe_fabric_run(context: Mapping[str, Any]) -> str:
    """Return what a person should know of a task that ended: some lines of plain text.

    :param context: what Airflow hands to a callback.
    :returns: the task, the run and what became of it, the reason, the activities that failed, and the run's page. Of a
        task that has no Fabric run, the task and its exception.
    """
    return "\n".join(_lines(context, fabric_run_of(context)))


def _lines(context: Mapping[str, Any], run: Mapping[str, Any]) -> Iterator[str]:
    ti, error = context.get("ti"), context.get("exception")
    index = getattr(ti, "map_index", -1)
    mapped = f"[{index}]" if isinstance(index, int) and index >= 0 else ""
    task = f"{getattr(ti, 'dag_id', '?')}.{getattr(ti, 'task_id', '?')}{mapped}"
    if not run:
        yield f"{task}: {error or 'ended'}"
        return
    ended = str(run.get("outcome") or "under way").replace("_", " ")
    yield f"{task}: {run.get('item_type') or 'item'} {run.get('item')!r} in workspace {run.get('workspace')!r}: {ended}"
    if run.get("start_time_utc"):
        yield f"Started {run['start_time_utc']}, ended {run.get('end_time_utc') or 'not yet'}"
    yield from _reasons(run, error)
    if run.get("run_url"):
        yield f"Run: {run['run_url']}"


def _reasons(run: Mapping[str, Any], error: Any) -> Iterator[str]:
    """Yield why it failed: the service's own reason and the activities, or else the task's error."""
    reason = run.get("failure_reason") or {}
    said = [str(reason[key]) for key in ("errorCode", "message") if reason.get(key)] if reason else []
    if said:
        yield "Reason: " + ": ".join(said)
    activities = run.get("failed_activities") or []
    for activity in activities:
        why = ": ".join(str(activity[key]) for key in ("error_code", "message") if activity.get(key))
        yield f"Failed activity {activity.get('name')!r} ({activity.get('type')}): {why or 'no reason given'}"
    if not said and not activities and (text := run.get("error") or error):
        yield f"Error: {text}"
