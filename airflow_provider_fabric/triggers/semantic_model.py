"""A trigger that waits for the refresh of a semantic model."""

from __future__ import annotations

from airflow_provider_fabric.api.http.flow import Flow
from airflow_provider_fabric.api.jobs.polling import cancel_if_active
from airflow_provider_fabric.api.models import JobInstance
from airflow_provider_fabric.api.semantic_models import (
    cancel_semantic_model_refresh,
    get_semantic_model_refresh,
    poll_semantic_model_refresh,
)
from airflow_provider_fabric.triggerer import shared
from airflow_provider_fabric.triggers.job import FabricJobInstanceTrigger


class FabricSemanticModelRefreshTrigger(FabricJobInstanceTrigger):
    """Fires once, when a refresh is over, or can no longer be waited for.

    Power BI has a quota of its own, so the job scheduler's poller has no part in it.
    """

    async def wait(self) -> JobInstance:
        """Wait until the refresh is over."""
        return await shared.arun(self.fabric_conn_id, poll_semantic_model_refresh(self.poll))

    async def cancel(self) -> bool:
        """Cancel the refresh, until that is accepted; return whether there was anything to cancel."""
        run = self.run_state

        def flow() -> Flow[bool]:
            return cancel_if_active(self.poll, get=get_semantic_model_refresh, cancel=cancel_semantic_model_refresh)

        what = f"refresh {run.job.job_instance_id}"
        return await shared.cancel(self.fabric_conn_id, what, flow, run.submitted_at, counts=False)
