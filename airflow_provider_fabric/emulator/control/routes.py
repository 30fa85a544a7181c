"""The control endpoints, with which tests read what happened, change the state, and inject faults."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from starlette.responses import Response

from airflow_provider_fabric.emulator.control.seeding import (
    seed_capacity,
    seed_copies,
    seed_identity,
    seed_workspace,
)
from airflow_provider_fabric.emulator.errors import invalid_input, not_found
from airflow_provider_fabric.emulator.http.connections import Connections
from airflow_provider_fabric.emulator.http.request import ApiRequest
from airflow_provider_fabric.emulator.http.responses import json_response
from airflow_provider_fabric.emulator.http.routing import Route
from airflow_provider_fabric.emulator.state.eventstreams import EventFaults
from airflow_provider_fabric.emulator.state.identities import Identity
from airflow_provider_fabric.emulator.state.ids import read_guid
from airflow_provider_fabric.emulator.state.item_types import ITEM_TYPES
from airflow_provider_fabric.emulator.state.job_runs import read_job_type, start_run
from airflow_provider_fabric.emulator.state.jobs import JobInstance
from airflow_provider_fabric.emulator.state.tokens import FABRIC, REFRESH_TOKEN_LIFETIME
from airflow_provider_fabric.emulator.state.world import World

PREFIX = "/_emulator/"
BUCKET = "control"


def control_routes(connections: Connections) -> Iterator[Route]:
    """Return the control routes.

    :param connections: the counter of TCP connections, which belongs to the server and not to the world.
    """

    def stats(world: World, request: ApiRequest) -> Response:
        """``GET /_emulator/stats``."""
        return json_response(_stats(world, request) | {"connections": connections.counts()})

    def reset(world: World, request: ApiRequest) -> Response:
        """``POST /_emulator/reset``."""
        world.reset()
        connections.restart()
        return json_response({})

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
        ("GET", "events", _get_event_faults),
        ("POST", "events", _set_event_faults),
        ("GET", "config", _get_config),
        ("POST", "config", _set_config),
        ("POST", "tokens/revoke", _revoke),
        ("POST", "tokens/issue", _issue_token),
        ("POST", "refreshtokens", _issue_refresh_token),
        ("POST", "devicecode/approve", _decide_device_code),
        ("POST", "seed", _seed),
    ):
        yield Route(method, PREFIX + path, handler, BUCKET)


def _stats(world: World, request: ApiRequest) -> dict[str, Any]:
    calls = {bucket: world.log.calls[bucket] for bucket in ("job_scheduler", "platform", "operations", "token")}
    return {
        "calls": {**calls, **{bucket: count for bucket, count in world.log.calls.items() if bucket not in calls}},
        "routes": {route: dict(statuses) for route, statuses in world.log.routes.items()},
        "tokens_issued": world.tokens.issued,
        "throttled": world.quota.throttled,
        "peak_calls_per_minute": dict(world.quota.peaks),
        "jobs": world.jobs.counts(request.now),
    }


def _requests(world: World, request: ApiRequest) -> Response:
    since, limit = _number(request, "since", 0), _number(request, "limit", None)
    entries, following = world.log.since(since or 0, limit)
    return json_response({"value": [entry.to_wire() for entry in entries], "next": following})


def _number(request: ApiRequest, name: str, default: int | None) -> int | None:
    text = request.query.get(name)
    if text is None:
        return default
    if not text.isdigit():
        raise invalid_input(f"{name} must be a number")
    return int(text)


def _add_fault(world: World, request: ApiRequest) -> Response:
    return json_response({"id": world.faults.add(request.json_object()).id}, 201)


def _list_faults(world: World, request: ApiRequest) -> Response:
    return json_response({"value": [fault.to_wire() for fault in world.faults.all()]})


def _clear_faults(world: World, request: ApiRequest) -> Response:
    world.faults.clear()
    return json_response({})


def _add_rule(world: World, request: ApiRequest) -> Response:
    return json_response({"id": world.job_rules.add(request.json_object()).id}, 201)


def _list_rules(world: World, request: ApiRequest) -> Response:
    return json_response({"value": [rule.to_wire() for rule in world.job_rules.all()]})


def _list_jobs(world: World, request: ApiRequest) -> Response:
    return json_response({"value": [_job_to_wire(job, request.now) for job in world.jobs.all()]})


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


def _start_job(world: World, request: ApiRequest) -> Response:
    """Start a run as Fabric's own schedule or a person would."""
    body = request.json_object()
    item = world.items.get(read_guid(body.get("item_id"), "item_id"))
    if item is None:
        raise not_found("ItemNotFound", "item", str(body.get("item_id")))
    requested = body.get("job_type") or next(iter(list(ITEM_TYPES[item.type].jobs)[1:]), "Execute")
    job_type = read_job_type(item, str(requested))
    rule = world.job_rules.find(item.id, item.type, (str(requested), job_type), item.display_name)
    data = body.get("execution_data") or {"executeOption": "ApplyChangesIfNeeded"}
    job = start_run(
        world,
        item,
        job_type,
        rule,
        data,
        submitter=str(body.get("submitter", "fabric")),
        now=request.now,
        invoke_type=str(body.get("invoke_type", "Scheduled")),
    )
    return json_response({"id": job.id}, 201)


def _force_job(world: World, request: ApiRequest) -> Response:
    body = request.json_object()
    job = world.jobs.get(request.params["jobInstanceId"])
    if job is None:
        raise not_found("ItemNotFound", "job instance", request.params["jobInstanceId"])
    if not isinstance(body.get("status"), str):
        raise invalid_input("status must be a string")
    job.force(request.now, body["status"], body.get("failure_reason"))
    return json_response(_job_to_wire(job, request.now))


def _get_config(world: World, request: ApiRequest) -> Response:
    return json_response(world.config.as_dict())


def _set_config(world: World, request: ApiRequest) -> Response:
    world.configure(world.config.patched(request.json_object()))
    return _get_config(world, request)


def _get_event_faults(world: World, request: ApiRequest) -> Response:
    return json_response(asdict(world.eventstreams.faults))


def _set_event_faults(world: World, request: ApiRequest) -> Response:
    """Let job events be lost, doubled, late or out of order from now on, or readers be cut off."""
    world.eventstreams.faults = EventFaults.from_wire(request.json_object(optional=True))
    return _get_event_faults(world, request)


def _revoke(world: World, request: ApiRequest) -> Response:
    world.tokens.revoke_all()
    return json_response({})


def _issue_token(world: World, request: ApiRequest) -> Response:
    """Issue an access token directly, as the portal's ``powerBIAccessToken`` does."""
    body = request.json_object(optional=True)
    identity = _identity(world, body)
    lifetime = float(body.get("lifetime_seconds", world.config.token_lifetime_seconds))
    audience = str(body.get("audience", FABRIC))
    tenant_id = str(body.get("tenant_id", world.tokens.tenant_id))
    token = world.tokens.issue(identity, audience, request.now, lifetime, tenant_id=tenant_id)
    return json_response({"access_token": token}, 201)


def _issue_refresh_token(world: World, request: ApiRequest) -> Response:
    """Issue a refresh token directly, as a sign-in in a browser would."""
    body = request.json_object(optional=True)
    client_id = str(body.get("client_id", world.tenant.client_id))
    lifetime = -1.0 if body.get("expired") else float(body.get("lifetime_seconds", REFRESH_TOKEN_LIFETIME))
    tenant_id = str(body.get("tenant_id", world.tokens.tenant_id))
    identity = _identity(world, {"client_id": body.get("user_id", world.user.client_id)})
    text = world.tokens.issue_refresh(identity, client_id, tenant_id, request.now, lifetime)
    return json_response({"refresh_token": text, "client_id": client_id}, 201)


def _identity(world: World, body: dict[str, Any]) -> Identity:
    client_id = str(body.get("client_id", world.tenant.client_id))
    found = world.identities.get(client_id)
    if found is None:
        raise not_found("PrincipalNotFound", "identity", client_id)
    return found


def _decide_device_code(world: World, request: ApiRequest) -> Response:
    """Approve a device code, or refuse it with ``{"deny": true}``; without ``user_code`` all that wait."""
    body = request.json_object(optional=True)
    user = _identity(world, {"client_id": body["user_id"]}) if "user_id" in body else None
    decided = world.device_codes.decide(body.get("user_code"), not body.get("deny", False), user)
    return json_response({"decided": decided})


def _seed(world: World, request: ApiRequest) -> Response:
    body = request.json_object()
    workspaces = [seed_workspace(world, entry) for entry in body.get("workspaces") or []]
    copies = body.get("copies")
    if copies is not None:
        workspaces.append(seed_copies(world, copies))
    identities = [seed_identity(world, entry) for entry in body.get("identities") or []]
    capacities = [seed_capacity(world, entry) for entry in body.get("capacities") or []]
    return json_response({"workspaces": workspaces, "identities": identities, "capacities": capacities}, 201)
