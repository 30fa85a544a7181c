"""Which of a folder's items are deployed, and what is wrong with them as a set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from airflow_provider_fabric.api.deploy.source import SourceItem
from airflow_provider_fabric.api.items.folders import folder_names
from airflow_provider_fabric.api.items.formats import KINDS, PLATFORM
from airflow_provider_fabric.exceptions import FabricInputError

OTHER_KINDS = frozenset(
    {
        "AnomalyDetector",
        "DigitalTwinBuilder",
        "DigitalTwinBuilderFlow",
        "EventSchemaSet",
        "GraphQuerySet",
        "MirroredAzureDatabricksCatalog",
        "MirroredCatalog",
        "OperationsAgent",
        "SnowflakeDatabase",
    }
)
"""Kinds with a definition that Fabric's ``ItemType`` names and our table has nothing to say about."""

KNOWN_KINDS = frozenset(KINDS) | OTHER_KINDS


def matches(patterns: Iterable[str], *names: str) -> bool:
    """Whether one of some shell patterns fits one of an item's names: ``Name.Type``, or its path in the folder."""
    return any(fnmatchcase(name, pattern.strip("/")) for pattern in patterns for name in names)


def select(
    source: Sequence[SourceItem],
    *,
    items: Sequence[str] | None,
    exclude: Sequence[str] | None,
    item_types: Sequence[str] | None,
    folders: bool,
) -> list[SourceItem]:
    """Return the items to deploy.

    :param source: all items of the folder.
    :param items: patterns of ``Name.Type`` or of paths; each must fit an item.
    :param exclude: patterns of what is left out.
    :param item_types: kinds to deploy.
    :param folders: whether folders are deployed too.
    :raises FabricInputError: nothing is left, a pattern fits nothing, or what is left cannot be deployed together.
    """
    for pattern in items or ():
        if not any(matches([pattern], item.key, item.path) for item in source):
            raise FabricInputError(
                f"items: {pattern!r} fits no item of the folder." + _suggestion(pattern, [item.key for item in source])
            )
    for kind in item_types or ():
        check_kind(kind, "item_types")
    chosen = [
        item
        for item in source
        if (items is None or matches(items, item.key, item.path))
        and not matches(exclude or (), item.key, item.path)
        and (item_types is None or item.item_type in item_types)
    ]
    if not chosen:
        raise FabricInputError(f"items, exclude and item_types leave none of the {len(source)} items of the folder.")
    for item in chosen:
        check_kind(item.item_type, f"folder: '{item.path}/{PLATFORM}'")
        if folders:
            folder_names(item.folder, f"folder: {item.path!r}")
    _check_names(chosen, folders)
    return chosen


def check_kind(kind: str, where: str) -> None:
    """Refuse a kind of item that Fabric does not have.

    :param where: what to call the place in the error.
    """
    if kind not in KNOWN_KINDS:
        raise FabricInputError(
            f"{where}: {kind!r} is no kind of item that can be deployed." + _suggestion(kind, KNOWN_KINDS)
        )


def _suggestion(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, sorted(known), n=3, cutoff=0.5)
    return f" Did you mean {' or '.join(map(repr, near))}?" if near else ""


def _check_names(chosen: Sequence[SourceItem], folders: bool) -> None:
    """Refuse two items that would be one in the workspace."""
    seen: dict[tuple[str, str, str], SourceItem] = {}
    for item in chosen:
        place = item.folder.casefold() if folders else ""
        other = seen.setdefault((item.item_type, place, item.display_name.casefold()), item)
        if other is not item:
            raise FabricInputError(
                f"folder: {other.path!r} and {item.path!r} are both the {item.item_type} {item.display_name!r} of "
                f"{'one folder' if folders else 'the workspace (folders=False)'}. Rename one, or exclude it."
            )
