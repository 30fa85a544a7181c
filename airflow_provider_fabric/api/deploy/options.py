"""How a folder is deployed: the options, checked before anything is read or sent."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_fabric.api.deploy.selection import check_kind
from airflow_provider_fabric.exceptions import FabricInputError

SCHEDULES = ("deploy", "leave", "disabled")
ON_FAILURE = ("stop", "continue")
REPLACE_MISSING = ("fail", "ignore")

REMOVABLE_TYPES = (
    "VariableLibrary",
    "Environment",
    "UserDataFunction",
    "SparkJobDefinition",
    "Notebook",
    "SemanticModel",
    "Report",
    "PaginatedReport",
    "CopyJob",
    "DataBuildToolJob",
    "KQLQueryset",
    "Dataflow",
    "DataPipeline",
    "Reflex",
    "Eventstream",
    "KQLDashboard",
    "GraphQLApi",
    "ApacheAirflowJob",
    "MountedDataFactory",
    "DataAgent",
    "Map",
)
"""Kinds whose items are their definition, so that removing one loses nothing that is not in Git. All others hold data
(lakehouses, warehouses, databases, experiments, …) and are removed only if they are named."""

NEVER_REMOVABLE = frozenset({"SQLEndpoint", "Dashboard", "Datamart", "MirroredWarehouse"})
"""Kinds that belong to other items, or that no deployment makes."""


@dataclass(frozen=True)
class DeployOptions:
    """The options of :func:`~airflow_provider_fabric.api.deploy.flow.deploy_folder`, where they are described."""

    items: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()
    item_types: tuple[str, ...] | None = None
    replace: Mapping[str, Any] | None = None
    replace_missing: str = "fail"
    parameter_file: str | os.PathLike[str] | None = None
    environment: str | None = None
    folders: bool = True
    schedules: str = "deploy"
    remove_orphans: bool = False
    removable_types: tuple[str, ...] = REMOVABLE_TYPES
    max_removals: int | None = None
    on_failure: str = "stop"
    dry_run: bool = False

    @classmethod
    def read(cls, **given: Any) -> DeployOptions:
        """Return the options, checked.

        :raises FabricInputError: one is of the wrong kind, or has no such value.
        """
        for name in ("items", "exclude", "item_types", "removable_types"):
            given[name] = _texts(name, given.get(name))
        given["exclude"] = given["exclude"] or ()
        given["removable_types"] = REMOVABLE_TYPES if given["removable_types"] is None else given["removable_types"]
        for name, known in (("schedules", SCHEDULES), ("on_failure", ON_FAILURE), ("replace_missing", REPLACE_MISSING)):
            if name in given and given[name] not in known:
                raise FabricInputError(f"{name} must be one of {', '.join(map(repr, known))}, got {given[name]!r}.")
        for name in ("folders", "remove_orphans", "dry_run"):
            if not isinstance(given.get(name, False), bool):
                raise FabricInputError(f"{name} must be True or False, got {given[name]!r}.")
        if not isinstance(given.get("environment"), str | None) or given.get("environment") == "":
            raise FabricInputError(f"environment must be a name such as 'PROD', got {given['environment']!r}.")
        _check_removals(given["removable_types"], given.get("max_removals"))
        return cls(**given)


def _texts(name: str, value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    values: list[Any] = (
        list(value) if isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping) else [None]
    )
    if not all(isinstance(entry, str) and entry.strip() for entry in values):
        raise FabricInputError(f"{name} must be a list of texts, got {value!r}.")
    return tuple(values)


def _check_removals(removable_types: Iterable[str], max_removals: object) -> None:
    for kind in removable_types:
        if kind in NEVER_REMOVABLE:
            raise FabricInputError(f"removable_types: items of type {kind!r} are removed with the item they belong to.")
        check_kind(kind, "removable_types")
    if max_removals is None:
        return
    if not isinstance(max_removals, int) or isinstance(max_removals, bool) or max_removals < 0:
        raise FabricInputError(f"max_removals must be a number of items, or None for no limit, got {max_removals!r}.")
