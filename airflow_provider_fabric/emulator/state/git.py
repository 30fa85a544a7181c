"""What Git holds and a workspace does not, and the other way round: the changes that a Git connection shows.

Shapes: ``GitStatusResponse`` and ``ItemChange`` of the platform file (``gitIntegration.json``).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_fabric.emulator.errors import ServiceError, invalid_input

CHANGES = ("Added", "Modified", "Deleted")
SIDES = ("remoteChange", "workspaceChange")


@dataclass
class GitConnection:
    """A workspace's connection to a branch.

    :param workspace_head: commit that the workspace is at.
    :param remote_commit: latest commit of the branch.
    :param changes: entries of ``changes``.
    """

    workspace_head: str
    remote_commit: str
    changes: list[dict[str, Any]] = field(default_factory=list)

    def to_wire(self) -> dict[str, Any]:
        """Return the OpenAPI ``GitStatusResponse``."""
        return {
            "workspaceHead": self.workspace_head,
            "remoteCommitHash": self.remote_commit,
            "changes": self.changes,
        }

    def check_head(self, head: Any) -> None:
        """Refuse a request that was made for another state of the workspace.

        :raises ServiceError: 400 ``WorkspaceHeadMismatch``.
        """
        if head != self.workspace_head:
            text = "Head in the request doesn't match the head in the system"
            raise ServiceError(400, "WorkspaceHeadMismatch", text, is_retriable=False)

    def take(self, side: str, chosen: set[str] | None = None) -> list[dict[str, Any]]:
        """Remove the changes of one side, and return them.

        :param side: ``remoteChange`` or ``workspaceChange``.
        :param chosen: ids of the items it is about; ``None`` for all.
        """
        taken = [c for c in self.changes if side in c and (chosen is None or chosen & ids_of(c))]
        self.changes = [change for change in self.changes if change not in taken]
        return taken

    def commit(self, comment: str) -> None:
        """Add a commit to the branch, which the workspace is at then."""
        text = f"{self.remote_commit} {comment} {len(self.changes)}"
        self.workspace_head = self.remote_commit = commit_hash(text)


def commit_hash(text: str) -> str:
    """Return what looks like the hash of a commit."""
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def ids_of(change: dict[str, Any]) -> set[str]:
    """Return the ids, of either kind, of the item that a change is about."""
    return set(change["itemMetadata"]["itemIdentifier"].values())


def read_change(body: Any) -> dict[str, Any]:
    """Read a seeded change.

    :raises ServiceError: 400 for a wrong shape.
    """
    if not isinstance(body, dict) or not {"itemType", "displayName"} <= set(body) or not set(SIDES) & set(body):
        raise invalid_input(f"A change needs itemType, displayName, and {' or '.join(SIDES)}")
    if any(body.get(side, "Added") not in CHANGES for side in SIDES):
        raise invalid_input(f"A change is one of {', '.join(CHANGES)}")
    both = all(side in body for side in SIDES)
    identifier = {key: str(body[key]) for key in ("objectId", "logicalId") if key in body}
    return {
        "itemMetadata": {
            "itemIdentifier": identifier,
            "itemType": str(body["itemType"]),
            "displayName": str(body["displayName"]),
        },
        **{side: body[side] for side in SIDES if side in body},
        "conflictType": "Conflict" if both else "None",
    }
