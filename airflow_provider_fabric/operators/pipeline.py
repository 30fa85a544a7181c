"""Run a pipeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_fabric.api.payloads import pipeline_body
from airflow_provider_fabric.operators.job import FabricRunItemJobOperator


class FabricRunPipelineOperator(FabricRunItemJobOperator):
    """Run a pipeline and wait for it.

    https://learn.microsoft.com/rest/api/fabric/datapipeline/background-jobs/run-on-demand-execute

    :param workspace: GUID or display name of the workspace (templated).
    :param pipeline: GUID or display name of the pipeline (templated).
    :param parameters: the pipeline's parameters: names and values (templated). The service ignores unknown names.
    :param job_type: ``Execute``; older articles and clients say ``Pipeline`` (templated).

    The other parameters are those of :class:`~airflow_provider_fabric.operators.job.FabricRunItemJobOperator`.
    """

    template_fields: Sequence[str] = ("workspace", "pipeline", "parameters", "job_type", "fabric_conn_id")
    template_fields_renderers = {"parameters": "json"}
    item_field = "pipeline"

    def __init__(
        self,
        *,
        workspace: str,
        pipeline: str,
        parameters: Mapping[str, Any] | None = None,
        job_type: str = "Execute",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            workspace=workspace,
            item=pipeline,
            item_type="DataPipeline",
            parameters=parameters,
            job_type=job_type,
            **kwargs,
        )

    def body(self) -> Mapping[str, Any] | None:
        """Return ``executionData.parameters``."""
        return pipeline_body(self.parameters)
