"""The token endpoint of Microsoft Entra: every grant that this project's connections use.

Answers and error codes follow https://learn.microsoft.com/entra/identity-platform (*v2-oauth2-client-creds-grant-flow*,
*v2-oauth2-device-code*, *reference-error-codes*); errors have Entra's envelope, not Fabric's.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from starlette.responses import Response

from airflow_provider_fabric.emulator.entra.assertions import ASSERTION_TYPE, check_client_assertion
from airflow_provider_fabric.emulator.entra.device_code import redeem
from airflow_provider_fabric.emulator.entra.errors import EntraError
from airflow_provider_fabric.emulator.entra.tenants import DOMAIN, SHARED_TENANTS, check_tenant, read_audience
from airflow_provider_fabric.emulator.http.request import ApiRequest
from airflow_provider_fabric.emulator.http.responses import json_response
from airflow_provider_fabric.emulator.state.identities import Identity
from airflow_provider_fabric.emulator.state.world import World

NO_APPLICATION = "00000000-0000-0000-0000-000000000000"
NO_CACHE = {"Cache-Control": "no-store, no-cache", "Pragma": "no-cache"}


@dataclass(frozen=True)
class Grant:
    """What a granted token is for.

    :param audience: resource of the access token.
    :param scopes: scopes to print in the answer.
    """

    identity: Identity
    client_id: str
    audience: str
    scopes: str
    with_refresh: bool = False


def token(world: World, request: ApiRequest) -> Response:
    """``POST /{tenant}/oauth2/v2.0/token``."""
    try:
        check_tenant(world, request.params["tenantId"], app_only=False)
        form = request.form()
        grant = _grant(world, request, form)
    except EntraError as error:
        return error.to_response(request.now)
    request.identity = grant.identity
    return _granted(world, request, grant)


def _grant(world: World, request: ApiRequest, form: dict[str, str]) -> Grant:
    kind = form.get("grant_type")
    if kind == "client_credentials":
        return _client_credentials(world, request, form)
    if kind == "refresh_token":
        return _refresh_token(world, request, form)
    if kind in ("urn:ietf:params:oauth:grant-type:device_code", "device_code"):
        return _device_code(world, request, form)
    if not kind:
        raise EntraError("invalid_request", 900144, "The request body must contain the parameter 'grant_type'.")
    raise EntraError("unsupported_grant_type", 70003, f"The app requested an unsupported grant type '{kind}'.")


def _client_credentials(world: World, request: ApiRequest, form: dict[str, str]) -> Grant:
    check_tenant(world, request.params["tenantId"], app_only=True)
    identity = _application(world, form)
    _authenticate(identity, form, request)
    scope = form.get("scope", "")
    if not scope.endswith("/.default"):
        raise EntraError(
            "invalid_scope",
            1002012,
            f"The provided value for scope {scope} is not valid. Client credential flows must have a scope value "
            "with /.default suffixed to the resource identifier (application ID URI).",
        )
    return Grant(identity, identity.client_id, read_audience(scope), scope)


def _application(world: World, form: dict[str, str]) -> Identity:
    client_id = form.get("client_id")
    if not client_id:
        raise EntraError("invalid_request", 900144, "The request body must contain the parameter 'client_id'.")
    if client_id == NO_APPLICATION:
        raise EntraError("unauthorized_client", 700038, f"{client_id} is not a valid application identifier.")
    identity = world.identities.get(client_id)
    if identity is None or not identity.is_app:
        raise EntraError(
            "unauthorized_client",
            700016,
            f"Application with identifier '{client_id}' was not found in the directory '{DOMAIN}'.",
        )
    return identity


def _authenticate(identity: Identity, form: dict[str, str], request: ApiRequest) -> None:
    """Check the secret or the assertion of an application.

    :raises EntraError: as Entra would.
    """
    if form.get("client_assertion_type") == ASSERTION_TYPE:
        check_client_assertion(identity, form.get("client_assertion", ""), request.now)
        return
    secret = form.get("client_secret")
    if not secret:
        raise EntraError(
            "invalid_client",
            7000218,
            "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
            status=401,
        )
    if identity.client_secret is None or not hmac.compare_digest(secret.encode(), identity.client_secret.encode()):
        raise EntraError(
            "invalid_client",
            7000215,
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, "
            f"not the client secret ID, for a secret added to app '{identity.client_id}'.",
            status=401,
        )


def _refresh_token(world: World, request: ApiRequest, form: dict[str, str]) -> Grant:
    text = form.get("refresh_token", "")
    known = world.tokens.find_refresh(text)
    if known is None:
        raise EntraError("invalid_grant", 9002313, "Invalid request. Request is malformed or invalid.")
    if form.get("client_id") != known.client_id:
        raise EntraError("invalid_grant", 700005, "Provided refresh token was issued to a different client id.")
    if world.identities.get(known.client_id) is not None and form.get("client_secret"):
        _authenticate(_application(world, form), form, request)
    requested = request.params["tenantId"]
    if requested not in SHARED_TENANTS and requested not in (known.tenant_id, DOMAIN):
        raise EntraError("invalid_grant", 700229, "Refresh token was issued for another tenant.")
    if known.tenant_id != world.tokens.tenant_id:
        raise EntraError("invalid_grant", 50020, "User account does not exist in this tenant.")
    if request.now >= known.expires_at:
        raise EntraError(
            "invalid_grant", 700082, "The refresh token has expired due to inactivity.", suberror="token_expired"
        )
    scope = form.get("scope", "")
    grant = Grant(known.identity, known.client_id, read_audience(scope), scope, with_refresh=True)
    if world.config.rotate_refresh_tokens:
        world.tokens.drop_refresh(text)
    return grant


def _device_code(world: World, request: ApiRequest, form: dict[str, str]) -> Grant:
    client_id = form.get("client_id", "")
    code = form.get("device_code") or form.get("code") or ""
    pending = redeem(world, code, client_id, request.now)
    return Grant(pending.identity, client_id, read_audience(pending.scope), pending.scope, with_refresh=True)


def _granted(world: World, request: ApiRequest, grant: Grant) -> Response:
    lifetime = world.config.token_lifetime_seconds
    body: dict[str, object] = {
        "token_type": "Bearer",
        "expires_in": int(lifetime),
        "ext_expires_in": int(lifetime),
        "access_token": world.tokens.issue(grant.identity, grant.audience, request.now, lifetime, grant.client_id),
    }
    if grant.with_refresh:
        issuer = f"{request.base_url}/{world.tokens.tenant_id}/v2.0"
        body["scope"] = grant.scopes
        body["refresh_token"] = world.tokens.issue_refresh(
            grant.identity, grant.client_id, world.tokens.tenant_id, request.now
        )
        body["id_token"] = world.tokens.id_token(grant.identity, grant.client_id, issuer, request.now)
    return json_response(body, headers=dict(NO_CACHE))
