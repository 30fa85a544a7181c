"""Folders of a workspace: listed once, found by path, made where they are missing, and items moved into them.

https://learn.microsoft.com/rest/api/fabric/core/folders. A folder is named by its path from the workspace's root,
``Sales/Daily``; names are compared as the service does, without regard to case.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_fabric.api.http.flow import Flow, Request, quote_segment
from airflow_provider_fabric.api.http.pages import list_all
from airflow_provider_fabric.api.http.retry import Replay, send
from airflow_provider_fabric.api.items.items import item_path, workspace_path
from airflow_provider_fabric.api.models import is_guid
from airflow_provider_fabric.exceptions import FabricAmbiguousError, FabricApiError, FabricInputError, FabricNameError

FORBIDDEN = frozenset('~"#.%&*:<>?/\\{|}')
"""https://learn.microsoft.com/fabric/fundamentals/workspaces-folders#folder-name-requirements"""

MAX_NAME = 255
MAX_DEPTH = 10
RESERVED = frozenset({"$recycle.bin", "recycled", "recycler"})
NAME_TAKEN = "FolderDisplayNameAlreadyInUse"


@dataclass(frozen=True)
class Folder:
    """A folder of a workspace.

    :param id: GUID.
    :param display_name: its name.
    :param parent_id: GUID of the folder it lies in, or ``None`` for the workspace's root.
    """

    id: str
    display_name: str
    parent_id: str | None = None

    @classmethod
    def from_wire(cls, content: Mapping[str, Any]) -> Folder:
        """Read the service's form."""
        parent = content.get("parentFolderId")
        parent_id = parent if isinstance(parent, str) and parent else None
        return cls(str(content.get("id") or ""), str(content.get("displayName") or ""), parent_id)


class FolderTree:
    """The folders of one workspace, by path.

    :param folders: all of them.
    """

    def __init__(self, folders: Iterable[Folder]) -> None:
        self._folders = {folder.id: folder for folder in folders}

    def add(self, folder: Folder) -> None:
        """Add a folder that was made."""
        self._folders[folder.id] = folder

    def path(self, folder_id: str | None) -> str:
        """Return a folder's path; empty for the root, and for a folder that is not known."""
        names: list[str] = []
        while folder_id in self._folders and len(names) <= len(self._folders):
            folder = self._folders[folder_id]
            names.insert(0, folder.display_name)
            folder_id = folder.parent_id
        return "/".join(names)

    def find(self, path: str) -> str | None:
        """Return the id of the folder at a path, ``None`` if there is none."""
        wanted = path.casefold()
        return next((id_ for id_ in self._folders if self.path(id_).casefold() == wanted), None) if path else None

    def __contains__(self, folder_id: object) -> bool:
        return folder_id in self._folders


def folder_names(path: str, field: str = "folder") -> list[str]:
    """Return the names in a folder's path, checked.

    :param path: such as ``Sales/Daily``; slashes at either end are ignored.
    :param field: what to call it in the error.
    :raises FabricInputError: the service would refuse a name, or the path is too deep.
    """
    names = [name for name in path.split("/") if name]
    if len(names) > MAX_DEPTH:
        raise FabricInputError(f"{field}: {path!r} is {len(names)} folders deep; Fabric allows {MAX_DEPTH}.")
    for name in names:
        wrong = sorted(FORBIDDEN & set(name))
        if wrong:
            raise FabricInputError(f"{field}: the folder name {name!r} holds {' '.join(wrong)}, which Fabric forbids.")
        if name != name.strip() or len(name) > MAX_NAME or name.lower() in RESERVED or not name.isprintable():
            raise FabricInputError(
                f"{field}: {name!r} cannot be a folder's name: it must have at most {MAX_NAME} characters, no space at "
                "its ends, no control character, and be no reserved name."
            )
    return names


def list_folders(workspace_id: str) -> Flow[list[Folder]]:
    """Return all folders of a workspace, all pages.

    https://learn.microsoft.com/rest/api/fabric/core/folders/list-folders

    :param workspace_id: GUID.
    """
    path = f"{workspace_path(workspace_id)}/folders"
    entries = yield from list_all(Request("GET", path, f"list folders of workspace {workspace_id}"))
    return [Folder.from_wire(entry) for entry in entries]


def create_folder(workspace_id: str, display_name: str, parent_id: str | None = None) -> Flow[Folder]:
    """Make a folder.

    https://learn.microsoft.com/rest/api/fabric/core/folders/create-folder

    :param workspace_id: GUID.
    :param display_name: its name.
    :param parent_id: GUID of the folder to make it in, or ``None`` for the workspace's root.
    """
    body = {"displayName": display_name} | ({"parentFolderId": parent_id} if parent_id else {})
    path = f"{workspace_path(workspace_id)}/folders"
    answer = yield from send(
        Request("POST", path, f"create folder {display_name!r}", json=body), replay=Replay.IF_UNSENT
    )
    return Folder.from_wire(answer.json_object())


def move_item(workspace_id: str, item_id: str, folder_id: str | None) -> Flow[None]:
    """Move an item into a folder.

    https://learn.microsoft.com/rest/api/fabric/core/items/move-item

    :param workspace_id: GUID.
    :param item_id: GUID.
    :param folder_id: GUID of the folder, or ``None`` for the workspace's root.
    """
    body = {"targetFolderId": folder_id} if folder_id else {}
    request = Request("POST", item_path(workspace_id, item_id) + "/move", f"move item {item_id}", json=body)
    yield from send(request, replay=Replay.SAFE)  # moving it to where it is already changes nothing


def ensure_folder(workspace_id: str, path: str, tree: FolderTree) -> Flow[str | None]:
    """Return the id of the folder at a path, and make what is missing of it.

    :param workspace_id: GUID.
    :param path: such as ``Sales/Daily``; empty for the root.
    :param tree: the workspace's folders; what is made is added to it.
    :returns: GUID, or ``None`` for the root.
    """
    parent: str | None = None
    so_far = ""
    for name in folder_names(path):
        so_far = f"{so_far}/{name}".lstrip("/")
        found = tree.find(so_far)
        parent = found or (yield from _make(workspace_id, name, parent, so_far, tree))
    return parent


def _make(workspace_id: str, name: str, parent: str | None, path: str, tree: FolderTree) -> Flow[str]:
    try:
        made = yield from create_folder(workspace_id, name, parent)
    except FabricAmbiguousError as error:
        return (yield from _made_meanwhile(workspace_id, path, tree, error))
    except FabricApiError as error:
        if error.error_code != NAME_TAKEN:
            raise
        return (yield from _made_meanwhile(workspace_id, path, tree, error))
    tree.add(made)
    return made.id


def _made_meanwhile(workspace_id: str, path: str, tree: FolderTree, error: Exception) -> Flow[str]:
    """Return the folder that somebody else made, or that we made without hearing of it."""
    for folder in (yield from list_folders(workspace_id)):
        tree.add(folder)
    found = tree.find(path)
    if found is None:
        raise error
    return found


def resolve_folder(workspace_id: str, folder: str, *, create: bool = True) -> Flow[str]:
    """Return a folder's id.

    :param workspace_id: GUID.
    :param folder: GUID, returned as it is with no call, or path from the workspace's root, such as ``Sales/Daily``.
    :param create: make what is missing.
    :raises FabricNameError: ``create=False``, and there is no such folder.
    """
    if is_guid(folder):
        return quote_segment(folder.lower(), "folder")
    if not folder_names(folder):
        raise FabricInputError(f"folder must be a GUID or a path such as 'Sales/Daily', got {folder!r}.")
    tree = FolderTree((yield from list_folders(workspace_id)))
    found = tree.find("/".join(folder_names(folder)))
    if found is None and create:
        found = yield from ensure_folder(workspace_id, folder, tree)
    if found is None:
        raise FabricNameError(f"There is no folder {folder!r} in workspace {workspace_id}.")
    return found
