"""Run a dbt job."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_provider_fabric.operators.job import FabricRunItemJobOperator


class FabricRunDbtJobOperator(FabricRunItemJobOperator):
    """Run a dbt job and wait for it. The identity must be a member of the workspace, or more.

    https://learn.microsoft.com/rest/api/fabric/databuildtooljob/background-jobs/run-on-demand-execute

    :param workspace: GUID or display name of the workspace (templated).
    :param dbt_job: GUID or display name of the dbt job (templated).
    :param job_type: ``Execute`` (templated).

    The other parameters are those of :class:`~airflow_provider_fabric.operators.job.FabricRunItemJobOperator`.
    """

    template_fields: Sequence[str] = (
        "workspace",
        "dbt_job",
        "job_type",
        "execution_data",
        "parameters",
        "fabric_conn_id",
    )
    text_arguments: Sequence[str] = ("workspace", "dbt_job", "job_type", "fabric_conn_id")
    item_field = "dbt_job"

    def __init__(self, *, workspace: str, dbt_job: str, job_type: str = "Execute", **kwargs: Any) -> None:
        super().__init__(workspace=workspace, item=dbt_job, item_type="DataBuildToolJob", job_type=job_type, **kwargs)
        self.dbt_job = dbt_job
        self.prepare_arguments()
