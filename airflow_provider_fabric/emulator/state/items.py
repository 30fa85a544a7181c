"""Items of a workspace: the store with its name rules, and what a dataflow remembers about publishing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_fabric.emulator.errors import ServiceError, not_found
from airflow_provider_fabric.emulator.state.config import Config
from airflow_provider_fabric.emulator.state.definitions import Parts, default_parts
from airflow_provider_fabric.emulator.state.ids import new_id, read_guid
from airflow_provider_fabric.emulator.state.jobs import JobInstance

NameKey = tuple[str, str, "str | None", str]


@dataclass
class Item:
    """One item.

    :param revision: counts changes of the definition; a dataflow runs the revision published last.
    :param definition_format: format in which ``parts`` were written; ``None`` for kinds that have none.
    :param publish_ends_at: when an environment's last publish ends (epoch seconds); ``None`` if there was none.
    :param publish_cancelled: whether that publish was cancelled.
    :param active_value_set: of a variable library; empty for its default values.
    :param tables: of a lakehouse: ``name``, and what a refresh of the SQL endpoint says of it (``status``, ``error``).
    :param mirroring: of a mirrored database: the status that it has, or changes to until ``mirroring_settles_at``.
    :param publishing: publish jobs not known to have ended, each with the revision it publishes.
    """

    id: str
    number: int
    workspace_id: str
    type: str
    display_name: str
    description: str
    folder_id: str | None
    parts: Parts
    logical_id: str = field(default_factory=new_id)
    revision: int = 0
    published_revision: int = 0
    publishing: list[tuple[JobInstance, int]] = field(default_factory=list)
    modified_at: float = 0
    modified_by: str = ""
    definition_format: str | None = None
    publish_ends_at: float | None = None
    publish_cancelled: bool = False
    active_value_set: str = ""
    tables: list[dict[str, Any]] = field(default_factory=list)
    mirroring: str = "Initialized"
    mirroring_settles_at: float = 0.0

    def to_wire(self) -> dict[str, Any]:
        """Return the OpenAPI ``Item``."""
        body = {
            "id": self.id,
            "type": self.type,
            "displayName": self.display_name,
            "description": self.description,
            "workspaceId": self.workspace_id,
        }
        if self.folder_id:
            body["folderId"] = self.folder_id
        return body


class ItemStore:
    """All items, by id and by workspace; names are unique per type and folder."""

    def __init__(self) -> None:
        self._all: dict[str, Item] = {}
        self._by_workspace: dict[str, dict[str, Item]] = {}
        self._names: dict[NameKey, str] = {}
        self._reserved: dict[NameKey, float] = {}
        self._numbers = 0

    def create(
        self,
        workspace_id: str,
        item_type: str,
        display_name: str,
        *,
        description: str = "",
        folder_id: str | None = None,
        parts: Parts | None = None,
        item_id: str | None = None,
    ) -> Item:
        """Add an item; the caller has made sure that the name is free."""
        if item_id in self._all:
            raise ServiceError(409, "ItemAlreadyExists", f"An item with id '{item_id}' exists")
        self._numbers += 1
        created = Item(
            item_id or new_id(),
            self._numbers,
            workspace_id,
            item_type,
            display_name,
            description,
            folder_id,
            default_parts(item_type) if parts is None else parts,
            revision=1,
        )
        self._all[created.id] = created
        self._by_workspace.setdefault(workspace_id, {})[created.id] = created
        self._names[_name_key(created)] = created.id
        return created

    def get(self, item_id: str) -> Item | None:
        """Return an item by id alone."""
        return self._all.get(item_id)

    def find(self, workspace_id: str, item_id: str, item_type: str | None = None) -> Item:
        """Return the item with an id, if it is in the workspace.

        :param item_type: the only type it may have; ``None`` is any.
        :raises ServiceError: 400 for an id that is no GUID, 404 ``ItemNotFound``.
        """
        found = self._all.get(item_id) or self._all.get(read_guid(item_id, "itemId"))
        right_type = found is not None and item_type in (None, found.type)
        if found is None or found.workspace_id != workspace_id or not right_type:
            raise not_found("ItemNotFound", "item", item_id)
        return found

    def of_workspace(self, workspace_id: str) -> Iterator[Item]:
        """Return the items of a workspace in the order of their creation."""
        return iter(self._by_workspace.get(workspace_id, {}).values())

    def check_name(
        self, config: Config, now: float, workspace_id: str, item_type: str, folder_id: str | None, name: str
    ) -> None:
        """Refuse a name in use, and one that a deleted item still holds.

        :raises ServiceError: ``ItemDisplayNameAlreadyInUse`` or ``ItemDisplayNameNotAvailableYet``.
        """
        if item_type in config.duplicate_names_allowed:
            return
        key: NameKey = (workspace_id, item_type, folder_id, name.casefold())
        if key in self._names:
            raise ServiceError(
                config.name_conflict_status,
                "ItemDisplayNameAlreadyInUse",
                f"Requested '{name}' is already in use",
                is_retriable=False,
            )
        until = self._reserved.get(key)
        if until is None:
            return
        if now < until:
            raise ServiceError(
                config.name_reservation_status,
                "ItemDisplayNameNotAvailableYet",
                f"Requested '{name}' is not available yet and is expected to become available shortly",
                is_retriable=True,
            )
        del self._reserved[key]

    def rename(self, item: Item, name: str) -> None:
        """Give an item another name; the caller has checked it."""
        self._release_name(item)
        item.display_name = name
        self._names[_name_key(item)] = item.id

    def move(self, item: Item, folder_id: str | None) -> None:
        """Put an item into another folder; the caller has checked that its name is free there."""
        self._release_name(item)
        item.folder_id = folder_id
        self._names[_name_key(item)] = item.id

    def remove(self, item: Item, reserved_until: float | None) -> None:
        """Delete an item; its name stays reserved until the given time (epoch seconds)."""
        del self._all[item.id]
        del self._by_workspace[item.workspace_id][item.id]
        self._release_name(item)
        if reserved_until is not None:
            self._reserved[_name_key(item)] = reserved_until

    def remove_workspace(self, workspace_id: str) -> None:
        """Delete every item of a workspace."""
        for item in list(self.of_workspace(workspace_id)):
            self.remove(item, None)

    def _release_name(self, item: Item) -> None:
        if self._names.get(_name_key(item)) == item.id:
            del self._names[_name_key(item)]


def _name_key(item: Item) -> NameKey:
    return (item.workspace_id, item.type, item.folder_id, item.display_name.casefold())
