"""Refresh and publish a Dataflow Gen2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from airflow_provider_fabric.api.jobs.job_types import PUBLISH_DATAFLOW
from airflow_provider_fabric.operators.job import FabricRunItemJobOperator


class FabricRunDataflowRefreshOperator(FabricRunItemJobOperator):
    """Refresh a Dataflow Gen2 (CI/CD) and wait for it.

    https://learn.microsoft.com/rest/api/fabric/dataflow/background-jobs/run-on-demand-execute. Fabric accepts users
    only for dataflow jobs, no service principals: sign in with ``auth_type`` ``refresh_token``.

    :param workspace: GUID or display name of the workspace (templated).
    :param dataflow: GUID or display name of the dataflow (templated).
    :param parameters: names and values of the dataflow's parameters; a datetime keeps its offset where the dataflow
        declares a ``DateTimeZone`` (templated).
    :param apply_changes: ``"if_needed"`` publishes a changed definition first; ``"skip"`` runs what is published
        (templated).
    :param validate_parameters: compare the parameters, before the run, with those the dataflow declares: unknown names,
        missing values (of required ones), wrong types.
    :param job_type: ``Execute``; older articles say ``Refresh`` (templated).

    The other parameters are those of :class:`~airflow_provider_fabric.operators.job.FabricRunItemJobOperator`.
    """

    template_fields: Sequence[str] = (
        "workspace",
        "dataflow",
        "parameters",
        "execution_data",
        "apply_changes",
        "job_type",
        "fabric_conn_id",
    )
    template_fields_renderers = {"parameters": "json", "execution_data": "json"}
    flag_arguments: Sequence[str] = (*FabricRunItemJobOperator.flag_arguments, "validate_parameters")
    text_arguments: Sequence[str] = ("workspace", "dataflow", "apply_changes", "job_type", "fabric_conn_id")
    item_field = "dataflow"

    def __init__(
        self,
        *,
        workspace: str,
        dataflow: str,
        parameters: Mapping[str, Any] | None = None,
        apply_changes: Literal["if_needed", "skip"] = "if_needed",
        validate_parameters: bool = False,
        job_type: str = "Execute",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            workspace=workspace,
            item=dataflow,
            item_type="Dataflow",
            parameters=parameters,
            job_type=job_type,
            **kwargs,
        )
        self.dataflow = dataflow
        self.apply_changes = apply_changes
        self.validate_parameters = validate_parameters
        self._declared_types: dict[str, str] | None = None
        self.prepare_arguments()

    def check_parameters(self, workspace_id: str, item_id: str) -> None:
        """Compare names and types with those the dataflow declares, and look for missing ones.

        The types are asked for also where the form of a value depends on them.
        """
        from airflow_provider_fabric.api.jobs.declared import check_declared
        from airflow_provider_fabric.api.jobs.values import has_offset

        given = self.parameters or {}
        if self.validate_parameters or any(map(has_offset, given.values())):
            declared = self.hook.list_dataflow_parameters(workspace_id, item_id)
            self._declared_types = {str(entry["name"]): str(entry.get("type")) for entry in declared}
            if self.validate_parameters:
                check_declared(given, declared, f"dataflow {self.dataflow!r}")

    def build_body(self) -> Mapping[str, Any] | None:
        """Return ``executionData`` with ``executeOption`` and parameters."""
        from airflow_provider_fabric.api.jobs.payloads import dataflow_body

        return dataflow_body(self.parameters, self.apply_changes, self.execution_data, self._declared_types)


class FabricPublishDataflowOperator(FabricRunItemJobOperator):
    """Publish a Dataflow Gen2 (CI/CD): make its changed definition the one that runs.

    https://learn.microsoft.com/rest/api/fabric/dataflow/background-jobs/run-on-demand-apply-changes

    :param workspace: GUID or display name of the workspace (templated).
    :param dataflow: GUID or display name of the dataflow (templated).
    :param job_type: ``ApplyChanges``; older articles say ``Publish`` (templated).

    The other parameters are those of :class:`~airflow_provider_fabric.operators.job.FabricRunItemJobOperator`.
    """

    template_fields: Sequence[str] = (
        "workspace",
        "dataflow",
        "job_type",
        "execution_data",
        "parameters",
        "fabric_conn_id",
    )
    text_arguments: Sequence[str] = ("workspace", "dataflow", "job_type", "fabric_conn_id")
    item_field = "dataflow"

    def __init__(self, *, workspace: str, dataflow: str, job_type: str = PUBLISH_DATAFLOW, **kwargs: Any) -> None:
        super().__init__(workspace=workspace, item=dataflow, item_type="Dataflow", job_type=job_type, **kwargs)
        self.dataflow = dataflow
        self.prepare_arguments()
