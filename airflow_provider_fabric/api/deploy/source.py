"""A folder of items on disk, as Fabric's Git integration writes it: found, read and checked. Nothing is sent.

https://learn.microsoft.com/fabric/cicd/git-integration/source-code-format: a folder with a ``.platform`` file is an
item (``Daily load.DataPipeline``); other folders are the workspace's folders. KQL databases lie in their eventhouse's
``.children`` and belong to the folder that the eventhouse lies in.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from airflow_provider_fabric.api.items.formats import KINDS, PLATFORM
from airflow_provider_fabric.api.models import is_guid
from airflow_provider_fabric.exceptions import FabricInputError

MAX_ITEMS = 1000
"""Of a workspace: https://learn.microsoft.com/fabric/fundamentals/workspaces#considerations-and-limitations"""

CHILDREN = ".children"
NO_LOGICAL_ID = "00000000-0000-0000-0000-000000000000"
"""What a definition that was exported through the API has: there is nothing to resolve."""


@dataclass(frozen=True)
class SourceItem:
    """One item of the folder.

    :param item_type: kind, such as ``DataPipeline``.
    :param display_name: its name.
    :param path: its folder's path from the root: ``Sales/Daily load.DataPipeline``.
    :param folder: the workspace's folder it belongs to: ``Sales``; empty for the root.
    :param directory: its folder on disk.
    :param logical_id: by which other items of the folder name it; ``None`` if it has none.
    :param description: ``None`` if ``.platform`` gives none.
    :param creation_payload: what a kind without a definition is created with.
    """

    item_type: str
    display_name: str
    path: str
    folder: str
    directory: Path = field(repr=False, compare=False)
    logical_id: str | None = None
    description: str | None = None
    creation_payload: Mapping[str, Any] | None = field(default=None, compare=False)

    @property
    def key(self) -> str:
        """Return ``Name.Type``, by which options name it."""
        return f"{self.display_name}.{self.item_type}"

    def __str__(self) -> str:
        return f"{self.item_type} {self.display_name!r}"


def read_source(folder: str | os.PathLike[str]) -> list[SourceItem]:
    """Return the items of a folder, by path.

    :param folder: path of the folder.
    :raises FabricInputError: it is not there, holds no item, or an item's ``.platform`` is wrong; the error names it.
    """
    root = _root(folder)
    items = [_read_platform(root, path) for path in sorted(_item_folders(root, root))]
    if not items:
        raise FabricInputError(
            f"folder: {os.fspath(folder)!r} holds no item: no folder below it has a file {PLATFORM!r}. Give the "
            "folder that Fabric's Git integration writes to, with folders such as 'Daily load.DataPipeline'."
        )
    if len(items) > MAX_ITEMS:
        raise FabricInputError(
            f"folder: {os.fspath(folder)!r} holds {len(items)} items; a workspace takes {MAX_ITEMS}. Split it."
        )
    _check_logical_ids(items)
    return items


def _root(folder: str | os.PathLike[str]) -> Path:
    if not isinstance(folder, str | os.PathLike) or not os.fspath(folder).strip():
        raise FabricInputError(f"folder must be the path of a folder of items, got {folder!r}.")
    try:
        root = Path(folder).resolve(strict=True)
        is_folder = root.is_dir()
    except (OSError, RuntimeError, ValueError):
        is_folder = False
    if not is_folder:
        raise FabricInputError(
            f"folder: there is no folder {os.fspath(folder)[:300]!r} on this worker. Deploy it with the DAGs, or give "
            "its full path."
        )
    if (root / PLATFORM).is_file():
        raise FabricInputError(
            f"folder: {os.fspath(folder)!r} is one item ({PLATFORM} lies in it). Give the folder above it, or use "
            "FabricUpsertItemDefinitionOperator."
        )
    return root


def _item_folders(root: Path, folder: Path, inside: bool = False) -> Iterator[Path]:
    """Yield the folders below one that are items; links are not followed.

    :param inside: whether ``folder`` lies in an item's folder.
    """
    if (folder / PLATFORM).is_file():
        inside = True
        yield folder
    try:
        entries = sorted(entry for entry in folder.iterdir() if entry.is_dir())
    except OSError as error:
        raise FabricInputError(f"folder: {_shown(root, folder)!r} cannot be read: {error.strerror}.") from error
    for entry in entries:
        if entry.is_symlink():
            if inside:  # a part of the item: see local_folder.py
                continue
            raise FabricInputError(
                f"folder: {_shown(root, entry)!r} is a symbolic link. Replace it by the folder that it leads to."
            )
        if entry.name.startswith(".") and not (inside and entry.name == CHILDREN):
            continue
        _, dot, kind = entry.name.rpartition(".")
        if dot and kind in KINDS and not inside and not (entry / PLATFORM).is_file():
            raise FabricInputError(
                f"folder: {_shown(root, entry)!r} is named like an item but has no file {PLATFORM!r}. Restore the "
                "file, or rename the folder."
            )
        yield from _item_folders(root, entry, inside)


def _shown(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


def _read_platform(root: Path, directory: Path) -> SourceItem:
    path = _shown(root, directory)
    metadata, logical_id = _platform(directory / PLATFORM, f"{path}/{PLATFORM}")
    return SourceItem(
        item_type=metadata["type"],
        display_name=metadata["displayName"],
        path=path,
        folder=_workspace_folder(root, directory),
        directory=directory,
        logical_id=logical_id,
        description=metadata.get("description"),
        creation_payload=metadata.get("creationPayload"),
    )


def _workspace_folder(root: Path, directory: Path) -> str:
    """Return the workspace's folder of an item: that of the outermost item it lies in."""
    parents = [parent for parent in directory.parents if parent.is_relative_to(root) and parent != root]
    outermost = next((parent for parent in reversed(parents) if (parent / PLATFORM).is_file()), directory)
    return "" if outermost.parent == root else _shown(root, outermost.parent)


def _platform(file: Path, shown: str) -> tuple[dict[str, Any], str | None]:
    """Return the metadata and the logical id of a ``.platform`` file."""

    def wrong(text: str) -> FabricInputError:
        return FabricInputError(f"folder: {shown!r} {text}")

    try:
        content = json.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise wrong(f"cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise wrong(f"is not valid JSON: {error}.") from error
    metadata = content.get("metadata") if isinstance(content, dict) else None
    config = content.get("config") if isinstance(content, dict) else None
    if not isinstance(metadata, dict) or not isinstance(config, dict):
        raise wrong("must be an object with 'metadata' and 'config', as Fabric's Git integration writes it.")
    for name in ("type", "displayName"):
        if not isinstance(metadata.get(name), str) or not metadata[name].strip():
            raise wrong(f"has no text in metadata.{name}.")
    if not isinstance(metadata.get("description"), str | None):
        raise wrong("has a metadata.description that is no text.")
    if not isinstance(metadata.get("creationPayload"), dict | None):
        raise wrong("has a metadata.creationPayload that is no object.")
    logical_id = config.get("logicalId")
    if not is_guid(logical_id):
        raise wrong(f"needs a GUID in config.logicalId, got {logical_id!r}.")
    return metadata, None if logical_id == NO_LOGICAL_ID else str(logical_id).lower()


def _check_logical_ids(items: list[SourceItem]) -> None:
    counts = Counter(item.logical_id for item in items if item.logical_id)
    for logical_id, count in counts.items():
        if count > 1:
            where = ", ".join(f"'{item.path}/{PLATFORM}'" for item in items if item.logical_id == logical_id)
            raise FabricInputError(
                f"folder: the logicalId {logical_id} is that of {count} items: {where}. Give each copy a new one."
            )


def relative_path(item: SourceItem, path: str) -> str:
    """Return the path from the root that a path from an item's folder leads to; empty if it leaves the root."""
    parts: list[str] = list(PurePosixPath(item.path).parts)
    for name in path.replace("\\", "/").split("/"):
        if name == "..":
            if not parts:
                return ""
            parts.pop()
        elif name not in ("", "."):
            parts.append(name)
    return "/".join(parts)
