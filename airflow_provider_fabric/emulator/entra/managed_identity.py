"""Managed identities: the metadata endpoint of a virtual machine, and App Service's.

Sources: Learn, *how-to-use-vm-token* (``GET /metadata/identity/oauth2/token`` with ``Metadata: true``) and
*overview-managed-identity* of App Service (``IDENTITY_ENDPOINT`` with ``X-IDENTITY-HEADER``).
"""

from __future__ import annotations

from starlette.responses import Response

from airflow_provider_fabric.emulator.entra.errors import EntraError
from airflow_provider_fabric.emulator.entra.tenants import known_resource
from airflow_provider_fabric.emulator.http.request import ApiRequest
from airflow_provider_fabric.emulator.http.responses import json_response
from airflow_provider_fabric.emulator.state.identities import Identity
from airflow_provider_fabric.emulator.state.world import World


def instance_metadata(world: World, request: ApiRequest) -> Response:
    """``GET /metadata/identity/oauth2/token``."""
    if (request.header("metadata") or "").lower() != "true":
        return _refusal("invalid_request", "Required metadata header not specified")
    return _answer(world, request)


def app_service(world: World, request: ApiRequest) -> Response:
    """``GET /msi/token``."""
    if not request.header("x-identity-header"):
        return _refusal("invalid_request", "Required X-IDENTITY-HEADER header not specified", 401)
    return _answer(world, request)


def _answer(world: World, request: ApiRequest) -> Response:
    if not request.query.get("api-version"):
        return _refusal("invalid_request", "Required query variable 'api-version' is missing")
    if not request.query.get("resource"):
        return _refusal("invalid_request", "Required query variable 'resource' is missing")
    identity = _identity(world, request)
    if identity is None:
        return _refusal("invalid_request", "Identity not found")
    try:
        audience = known_resource(request.query["resource"])
    except EntraError as error:
        return _refusal("invalid_resource", f"AADSTS{error.code}: {error.message}")
    request.identity = identity
    lifetime = world.config.token_lifetime_seconds
    return json_response(
        {
            "access_token": world.tokens.issue(identity, audience, request.now, lifetime),
            "client_id": identity.client_id,
            "expires_in": str(int(lifetime)),
            "expires_on": str(int(request.now + lifetime)),
            "not_before": str(int(request.now)),
            "resource": request.query["resource"],
            "token_type": "Bearer",
        }
    )


def _identity(world: World, request: ApiRequest) -> Identity | None:
    """Return the user-assigned identity that is asked for, or the system-assigned one."""
    client_id = request.query.get("client_id")
    if client_id is None:
        return world.identities.first("managed_identity")
    found = world.identities.get(client_id)
    return found if found is not None and found.kind == "managed_identity" else None


def _refusal(error: str, message: str, status: int = 400) -> Response:
    return json_response({"error": error, "error_description": message}, status)
