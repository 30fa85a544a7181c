"""A trigger that waits for the refresh of a semantic model."""

from __future__ import annotations

from airflow_provider_fabric.api.http.retry import KILL_BUDGET
from airflow_provider_fabric.api.models import JobInstance
from airflow_provider_fabric.api.semantic_models import cancel_semantic_model_refresh, poll_semantic_model_refresh
from airflow_provider_fabric.triggerer import shared
from airflow_provider_fabric.triggers.job import FabricJobInstanceTrigger


class FabricSemanticModelRefreshTrigger(FabricJobInstanceTrigger):
    """Fires once, when a refresh is over, or can no longer be waited for.

    Power BI has a quota of its own, so the job scheduler's watcher has no part in it.
    """

    async def wait(self) -> JobInstance:
        """Wait until the refresh is over."""
        return await shared.arun(self.fabric_conn_id, poll_semantic_model_refresh(self.run_state.poll()))

    async def cancel(self) -> bool:
        """Cancel the refresh."""
        job = self.run_state.job
        flow = cancel_semantic_model_refresh(job.workspace_id, job.item_id, job.job_instance_id, budget=KILL_BUDGET)
        return await shared.arun(self.fabric_conn_id, flow)
