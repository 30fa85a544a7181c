"""Files in OneLake: content and when it last changed, by item and path."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field


@dataclass
class File:
    """One file.

    :param staged: what was appended and not flushed yet.
    :param modified_at: epoch seconds.
    """

    content: bytes = b""
    staged: bytes = b""
    modified_at: float = 0.0
    etag: str = field(default_factory=lambda: f"0x{uuid.uuid4().hex[:15].upper()}")

    def flush(self, now: float) -> None:
        """Make what was appended part of the file."""
        self.content, self.staged, self.modified_at = self.content + self.staged, b"", now
        self.etag = f"0x{uuid.uuid4().hex[:15].upper()}"


class FileStore:
    """The files of all items."""

    def __init__(self) -> None:
        self._all: dict[str, dict[str, File]] = {}

    def of_item(self, item_id: str) -> dict[str, File]:
        """Return an item's files by path."""
        return self._all.setdefault(item_id, {})

    def directories(self, item_id: str) -> set[str]:
        """Return the paths of an item's directories: those that hold files, and what every item has."""
        found = {"Files", "Tables"}
        for path in self.of_item(item_id):
            parts = path.split("/")[:-1]
            found |= {"/".join(parts[:length]) for length in range(1, len(parts) + 1)}
        return found
