"""Run a notebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_fabric.operators.job import FabricRunItemJobOperator


class FabricRunNotebookOperator(FabricRunItemJobOperator):
    """Run a notebook and wait for it.

    https://learn.microsoft.com/fabric/data-engineering/notebook-public-api#run-a-notebook-on-demand

    :param workspace: GUID or display name of the workspace (templated).
    :param notebook: GUID or display name of the notebook (templated).
    :param parameters: names and values for the notebook's parameter cell: text, numbers and bools; dates and GUIDs
        arrive as text (templated).
    :param configuration: of the Spark session, as the article above lists it: ``defaultLakehouse``, ``environment``,
        ``useStarterPool``, ``conf`` (templated).
    :param validate_parameters: compare the parameters, before the run, with the notebook's parameter cell: unknown
        names, missing values, wrong types. A notebook without a Python cell that is tagged so is not checked.
    :param job_type: ``RunNotebook`` (templated).

    The other parameters are those of :class:`~airflow_provider_fabric.operators.job.FabricRunItemJobOperator`.
    """

    template_fields: Sequence[str] = (
        "workspace",
        "notebook",
        "parameters",
        "configuration",
        "execution_data",
        "job_type",
        "fabric_conn_id",
    )
    template_fields_renderers = {"parameters": "json", "configuration": "json", "execution_data": "json"}
    text_arguments: Sequence[str] = ("workspace", "notebook", "job_type", "fabric_conn_id")
    flag_arguments: Sequence[str] = (*FabricRunItemJobOperator.flag_arguments, "validate_parameters")
    item_field = "notebook"

    def __init__(
        self,
        *,
        workspace: str,
        notebook: str,
        parameters: Mapping[str, Any] | None = None,
        configuration: Mapping[str, Any] | None = None,
        validate_parameters: bool = False,
        job_type: str = "RunNotebook",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            workspace=workspace,
            item=notebook,
            item_type="Notebook",
            parameters=parameters,
            job_type=job_type,
            **kwargs,
        )
        self.notebook = notebook
        self.configuration = configuration
        self.validate_parameters = validate_parameters
        self.prepare_arguments()

    def check_parameters(self, workspace_id: str, item_id: str) -> None:
        """Compare names and types with those of the notebook's parameter cell."""
        if not self.validate_parameters:
            return
        from airflow_provider_fabric.api.jobs.declared import check_declared

        declared = self.hook.list_notebook_parameters(workspace_id, item_id)
        if declared is None:
            self.log.warning("Notebook %r has no Python parameter cell, so parameters are not checked.", self.notebook)
        else:
            check_declared(self.parameters or {}, declared, f"notebook {self.notebook!r}")

    def build_body(self) -> Mapping[str, Any] | None:
        """Return ``executionData`` with typed parameters and the configuration."""
        from airflow_provider_fabric.api.jobs.payloads import notebook_body

        return notebook_body(self.parameters, self.configuration, self.execution_data)
