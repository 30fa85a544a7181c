"""Who a connection is to Fabric: what its quota belongs to, and what it may see."""

from __future__ import annotations

import hashlib
import json

from airflow_provider_fabric.api.auth.claims import claims_of
from airflow_provider_fabric.api.connection.fields import AuthType
from airflow_provider_fabric.api.connection.settings import FabricSettings


def quota_key(settings: FabricSettings) -> str:
    """Return a key that is the same for the same identity on the same host, whatever its secret, timeout or proxy.

    A user who signs in with a refresh token is known by the connection only, and so is an access token that does not
    say whose it is. It holds digests only: safe to log.

    :param settings: the connection.
    """
    who: list[str | None] = [settings.auth_type.value, settings.conn_id]
    if settings.auth_type is AuthType.ACCESS_TOKEN:
        claims = claims_of(settings.secret or "")
        if claims.get("oid"):
            who = [str(claims.get("tid")), str(claims["oid"])]
        elif claims.get("appid") or claims.get("azp"):
            who = [str(claims.get("tid")), str(claims.get("appid") or claims.get("azp"))]
    elif settings.auth_type is AuthType.MANAGED_IDENTITY:
        who = ["managed identity", settings.client_id]
    elif settings.auth_type is not AuthType.REFRESH_TOKEN:
        who = [settings.authority, settings.tenant_id, settings.client_id]
    return hashlib.sha256(json.dumps([settings.host, *who]).encode()).hexdigest()[:32]
