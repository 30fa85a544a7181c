"""What a job operator needs of the service: five verbs and a wait."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from airflow_provider_fabric.api.jobs.polling import JobPoll
    from airflow_provider_fabric.api.models import JobInstance, Submission


class JobBackend(Protocol):
    """What starts, finds and watches runs, in the words of the job scheduler: the hook, or what speaks like it."""

    def run_item_job(
        self, workspace_id: str, item_id: str, job_type: str, body: Mapping[str, Any] | None = None
    ) -> Submission:
        """Start a run, once."""

    def list_item_job_instances(
        self, workspace_id: str, item_id: str, *, job_type: str | None = None, since: float | None = None
    ) -> list[JobInstance]:
        """Return the item's runs, newest first."""

    def get_item_job_instance(self, workspace_id: str, item_id: str, job_instance_id: str) -> JobInstance:
        """Return one run."""

    def cancel_item_job_instance(self, workspace_id: str, item_id: str, job_instance_id: str) -> bool:
        """Ask for a run's cancellation."""

    def wait_for_job_instance(
        self,
        workspace_id: str,
        item_id: str,
        job_instance_id: str,
        *,
        check_interval: float = 60.0,
        timeout: float | None = None,
    ) -> JobInstance:
        """Wait until a run is over."""

    def poll_job_instance(self, poll: JobPoll) -> JobInstance:
        """Wait until a run is over, at the intervals its JobPoll sets."""
