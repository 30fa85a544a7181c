"""What a failed run's exception says: which run, what happened, why, what to do, and where to find it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from airflow_provider_fabric.api.models import ErrorDetail
from airflow_provider_fabric.exceptions import FabricJobError
from airflow_provider_fabric.lifecycle.state import FabricRun
from airflow_provider_fabric.remedies import remedy_for

E = TypeVar("E", bound=FabricJobError)


@dataclass(frozen=True)
class Explanation:
    """More about a failure than the run itself says.

    :param text: one sentence, or nothing.
    :param codes: error codes that a remedy may be known for.
    :param failed_activities: which activities failed, as plain values.
    """

    text: str = ""
    codes: tuple[str, ...] = ()
    failed_activities: tuple[Mapping[str, Any], ...] = ()


def build_job_error(
    kind: type[E],
    run: FabricRun,
    item: str,
    job: Mapping[str, Any],
    what: str,
    more: Explanation | None = None,
    *,
    workspace: str = "",
) -> E:
    """Return the exception for a run.

    :param kind: its class.
    :param run: the run.
    :param item: the item as the user named it.
    :param job: the run as last seen: an operator's return value.
    :param what: what happened, as the sentence's predicate: ``"failed"``.
    :param more: what else is known.
    :param workspace: the workspace as the user named it.
    """
    more = more or Explanation()
    reason = ErrorDetail.from_wire(job.get("failure_reason"))
    whose = (
        f"Job {run.job_type!r} of {run.item_type or 'item'}" if run.job_type else f"A run of {run.item_type or 'item'}"
    )
    root = f", root activity {job['root_activity_id']}" if job.get("root_activity_id") else ""
    named = workspace and workspace.lower() != run.job.workspace_id.lower()
    where = f", in workspace {workspace!r} ({run.job.workspace_id})" if named else ""
    sentences = [
        f"{whose} {item!r} {what}" + (f": {reason}" if reason else ""),
        more.text,
        remedy_of(reason, more.codes),
        f"Job instance {run.job.job_instance_id}{root}{where}: {run.run_url}",
    ]
    return kind(
        " ".join(_sentence(text) for text in sentences[:-1] if text) + f" {sentences[-1]}", job=job, run_url=run.run_url
    )


def remedy_of(reason: ErrorDetail | None, codes: Iterable[str] = ()) -> str:
    """Return the first remedy that is known for a failure's code, its details' codes, or further codes."""
    details = [str(d.get("errorCode") or "") for d in reason.more_details] if reason else []
    own = [reason.error_code or ""] if reason else []
    return next((remedy for code in [*own, *details, *codes] if (remedy := remedy_for(code))), "")


def _sentence(text: str) -> str:
    return text if text.endswith((".", "…", "!", "?")) else f"{text}."
