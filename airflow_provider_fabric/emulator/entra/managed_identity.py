"""Managed identities: the metadata endpoint of a virtual machine, and App Service's.

Sources: Learn, *how-to-use-vm-token* (``GET /metadata/identity/oauth2/token`` with ``Metadata: true``) and
*overview-managed-identity* of App Service (``IDENTITY_ENDPOINT`` with ``X-IDENTITY-HEADER``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from airflow_provider_fabric.emulator.entra.errors import EntraError
from airflow_provider_fabric.emulator.entra.token_endpoint import known_resource
from airflow_provider_fabric.emulator.http.request import Call, json_answer
from airflow_provider_fabric.emulator.state.identities import Identity

if TYPE_CHECKING:
    from airflow_provider_fabric.emulator.state.world import World


def instance_metadata(world: World, call: Call) -> Response:
    """``GET /metadata/identity/oauth2/token``."""
    if (call.header("metadata") or "").lower() != "true":
        return _refusal("invalid_request", "Required metadata header not specified")
    return _answer(world, call)


def app_service(world: World, call: Call) -> Response:
    """``GET /msi/token``."""
    if not call.header("x-identity-header"):
        return _refusal("invalid_request", "Required X-IDENTITY-HEADER header not specified", 401)
    return _answer(world, call)


def _answer(world: World, call: Call) -> Response:
    if not call.query.get("api-version"):
        return _refusal("invalid_request", "Required query variable 'api-version' is missing")
    if not call.query.get("resource"):
        return _refusal("invalid_request", "Required query variable 'resource' is missing")
    identity = _identity(world, call)
    if identity is None:
        return _refusal("invalid_request", "Identity not found")
    try:
        audience = known_resource(call.query["resource"])
    except EntraError as error:
        return _refusal("invalid_resource", f"AADSTS{error.code}: {error.message}")
    call.identity = identity
    lifetime = world.config.token_lifetime_seconds
    return json_answer(
        {
            "access_token": world.tokens.issue(identity, audience, call.now, lifetime),
            "client_id": identity.client_id,
            "expires_in": str(int(lifetime)),
            "expires_on": str(int(call.now + lifetime)),
            "not_before": str(int(call.now)),
            "resource": call.query["resource"],
            "token_type": "Bearer",
        }
    )


def _identity(world: World, call: Call) -> Identity | None:
    """Return the user-assigned identity that is asked for, or the system-assigned one."""
    client_id = call.query.get("client_id")
    if client_id is None:
        return world.identities.first("managed_identity")
    found = world.identities.get(client_id)
    return found if found is not None and found.kind == "managed_identity" else None


def _refusal(error: str, message: str, status: int = 400) -> Response:
    return json_answer({"error": error, "error_description": message}, status)
