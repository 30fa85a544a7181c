"""What each operator needs of Fabric, as data: docs/permissions.md shows it, and a test holds it to the OpenAPI files.

A row names the operation that decides: its description in Microsoft's OpenAPI files says which workspace role, which
delegated scopes and which identities it takes. Where no file of Microsoft's says it, the row names the page that does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

LEARN = "https://learn.microsoft.com"
RUN_ROLE = f"{LEARN}/fabric/fundamentals/roles-workspaces"


@dataclass(frozen=True)
class Need:
    """What one operator needs.

    :param operators: class names.
    :param role: least workspace role.
    :param application: whether a service principal or managed identity may call it.
    :param scopes: least delegated scopes, for a user.
    :param besides: tenant setting, connections, or what else there is to grant.
    :param operation: folder and operation id in Microsoft's OpenAPI files, or the address of a page.
    :param undocumented: what that page does not say, and the row says all the same.
    """

    operators: tuple[str, ...]
    role: str
    application: bool
    scopes: str
    besides: str
    operation: str
    undocumented: str = ""

    @property
    def page(self) -> str:
        """Address of the page that the row comes from; empty if an OpenAPI file has it."""
        return self.operation if self.operation.startswith("https:") else ""


API_SETTING = "tenant setting for service principals"
CONNECTIONS = "the connections that the item uses"

NEEDS = (
    Need(
        ("FabricRunPipelineOperator",),
        "Contributor",
        True,
        "DataPipeline.Execute.All or Item.Execute.All",
        f"{API_SETTING}; {CONNECTIONS}",
        "dataPipeline/BackgroundJobs_RunOnDemandExecute",
    ),
    Need(
        ("FabricRunDataflowRefreshOperator",),
        "Member",
        False,
        "Dataflow.Execute.All",
        CONNECTIONS,
        "dataflow/BackgroundJobs_RunOnDemandExecute",
    ),
    Need(
        ("FabricPublishDataflowOperator",),
        "Member",
        False,
        "Dataflow.Execute.All",
        CONNECTIONS,
        "dataflow/BackgroundJobs_RunOnDemandApplyChanges",
    ),
    Need(
        ("FabricRunCopyJobOperator", "FabricRunItemJobOperator"),
        "Contributor",
        True,
        "Item.Execute.All",
        f"{API_SETTING}; {CONNECTIONS}",
        "platform/JobScheduler_RunOnDemandItemJob",
    ),
    Need(
        ("FabricResetCopyJobOperator",),
        "Contributor",
        True,
        "CopyJob.ReadWrite.All or Item.ReadWrite.All",
        API_SETTING,
        "copyJob/Items_ResetCopyJob",
    ),
    Need(
        ("FabricRunNotebookOperator",),
        "Contributor",
        True,
        "Notebook.Execute.All or Item.Execute.All",
        f"{API_SETTING}; the lakehouses and environments that it names",
        "notebook/BackgroundJobs_RunOnDemandNotebook",
    ),
    Need(
        ("FabricRunSparkJobOperator",),
        "Contributor",
        True,
        "SparkJobDefinition.Execute.All or Item.Execute.All",
        API_SETTING,
        "sparkjobdefinition/BackgroundJobs_RunOnDemandSparkJobDefinition",
    ),
    Need(
        ("FabricRunTableMaintenanceOperator",),
        "Contributor",
        True,
        "Lakehouse.Execute.All or Item.Execute.All",
        API_SETTING,
        "lakehouse/BackgroundJobs_RunOnDemandTableMaintenance",
    ),
    Need(
        ("FabricRefreshMaterializedLakeViewsOperator",),
        "Contributor",
        True,
        "Lakehouse.Execute.All or Item.Execute.All",
        API_SETTING,
        "lakehouse/BackgroundJobs_RunOnDemandRefreshMaterializedLakeViews",
    ),
    Need(
        ("FabricRefreshSqlEndpointOperator",),
        "Contributor",
        True,
        "Item.ReadWrite.All",
        API_SETTING,
        "sqlEndpoint/Items_RefreshSqlEndpointMetadata",
    ),
    Need(
        ("FabricRunDbtJobOperator",),
        "Member",
        True,
        "Item.Execute.All",
        API_SETTING,
        "dataBuildToolJob/BackgroundJobs_RunOnDemandExecute",
    ),
    Need(
        ("FabricUpsertItemDefinitionOperator", "FabricDeployFolderOperator"),
        "Contributor",
        True,
        "Item.ReadWrite.All",
        f"{API_SETTING}; the kind of item must support applications",
        "platform/Items_CreateItem",
    ),
    Need(
        ("FabricDeleteItemOperator",),
        "Contributor",
        True,
        "Item.ReadWrite.All",
        f"{API_SETTING}; write permission for the item",
        "platform/Items_DeleteItem",
    ),
    Need(
        ("FabricItemJobSensor", "FabricJobInstanceSensor", "FabricJobEventTrigger"),
        "Viewer",
        True,
        "Item.Read.All or Item.ReadWrite.All",
        API_SETTING,
        "platform/JobScheduler_ListItemJobInstances",
    ),
    Need(
        ("FabricRefreshSemanticModelOperator",),
        "Contributor",
        True,
        "Dataset.ReadWrite.All",
        'tenant setting "Service principals can use Power BI APIs"; write permission for the model',
        f"{LEARN}/rest/api/power-bi/datasets/refresh-dataset-in-group",
        "the workspace role",
    ),
    Need(
        ("FabricInvokeUserDataFunctionOperator",),
        "Viewer",
        True,
        "UserDataFunction.Execute.All or Item.Execute.All",
        "Execute permission for the functions item, public access switched on",
        f"{LEARN}/fabric/data-engineering/user-data-functions/tutorial-invoke-from-python-app",
        "the workspace role, service principals",
    ),
    Need(
        ("FabricOneLakeFileSensor",),
        "Contributor",
        True,
        "user_impersonation of Azure Storage",
        'tenant setting "Users can access data stored in OneLake with apps external to Fabric"; below Contributor a '
        "OneLake role",
        f"{LEARN}/fabric/onelake/onelake-access-api",
        "the workspace role",
    ),
    Need(
        ("FabricResumeCapacityOperator", "FabricSuspendCapacityOperator"),
        "none",
        True,
        "user_impersonation of Azure Resource Manager",
        "an Azure role on the capacity with `Microsoft.Fabric/capacities/read`, `…/resume/action`, `…/suspend/action`",
        f"{LEARN}/fabric/enterprise/pause-resume",
    ),
    Need(
        ("FabricRestOperator",),
        "by operation",
        True,
        "by operation",
        "the page of each operation says it",
        f"{LEARN}/rest/api/fabric/articles/",
    ),
)


def table() -> str:
    """Return the table as Markdown."""
    rows = [
        "| Operator | Least workspace role | Service principal? | Least delegated scopes | Besides |",
        "| --- | --- | --- | --- | --- |",
    ]
    for need in NEEDS:
        names = "<br>".join(f"`{name}`" for name in need.operators)
        besides = "; ".join(part for part in need.besides.split("; ") if part != API_SETTING)
        application = "✓" if need.application else "**no**: users only"
        rows.append(f"| {names} | {need.role} | {application} | {need.scopes} | {besides} |")
    return "\n".join([*rows, "", "From pages, because no OpenAPI file has them:", "", *_pages()]) + "\n"


def _pages() -> Iterator[str]:
    """Yield an entry for each row that no OpenAPI file has."""
    for need in NEEDS:
        if need.page:
            names = ", ".join(f"`{name}`" for name in need.operators)
            more = f"; not documented: {need.undocumented}" if need.undocumented else ""
            yield f"* {names}: [Learn]({need.page}){more}."
