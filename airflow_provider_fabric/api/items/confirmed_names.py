"""From a display name to an id for the price of one call: what another process found, confirmed by the service.

A remembered id is used only when a Get has just answered that this item is in this workspace, is of this kind and bears
this name; in every other case the lists are read, as :mod:`.names` does, with its errors. There is no call that
confirms an item and its workspace's name at once, so a workspace is confirmed once in a few seconds for all processes
of the host (:data:`~airflow_provider_fabric.api.local_cache.known_names.WORKSPACE_SECONDS`).

One process asks the service for what all need; the others wait for it, for a while.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from airflow_provider_fabric.api.auth.identity import quota_key
from airflow_provider_fabric.api.connection.settings import FabricSettings
from airflow_provider_fabric.api.http.flow import Flow, Request, Sleep
from airflow_provider_fabric.api.http.retry import Replay, send
from airflow_provider_fabric.api.items import names
from airflow_provider_fabric.api.items.items import get_item, list_workspaces, workspace_path
from airflow_provider_fabric.api.local_cache.directory import cache_directory
from airflow_provider_fabric.api.local_cache.known_names import KnownNames, UnconfirmedId
from airflow_provider_fabric.api.local_cache.locks import FileLock
from airflow_provider_fabric.api.models import Item, Workspace, is_guid
from airflow_provider_fabric.exceptions import FabricApiError, FabricProtocolError

PAUSE = 0.1
"""Seconds between two checks whether another process has found what this one needs."""

PATIENCE = 60.0
"""Seconds to wait for another process; then this one asks the service itself."""

_SIGN_IN, _THROTTLED = 401, frozenset({429, 430})


def known_names(settings: FabricSettings) -> KnownNames | None:
    """Return what the connection's identity has found out on this host; ``None`` if *Local cache* is switched off."""
    directory = cache_directory(settings)
    return None if directory is None else KnownNames(directory, quota_key(settings))


def resolve_workspace(known: KnownNames | None, workspace: str) -> Flow[str]:
    """Return a workspace's id; see :func:`.names.resolve_workspace`.

    :param known: what other processes found; ``None`` reads the list.
    """
    name = names.checked_name(workspace, "workspace")
    if known is None or is_guid(name):
        return (yield from names.resolve_workspace(name))

    def confirmed(found: UnconfirmedId) -> Flow[bool]:
        if known.is_fresh(found):
            return True
        asked_at = known.now()
        if not (yield from _is_workspace(found.unconfirmed, name)):
            return False
        known.keep_workspace(name, found.unconfirmed, asked_at=asked_at, listed=False)
        return True

    def read_list() -> Flow[str]:
        asked_at = known.now()
        id_ = names.only_one(name, "workspace", (yield from list_workspaces()), "that this identity can see")
        known.keep_workspace(name, id_, asked_at=asked_at, listed=True)
        return id_

    lock = known.lock("workspace", name)
    found = known.workspace(name)
    if found is not None and known.is_fresh(found):
        return found.unconfirmed
    return (yield from _by_one_process(lock, lambda: known.workspace(name), confirmed, read_list, tried=None))


def resolve_item(known: KnownNames | None, workspace_id: str, item: str, item_type: str | None = None) -> Flow[str]:
    """Return an item's id; see :func:`.names.resolve_item`.

    :param known: what other processes found; ``None`` reads the list.
    """
    name = names.checked_name(item, "item")
    if known is None or is_guid(name):
        return (yield from names.resolve_item(workspace_id, name, item_type))

    def confirmed(found: UnconfirmedId) -> Flow[bool]:
        return _is_item(workspace_id, found.unconfirmed, name, item_type)

    def read_list() -> Flow[str]:
        asked_at = known.now()
        listed = yield from names.list_with(workspace_id, name, item_type)
        known.keep_items(workspace_id, item_type, _unique(listed), asked_at)
        return names.only_one(name, item_type or "item", listed, f"in workspace {workspace_id}")

    found = known.item(workspace_id, item_type, name)
    if found is not None and (yield from confirmed(found)):
        return found.unconfirmed
    lock = known.lock("items", workspace_id, item_type)
    return (
        yield from _by_one_process(
            lock, lambda: known.item(workspace_id, item_type, name), confirmed, read_list, tried=found
        )
    )


def _by_one_process(
    lock: FileLock,
    look_up: Callable[[], UnconfirmedId | None],
    confirmed: Callable[[UnconfirmedId], Flow[bool]],
    read_list: Callable[[], Flow[str]],
    tried: UnconfirmedId | None,
) -> Flow[str]:
    """Return what another process finds out meanwhile, confirmed, or find it out for the others.

    :param tried: what the service did not confirm.
    """
    waited = 0.0
    try:
        while not lock.acquire() and waited < PATIENCE:
            yield Sleep(PAUSE, jitter=1.0)
            waited += PAUSE
        found = look_up()
        if found is not None and found != tried and (yield from confirmed(found)):
            return found.unconfirmed
        return (yield from read_list())
    finally:
        lock.release()


def _is_item(workspace_id: str, item_id: str, name: str, item_type: str | None) -> Flow[bool]:
    """Ask the service whether an id is that of the item of this name and kind, in this workspace."""
    try:
        item = yield from get_item(workspace_id, item_id)
    except FabricProtocolError:
        return False
    except FabricApiError as error:
        if _is_about_the_call(error):
            raise
        return False  # deleted, moved, or not for this identity to read: its list says which
    return (
        item.id.lower() == item_id
        and item.workspace_id.lower() in ("", workspace_id.lower())
        and item.display_name.strip() == name
        and (item_type is None or item.type.casefold() == item_type.casefold())
    )


def _is_workspace(workspace_id: str, name: str) -> Flow[bool]:
    """Ask the service whether a workspace bears a name.

    https://learn.microsoft.com/rest/api/fabric/core/workspaces/get-workspace
    """
    request = Request("GET", workspace_path(workspace_id), f"read workspace {workspace_id}")
    try:
        answer = yield from send(request, replay=Replay.SAFE)
        workspace = Workspace.from_wire(answer.json_object())
    except FabricProtocolError:
        return False
    except FabricApiError as error:
        if _is_about_the_call(error):
            raise
        return False
    return workspace.id.lower() == workspace_id and workspace.display_name.strip() == name


def _is_about_the_call(error: FabricApiError) -> bool:
    """Whether a refusal would meet the list as well: sign-in, throttling, a failing service."""
    return error.status_code == _SIGN_IN or error.status_code in _THROTTLED or error.status_code >= 500


def _unique(listed: Sequence[Item]) -> dict[str, str]:
    """Return name → id, of the names that one item alone bears."""
    counts = Counter(item.display_name.strip() for item in listed)
    return {name: item.id for item in listed if counts[name := item.display_name.strip()] == 1}
