"""An item's folder on disk, in the layout of Fabric's Git integration: which of its files are parts of the definition.

https://learn.microsoft.com/fabric/cicd/git-integration/source-code-format. What editors, git and Power BI leave there
is no part, nor are sub-folders that are items of their own. What may hold secrets is left out and named in the log.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

from airflow_provider_fabric.api.items.formats import PLATFORM, is_never_part, is_suspect
from airflow_provider_fabric.exceptions import FabricInputError

log = logging.getLogger(__name__)


def find_part_files(folder: str | os.PathLike[str]) -> dict[str, Path]:
    """Return the files of a folder that are parts of the item's definition, by part path. No file is read.

    :param folder: an item's folder, such as ``definitions/Daily load.DataPipeline``.
    :raises FabricInputError: there is no such folder, it cannot be read, or a symbolic link in it leads out of it.
    """
    shown = os.fspath(folder)
    try:
        root = Path(folder).resolve(strict=True)
        if not root.is_dir():
            raise NotADirectoryError
    except (OSError, RuntimeError, ValueError) as error:
        raise FabricInputError(
            f"definition: there is no folder {shown[:200]!r}. Give the path of a folder in git-integration layout, "
            "such as 'definitions/Daily load.DataPipeline', or a mapping of part paths to contents."
        ) from error
    left_out: list[str] = []
    files = {path.relative_to(root).as_posix(): path for path in _files(root, root, (root,), left_out)}
    if left_out:
        log.warning("Not part of the definition in %s, left out: %s.", shown, ", ".join(map(repr, sorted(left_out))))
    return files


def read_part_files(files: dict[str, Path]) -> dict[str, bytes]:
    """Read what :func:`find_part_files` found.

    :raises FabricInputError: a file cannot be read.
    """
    parts = {}
    for path, file in files.items():
        try:
            parts[path] = file.read_bytes()
        except OSError as error:
            raise FabricInputError(f"definition: file {path!r} cannot be read: {error.strerror}.") from error
    return parts


def _files(root: Path, folder: Path, above: tuple[Path, ...], left_out: list[str]) -> Iterator[Path]:
    """Yield the part files below a folder; ``above`` are the real folders on the way to it."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise FabricInputError(f"definition: folder {folder.name!r} cannot be read: {error.strerror}.") from error
    for entry in entries:
        if is_never_part(entry.name):
            continue
        shown = entry.relative_to(root).as_posix()
        if is_suspect(entry.name):
            left_out.append(shown)
            continue
        target = _target(root, entry, shown)
        if target.is_file():
            yield entry
        elif not target.is_dir():
            left_out.append(shown)  # a socket, a pipe, a device
        elif target in above:
            raise FabricInputError(f"definition: the symbolic link {shown!r} leads back to a folder above it.")
        elif not (entry / PLATFORM).is_file():
            yield from _files(root, entry, (*above, target), left_out)
        else:
            log.info("%r is an item of its own and no part of the definition.", shown)


def _target(root: Path, entry: Path, shown: str) -> Path:
    """Return what an entry really is, which must lie in the folder."""
    try:
        target = entry.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise FabricInputError(f"definition: the symbolic link {shown!r} leads nowhere. Remove it.") from error
    if not target.is_relative_to(root):
        raise FabricInputError(
            f"definition: the symbolic link {shown!r} leads out of the folder, so it is not deployed. "
            "Replace it by the file itself, or remove it."
        )
    return target
