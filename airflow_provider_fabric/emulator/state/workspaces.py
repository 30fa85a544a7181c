"""Workspaces and their folders: state, and who may see them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from airflow_provider_fabric.emulator.errors import ServiceError, not_found
from airflow_provider_fabric.emulator.state.capacities import CAPACITY_ID
from airflow_provider_fabric.emulator.state.git import GitConnection
from airflow_provider_fabric.emulator.state.identities import Identity
from airflow_provider_fabric.emulator.state.ids import new_id, read_guid


@dataclass
class Folder:
    """A folder of a workspace."""

    id: str
    number: int
    workspace_id: str
    display_name: str
    parent_id: str | None

    def to_wire(self) -> dict[str, Any]:
        """Return the OpenAPI ``Folder``."""
        body = {"id": self.id, "displayName": self.display_name, "workspaceId": self.workspace_id}
        if self.parent_id:
            body["parentFolderId"] = self.parent_id
        return body


@dataclass
class Workspace:
    """A workspace with its folders; items live in their own store.

    :param capacity_id: ``None`` on shared capacity.
    :param git: its connection to Git, if it has one.
    """

    id: str
    number: int
    display_name: str
    description: str
    capacity_id: str | None = CAPACITY_ID
    folders: dict[str, Folder] = field(default_factory=dict)
    git: GitConnection | None = None

    def to_wire(self) -> dict[str, Any]:
        """Return the OpenAPI ``Workspace``."""
        shown = {
            "id": self.id,
            "displayName": self.display_name,
            "description": self.description,
            "type": "Workspace",
        }
        if self.capacity_id is None:
            return shown
        return {**shown, "capacityId": self.capacity_id, "capacityRegion": "East US"}

    def folder(self, folder_id: str) -> Folder:
        """Return a folder.

        :raises ServiceError: 404 ``FolderNotFound``.
        """
        found = self.folders.get(folder_id)
        if found is None:
            raise not_found("FolderNotFound", "folder", folder_id)
        return found

    def folder_path(self, folder_id: str | None) -> str:
        """Return a folder's path from the root, ``Sales/Daily``; empty for the root."""
        names: list[str] = []
        while folder_id in self.folders:
            folder = self.folders[folder_id]
            names.insert(0, folder.display_name)
            folder_id = folder.parent_id
        return "/".join(names)

    def folders_below(self, folder_id: str | None, *, recursive: bool) -> set[str | None]:
        """Return ``folder_id`` and, when ``recursive``, every folder under it."""
        found: set[str | None] = {folder_id}
        if recursive:
            for folder in self.folders.values():  # parents were created before their children
                if folder.parent_id in found:
                    found.add(folder.id)
        return found


class WorkspaceStore:
    """All workspaces of the tenant."""

    def __init__(self) -> None:
        self._all: dict[str, Workspace] = {}
        self._numbers = 0

    def create(self, display_name: str, description: str = "", workspace_id: str | None = None) -> Workspace:
        """Add a workspace.

        :raises ServiceError: 409 when the name is taken.
        """
        if any(entry.display_name == display_name for entry in self._all.values()):
            raise ServiceError(409, "WorkspaceNameAlreadyExists", f"A workspace named '{display_name}' exists")
        if workspace_id in self._all:
            raise ServiceError(409, "WorkspaceAlreadyExists", f"A workspace with id '{workspace_id}' exists")
        self._numbers += 1
        created = Workspace(workspace_id or new_id(), self._numbers, display_name, description)
        self._all[created.id] = created
        return created

    def all(self, identity: Identity) -> list[Workspace]:
        """Return what ``identity`` may see."""
        return [entry for entry in self._all.values() if identity.may_see(entry.id)]

    def get(self, workspace_id: str) -> Workspace | None:
        """Return a workspace, whoever asks for it."""
        return self._all.get(workspace_id)

    def visible_to(self, identity: Identity, workspace_id: str) -> Workspace:
        """Return the workspace with an id, if ``identity`` may see it.

        :raises ServiceError: 400 for an id that is no GUID, 404 ``WorkspaceNotFound``, 403 when hidden from the caller.
        """
        found = self._all.get(workspace_id) or self._all.get(read_guid(workspace_id, "workspaceId"))
        if found is None:
            raise not_found("WorkspaceNotFound", "workspace", workspace_id)
        if not identity.may_see(found.id):
            raise ServiceError(
                403,
                "InsufficientPrivileges",
                "The caller does not have sufficient permissions to access the workspace",
            )
        return found

    def remove(self, workspace_id: str) -> None:
        """Forget a workspace."""
        del self._all[workspace_id]

    def add_folder(self, workspace: Workspace, display_name: str, parent_id: str | None) -> Folder:
        """Add a folder.

        :raises ServiceError: 404 for an unknown parent, 409 for a name taken under it.
        """
        if parent_id is not None:
            workspace.folder(parent_id)
        siblings = (entry for entry in workspace.folders.values() if entry.parent_id == parent_id)
        if any(entry.display_name == display_name for entry in siblings):
            raise ServiceError(409, "FolderDisplayNameAlreadyInUse", "Folder display name is already used")
        self._numbers += 1
        created = Folder(new_id(), self._numbers, workspace.id, display_name, parent_id)
        workspace.folders[created.id] = created
        return created
