"""Run and reset a copy job."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_fabric.operators.item import ItemOperator
from airflow_provider_fabric.operators.job import FabricRunItemJobOperator

if TYPE_CHECKING:
    from airflow_provider_fabric.compat import Context


class FabricRunCopyJobOperator(FabricRunItemJobOperator):
    """Run a copy job and wait for it.

    https://learn.microsoft.com/fabric/data-factory/copy-job-rest-api-capabilities

    :param workspace: GUID or display name of the workspace (templated).
    :param copy_job: GUID or display name of the copy job (templated).
    :param job_type: ``Execute``; the service reads it back as ``CopyJob`` (templated).

    The other parameters are those of :class:`~airflow_provider_fabric.operators.job.FabricRunItemJobOperator`.
    """

    template_fields: Sequence[str] = (
        "workspace",
        "copy_job",
        "job_type",
        "execution_data",
        "parameters",
        "fabric_conn_id",
    )
    text_arguments: Sequence[str] = ("workspace", "copy_job", "job_type", "fabric_conn_id")
    item_field = "copy_job"

    def __init__(self, *, workspace: str, copy_job: str, job_type: str = "Execute", **kwargs: Any) -> None:
        super().__init__(workspace=workspace, item=copy_job, item_type="CopyJob", job_type=job_type, **kwargs)
        self.copy_job = copy_job
        self.prepare_arguments()


class FabricResetCopyJobOperator(ItemOperator):
    """Make a copy job start over: its next run copies everything again.

    https://learn.microsoft.com/rest/api/fabric/copyjob/items/reset-copy-job

    :param workspace: GUID or display name of the workspace (templated).
    :param copy_job: GUID or display name of the copy job (templated).
    :param entity_ids: GUIDs of the entities to reset; ``None`` for all (templated).
    :param fabric_conn_id: id of the connection (templated).
    """

    template_fields: Sequence[str] = ("workspace", "copy_job", "entity_ids", "fabric_conn_id")
    text_arguments: Sequence[str] = ("workspace", "copy_job", "fabric_conn_id")
    text_list_arguments: Sequence[str] = ("entity_ids",)

    def __init__(
        self,
        *,
        workspace: str,
        copy_job: str,
        entity_ids: list[str] | None = None,
        fabric_conn_id: str = "fabric_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(workspace=workspace, fabric_conn_id=fabric_conn_id, **kwargs)
        self.copy_job = copy_job
        self.entity_ids = entity_ids
        self.prepare_arguments()

    def execute(self, context: Context) -> None:
        """Reset the copy job."""
        from airflow_provider_fabric.api.copy_jobs import reset_body

        self.resolve_arguments()
        reset_body(self.entity_ids)  # refused before anything is sent
        workspace_id = self.hook.resolve_workspace(self.workspace)
        copy_job_id = self.hook.resolve_item(workspace_id, self.copy_job, "CopyJob")
        self.hook.reset_copy_job(workspace_id, copy_job_id, self.entity_ids)
        self.log.info("Reset copy job %s.", copy_job_id)
