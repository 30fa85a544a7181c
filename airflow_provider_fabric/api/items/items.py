"""Workspaces and items: one generator function per conversation.

https://learn.microsoft.com/rest/api/fabric/core/items. Every call has two dialects: ``/items`` for any kind, and typed
collections such as ``/copyJobs``; ``typed=True`` chooses the latter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_fabric.api.http.flow import Flow, Request, quote_segment
from airflow_provider_fabric.api.http.pages import list_all
from airflow_provider_fabric.api.http.retry import Replay, send
from airflow_provider_fabric.api.items.definitions import Definition, load_definition
from airflow_provider_fabric.api.items.deletion import send_delete
from airflow_provider_fabric.api.items.formats import PLATFORM
from airflow_provider_fabric.api.items.wire import from_wire
from airflow_provider_fabric.api.models import Item, Workspace
from airflow_provider_fabric.api.operations import finish
from airflow_provider_fabric.exceptions import FabricInputError, FabricProtocolError

#: Kind of item → its typed collection.
COLLECTIONS: Mapping[str, str] = {
    "CopyJob": "copyJobs",
    "DataBuildToolJob": "dataBuildToolJobs",
    "DataPipeline": "dataPipelines",
    "Dataflow": "dataflows",
    "Lakehouse": "lakehouses",
    "Notebook": "notebooks",
    "SparkJobDefinition": "sparkJobDefinitions",
    "UserDataFunction": "userDataFunctions",
}


def workspace_path(workspace_id: str) -> str:
    """Return the path of a workspace."""
    return f"/v1/workspaces/{quote_segment(workspace_id, 'workspace_id')}"


def item_path(workspace_id: str, item_id: str | None = None, item_type: str | None = None, typed: bool = False) -> str:
    """Return the path of an item, or of the collection it lies in.

    :param typed: use the typed collection of ``item_type``.
    :raises FabricInputError: ``typed`` without a type that has a collection.
    """
    collection = "items"
    if typed:
        if item_type is None or item_type not in COLLECTIONS:
            raise FabricInputError(f"item_type {item_type!r} has no typed collection; known: {sorted(COLLECTIONS)}.")
        collection = COLLECTIONS[item_type]
    path = f"{workspace_path(workspace_id)}/{collection}"
    return path if item_id is None else f"{path}/{quote_segment(item_id, 'item_id')}"


def list_workspaces() -> Flow[list[Workspace]]:
    """Return the workspaces the identity can see, all pages.

    https://learn.microsoft.com/rest/api/fabric/core/workspaces/list-workspaces
    """
    entries = yield from list_all(Request("GET", "/v1/workspaces", "list workspaces"))
    return [Workspace.from_wire(entry) for entry in entries]


def list_items(workspace_id: str, item_type: str | None = None, *, typed: bool = False) -> Flow[list[Item]]:
    """Return the items of a workspace, all pages.

    https://learn.microsoft.com/rest/api/fabric/core/items/list-items

    :param workspace_id: GUID.
    :param item_type: only this kind.
    :param typed: use the kind's own collection.
    """
    params = {"type": item_type} if item_type and not typed else {}
    path = item_path(workspace_id, item_type=item_type, typed=typed)
    entries = yield from list_all(Request("GET", path, f"list items of workspace {workspace_id}", params=params))
    return [Item.from_wire(entry) for entry in entries]


FILTERED_LIST_MAY_MISS = frozenset({"dataflow"})
"""Kinds, in lower case, that the list filtered by ``?type=`` may leave out or mix up: see the limitations on
https://learn.microsoft.com/fabric/data-factory/dataflow-gen2-public-apis#current-limitations."""


def list_candidates(workspace_id: str, item_type: str | None, is_wanted: Callable[[Item], bool]) -> Flow[list[Item]]:
    """Return the items of a kind, among which one is looked for.

    The whole list is read and filtered here if the filtered one is known to be incomplete and has no match.

    :param workspace_id: GUID.
    :param item_type: only this kind.
    :param is_wanted: whether an item is one that is looked for.
    """
    listed = yield from list_items(workspace_id, item_type)
    if item_type is None or item_type.casefold() not in FILTERED_LIST_MAY_MISS:
        return listed
    listed = [item for item in listed if item.type.casefold() in ("", item_type.casefold())]
    if any(map(is_wanted, listed)):
        return listed
    everything = yield from list_items(workspace_id)
    return [item for item in everything if item.type.casefold() == item_type.casefold()]


def create_item(
    workspace_id: str,
    display_name: str,
    item_type: str,
    *,
    description: str | None = None,
    folder_id: str | None = None,
    definition: Definition | None = None,
    format: str | None = None,
    creation_payload: Mapping[str, Any] | None = None,
    typed: bool = False,
) -> Flow[Item]:
    """Create an item, and wait for the operation if the service starts one.

    https://learn.microsoft.com/rest/api/fabric/core/items/create-item

    :param workspace_id: GUID.
    :param display_name: its name; spaces around it are not sent.
    :param item_type: kind, such as ``DataPipeline``.
    :param description: free text.
    :param folder_id: GUID of the folder to put it in.
    :param definition: see :func:`~airflow_provider_fabric.api.items.definitions.load_definition`.
    :param format: ``format`` of the definition; ``None`` names the one that the kind and its parts need.
    :param creation_payload: what some kinds take instead of a definition.
    :param typed: use the kind's own collection.
    :raises FabricInputError: both ``definition`` and ``creation_payload``, or a definition that is not complete.
    :raises FabricAmbiguousError: no clear answer; it may have been created.
    """
    if definition is not None and creation_payload is not None:
        raise FabricInputError("Give either definition or creation_payload, not both.")
    display_name = display_name.strip()  # the service trims it, and would not be found again by what was given
    if not display_name:
        raise FabricInputError("display_name must not be blank.")
    body: dict[str, Any] = {"displayName": display_name}
    if not typed:
        body["type"] = item_type
    if description is not None:
        body["description"] = description
    if folder_id is not None:
        body["folderId"] = folder_id
    if definition is not None:
        body["definition"] = load_definition(definition, item_type, format=format).to_wire()
    if creation_payload is not None:
        body["creationPayload"] = dict(creation_payload)
    action = f"create {item_type} {display_name!r}"
    path = item_path(workspace_id, item_type=item_type, typed=typed)
    answer = yield from send(Request("POST", path, action, json=body), replay=Replay.IF_UNSENT)
    content = yield from finish(answer, action)
    if content is not None:
        return Item.from_wire(content)
    listed = yield from list_candidates(workspace_id, item_type, lambda i: i.display_name.strip() == display_name)
    named = [item for item in listed if item.display_name.strip() == display_name]
    found = named if len(named) == 1 else [item for item in named if item.folder_id == folder_id] or named
    if len(found) != 1:
        raise FabricProtocolError(f"Could not {action}: it ended well, but named no item, and {len(found)} are listed.")
    return found[0]


def get_item(workspace_id: str, item_id: str, *, item_type: str | None = None, typed: bool = False) -> Flow[Item]:
    """Return an item's properties.

    https://learn.microsoft.com/rest/api/fabric/core/items/get-item
    """
    request = Request("GET", item_path(workspace_id, item_id, item_type, typed), f"read item {item_id}")
    answer = yield from send(request, replay=Replay.SAFE)
    return Item.from_wire(answer.json_object())


def update_item(
    workspace_id: str,
    item_id: str,
    *,
    display_name: str | None = None,
    description: str | None = None,
    item_type: str | None = None,
    typed: bool = False,
) -> Flow[Item]:
    """Change an item's name or description.

    https://learn.microsoft.com/rest/api/fabric/core/items/update-item

    :raises FabricInputError: nothing to change.
    """
    if display_name is not None and not display_name.strip():
        raise FabricInputError("display_name must not be blank.")
    changes = {"displayName": display_name and display_name.strip(), "description": description}
    body = {key: value for key, value in changes.items() if value is not None}
    if not body:
        raise FabricInputError("Give display_name or description: there is nothing to update.")
    request = Request("PATCH", item_path(workspace_id, item_id, item_type, typed), f"update item {item_id}", json=body)
    answer = yield from send(request, replay=Replay.SAFE)
    return Item.from_wire(answer.json_object())


def delete_item(
    workspace_id: str,
    item_id: str,
    *,
    hard_delete: bool = False,
    ignore_missing: bool = False,
    item_type: str | None = None,
    typed: bool = False,
) -> Flow[None]:
    """Delete an item.

    If no clear answer comes, the call is repeated; an item that is not there then has been deleted by us.

    https://learn.microsoft.com/rest/api/fabric/core/items/delete-item

    :param hard_delete: for good: it cannot be recovered, even where the tenant keeps deleted items for a while.
    :param ignore_missing: an item that is not there is no error.
    :raises FabricNotFoundError: there is no such item.
    """
    path = item_path(workspace_id, item_id, item_type, typed)
    params = {"hardDelete": "true"} if hard_delete else {}
    request = Request("DELETE", path, f"delete item {item_id}", params=params)
    yield from send_delete(request, ignore_missing=ignore_missing)


def get_item_definition(
    workspace_id: str, item_id: str, *, format: str | None = None, item_type: str | None = None, typed: bool = False
) -> Flow[dict[str, bytes]]:
    """Return an item's definition: bytes by part path.

    https://learn.microsoft.com/rest/api/fabric/core/items/get-item-definition

    :param format: ``format`` to ask for, such as ``ipynb`` or ``TMSL``; ``None`` leaves it to the service.
    """
    action = f"read the definition of item {item_id}"
    path = item_path(workspace_id, item_id, item_type, typed) + "/getDefinition"
    params = {} if format is None else {"format": format}
    answer = yield from send(Request("POST", path, action, params=params), replay=Replay.SAFE)
    content = yield from finish(answer, action)
    return from_wire(content or {})


def update_item_definition(
    workspace_id: str,
    item_id: str,
    item_type: str,
    definition: Definition,
    *,
    format: str | None = None,
    update_metadata: bool = False,
    typed: bool = False,
) -> Flow[None]:
    """Replace an item's definition whole: parts left out are lost.

    https://learn.microsoft.com/rest/api/fabric/core/items/update-item-definition

    :param item_type: kind, for the check of the parts.
    :param definition: see :func:`~airflow_provider_fabric.api.items.definitions.load_definition`.
    :param format: ``format`` of the definition; ``None`` names the one that the kind and its parts need.
    :param update_metadata: also take name and description from the ``.platform`` part.
    """
    loaded = load_definition(definition, item_type, format=format)
    if update_metadata and PLATFORM not in loaded.parts:
        raise FabricInputError("update_metadata=True needs the part '.platform', which holds name and description.")
    request = Request(
        "POST",
        item_path(workspace_id, item_id, item_type, typed) + "/updateDefinition",
        f"update the definition of item {item_id}",
        params={"updateMetadata": "true"} if update_metadata else {},
        json={"definition": loaded.to_wire()},
    )
    answer = yield from send(request, replay=Replay.SAFE)
    yield from finish(answer, request.action)
