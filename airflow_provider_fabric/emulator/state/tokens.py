"""Access and refresh tokens: issued, read back, revoked.

Access tokens are real JWTs (RS256) with the claims that Entra writes, so that clients can read them. Tokens of this
process are found in a table, which makes a check cheap; others (from before a restart with the same
data directory) are verified by their signature.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from airflow_provider_fabric.emulator.errors import ServiceError
from airflow_provider_fabric.emulator.state.identities import Identities, Identity

FABRIC = "https://api.fabric.microsoft.com"
POWER_BI = "https://analysis.windows.net/powerbi/api"
STORAGE = "https://storage.azure.com"
MANAGEMENT = "https://management.azure.com"
EVENT_HUBS = "https://eventhubs.azure.net"
AUDIENCES = (FABRIC, POWER_BI, STORAGE, MANAGEMENT, EVENT_HUBS)
"""Resources that tokens can be asked for."""

KEY_ID = "emulator"
REFRESH_TOKEN_LIFETIME = 90 * 24 * 3600
PRUNE_AT = 10_000


@dataclass(slots=True)
class AccessToken:
    """A known access token."""

    identity: Identity
    audience: str
    tenant_id: str
    expires_at: float
    generation: int


@dataclass(slots=True)
class RefreshToken:
    """A known refresh token."""

    identity: Identity
    client_id: str
    tenant_id: str
    expires_at: float


class Tokens:
    """All tokens of one emulator.

    :param key: the signing key.
    :param tenant_id: the tenant whose tokens are accepted.
    """

    def __init__(self, key: RSAPrivateKey, tenant_id: str) -> None:
        self.key = key
        self.tenant_id = tenant_id
        self.issued = 0
        self._generation = 0
        self._access: dict[str, AccessToken] = {}
        self._refresh: dict[str, RefreshToken] = {}

    def issue(
        self,
        identity: Identity,
        audience: str,
        now: float,
        lifetime: float,
        client_id: str = "",
        tenant_id: str | None = None,
    ) -> str:
        """Return a new access token.

        :param lifetime: seconds.
        :param client_id: the application that signed in, if that is another one than the identity.
        :param tenant_id: tenant that the claims name; ``None`` is our own.
        """
        tenant_id = tenant_id or self.tenant_id
        self.issued += 1
        if len(self._access) >= PRUNE_AT:
            self._access = {text: token for text, token in self._access.items() if token.expires_at > now}
        text = jwt.encode(
            self._claims(identity, audience, now, lifetime, client_id or identity.client_id)
            | {"iss": f"https://sts.windows.net/{tenant_id}/", "tid": tenant_id},
            self.key,
            algorithm="RS256",
            headers={"kid": KEY_ID},
        )
        self._access[text] = AccessToken(identity, audience, tenant_id, now + lifetime, self._generation)
        return text

    def _claims(self, identity: Identity, audience: str, now: float, lifetime: float, client_id: str) -> dict[str, Any]:
        claims = {
            "aud": audience,
            "iat": int(now),
            "nbf": int(now),
            "exp": int(now + lifetime),
            "appid": client_id,
            "oid": identity.object_id,
            "sub": identity.object_id,
            "uti": secrets.token_urlsafe(16),
            "ver": "1.0",
        }
        if identity.is_app:
            claims |= {"idtyp": "app", "appidacr": "1"}
        else:
            claims |= {
                "idtyp": "user",
                "upn": identity.user_principal_name,
                "name": identity.user_principal_name,
                "scp": "Item.Execute.All Item.ReadWrite.All Workspace.ReadWrite.All",
            }
        return claims

    def check(self, text: str, audiences: tuple[str, ...], identities: Identities, now: float) -> Identity:
        """Return who an access token belongs to.

        :raises ServiceError: 401 ``InvalidToken`` for one that is not ours or for another resource, ``TokenExpired``
            for one that has expired or was revoked, ``UserNotLicensed`` for one of another tenant.
        """
        token = self._access.get(text) or self._read_foreign(text, identities)
        if token.audience not in audiences:
            raise unauthorized("InvalidToken", "The audience of the access token is not valid for this service")
        if now >= token.expires_at or token.generation < self._generation:
            raise unauthorized("TokenExpired", "Access token has expired, resubmit with a new access token")
        if token.tenant_id != self.tenant_id:
            raise unauthorized("UserNotLicensed", "The user is not licensed for Microsoft Fabric in this tenant")
        return token.identity

    def _read_foreign(self, text: str, identities: Identities) -> AccessToken:
        try:
            claims = jwt.decode(
                text,
                self.key.public_key(),
                algorithms=["RS256"],
                options={"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
            identity = identities.get(claims["appid"])
            expires_at = float(claims["exp"])
        except (jwt.PyJWTError, KeyError, ValueError, TypeError) as problem:
            raise unauthorized("InvalidToken", "The access token is not valid") from problem
        if identity is None:
            raise unauthorized("InvalidToken", "The access token belongs to an unknown identity")
        return AccessToken(identity, str(claims.get("aud")), str(claims.get("tid")), expires_at, 0)

    def revoke_all(self) -> None:
        """Make every access token issued until now answer ``TokenExpired``."""
        self._generation += 1
        self._access.clear()

    def texts(self) -> list[str]:
        """Return every token that is known now, access and refresh: for tests that search for leaks."""
        return [*self._access, *self._refresh]

    def issue_refresh(
        self, identity: Identity, client_id: str, tenant_id: str, now: float, lifetime: float = REFRESH_TOKEN_LIFETIME
    ) -> str:
        """Return a new refresh token."""
        text = f"0.{secrets.token_urlsafe(48)}"
        self._refresh[text] = RefreshToken(identity, client_id, tenant_id, now + lifetime)
        return text

    def find_refresh(self, text: str) -> RefreshToken | None:
        """Return a refresh token that was issued here."""
        return self._refresh.get(text)

    def drop_refresh(self, text: str) -> None:
        """Make a refresh token worthless."""
        self._refresh.pop(text, None)

    def id_token(self, identity: Identity, client_id: str, issuer: str, now: float) -> str:
        """Return an OpenID token for a signed-in user; msal keeps the account from it."""
        claims = {
            "aud": client_id,
            "iss": issuer,
            "iat": int(now),
            "nbf": int(now),
            "exp": int(now + 3600),
            "oid": identity.object_id,
            "sub": identity.object_id,
            "preferred_username": identity.user_principal_name,
            "name": identity.user_principal_name,
            "tid": self.tenant_id,
            "ver": "2.0",
        }
        return jwt.encode(claims, self.key, algorithm="RS256", headers={"kid": KEY_ID})


def unauthorized(code: str, message: str) -> ServiceError:
    """Return the error 401, with the challenge that names the sign-in service."""
    headers = {"WWW-Authenticate": 'Bearer realm="", authorization_uri="https://login.microsoftonline.com/"'}
    return ServiceError(401, code, message, is_retriable=False, headers=headers)


def new_secret() -> str:
    """Return a client secret."""
    return secrets.token_urlsafe(30)
