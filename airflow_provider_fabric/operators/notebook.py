"""Run a notebook, and return what it exits with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_fabric.links import NOTEBOOK_LINKS
from airflow_provider_fabric.operators.job import FabricRunItemJobOperator

if TYPE_CHECKING:
    from airflow_provider_fabric.api.jobs.notebooks import NotebookRun
    from airflow_provider_fabric.compat import Context
    from airflow_provider_fabric.exceptions import FabricError
    from airflow_provider_fabric.lifecycle.backend import JobBackend
    from airflow_provider_fabric.lifecycle.state import FabricRun, Outcome


JOB_TYPE = "RunNotebook"


class FabricRunNotebookOperator(FabricRunItemJobOperator):
    """Run a notebook and wait for it.

    https://learn.microsoft.com/fabric/data-engineering/notebook-public-api#run-a-notebook-on-demand

    What the notebook passes to ``notebookutils.notebook.exit`` is ``exit_value`` of the return value, and an XCom.

    The notebook is started by its own job API
    (https://learn.microsoft.com/rest/api/fabric/notebook/background-jobs), and where the service refuses that address,
    by the one of all items; so it is if ``configuration``, ``execution_data``, ``submit_form`` or another ``job_type``
    is given, which only that one takes.

    :param workspace: GUID or display name of the workspace (templated).
    :param notebook: GUID or display name of the notebook (templated).
    :param parameters: names and values for the notebook's parameter cell: text, numbers and bools; dates and GUIDs
        arrive as text (templated).
    :param configuration: of the Spark session, as the article above lists it: ``defaultLakehouse``, ``environment``,
        ``useStarterPool``, ``conf`` (templated).
    :param session_tag: runs with the same tag share a Spark session (high concurrency); those that the job API of all
        items started do not (templated).
    :param compute: ``Spark``, ``Jupyter`` or ``DataWarehouse``, as the notebook's language asks for; with
        ``session_tag`` or ``compute_configuration`` the default is ``Spark`` (templated).
    :param compute_configuration: of the session, as the notebook's own job API documents ``computeConfiguration``: such
        as ``numExecutors``, ``defaultLakehouse`` or ``sparkProperties``; instead of ``configuration`` (templated).
    :param parse_exit_value: the exit value is JSON: return what it says. A notebook that exits with something else, or
        with nothing, fails the task.
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
        "session_tag",
        "compute",
        "compute_configuration",
        "execution_data",
        "job_type",
        "fabric_conn_id",
    )
    template_fields_renderers = {
        "parameters": "json",
        "configuration": "json",
        "compute_configuration": "json",
        "execution_data": "json",
    }
    text_arguments: Sequence[str] = ("workspace", "notebook", "job_type", "fabric_conn_id")
    optional_text_arguments: Sequence[str] = ("session_tag", "compute")
    flag_arguments: Sequence[str] = (
        *FabricRunItemJobOperator.flag_arguments,
        "validate_parameters",
        "parse_exit_value",
    )
    operator_extra_links: tuple[Any, ...] = (*FabricRunItemJobOperator.operator_extra_links, *NOTEBOOK_LINKS)
    item_field = "notebook"
    _run_details: NotebookRun | FabricError | None = None

    def __init__(
        self,
        *,
        workspace: str,
        notebook: str,
        parameters: Mapping[str, Any] | None = None,
        configuration: Mapping[str, Any] | None = None,
        session_tag: str | None = None,
        compute: str | None = None,
        compute_configuration: Mapping[str, Any] | None = None,
        parse_exit_value: bool = False,
        validate_parameters: bool = False,
        job_type: str = JOB_TYPE,
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
        self.session_tag = session_tag
        self.compute = compute
        self.compute_configuration = compute_configuration
        self.parse_exit_value = parse_exit_value
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
        """Return ``executionData`` with the session's settings, and typed parameters."""
        from airflow_provider_fabric.api.jobs.payloads import notebook_body

        if not self._by_own_api:
            return notebook_body(self.parameters, self.configuration, self.execution_data)
        from airflow_provider_fabric.api.jobs.notebooks import own_body
        from airflow_provider_fabric.exceptions import FabricInputError

        if self.configuration is not None:
            raise FabricInputError(
                "configuration does not go with session_tag, compute or compute_configuration: say all of it in "
                "compute_configuration, whose keys the notebook's own job API documents."
            )
        return own_body(
            self.parameters,
            compute=self.compute,
            compute_configuration=self.compute_configuration,
            session_tag=self.session_tag,
            execution_data=self.execution_data,
        )

    @property
    def _by_own_api(self) -> bool:
        """Whether the notebook's own API starts it: unless something is given that only the API of all items takes."""
        if any(value is not None for value in (self.session_tag, self.compute, self.compute_configuration)):
            return True
        of_all_items = (self.configuration, self.execution_data)
        return of_all_items == (None, None) and self.job_type == JOB_TYPE and self.submit_form == "auto"

    def _backend(self) -> JobBackend:
        """Return the API that starts the notebook."""
        if not self._by_own_api:
            return super()._backend()
        from airflow_provider_fabric.lifecycle.backend import NotebookBackend

        return NotebookBackend(self._generic_body, self.submit_form)

    def _generic_body(self) -> Mapping[str, Any] | None:
        """Return the body for the API of all items, which takes no settings of the own one.

        :raises FabricInputError: ``compute_configuration`` would be lost, and with it the default lakehouse.
        """
        from airflow_provider_fabric.api.jobs.payloads import notebook_body
        from airflow_provider_fabric.exceptions import FabricInputError

        if self.compute_configuration is not None:
            raise FabricInputError(
                "compute_configuration needs a notebook's own job API, which this service does not offer. Nothing was "
                "started. Say it in configuration, as the job API of all items has it."
            )
        if self.session_tag is not None or self.compute is not None:
            text = "This service does not offer a notebook's own job API: session_tag and compute have no effect."
            self.log.warning(text)
        return notebook_body(self.parameters, None, self.execution_data)

    def on_wait_end(self, run: FabricRun, outcome: Outcome) -> None:
        """Read what only the notebook's own API shows of a run: its exit value, and where its logs are."""
        from airflow_provider_fabric.exceptions import FabricError
        from airflow_provider_fabric.links import publish_notebook_links

        if outcome.status is None or not outcome.status.is_terminal or self._execution is None:
            return
        job = run.job
        try:
            found = self.hook.get_notebook_run(job.workspace_id, job.item_id, job.job_instance_id)
        except FabricError as error:
            self._run_details = error
            self.log.warning("Could not read the notebook's exit value and links: %s", error)
            return
        self._run_details = found
        urls = {
            "spark_ui_url": found.spark_ui_url,
            "snapshot_url": found.snapshot_url,
            "driver_log_url": found.driver_log_url,
        }
        publish_notebook_links(self, self._execution.context["ti"], urls)

    def build_result(self, context: Context, run: FabricRun, outcome: Outcome) -> dict[str, Any]:
        """Add the exit value, which is an XCom too; both are left out where the service lets nobody read it.

        An unreadable value is not ``None``, which means that the notebook passed none: a branch must not go by it.

        :raises FabricError: it could not be read, and another attempt may; or ``parse_exit_value`` is set, and it is no
            JSON.
        """
        from airflow_provider_fabric.exceptions import FabricError

        if isinstance(self._run_details, FabricError) and not self._must_be_read(self._run_details):
            return outcome.job
        value = self._exit_value()
        context["ti"].xcom_push(key="exit_value", value=value)
        return {**outcome.job, "exit_value": value}

    def _must_be_read(self, error: Exception) -> bool:
        """Whether a result without the exit value would be wrong: it was asked for, or another attempt may read it."""
        from airflow_provider_fabric.api.http.permanent import is_permanent

        return self.parse_exit_value or not is_permanent(error)

    def _exit_value(self) -> Any:
        import json

        from airflow_provider_fabric.exceptions import FabricError, FabricProtocolError

        details = self._run_details
        if isinstance(details, FabricError):
            raise details
        if details is None:
            return None
        if not self.parse_exit_value:
            return details.exit_value
        try:
            return json.loads(details.exit_value or "")
        except ValueError:
            shown = "nothing" if details.exit_value is None else repr(details.exit_value[:200])
            raise FabricProtocolError(
                f"parse_exit_value: notebook {self.notebook!r} exited with {shown}, which is not JSON. Have it call "
                "notebookutils.notebook.exit(json.dumps(…)), or leave parse_exit_value out. The run itself completed."
            ) from None
