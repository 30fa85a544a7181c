"""Refreshes of semantic models, in the words of the job scheduler."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_fabric.api.jobs.polling import JobPoll
from airflow_provider_fabric.api.models import JobInstance, JobRef, Submission

if TYPE_CHECKING:
    from airflow_provider_fabric.hooks.fabric import FabricHook


class SemanticModelBackend:
    """Refreshes of semantic models behind the names that the life of a job calls."""

    def __init__(self, hook: FabricHook) -> None:
        self._hook = hook

    def run_item_job(
        self, workspace_id: str, item_id: str, job_type: str, body: Mapping[str, Any] | None = None
    ) -> Submission:
        """Start a refresh, once."""
        return self._hook.refresh_semantic_model(workspace_id, item_id, body)

    def list_item_job_instances(
        self, workspace_id: str, item_id: str, *, job_type: str | None = None, since: float | None = None
    ) -> list[JobInstance]:
        """Return the model's latest refreshes, newest first."""
        return self._hook.list_semantic_model_refreshes(workspace_id, item_id, since=since)

    def get_item_job_instance(self, workspace_id: str, item_id: str, job_instance_id: str) -> JobInstance:
        """Return one refresh."""
        return self._hook.get_semantic_model_refresh(workspace_id, item_id, job_instance_id)

    def cancel_item_job_instance(self, workspace_id: str, item_id: str, job_instance_id: str) -> bool:
        """Cancel a refresh."""
        return self._hook.cancel_semantic_model_refresh(workspace_id, item_id, job_instance_id)

    def wait_for_job_instance(
        self,
        workspace_id: str,
        item_id: str,
        job_instance_id: str,
        *,
        check_interval: float = 60.0,
        timeout: float | None = None,
    ) -> JobInstance:
        """Wait until a refresh is over."""
        now = time.time()
        job = JobRef(workspace_id, item_id, job_instance_id)
        return self.poll_job_instance(
            JobPoll(job, now, check_interval, now, None if timeout is None else now + timeout)
        )

    def poll_job_instance(self, poll: JobPoll) -> JobInstance:
        """Wait until a refresh is over, at the intervals its JobPoll sets."""
        return self._hook.poll_semantic_model_refresh(poll)
