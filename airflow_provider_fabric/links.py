"""The link from a task to its run in the Fabric portal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_fabric.compat import BaseOperatorLink, read_own_xcom

if TYPE_CHECKING:
    from airflow_provider_fabric.compat import BaseOperator

RUN_URL_KEY = "run_url"
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


class FabricRunLink(BaseOperatorLink):
    """Opens the run in the Fabric portal, or in the emulator's: while it runs, while deferred, and afterwards."""

    name = "Fabric run"

    @property
    def xcom_key(self) -> str:
        """Key of the XCom in which operators publish the address right after the submit."""
        return RUN_URL_KEY

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Return the address, or nothing if no run was started. Never breaks a task."""
        try:
            return str(read_own_xcom(ti_key, RUN_URL_KEY) or "")
        except Exception:  # noqa: BLE001 - a link must not fail the task that shows it
            return ""
