"""Files in OneLake: content and when it last changed, by item and path."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field


@dataclass
class File:
    """One file.

    :param staged: what was appended and not flushed yet.
    :param modified_at: epoch seconds.
    :param content_type: as its writer named it.
    :param metadata: as its writer named it.
    :param blocks: the blocks that it was committed from, by their ids; none if it was written otherwise.
    """

    content: bytes = b""
    staged: bytes = b""
    modified_at: float = 0.0
    etag: str = field(default_factory=lambda: f"0x{uuid.uuid4().hex[:15].upper()}")
    content_type: str = "application/octet-stream"
    metadata: dict[str, str] = field(default_factory=dict)
    blocks: dict[str, bytes] = field(default_factory=dict)

    def flush(self, now: float) -> None:
        """Make what was appended part of the file."""
        self.content, self.staged, self.modified_at = self.content + self.staged, b"", now
        self.blocks = {}
        self.etag = f"0x{uuid.uuid4().hex[:15].upper()}"


class FileStore:
    """The files of all items."""

    def __init__(self) -> None:
        self._all: dict[str, dict[str, File]] = {}
        self._uncommitted: dict[tuple[str, str], dict[str, bytes]] = {}

    def of_item(self, item_id: str) -> dict[str, File]:
        """Return an item's files by path."""
        return self._all.setdefault(item_id, {})

    def uncommitted(self, item_id: str, path: str) -> dict[str, bytes]:
        """Return the blocks that were put for a path and are not part of a file yet, by their ids."""
        return self._uncommitted.setdefault((item_id, path), {})

    def replace(self, item_id: str, path: str, file: File | None) -> None:
        """Put a file in the place of what was there, uncommitted blocks included; ``None`` deletes it."""
        self._uncommitted.pop((item_id, path), None)
        if file is None:
            del self.of_item(item_id)[path]
        else:
            self.of_item(item_id)[path] = file

    def directories(self, item_id: str) -> set[str]:
        """Return the paths of an item's directories: those that hold files, and what every item has."""
        found = {"Files", "Tables"}
        for path in self.of_item(item_id):
            parts = path.split("/")[:-1]
            found |= {"/".join(parts[:length]) for length in range(1, len(parts) + 1)}
        return found
