"""Client assertions: a JWT signed with a registered certificate, or one of a trusted issuer (workload identity).

Sources: Learn, *certificate-credentials* (``iss`` and ``sub`` are the client id, ``x5t``/``x5t#S256`` name the
certificate) and *workload-identity-federation* (issuer, subject and audience must match what was registered).
"""

from __future__ import annotations

from typing import Any

import jwt

from airflow_provider_fabric.emulator.entra.errors import EntraError
from airflow_provider_fabric.emulator.state.identities import Identity

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
EXCHANGE_AUDIENCE = "api://AzureADTokenExchange"


def check_client_assertion(identity: Identity, assertion: str, now: float) -> None:
    """Check how an application proves itself.

    :raises EntraError: as Entra would.
    """
    try:
        header = jwt.get_unverified_header(assertion)
        claims = jwt.decode(assertion, options={"verify_signature": False})
    except jwt.PyJWTError as problem:
        raise EntraError(
            "invalid_client", 50027, f"JWT token is invalid or malformed: {problem}", status=401
        ) from problem
    expires_at = claims.get("exp")
    if not isinstance(expires_at, (int, float)) or now >= expires_at:
        raise EntraError("invalid_client", 700024, "Client assertion is not within its valid time range.", status=401)
    if claims.get("iss") == identity.client_id:
        _check_certificate(identity, assertion, header, claims)
    else:
        _check_federated(identity, claims)


def _check_certificate(identity: Identity, assertion: str, header: dict[str, Any], claims: dict[str, Any]) -> None:
    if claims.get("sub") != identity.client_id or not claims.get("aud"):
        raise EntraError("invalid_client", 700021, "Client assertion application identifier doesn't match.", status=401)
    named = [str(header[name]) for name in ("x5t#S256", "x5t") if name in header]
    if not named or not any(identity.has_thumbprint(name) for name in named):
        raise EntraError(
            "invalid_client",
            700027,
            "The certificate with identifier used to sign the client assertion is not registered on application.",
            status=401,
        )
    if identity.public_keys and not any(_signed_by(key, assertion) for key in identity.public_keys):
        raise EntraError("invalid_client", 700027, "Client assertion failed signature validation.", status=401)


def _signed_by(public_key: bytes, assertion: str) -> bool:
    try:
        jwt.decode(
            assertion, public_key, algorithms=["RS256", "PS256"], options={"verify_aud": False, "verify_exp": False}
        )
    except jwt.PyJWTError:
        return False
    return True


def _check_federated(identity: Identity, claims: dict[str, Any]) -> None:
    issuer, subject = claims.get("iss"), claims.get("sub")
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if not isinstance(issuer, str) or not issuer.startswith("https://") or not subject:
        raise EntraError(
            "invalid_client", 700211, f"No matching federated identity record found for assertion issuer '{issuer}'."
        )
    if not identity.federated:
        if EXCHANGE_AUDIENCE not in audiences:
            raise _no_record("audience", audience)
        return
    for record in identity.federated:
        wanted = record.get("audience", EXCHANGE_AUDIENCE)
        if record.get("issuer") == issuer and record.get("subject") == subject and wanted in audiences:
            return
    raise _no_record("subject", subject)


def _no_record(what: str, value: object) -> EntraError:
    code = {"subject": 700213, "audience": 700212}[what]
    return EntraError(
        "invalid_client",
        code,
        f"No matching federated identity record found for presented assertion {what} '{value}'.",
        status=401,
    )
