"""The item types of the service as a table: collection path, definition parts, jobs.

Names are the enumeration ``ItemType`` of Microsoft's OpenAPI file ``common/definitions.json`` (2026-08); collection
paths, part names and job types are those of the item files next to it, and of the pages of Data Factory on
https://learn.microsoft.com/fabric/data-factory.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class ItemType:
    """One type of item.

    :param name: value of ``type``.
    :param collection: segment of the typed collection, ``None`` when there is only ``/items``.
    :param part_sets: a definition must hold all parts of one of these sets; none means that any parts do.
    :param json_parts: parts that must parse as JSON.
    :param jobs: job types it runs, by their lower-case name in the request; the value is what instances read back.
    :param definable: whether the definition calls work on it.
    :param creatable: whether it can be created on its own.
    :param update_shows_item: whether updating the definition answers with the item (lakehouse file) or with nothing.
    """

    name: str
    collection: str | None = None
    part_sets: tuple[tuple[str, ...], ...] = ()
    json_parts: tuple[str, ...] = ()
    jobs: dict[str, str] = field(default_factory=dict)
    definable: bool = True
    creatable: bool = True
    update_shows_item: bool = False

    def job_type(self, requested: str) -> str | None:
        """Return the job type that ``requested`` stands for, or ``None`` if this item does not run it."""
        return self.jobs.get(requested.lower())


def _jobs(*names: str, **aliases: str) -> dict[str, str]:
    """Return a table of job types; ``DefaultJob`` is what the platform file's own examples send for any item."""
    return {"defaultjob": "DefaultJob", **{name.lower(): name for name in names}, **aliases}


_WITH_JOBS = (
    ItemType(
        "Dataflow",
        "dataflows",
        part_sets=(("mashup.pq", "queryMetadata.json"), ("dataflow-content.json",)),
        json_parts=("queryMetadata.json", "dataflow-content.json"),
        jobs=_jobs("Execute", "Refresh", "ApplyChanges", "Publish"),
    ),
    ItemType(
        "DataPipeline",
        "dataPipelines",
        part_sets=(("pipeline-content.json",),),
        json_parts=("pipeline-content.json",),
        jobs=_jobs("Execute", "Pipeline", "Refresh"),
    ),
    ItemType(
        "CopyJob",
        "copyJobs",
        part_sets=(("copyjob-content.json",),),
        json_parts=("copyjob-content.json",),
        # https://learn.microsoft.com/fabric/data-factory/copy-job-rest-api-capabilities runs Execute, reads CopyJob.
        jobs=_jobs("CopyJob", execute="CopyJob"),
    ),
    ItemType("Notebook", "notebooks", jobs=_jobs("RunNotebook", "Execute")),
    ItemType(
        "Lakehouse",
        "lakehouses",
        jobs=_jobs("TableMaintenance", "RefreshMaterializedLakeViews"),
        update_shows_item=True,
    ),
    ItemType("SparkJobDefinition", "sparkJobDefinitions", jobs=_jobs("sparkjob")),
    ItemType("DataBuildToolJob", "dataBuildToolJobs", jobs=_jobs("Execute")),
    ItemType("ApacheAirflowJob", "apacheAirflowJobs"),
)

_OTHERS = {
    "AnomalyDetector": "anomalyDetectors",
    "AppBackend": None,
    "AzureDatabricksStorage": None,
    "CosmosDBDatabase": "cosmosDbDatabases",
    "DataAgent": "dataAgents",
    "DigitalTwinBuilder": "digitalTwinBuilders",
    "DigitalTwinBuilderFlow": "digitalTwinBuilderFlows",
    "Environment": "environments",
    "EventSchemaSet": "eventSchemaSets",
    "Eventhouse": "eventhouses",
    "Eventstream": "eventstreams",
    "GraphModel": "graphModels",
    "GraphQLApi": "graphQLApis",
    "GraphQuerySet": "graphQuerySets",
    "KQLDashboard": "kqlDashboards",
    "KQLDatabase": "kqlDatabases",
    "KQLQueryset": "kqlQuerysets",
    "Map": "maps",
    "MirroredAzureDatabricksCatalog": "mirroredAzureDatabricksCatalogs",
    "MirroredCatalog": "mirroredCatalogs",
    "MirroredDatabase": "mirroredDatabases",
    "MountedDataFactory": "mountedDataFactories",
    "Ontology": "ontologies",
    "OperationsAgent": "operationsAgents",
    "OrgApp": None,
    "OrgAppAudience": None,
    "PaginatedReport": "paginatedReports",
    "Plan": None,
    "Reflex": "reflexes",
    "Report": "reports",
    "SQLDatabase": "sqlDatabases",
    "SemanticModel": "semanticModels",
    "SnowflakeDatabase": "snowflakeDatabases",
    "UserDataFunction": "userDataFunctions",
    "VariableLibrary": "variableLibraries",
}

_WITHOUT_DEFINITION = {
    "MLExperiment": "mlExperiments",
    "MLModel": "mlModels",
    "Warehouse": "warehouses",
    "WarehouseSnapshot": "warehousesnapshots",
}

_NOT_CREATABLE = {
    "Dashboard": "dashboards",
    "Datamart": "datamarts",
    "MirroredWarehouse": "mirroredWarehouses",
    "SQLEndpoint": "sqlEndpoints",
}

ITEM_TYPES: dict[str, ItemType] = {
    entry.name: entry
    for entry in (
        *_WITH_JOBS,
        *(ItemType(name, collection) for name, collection in _OTHERS.items()),
        *(ItemType(name, collection, definable=False) for name, collection in _WITHOUT_DEFINITION.items()),
        *(ItemType(name, collection, definable=False, creatable=False) for name, collection in _NOT_CREATABLE.items()),
    )
}
"""Every item type by its name."""

CREATED_BY_OPERATION = frozenset({"Warehouse"})
"""Types whose creation was seen to answer 202 on a tenant, although it carries no definition."""

READ_BY_OPERATION = frozenset({"VariableLibrary"})
"""Types whose definition was seen to be read with 202 on a tenant."""

ALIASES = {"pipeline": "DataPipeline"}
"""https://learn.microsoft.com/fabric/data-factory/pipeline-rest-api-capabilities prints ``"type": "pipeline"``."""

COLLECTIONS: dict[str, str] = {
    entry.collection: entry.name for entry in ITEM_TYPES.values() if entry.collection is not None
}
"""Item type by the segment of its typed collection."""


def find_item_type(name: object) -> ItemType | None:
    """Return the type called ``name``, or what the alias stands for."""
    return ITEM_TYPES.get(ALIASES.get(name, name)) if isinstance(name, str) else None
