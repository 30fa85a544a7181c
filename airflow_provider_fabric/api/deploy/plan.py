"""What is to be done in a workspace so that it is what a folder says: found out from one listing, before any write."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from airflow_provider_fabric.api.deploy.options import NEVER_REMOVABLE, DeployOptions
from airflow_provider_fabric.api.deploy.prepare import PreparedFolder, PreparedItem
from airflow_provider_fabric.api.deploy.properties import PROPERTIES
from airflow_provider_fabric.api.deploy.references import RANK
from airflow_provider_fabric.api.deploy.selection import matches
from airflow_provider_fabric.api.deploy.source import SourceItem
from airflow_provider_fabric.api.items.folders import FolderTree
from airflow_provider_fabric.api.models import Item
from airflow_provider_fabric.exceptions import FabricInputError, FabricNameError

STAGING_PREFIXES = ("DataflowsStaging", "StagingLakehouseForDataflows", "StagingWarehouseForDataflows")
"""Items that Fabric makes for dataflows and that no folder of a repository holds."""

OWNERS_OF_MODELS = frozenset({"Lakehouse", "Warehouse", "SQLDatabase", "MirroredDatabase"})
"""Kinds that come with a semantic model of the same name."""


@dataclass(frozen=True)
class Step:
    """One item that is deployed.

    :param prepared: the item.
    :param existing: what the workspace has of it, perhaps in another folder.
    """

    prepared: PreparedItem
    existing: Item | None


@dataclass(frozen=True)
class Plan:
    """What is to be done.

    :param steps: items to deploy, in order.
    :param found: what the workspace has of the folder's items, also of those that are not deployed.
    :param orphans: items to remove, in order.
    """

    steps: list[Step] = field(default_factory=list)
    found: dict[SourceItem, Item] = field(default_factory=dict)
    orphans: list[Item] = field(default_factory=list)


class Workspace:
    """The items and folders of a workspace, as one listing has them.

    :param items: all items.
    :param tree: all folders; an empty one if folders do not count.
    :param folders: whether an item's folder is part of what it is.
    """

    def __init__(self, items: Iterable[Item], tree: FolderTree, *, folders: bool) -> None:
        self.items = list(items)
        self.tree = tree
        self.folders = folders

    def folder_of(self, item: Item) -> str:
        """Return the path of an item's folder; of a folder that is not listed, its id."""
        if item.folder_id is None or item.folder_id in self.tree:
            return self.tree.path(item.folder_id)
        return f"<{item.folder_id}>"

    def find(self, source: Iterable[SourceItem], chosen: Collection[SourceItem]) -> dict[SourceItem, Item]:
        """Return which items are there already: in their folder, or the only one of that name elsewhere.

        :param source: items of the folder.
        :param chosen: those that are deployed, of which it must be clear.
        :raises FabricNameError: several are of that kind and name, or one whose name differs only in case.
        """
        found: dict[SourceItem, Item] = {}
        elsewhere: dict[SourceItem, list[Item]] = {}
        for item in source:
            same = [one for one in self.items if (one.type, one.display_name) == (item.item_type, item.display_name)]
            here = [one for one in same if not self.folders or _same(self.folder_of(one), item.folder)]
            if len(here) == 1:
                found[item] = here[0]
            elif not here:
                elsewhere[item] = same
            elif item in chosen:
                raise self._several(item, here)
        claimed = {one.id for one in found.values()}
        for item, same in elsewhere.items():
            left = [one for one in same if one.id not in claimed]
            if len(left) == 1:
                found[item] = left[0]
                claimed.add(left[0].id)
            elif item in chosen and left:
                raise self._several(item, left)
            elif item in chosen:
                self._check_case(item)
        return found

    def _several(self, item: SourceItem, found: list[Item]) -> FabricNameError:
        listed = ", ".join(f"{one.id} in folder {self.folder_of(one) or '/'!r}" for one in found)
        return FabricNameError(
            f"{len(found)} items of type {item.item_type} are named {item.display_name!r} ({listed}), so it is not "
            f"clear which one {item.path!r} is. Rename, move or delete all but one."
        )

    def _check_case(self, item: SourceItem) -> None:
        for one in self.items:
            alike = one.type == item.item_type and _same(one.display_name, item.display_name)
            if alike and one.display_name != item.display_name and _same(self.folder_of(one), item.folder):
                raise FabricNameError(
                    f"{item.path!r}: the workspace has {one.type} {one.display_name!r} ({one.id}), whose name differs "
                    f"only in case from {item.display_name!r}. Make the two names equal."
                )


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()


def make_plan(folder: PreparedFolder, workspace: Workspace, options: DeployOptions) -> Plan:
    """Return what is to be done.

    :raises FabricInputError: an item names one that is neither deployed nor there, or too many would be removed.
    """
    chosen = {prepared.source for prepared in folder.items}
    found = workspace.find(folder.source, chosen)
    for prepared in folder.items:
        _check_needs(prepared, chosen, found)
        _check_values(prepared, chosen, workspace.items)
        _check_databases(prepared, folder.source, workspace.items)
    orphans = _orphans(folder, workspace, found, options) if options.remove_orphans else []
    if options.max_removals is not None and len(orphans) > options.max_removals:
        listed = ", ".join(f"{item.display_name}.{item.type}" for item in orphans[:20])
        raise FabricInputError(
            f"max_removals is {options.max_removals}, and {len(orphans)} items of the workspace are not in the folder: "
            f"{listed}. Nothing was changed. Exclude them, or allow more."
        )
    return Plan([Step(prepared, found.get(prepared.source)) for prepared in folder.items], found, orphans)


def _check_needs(prepared: PreparedItem, chosen: set[SourceItem], found: Mapping[SourceItem, Item]) -> None:
    missing = [item for item in prepared.needs if item not in chosen and item not in found]
    if missing:
        raise FabricInputError(
            f"folder: {prepared.source.path!r} names {min(item.path for item in missing)!r}, which is not deployed "
            "(items, exclude, item_types) and is not in the workspace. Deploy it too."
        )


def _check_values(prepared: PreparedItem, chosen: set[SourceItem], items: Iterable[Item]) -> None:
    """Check that ``$items.Type.Name.attribute`` can be had."""
    known = {(item.item_type, item.display_name) for item in chosen} | {(i.type, i.display_name) for i in items}
    for rule in prepared.rules:
        value = rule.item_value
        if value is None:
            continue
        if (value.item_type, value.display_name) not in known:
            raise FabricInputError(
                f"parameter_file, {rule.where}: {rule.value!r} is needed by {prepared.source.path!r}, but there is no "
                f"{value.item_type} {value.display_name!r}, neither among what is deployed nor in the workspace."
            )
        if value.attribute != "id" and (value.item_type, value.attribute) not in PROPERTIES:
            raise FabricInputError(
                f"parameter_file, {rule.where}: items of type {value.item_type} have no {value.attribute!r}."
            )


def _check_databases(prepared: PreparedItem, source: Iterable[SourceItem], items: Iterable[Item]) -> None:
    known = {item.logical_id for item in source} | {item.id.lower() for item in items}
    for database in prepared.databases:
        if database.lower() not in known:
            raise FabricInputError(
                f"folder: {prepared.source.path!r} names the KQL database {database} and no cluster (clusterUri), but "
                "the database is neither in the folder nor in the workspace."
            )


def _orphans(
    folder: PreparedFolder, workspace: Workspace, found: Mapping[SourceItem, Item], options: DeployOptions
) -> list[Item]:
    """Return the items that the folder does not have and that may be removed; what needs others goes first."""
    known = {item.id for item in found.values()}
    named = {(item.item_type, item.display_name) for item in folder.source if item not in found}
    owners = {item.display_name for item in workspace.items if item.type in OWNERS_OF_MODELS}
    orphans = []
    for item in workspace.items:
        place = workspace.folder_of(item)
        names = (f"{item.display_name}.{item.type}", f"{place}/{item.display_name}.{item.type}".lstrip("/"))
        if (
            item.id not in known
            and (item.type, item.display_name) not in named
            and item.type in options.removable_types
            and item.type not in NEVER_REMOVABLE
            and (options.item_types is None or item.type in options.item_types)
            and (options.items is None or matches(options.items, *names))
            and not matches(options.exclude, *names)
            and not item.display_name.startswith(STAGING_PREFIXES)
            and not (item.type == "SemanticModel" and item.display_name in owners)
        ):
            orphans.append(item)
    return sorted(orphans, key=lambda item: -RANK.get(item.type, len(RANK)))
