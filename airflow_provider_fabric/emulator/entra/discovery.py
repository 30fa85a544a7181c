"""Entra's discovery documents, which msal reads before its first token request.

Sources: OpenID Connect Discovery 1.0; msal's ``authority.py``. All links name the host the caller used.
"""

from __future__ import annotations

import json
from urllib.parse import urlsplit

import jwt
from starlette.responses import Response

from airflow_provider_fabric.emulator.entra.errors import EntraError
from airflow_provider_fabric.emulator.entra.tenants import check_tenant
from airflow_provider_fabric.emulator.http.request import ApiRequest
from airflow_provider_fabric.emulator.http.responses import json_response
from airflow_provider_fabric.emulator.state.tokens import KEY_ID
from airflow_provider_fabric.emulator.state.world import World


def openid_configuration(world: World, request: ApiRequest) -> Response:
    """``GET /{tenant}/v2.0/.well-known/openid-configuration``."""
    tenant = request.params["tenantId"]
    try:
        check_tenant(world, tenant, app_only=False)
    except EntraError as error:
        return error.to_response(request.now)
    root = f"{request.base_url}/{tenant}"
    return json_response(
        {
            "issuer": f"{request.base_url}/{world.tokens.tenant_id}/v2.0",
            "authorization_endpoint": f"{root}/oauth2/v2.0/authorize",
            "token_endpoint": f"{root}/oauth2/v2.0/token",
            "device_authorization_endpoint": f"{root}/oauth2/v2.0/devicecode",
            "jwks_uri": f"{root}/discovery/v2.0/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
            "response_modes_supported": ["query", "fragment", "form_post"],
            "response_types_supported": ["code", "id_token"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "tenant_region_scope": "NA",
            "cloud_instance_name": "microsoftonline.com",
        }
    )


def instance_discovery(world: World, request: ApiRequest) -> Response:
    """``GET /common/discovery/instance``."""
    asked = urlsplit(request.query.get("authorization_endpoint", ""))
    tenant = asked.path.strip("/").split("/")[0] or "common"
    host = urlsplit(request.base_url).netloc
    return json_response(
        {
            "tenant_discovery_endpoint": f"{request.base_url}/{tenant}/v2.0/.well-known/openid-configuration",
            "api-version": request.query.get("api-version", "1.1"),
            "metadata": [
                {"preferred_network": host, "preferred_cache": host, "aliases": sorted({host, asked.netloc or host})}
            ],
        }
    )


def signing_keys(world: World, request: ApiRequest) -> Response:
    """``GET /{tenant}/discovery/v2.0/keys``."""
    key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(world.tokens.key.public_key()))
    return json_response({"keys": [{**key, "kid": KEY_ID, "x5t": KEY_ID, "use": "sig", "alg": "RS256"}]})
