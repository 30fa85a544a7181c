"""The link from a task to its run in the Fabric portal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_fabric.compat import BaseOperatorLink, push_link, read_own_xcom, was_deferred

if TYPE_CHECKING:
    from airflow_provider_fabric.compat import BaseOperator

RUN_URL_KEY = "run_url"
"""Key of the XCom that operators and sensors publish as soon as a run is known."""

MICROSOFT_API_HOST = "https://api.fabric.microsoft.com"
PRIVATE_LINK = ".api.fabric.microsoft.com"
PORTAL = "https://app.fabric.microsoft.com"

#: Kind of item → the portal's word for it in addresses, as the portal's own address bar shows them.
PORTAL_WORDS = {
    "CopyJob": "copyjobs",
    "DataPipeline": "pipelines",
    "Dataflow": "dataflows-gen2",
    "Lakehouse": "lakehouses",
    "Notebook": "synapsenotebooks",
    "SemanticModel": "datasets",
    "SparkJobDefinition": "sparkjobdefinitions",
    "DataBuildToolJob": "databuildtooljobs",
}


def run_url(
    host: str, workspace_id: str, item_id: str, item_type: str | None, job_instance_id: str | None = None
) -> str:
    """Return the address of a run's page, or of its item's while there is no run.

    A pipeline and a Spark job have a page per run in the monitoring hub; other kinds open at the item.

    :param host: API root of the connection; anything but Microsoft's own (or a workspace's private link to it) is taken
        to have a portal of its own.
    """
    own = host == MICROSOFT_API_HOST or host.endswith(PRIVATE_LINK)
    root = PORTAL if own else host
    if item_type == "DataPipeline" and job_instance_id:
        return (
            f"{root}/workloads/data-pipeline/monitoring/workspaces/{workspace_id}/pipelines/{item_id}/{job_instance_id}"
        )
    word = PORTAL_WORDS.get(item_type or "", "items")
    item = f"{root}/groups/{workspace_id}/{word}/{item_id}"
    return f"{item}?jobInstanceId={job_instance_id}" if job_instance_id else item


def publish_run_url(operator: Any, ti: Any, url: str) -> None:
    """Publish the address of a run's page: as XCom ``run_url``, and for the link.

    :param operator: the task's operator, from which the link reads it.
    :param ti: the task instance.
    :param url: the address.
    """
    operator.published_run_url = url
    ti.xcom_push(key=RUN_URL_KEY, value=url)
    push_link(ti, FabricRunLink().xcom_key, url)


class FabricRunLink(BaseOperatorLink):
    """Opens the run in the Fabric portal, or in the emulator's: while it runs, while deferred, and afterwards.

    Airflow 3 keeps a link under a key of its own (``_link_FabricRunLink``), as plain text, past a custom XCom backend.
    """

    name = "Fabric run"

    @property
    def xcom_key(self) -> str:
        """Key under which Airflow 3 keeps the link, which is not the one of the XCom: a backend may alter that."""
        return "_link_FabricRunLink"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Return the address, or nothing if no run was started. Never breaks a task."""
        known = getattr(operator, "published_run_url", None)
        if isinstance(known, str):
            return known
        if getattr(ti_key, "task", None) is operator and not was_deferred(ti_key):
            return ""  # Airflow 3 asks as a task ends, and reports an XCom that is not there as an error
        try:
            return str(read_own_xcom(ti_key, RUN_URL_KEY) or "")
        except Exception:  # noqa: BLE001 - a link must not fail the task that shows it
            return ""


class _NotebookLink(BaseOperatorLink):
    """A page of a notebook's run, known when the run has ended.

    :cvar key: of the XCom that holds the address.
    """

    key = ""

    @property
    def xcom_key(self) -> str:
        """Key under which Airflow 3 keeps the link."""
        return f"_link_{type(self).__name__}"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Return the address, or nothing if there is none. Never breaks a task."""
        known = getattr(operator, "published_links", None)
        if isinstance(known, dict):
            return str(known.get(self.key) or "")
        if getattr(ti_key, "task", None) is operator:
            return ""
        try:
            return str(read_own_xcom(ti_key, self.key) or "")
        except Exception:  # noqa: BLE001 - a link must not fail the task that shows it
            return ""


class FabricSparkUiLink(_NotebookLink):
    """Opens the Spark application of a notebook's run."""

    name = "Spark UI"
    key = "spark_ui_url"


class FabricSnapshotLink(_NotebookLink):
    """Opens the cells of a notebook as they ran."""

    name = "Snapshot"
    key = "snapshot_url"


class FabricDriverLogLink(_NotebookLink):
    """Opens the driver's log of a notebook's run."""

    name = "Driver log"
    key = "driver_log_url"


NOTEBOOK_LINKS: tuple[_NotebookLink, ...] = (FabricSparkUiLink(), FabricSnapshotLink(), FabricDriverLogLink())


def publish_notebook_links(operator: Any, ti: Any, urls: dict[str, str | None]) -> None:
    """Publish the addresses of a notebook's run: as XComs, and for the links.

    :param operator: the task's operator, from which the links read them.
    :param ti: the task instance.
    :param urls: XCom key → address.
    """
    operator.published_links = {key: url for key, url in urls.items() if url}
    for link in NOTEBOOK_LINKS:
        url = operator.published_links.get(link.key)
        if url:
            ti.xcom_push(key=link.key, value=url)
            push_link(ti, link.xcom_key, url)
