"""What Fabric expects of each kind of item's definition, as a table: format, parts, their order, and what is left out.

Kinds, formats and parts are those of Microsoft's pages
(https://learn.microsoft.com/rest/api/fabric/articles/item-management/definitions/item-definition-overview and the page
of each kind below it) and of folders that Fabric's Git integration writes. Nothing here reads files or sends requests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

PLATFORM = ".platform"
SCHEDULES = ".schedules"


@dataclass(frozen=True)
class ItemKind:
    """One kind of item.

    Patterns are shell patterns of part paths: without a slash they match parts at the top of the definition only, and
    in those with a slash ``*`` stands for any depth.

    :param name: value of ``type``.
    :param order: parts in the order in which they are sent, after ``.platform``; others follow.
    :param last: parts that go after all others.
    :param format: format that is sent if no pattern of ``formats`` decides; ``None`` sends none.
    :param formats: ``(pattern, format)``: the first pattern that one of the parts matches decides.
    :param required: alternatives: of one of these sets of patterns, each pattern must match a part.
    :param exclusive: pairs of patterns of which only one may match.
    :param json_parts: JSON parts whose names do not end in ``.json``.
    :param free: parts that hold what their author likes, ``*.json`` included.
    :param has_definition: ``False``: items are created from ``.platform`` alone.
    """

    name: str
    order: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    format: str | None = None
    formats: tuple[tuple[str, str], ...] = ()
    required: tuple[tuple[str, ...], ...] = ()
    exclusive: tuple[tuple[str, str], ...] = ()
    json_parts: tuple[str, ...] = ()
    free: tuple[str, ...] = ()
    has_definition: bool = True


_TABLE = (
    ItemKind("VariableLibrary", ("variables.json", "settings.json", "valueSets/*.json")),
    ItemKind("Warehouse", has_definition=False),
    ItemKind("MirroredDatabase", ("mirroring.json",)),
    ItemKind(
        "Lakehouse",
        ("lakehouse.metadata.json", "shortcuts.metadata.json", "alm.settings.json", "data-access-roles.json"),
        format="LakehouseDefinitionV1",
    ),
    ItemKind(
        "SQLDatabase", ("*.sqlproj", "*.sql", "*/*.sql"), formats=(("*.sqlproj", "sqlproj"), ("*.dacpac", "dacpac"))
    ),
    ItemKind("CosmosDBDatabase", ("definition.json",)),
    ItemKind(
        "Environment",
        ("Setting/Sparkcompute.yml", "Libraries/PublicLibraries/environment.yml", "Libraries/CustomLibraries/*"),
        free=("Libraries/CustomLibraries/*", "Resources/*"),
    ),
    ItemKind(
        "UserDataFunction",
        ("definition.json", "function_app.py", ".resources/functions.json"),
    ),
    ItemKind("Eventhouse", ("EventhouseProperties.json",)),
    ItemKind(
        "SparkJobDefinition",
        ("SparkJobDefinitionV1.json", "Main/*", "Libs/*"),
        format="SparkJobDefinitionV1",
        formats=(("Main/*", "SparkJobDefinitionV2"), ("Libs/*", "SparkJobDefinitionV2")),
        required=(("SparkJobDefinitionV1.json",),),
        free=("Main/*", "Libs/*"),
    ),
    ItemKind(
        "Notebook",
        ("notebook-content.*", "*.ipynb"),
        last=("*.json", "*/*.json"),
        formats=(("*.ipynb", "ipynb"),),
        required=(("*.ipynb",), ("notebook-content.*",)),
        exclusive=(("*.ipynb", "notebook-content.[prs]*"),),
        json_parts=("*.ipynb",),
        free=("Resources/*", "builtin/*"),
    ),
    ItemKind(
        "SemanticModel",
        ("definition.pbism", "definition/*", "model.bim", "diagramLayout.json", "Copilot/*"),
        formats=(("model.bim", "TMSL"),),
        required=(("definition.pbism",),),
        exclusive=(("model.bim", "definition/*"),),
        json_parts=("definition.pbism", "model.bim"),
    ),
    ItemKind(
        "Report",
        ("definition.pbir", "report.json", "definition/*", "StaticResources/*"),
        required=(("definition.pbir",),),
        json_parts=("definition.pbir",),
        free=("StaticResources/RegisteredResources/*",),
    ),
    ItemKind("PaginatedReport", ("*.rdl",)),
    ItemKind("CopyJob", ("copyjob-content.json",), required=(("copyjob-content.json",),)),
    ItemKind("DataBuildToolJob", ("dbt-content.json",)),
    ItemKind("KQLDatabase", ("DatabaseProperties.json", "DatabaseSchema.kql")),
    ItemKind("KQLQueryset", ("RealTimeQueryset.json",)),
    ItemKind(
        "Dataflow",  # any format is refused: 400 InvalidDefinitionFormat
        ("mashup.pq", "queryMetadata.json", "dataflow-content.json", "*.mdf"),
        required=(("mashup.pq", "queryMetadata.json"), ("dataflow-content.json",)),
    ),
    ItemKind(
        "DataPipeline",
        ("pipeline-content.json", SCHEDULES),
        required=(("pipeline-content.json",),),
    ),
    ItemKind("Reflex", ("ReflexEntities.json",)),
    ItemKind("Eventstream", ("eventstream.json", "eventstreamProperties.json")),
    ItemKind("KQLDashboard", ("RealTimeDashboard.json",)),
    ItemKind("GraphQLApi", ("graphql-definition.json",)),
    ItemKind(
        "ApacheAirflowJob", ("apacheairflowjob-content.json", "dags/*", "plugins/*"), free=("dags/*", "plugins/*")
    ),
    ItemKind("MountedDataFactory", ("mountedDataFactory-content.json",)),
    ItemKind("Ontology", ("definition.json", "EntityTypes/*")),
    ItemKind("DataAgent", ("Files/Config/*",)),
    ItemKind("MLExperiment", has_definition=False),
    ItemKind("Map", ("map.json",)),
    ItemKind(
        "GraphModel",
        ("graphDefinition.json", "graphType.json", "dataSources.json", "stylingConfiguration.json"),
        format="json",
    ),
    ItemKind("MLModel", has_definition=False),
    ItemKind("WarehouseSnapshot", has_definition=False),
)

KINDS: Mapping[str, ItemKind] = {kind.name: kind for kind in _TABLE}
"""Kinds of items by name, in an order in which they can be published where references leave it open."""

#: Names that are never parts, wherever in a folder they stand: what editors, systems, Power BI and git leave there,
#: ``.children``, which holds items of their own, and the versions (``..data``) of a mounted Kubernetes volume.
NEVER_PARTS = (
    ".pbi",
    ".children",
    ".ipynb_checkpoints",
    "__pycache__",
    ".git*",
    ".DS_Store",
    "Thumbs.db",
    "desktop.ini",
    ".idea",
    ".vscode",
    "*~",
    "*.swp",
    "*.pyc",
    "..*",
)
#: Dotted names that are parts.
DOTTED_PARTS = frozenset({PLATFORM, SCHEDULES, ".resources"})
#: Names that may hold secrets: left out of a folder with a warning. Other dotted names are treated alike.
SECRET_FILES = ("*.env", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "*.pfx", "*.p12")


def kind_of(item_type: str) -> ItemKind:
    """Return what is known of a kind of item; of one that is not in the table, nothing."""
    return KINDS.get(item_type) or ItemKind(item_type)


def has_definition(item_type: str) -> bool:
    """Whether items of a kind have a definition; those without are created from ``.platform`` alone."""
    return kind_of(item_type).has_definition


def format_of(item_type: str, paths: Iterable[str]) -> str | None:
    """Return the format to send with a definition, and to ask for when it is read back.

    :param item_type: kind, such as ``Notebook``.
    :param paths: paths of the definition's parts.
    :returns: a format such as ``ipynb``, or ``None`` to name none.
    """
    kind, known = kind_of(item_type), list(paths)
    return next((name for pattern, name in kind.formats if _any(pattern, known)), kind.format)


def in_order(item_type: str, paths: Iterable[str]) -> list[str]:
    """Return the paths of a definition's parts in the order in which they are sent.

    ``.platform`` comes first, then the kind's own parts as the table names them, then others by name. A notebook's
    ``*.json`` files come last: the service refuses a notebook whose resources precede its content.
    """
    kind = kind_of(item_type)

    def rank(path: str) -> tuple[int, int, str]:
        if path == PLATFORM:
            return (0, 0, path)
        for place, pattern in enumerate(kind.order):
            if _match(path, pattern):
                return (1, place, path)
        return (3 if _matches(path, kind.last) else 2, 0, path)

    return sorted(paths, key=rank)


def is_json_part(item_type: str, path: str) -> bool:
    """Whether a part must be JSON, and is compared as such."""
    kind = kind_of(item_type)
    if _matches(path, kind.free):
        return False
    return path.endswith(".json") or path == SCHEDULES or _matches(path, kind.json_parts)


def missing_parts(item_type: str, paths: Iterable[str]) -> str | None:
    """Return which parts a kind needs, in words, if they are not all there."""
    required, known = kind_of(item_type).required, list(paths)
    if not required or any(all(_any(pattern, known) for pattern in patterns) for patterns in required):
        return None
    return " or ".join(" with ".join(map(repr, patterns)) for patterns in required)


def clashing_parts(item_type: str, paths: Iterable[str]) -> tuple[str, str] | None:
    """Return two patterns that both match although a definition may hold only one of them."""
    known = list(paths)
    pairs = kind_of(item_type).exclusive
    return next((pair for pair in pairs if all(_any(pattern, known) for pattern in pair)), None)


def is_never_part(name: str) -> bool:
    """Whether a file or folder of that name is never part of a definition, which needs no mention."""
    return _matches(name, NEVER_PARTS)


def is_suspect(name: str) -> bool:
    """Whether a file or folder of that name is left out of a definition with a warning: it may hold secrets."""
    return (name.startswith(".") and name not in DOTTED_PARTS) or _matches(name.lower(), SECRET_FILES)


def _match(path: str, pattern: str) -> bool:
    return fnmatchcase(path, pattern) and ("/" in pattern or "/" not in path)


def _matches(path: str, patterns: Iterable[str]) -> bool:
    return any(_match(path, pattern) for pattern in patterns)


def _any(pattern: str, paths: Iterable[str]) -> bool:
    return any(_match(path, pattern) for path in paths)
