"""A notebook's own job API: sessions that runs share, the kind of compute, and what a run exits with.

https://learn.microsoft.com/rest/api/fabric/notebook/background-jobs. A run that it starts has the address of
any item's run, and is listed, polled and cancelled as such.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_fabric.api.http.flow import Flow, Request, quote_segment
from airflow_provider_fabric.api.http.retry import PATIENT, Replay, RetryBudget, send
from airflow_provider_fabric.api.items.items import item_path
from airflow_provider_fabric.api.jobs.instances import is_route_unknown, run_item_job
from airflow_provider_fabric.api.jobs.payloads import execution_body, notebook_parameters
from airflow_provider_fabric.api.jobs.submission import read_submission
from airflow_provider_fabric.api.jobs.values import parameter_value
from airflow_provider_fabric.api.models import Submission
from airflow_provider_fabric.exceptions import FabricApiError, FabricInputError

SPARK = "Spark"
_OWN = "/jobs/execute/instances"
NOT_OFFERED = frozenset({"FeatureNotAvailable"})
"""Codes of a refusal that is about this API, not about the notebook."""


@dataclass(frozen=True)
class NotebookRun:
    """What only the notebook's own API tells of a run.

    :param exit_value: what the notebook passed to ``notebookutils.notebook.exit``; ``None`` if it did not.
    :param compute: ``Spark``, ``Jupyter`` or ``DataWarehouse``.
    :param spark_ui_url: page of the Spark application.
    :param driver_log_url: log of the driver.
    :param snapshot_url: page that shows the cells as they ran.
    """

    exit_value: str | None = None
    compute: str = ""
    spark_ui_url: str | None = None
    driver_log_url: str | None = None
    snapshot_url: str | None = None


def own_body(
    parameters: Mapping[str, Any] | None,
    *,
    compute: str | None = None,
    compute_configuration: Mapping[str, Any] | None = None,
    session_tag: str | None = None,
    execution_data: Mapping[str, Any] | None = None,
) -> dict[str, Any] | None:
    """Return the body of a run by the notebook's own API; ``None`` if there is nothing to say.

    :param parameters: names and values: text, numbers and bools.
    :param compute: ``Spark``, ``Jupyter`` or ``DataWarehouse``; ``Spark`` if the session is configured, else the
        notebook's own.
    :param compute_configuration: of the session, as the API documents ``computeConfiguration``.
    :param session_tag: runs with the same tag share a Spark session.
    :param execution_data: further keys.
    :raises FabricInputError: they contradict each other.
    """
    kind = SPARK if compute is None else compute
    if compute_configuration is not None and not isinstance(compute_configuration, Mapping):
        raise FabricInputError(f"compute_configuration must be a mapping, got {type(compute_configuration).__name__}.")
    settings = dict(parameter_value(compute_configuration or {}, "compute_configuration"))
    if session_tag is not None:
        if not session_tag.strip():
            raise FabricInputError("session_tag must not be blank: runs with the same tag share a session.")
        if kind != SPARK:
            raise FabricInputError(
                f"session_tag is for Spark sessions, but compute is {kind!r}: leave one of them out."
            )
        if "highConcurrencyModeOptions" in settings:
            raise FabricInputError("session_tag and compute_configuration['highConcurrencyModeOptions'] say the same.")
        settings["highConcurrencyModeOptions"] = {"enabled": True, "sessionTag": session_tag}
    if settings and kind == "DataWarehouse":
        raise FabricInputError("compute_configuration: compute 'DataWarehouse' takes none.")
    said = compute is not None or compute_configuration is not None or session_tag is not None or execution_data
    made = {
        "compute": ("compute", kind if said else None),
        "computeConfiguration": ("compute_configuration", settings or None),
    }
    body = execution_body(made, execution_data) or {}
    typed = notebook_parameters(parameters)
    return {**body, **({"parameters": typed} if typed else {})} or None


def run_notebook(
    workspace_id: str,
    notebook_id: str,
    body: Mapping[str, Any] | None,
    fallback: Callable[[], Flow[Submission]] | None = None,
) -> Flow[Submission]:
    """Start a notebook by its own API, once.

    https://learn.microsoft.com/rest/api/fabric/notebook/background-jobs/run-on-demand-notebook-job

    :param workspace_id: GUID.
    :param notebook_id: GUID.
    :param body: see :func:`own_body`.
    :param fallback: starts it where the service does not know this address, or does not offer it to this tenant;
        nothing was started then. By default the generic API, with the same body.
    :raises FabricAmbiguousError: no clear answer; it may be running.
    """
    action = f"start notebook {notebook_id}"
    path = item_path(workspace_id, notebook_id, "Notebook", typed=True) + _OWN
    request = Request("POST", path, action, params={"beta": "false"}, json=None if body is None else dict(body))
    try:
        answer = yield from send(request, replay=Replay.IF_UNSENT)
    except FabricApiError as error:
        if not is_route_unknown(error) and error.error_code not in NOT_OFFERED:
            raise
        generic = fallback() if fallback else run_item_job(workspace_id, notebook_id, "RunNotebook", body)
        return (yield from generic)
    return read_submission(answer, action, notebook_id)


def get_notebook_run(
    workspace_id: str, notebook_id: str, job_instance_id: str, *, budget: RetryBudget = PATIENT
) -> Flow[NotebookRun]:
    """Return what a run of a notebook exited with, and where its logs are.

    https://learn.microsoft.com/rest/api/fabric/notebook/background-jobs/get-notebook-job-instance. A preview
    (``beta=true``).

    :param workspace_id: GUID.
    :param notebook_id: GUID.
    :param job_instance_id: GUID.
    :param budget: how long the call is attempted.
    """
    instance = quote_segment(job_instance_id, "job_instance_id")
    path = f"{item_path(workspace_id, notebook_id, 'Notebook', typed=True)}{_OWN}/{instance}"
    request = Request("GET", path, f"read the result of notebook run {job_instance_id}", params={"beta": "true"})
    answer = yield from send(request, replay=Replay.SAFE, budget=budget)
    properties = answer.json_object().get("properties")
    shown = properties if isinstance(properties, dict) else {}
    details = shown.get("computeDetails")
    info = details.get("monitoringInfo") if isinstance(details, dict) else None
    links = info if isinstance(info, dict) else {}
    value = shown.get("exitValue")
    return NotebookRun(
        exit_value=None if value is None else str(value),
        compute=str(shown.get("compute") or ""),
        spark_ui_url=_url(links.get("sparkUiUrl")),
        driver_log_url=_url(links.get("driverLogUrl")),
        snapshot_url=_url(links.get("executionSnapshotUrl")),
    )


def _url(value: object) -> str | None:
    return value if isinstance(value, str) and value.startswith("https://") else None
