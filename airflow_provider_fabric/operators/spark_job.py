"""Run a Spark job definition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_fabric.api.jobs.payloads import string_list, with_parameters
from airflow_provider_fabric.exceptions import FabricInputError
from airflow_provider_fabric.operators.job import FabricRunItemJobOperator


class FabricRunSparkJobOperator(FabricRunItemJobOperator):
    """Run a Spark job definition and wait for it. What is left out is taken from the definition.

    https://learn.microsoft.com/rest/api/fabric/sparkjobdefinition/background-jobs/run-on-demand-spark-job-definition

    :param workspace: GUID or display name of the workspace (templated).
    :param spark_job: GUID or display name of the Spark job definition (templated).
    :param executable_file: ``abfss`` path of the main file (templated).
    :param main_class: main class, for a jar (templated).
    :param command_line_arguments: arguments; a list is joined by spaces, so none of its entries may have one
        (templated).
    :param additional_library_uris: ``abfss`` paths of further libraries (templated).
    :param execution_data: further ``executionData``, such as ``environmentId`` and ``defaultLakehouseId`` (templated).
    :param job_type: ``sparkjob`` (templated).

    The other parameters are those of :class:`~airflow_provider_fabric.operators.job.FabricRunItemJobOperator`.
    """

    template_fields: Sequence[str] = (
        "workspace",
        "spark_job",
        "executable_file",
        "main_class",
        "command_line_arguments",
        "additional_library_uris",
        "execution_data",
        "parameters",
        "job_type",
        "fabric_conn_id",
    )
    template_fields_renderers = {"execution_data": "json"}
    text_arguments: Sequence[str] = ("workspace", "spark_job", "job_type", "fabric_conn_id")
    optional_text_arguments: Sequence[str] = ("executable_file", "main_class")
    text_list_arguments: Sequence[str] = ("command_line_arguments", "additional_library_uris")
    item_field = "spark_job"

    def __init__(
        self,
        *,
        workspace: str,
        spark_job: str,
        executable_file: str | None = None,
        main_class: str | None = None,
        command_line_arguments: str | Sequence[str] | None = None,
        additional_library_uris: Sequence[str] | None = None,
        execution_data: Mapping[str, Any] | None = None,
        job_type: str = "sparkjob",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            workspace=workspace,
            item=spark_job,
            item_type="SparkJobDefinition",
            execution_data=execution_data,
            job_type=job_type,
            **kwargs,
        )
        self.spark_job = spark_job
        self.executable_file = executable_file
        self.main_class = main_class
        self.command_line_arguments = command_line_arguments
        self.additional_library_uris = additional_library_uris
        self.prepare_arguments()

    def build_body(self) -> Mapping[str, Any] | None:
        """Return ``executionData``, if anything differs from the definition."""
        libraries = string_list(self.additional_library_uris, "additional_library_uris")
        made = {
            "executableFile": ("executable_file", self.executable_file),
            "mainClass": ("main_class", self.main_class),
            "commandLineArguments": ("command_line_arguments", self._arguments()),
            "additionalLibraryUris": ("additional_library_uris", libraries),
        }
        return with_parameters(made, self.execution_data, self.parameters)

    def _arguments(self) -> str | None:
        arguments = self.command_line_arguments
        if arguments is None or isinstance(arguments, str):
            return arguments
        if not isinstance(arguments, list | tuple):
            raise FabricInputError(
                f"command_line_arguments must be text or a list of texts, got {type(arguments).__name__}."
            )
        wrong = [n for n, text in enumerate(arguments) if not isinstance(text, str) or text.split() != [text]]
        if wrong:
            raise FabricInputError(
                f"command_line_arguments: entry {wrong[0]} (from 0) is not one word. The service takes one text and "
                "splits it at spaces: give that text, quoted as your program expects it."
            )
        return " ".join(arguments)
