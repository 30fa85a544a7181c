"""Seeding: workspaces, items and identities that a test puts into the emulator without calls of the Fabric API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_fabric.emulator.errors import ServiceError, invalid_input
from airflow_provider_fabric.emulator.state.definitions import read_definition
from airflow_provider_fabric.emulator.state.files import File
from airflow_provider_fabric.emulator.state.git import GitConnection, commit_hash, read_change
from airflow_provider_fabric.emulator.state.identities import read_identity
from airflow_provider_fabric.emulator.state.item_types import find_item_type
from airflow_provider_fabric.emulator.state.items import Item
from airflow_provider_fabric.emulator.state.names import read_name
from airflow_provider_fabric.emulator.state.world import World

WORKSPACE_FIELDS = {
    "id": "GUID of a workspace that is there, to which items are added, or of the new one; absent makes one up",
    "displayName": "name; needed for a new one",
    "description": "free text",
    "capacityId": "GUID of the capacity that it is on, null for shared capacity; absent is the emulator's own",
    "items": "list of items",
    "git": "connection to Git: `{remoteCommitHash, changes}`; a change is `{itemType, displayName, remoteChange or "
    "workspaceChange, objectId, logicalId}`",
}
"""Fields of an entry of ``workspaces``."""

ITEM_FIELDS = {
    "type": "kind of item, such as `DataPipeline`",
    "displayName": "name",
    "id": "GUID; absent makes one up",
    "description": "free text",
    "folderId": "GUID of the folder that it is in",
    "definition": "its definition, as `POST /items` takes it",
    "published": "of a dataflow: whether the definition is published (true)",
    "tables": "of a lakehouse: list of `{name, status, error}`, as a refresh of its SQL endpoint shows them",
    "files": "path in OneLake, such as `Files/in/a.csv`, to text",
}
"""Fields of an entry of ``items``."""

COPIES_FIELDS = {
    "count": "how many, 1 to 20,000, named `<prefix> 0001` and so on",
    "workspace_id": "GUID; absent is the emulator's own workspace",
    "prefix": "beginning of the names; absent is the type",
    "type": "see *items*",
    "definition": "see *items*",
    "description": "see *items*",
    "published": "see *items*",
}
"""Fields of ``copies``."""

CAPACITY_FIELDS = {
    "name": "lower-case letters and digits; of one that is there, to set its state",
    "id": "GUID for Fabric; absent makes one up",
    "subscription_id": "GUID; absent is the emulator's own",
    "resource_group": "name; absent is the emulator's own",
    "state": "`Active` (default) or `Paused`",
}
"""Fields of an entry of ``capacities``."""

IDENTITY_FIELDS = {
    "client_id": "application id; absent makes one up",
    "kind": "`app` (default), `user`, or another kind of principal",
    "client_secret": "what it signs in with",
    "object_id": "GUID; absent makes one up",
    "user_principal_name": "of a user",
    "workspaces": "ids of the workspaces that it sees; null is all",
    "role": "its role in these workspaces: `Admin` (default), `Member`, `Contributor` or `Viewer`",
    "federated_credentials": "list of `{issuer, subject, audience}` that it trusts; empty is any",
    "certificate": "PEM text that it signs in with",
    "certificate_thumbprint": "the same, by its thumbprint",
}
"""Fields of an entry of ``identities``."""


def _check_fields(body: Any, fields: Mapping[str, str], what: str) -> None:
    """Refuse what is no object, or has a field that nobody reads.

    :raises ServiceError: 400 ``InvalidInput``.
    """
    if not isinstance(body, dict):
        raise invalid_input(f"{what} must be an object")
    unknown = sorted(set(body) - set(fields))
    if unknown:
        raise invalid_input(f"Unknown fields of {what}: {', '.join(unknown)}; known are {', '.join(fields)}")


def seed_workspace(world: World, body: dict[str, Any]) -> dict[str, Any]:
    """Add a workspace with items, or items to one that is there."""
    _check_fields(body, WORKSPACE_FIELDS, "a workspace")
    found = world.workspaces.get(str(body.get("id", "")))
    if found is None:
        name = read_name(body.get("displayName"))
        found = world.workspaces.create(name, str(body.get("description", "")), body.get("id"))
    if "capacityId" in body:
        found.capacity_id = None if body["capacityId"] is None else str(body["capacityId"])
    items = [_seed_item(world, found.id, entry) for entry in body.get("items") or []]
    if body.get("git") is not None:
        found.git = _read_git(body["git"])
    return {"id": found.id, "displayName": found.display_name, "items": items}


def _read_git(body: Any) -> GitConnection:
    _check_fields(body, {"remoteCommitHash": "", "changes": ""}, "git")
    changes = [read_change(change) for change in body.get("changes") or []]
    remote = str(body.get("remoteCommitHash") or commit_hash("remote"))
    behind = any("remoteChange" in change for change in changes)
    return GitConnection(commit_hash("workspace") if behind else remote, remote, changes)


def _seed_item(world: World, workspace_id: str, body: dict[str, Any]) -> dict[str, Any]:
    _check_fields(body, ITEM_FIELDS, "an item")
    item_type = find_item_type(body.get("type"))
    if item_type is None:
        raise ServiceError(400, "InvalidItemType", f"Item type '{body.get('type')}' is invalid")
    parts = None if body.get("definition") is None else read_definition(item_type, body["definition"])
    item = world.items.create(
        workspace_id,
        item_type.name,
        read_name(body.get("displayName")),
        description=str(body.get("description", "")),
        folder_id=body.get("folderId"),
        parts=parts,
        item_id=body.get("id"),
    )
    _publish(item, bool(body.get("published", True)))
    for path, content in (body.get("files") or {}).items():
        made = File(str(content).encode())
        made.flush(world.clock())
        world.files.of_item(item.id)[path] = made
    item.tables = [dict(table) for table in body.get("tables") or []]
    return item.to_wire()


def _publish(item: Item, published: bool) -> None:
    """Mark a seeded dataflow as published, unless the body says otherwise."""
    item.published_revision = item.revision if published else 0


def seed_copies(world: World, body: dict[str, Any]) -> dict[str, Any]:
    """Add many alike items, named ``<type> 0001`` and so on."""
    _check_fields(body, COPIES_FIELDS, "copies")
    workspace_id = str(body.get("workspace_id") or world.tenant.workspace_id)
    found = world.workspaces.get(workspace_id)
    count = body.get("count")
    if found is None or not isinstance(count, int) or not 1 <= count <= 20_000:
        raise invalid_input("copies needs a known workspace_id and a count from 1 to 20000")
    prefix = str(body.get("prefix") or body.get("type"))
    template = {key: value for key, value in body.items() if key in ("type", "definition", "description", "published")}
    items = [
        _seed_item(world, workspace_id, {**template, "displayName": f"{prefix} {number:04d}"})
        for number in range(1, count + 1)
    ]
    return {"id": workspace_id, "displayName": found.display_name, "items": items}


def seed_capacity(world: World, body: dict[str, Any]) -> dict[str, Any]:
    """Add a capacity, or change the state of the one that has the name."""
    _check_fields(body, CAPACITY_FIELDS, "a capacity")
    same = [capacity for capacity in world.capacities.all() if capacity.name == body.get("name")]
    if len(same) == 1 and set(body) <= {"name", "state"}:
        same[0].state, same[0].settles_at = str(body.get("state", same[0].state)), 0.0
        return {"id": same[0].id, "resource_id": same[0].resource_id}
    made = world.capacities.add(**{("capacity_id" if key == "id" else key): value for key, value in body.items()})
    return {"id": made.id, "resource_id": made.resource_id}


def seed_identity(world: World, body: dict[str, Any]) -> dict[str, Any]:
    """Add an identity that can sign in."""
    _check_fields(body, IDENTITY_FIELDS, "an identity")
    identity = world.identities.add(read_identity(body))
    return {
        "client_id": identity.client_id,
        "object_id": identity.object_id,
        "kind": identity.kind,
        "user_principal_name": identity.user_principal_name,
    }
