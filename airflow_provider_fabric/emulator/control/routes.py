"""Control over HTTP, for tests: look at what happened, make things happen, make them go wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from airflow_provider_fabric.emulator.errors import ServiceError, invalid_input, not_found
from airflow_provider_fabric.emulator.http.request import Call, json_answer
from airflow_provider_fabric.emulator.http.routing import Route
from airflow_provider_fabric.emulator.state.definitions import read_definition
from airflow_provider_fabric.emulator.state.identities import Identity, read_identity
from airflow_provider_fabric.emulator.state.item_types import ITEM_TYPES, find_item_type
from airflow_provider_fabric.emulator.state.items import Item
from airflow_provider_fabric.emulator.state.job_runs import read_job_type, start_run
from airflow_provider_fabric.emulator.state.jobs import JobInstance
from airflow_provider_fabric.emulator.state.tokens import FABRIC, REFRESH_TOKEN_LIFETIME
from airflow_provider_fabric.emulator.state.workspaces import read_guid, read_name

if TYPE_CHECKING:
    from airflow_provider_fabric.emulator.http.connections import Connections
    from airflow_provider_fabric.emulator.state.world import World

PREFIX = "/_emulator/"


def control_routes(connections: Connections) -> Iterator[Route]:
    """Return the control routes.

    :param connections: the counter of TCP connections, which belongs to the server and not to the world.
    """

    def stats(world: World, call: Call) -> Response:
        """``GET /_emulator/stats``."""
        return json_answer(_stats(world, call) | {"connections": connections.counts()})

    def reset(world: World, call: Call) -> Response:
        """``POST /_emulator/reset``."""
        world.reset()
        connections.restart()
        return json_answer({})

    for method, path, handler in (
        ("POST", "reset", reset),
        ("GET", "stats", stats),
        ("GET", "requests", _requests),
        ("POST", "faults", _add_fault),
        ("GET", "faults", _list_faults),
        ("DELETE", "faults", _clear_faults),
        ("POST", "jobs", _add_rule),
        ("GET", "jobs", _list_jobs),
        ("GET", "jobs/rules", _list_rules),
        ("POST", "jobs/start", _start_job),
        ("POST", "jobs/{jobInstanceId}", _force_job),
        ("GET", "config", _get_config),
        ("POST", "config", _set_config),
        ("POST", "tokens/revoke", _revoke),
        ("POST", "tokens/issue", _issue_token),
        ("POST", "refreshtokens", _issue_refresh_token),
        ("POST", "devicecode/approve", _decide_device_code),
        ("POST", "seed", _seed),
    ):
        yield Route(method, PREFIX + path, handler, "control")


def _stats(world: World, call: Call) -> dict[str, Any]:
    calls = {bucket: world.log.calls[bucket] for bucket in ("job_scheduler", "platform", "operations", "token")}
    return {
        "calls": {**calls, **{bucket: count for bucket, count in world.log.calls.items() if bucket not in calls}},
        "routes": {route: dict(statuses) for route, statuses in world.log.routes.items()},
        "tokens_issued": world.tokens.issued,
        "throttled": world.quota.throttled,
        "peak_calls_per_minute": dict(world.quota.peaks),
        "jobs": world.jobs.counts(call.now),
    }


def _requests(world: World, call: Call) -> Response:
    since, limit = _number(call, "since", 0), _number(call, "limit", None)
    entries, following = world.log.since(since or 0, limit)
    return json_answer({"value": [entry.to_wire() for entry in entries], "next": following})


def _number(call: Call, name: str, default: int | None) -> int | None:
    text = call.query.get(name)
    if text is None:
        return default
    if not text.isdigit():
        raise invalid_input(f"{name} must be a number")
    return int(text)


def _add_fault(world: World, call: Call) -> Response:
    return json_answer({"id": world.faults.add(call.json_object()).id}, 201)


def _list_faults(world: World, call: Call) -> Response:
    return json_answer({"value": [fault.to_wire() for fault in world.faults.all()]})


def _clear_faults(world: World, call: Call) -> Response:
    world.faults.clear()
    return json_answer({})


def _add_rule(world: World, call: Call) -> Response:
    return json_answer({"id": world.job_rules.add(call.json_object()).id}, 201)


def _list_rules(world: World, call: Call) -> Response:
    return json_answer({"value": [rule.to_wire() for rule in world.job_rules.all()]})


def _list_jobs(world: World, call: Call) -> Response:
    return json_answer({"value": [_job_to_wire(job, call.now) for job in world.jobs.all()]})


def _job_to_wire(job: JobInstance, now: float) -> dict[str, Any]:
    cancelled = job.is_over(now) and job.status(now) == "Cancelled"
    return job.to_wire(now) | {
        "workspaceId": job.workspace_id,
        "itemType": job.item_type,
        "submitter": job.submitter,
        "started_at": job.started_at,
        "ends_at": job.ends_at,
        "visible_at": job.visible_at,
        "cancel_requests": job.cancel_requests,
        "cancel_requested_at": job.cancel_requested_at,
        "cancelled_at": job.ends_at if cancelled else None,
        "active": not job.is_over(now),
    }


def _start_job(world: World, call: Call) -> Response:
    """Start a run as Fabric's own schedule or a person would."""
    body = call.json_object()
    item = world.items.get(read_guid(body.get("item_id"), "item_id"))
    if item is None:
        raise not_found("ItemNotFound", "item", str(body.get("item_id")))
    word = body.get("job_type") or next(iter(list(ITEM_TYPES[item.type].jobs)[1:]), "Execute")
    job_type = read_job_type(item, str(word))
    rule = world.job_rules.find(item.id, item.type, (str(word), job_type))
    data = body.get("execution_data") or {"executeOption": "ApplyChangesIfNeeded"}
    job = start_run(
        world,
        item,
        job_type,
        rule,
        data,
        submitter=str(body.get("submitter", "fabric")),
        now=call.now,
        invoke_type=str(body.get("invoke_type", "Scheduled")),
    )
    return json_answer({"id": job.id}, 201)


def _force_job(world: World, call: Call) -> Response:
    body = call.json_object()
    job = world.jobs.get(call.params["jobInstanceId"])
    if job is None:
        raise not_found("ItemNotFound", "job instance", call.params["jobInstanceId"])
    if not isinstance(body.get("status"), str):
        raise invalid_input("status must be a string")
    job.force(call.now, body["status"], body.get("failure_reason"))
    return json_answer(_job_to_wire(job, call.now))


def _get_config(world: World, call: Call) -> Response:
    return json_answer(world.config.as_dict())


def _set_config(world: World, call: Call) -> Response:
    world.configure(world.config.patched(call.json_object()))
    return _get_config(world, call)


def _revoke(world: World, call: Call) -> Response:
    world.tokens.revoke_all()
    return json_answer({})


def _issue_token(world: World, call: Call) -> Response:
    """Issue an access token directly, as the portal's ``powerBIAccessToken`` does."""
    body = call.json_object(optional=True)
    identity = _identity(world, body)
    lifetime = float(body.get("lifetime_seconds", world.config.token_lifetime_seconds))
    audience = str(body.get("audience", FABRIC))
    return json_answer({"access_token": world.tokens.issue(identity, audience, call.now, lifetime)}, 201)


def _issue_refresh_token(world: World, call: Call) -> Response:
    """Issue a refresh token directly, as a sign-in in a browser would."""
    body = call.json_object(optional=True)
    client_id = str(body.get("client_id", world.tenant.client_id))
    lifetime = -1.0 if body.get("expired") else float(body.get("lifetime_seconds", REFRESH_TOKEN_LIFETIME))
    tenant_id = str(body.get("tenant_id", world.tokens.tenant_id))
    identity = _identity(world, {"client_id": body.get("user_id", world.user.client_id)})
    text = world.tokens.issue_refresh(identity, client_id, tenant_id, call.now, lifetime)
    return json_answer({"refresh_token": text, "client_id": client_id}, 201)


def _identity(world: World, body: dict[str, Any]) -> Identity:
    client_id = str(body.get("client_id", world.tenant.client_id))
    found = world.identities.get(client_id)
    if found is None:
        raise not_found("PrincipalNotFound", "identity", client_id)
    return found


def _decide_device_code(world: World, call: Call) -> Response:
    """Approve a device code, or refuse it with ``{"deny": true}``; without ``user_code`` all that wait."""
    body = call.json_object(optional=True)
    user = _identity(world, {"client_id": body["user_id"]}) if "user_id" in body else None
    decided = world.device_codes.decide(body.get("user_code"), not body.get("deny", False), user)
    return json_answer({"decided": decided})


def _seed(world: World, call: Call) -> Response:
    body = call.json_object()
    workspaces = [_seed_workspace(world, entry) for entry in body.get("workspaces") or []]
    copies = body.get("copies")
    if copies is not None:
        workspaces.append(_seed_copies(world, copies))
    identities = [_seed_identity(world, entry) for entry in body.get("identities") or []]
    return json_answer({"workspaces": workspaces, "identities": identities}, 201)


def _seed_workspace(world: World, body: dict[str, Any]) -> dict[str, Any]:
    """Add a workspace with items, or items to one that is there."""
    found = world.workspaces.get(str(body.get("id", "")))
    if found is None:
        name = read_name(body.get("displayName"))
        found = world.workspaces.create(name, str(body.get("description", "")), body.get("id"))
    items = [_seed_item(world, found.id, entry) for entry in body.get("items") or []]
    return {"id": found.id, "displayName": found.display_name, "items": items}


def _seed_item(world: World, workspace_id: str, body: dict[str, Any]) -> dict[str, Any]:
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
    return item.to_wire()


def _publish(item: Item, published: bool) -> None:
    """Let a seeded dataflow be ready to run, unless the seed says otherwise."""
    item.published_revision = item.revision if published else 0


def _seed_copies(world: World, body: dict[str, Any]) -> dict[str, Any]:
    """Add many alike items, named ``<type> 0001`` and so on."""
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


def _seed_identity(world: World, body: dict[str, Any]) -> dict[str, Any]:
    identity = world.identities.add(read_identity(body))
    return {
        "client_id": identity.client_id,
        "object_id": identity.object_id,
        "kind": identity.kind,
        "user_principal_name": identity.user_principal_name,
    }
