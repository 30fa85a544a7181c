"""Which id a name had when its list was last read: remembered for other processes, never believed.

What is found here is an :class:`UnconfirmedId`. It turns into an id only in :mod:`airflow_provider_fabric.api.items
.confirmed_names`, by the service's own answer. A list that was read more than :data:`LIST_SECONDS` ago is not asked any
more, since other items may have got the same names meanwhile.

Files hold names, ids and times; nothing else. They are kept apart by API host and identity, because another identity
sees other items.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_fabric.api.local_cache.directory import PrivateDirectory
from airflow_provider_fabric.api.local_cache.locks import FileLock
from airflow_provider_fabric.api.local_cache.stamps import Stamp
from airflow_provider_fabric.api.models import is_guid

LIST_SECONDS = 900.0
"""Seconds for which a list says that a name is the only one of its kind."""

WORKSPACE_SECONDS = 30.0
"""Seconds for which a workspace that was read is taken to bear its name still: for all tasks of the host together."""


@dataclass(frozen=True)
class UnconfirmedId:
    """An id that a name had once.

    :param unconfirmed: the id.
    :param confirmed_at: when the service last said that it bears this name, for workspaces.
    """

    unconfirmed: str
    confirmed_at: Stamp | None = None


class KnownNames:
    """The remembered names of one identity at one host.

    :param directory: where the files lie.
    :param identity: who it is, as a digest.
    :param clock: present time.
    """

    def __init__(self, directory: PrivateDirectory, identity: str, *, clock: Callable[[], Stamp] = Stamp.now) -> None:
        self._directory = directory
        self._identity = identity
        self.now = clock

    def item(self, workspace_id: str, item_type: str | None, name: str) -> UnconfirmedId | None:
        """Return the id that an item had."""
        ids = self._read("items", workspace_id, item_type).get("ids")
        return _unconfirmed(ids.get(name) if isinstance(ids, dict) else None)

    def keep_items(self, workspace_id: str, item_type: str | None, ids: Mapping[str, str], listed_at: Stamp) -> None:
        """Remember the names of a list.

        :param ids: name → id, of names that only one item of the list has.
        :param listed_at: time before the list was asked for.
        """
        self._write({"ids": dict(ids), "listed": listed_at.to_state()}, "items", workspace_id, item_type)

    def workspace(self, name: str) -> UnconfirmedId | None:
        """Return the id that a workspace had."""
        content = self._read("workspace", name)
        return _unconfirmed(content.get("id"), Stamp.from_state(content.get("confirmed")))

    def is_fresh(self, found: UnconfirmedId) -> bool:
        """Whether the service said only seconds ago that the workspace bears the name."""
        return found.confirmed_at is not None and found.confirmed_at.is_within(WORKSPACE_SECONDS, self.now())

    def keep_workspace(self, name: str, workspace_id: str, *, asked_at: Stamp, listed: bool) -> None:
        """Remember a workspace.

        :param asked_at: time before the service was asked.
        :param listed: the answer was the list of all workspaces.
        """
        listed_at = asked_at.to_state() if listed else self._read("workspace", name).get("listed")
        content = {"id": workspace_id, "confirmed": asked_at.to_state(), "listed": listed_at}
        self._write(content, "workspace", name)

    def lock(self, *key: str | None) -> FileLock:
        """Return the lock of whoever asks the service, so that the other processes need not."""
        return FileLock(self._directory, self._file(*key))

    def _read(self, *key: str | None) -> Mapping[str, Any]:
        content = self._directory.read(self._file(*key))
        listed = Stamp.from_state(content.get("listed"))
        is_ours = content.get("of") == [self._identity, *key]
        return content if is_ours and listed is not None and listed.is_within(LIST_SECONDS, self.now()) else {}

    def _write(self, content: dict[str, Any], *key: str | None) -> None:
        self._directory.write(self._file(*key), {"of": [self._identity, *key], **content})

    def _file(self, *key: str | None) -> str:
        return f"names-{hashlib.sha256(json.dumps([self._identity, *key]).encode()).hexdigest()[:40]}"


def _unconfirmed(text: object, confirmed_at: Stamp | None = None) -> UnconfirmedId | None:
    return UnconfirmedId(str(text).lower(), confirmed_at) if is_guid(text) else None
