"""What Entra's refusals mean, and what to do about each.

Codes: https://learn.microsoft.com/entra/identity-platform/reference-error-codes. The texts that come with them change;
the codes do not. The remedies are ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from airflow_provider_fabric.api.connection.settings import FabricSettings
from airflow_provider_fabric.api.http.flow import TransportFailure
from airflow_provider_fabric.api.json_text import parse_json
from airflow_provider_fabric.api.plain_text import MAX_CODE, one_line
from airflow_provider_fabric.exceptions import FabricAuthError

_NEW_LOGIN = "Run fabric-login again and put the new refresh token into the password."
_CHECK_TENANT = "Check the extra field tenant_id."
_FEDERATION = (
    "Compare issuer, subject and audience of the federated token with the app's federated credential "
    "(Entra > App registrations > Certificates & secrets > Federated credentials)."
)

REMEDIES: Mapping[int, str] = {
    90002: f"The tenant does not exist at this login host. {_CHECK_TENANT} In a sovereign cloud, set authority too.",
    900023: f"The tenant is neither a GUID nor a domain. {_CHECK_TENANT}",
    900021: f"The tenant is not valid. {_CHECK_TENANT}",
    700016: "The app is not in this tenant: check login (client id) and tenant_id; do they belong together?",
    700038: "The login (client id) is no application's id: put the app's own there (Entra > App registrations).",
    7000215: "The password is not a valid client secret. Copy the secret's value, not its id; it is shown only once.",
    7000222: "The client secret has expired: make a new one in Entra (Certificates & secrets) for the password.",
    7000216: "The app must prove itself: set auth_type to client_secret or client_certificate.",
    7000218: (
        'The app is not a public client: set "Allow public client flows" in Entra (Authentication), or put its secret '
        "into the extra field client_secret."
    ),
    700025: "The app is a public client and must not send a secret: empty the extra field client_secret.",
    7000112: "The app is disabled in this tenant: enable it in Entra (Enterprise applications).",
    7000229: "The app has no service principal in this tenant: give it consent once, or create it.",
    700027: "Entra does not know this certificate, or holds it for expired: upload it to the app again.",
    700024: "The assertion is not valid at this time: check this machine's clock, or that the federated token is new.",
    700030: "The certificate is not accepted: its subject, issuer or chain does not fit what the app allows.",
    70011: "The scope is not valid. Empty the extra field scope for https://api.fabric.microsoft.com/.default.",
    1002012: "An app may only ask for a scope that ends in /.default: check the extra field scope.",
    70000: f"The refresh token is not valid for this app and tenant. {_NEW_LOGIN}",
    700003: "The device that signed in is gone from the tenant. Sign in again with fabric-login.",
    700005: "The refresh token was issued by another tenant: check tenant_id, or run fabric-login for this tenant.",
    70008: f"The refresh token has expired. {_NEW_LOGIN}",
    700082: f"The refresh token has expired: it was issued more than 90 days ago. {_NEW_LOGIN}",
    700084: f"The refresh token was made for a web page and lives 24 hours only. {_NEW_LOGIN}",
    50173: f"The sign-in was revoked, for instance by a new password. {_NEW_LOGIN}",
    9002313: "What was sent is malformed: the password is probably not a refresh token, or was cut when it was copied.",
    50076: f"The tenant asks for multi-factor authentication. {_NEW_LOGIN}",
    50078: f"The multi-factor authentication has expired. {_NEW_LOGIN}",
    50079: f"The user must register for multi-factor authentication first. Then: {_NEW_LOGIN}",
    50158: f"A conditional access policy asks for more than the token shows. {_NEW_LOGIN}",
    53000: "Conditional access asks for a compliant device: exempt this identity, or use a service principal.",
    53003: "Conditional access blocks this sign-in: ask an administrator to allow this app from this network.",
    530003: "Conditional access asks for a managed device: exempt this identity, or use a service principal.",
    65001: "The app lacks consent: an administrator grants it in Entra (API permissions > Grant admin consent).",
    650057: "The app does not list the Power BI Service among its API permissions: add it in Entra.",
    500011: "The tenant does not know what the scope asks for: check scope; Fabric may not be enabled in this tenant.",
    500014: "The service principal of the scope's resource is disabled in this tenant: ask an administrator.",
    50034: f"The user does not exist in this tenant. {_CHECK_TENANT}",
    50020: "The user is from another tenant and no guest here: check tenant_id, or invite the user.",
    50055: "The user's password has expired: change it, then run fabric-login again.",
    50057: "The user's account is disabled.",
    50105: "The user or app is not assigned to the application: assign it in Entra (Enterprise applications).",
    70021: f"No federated credential of the app fits the token. {_FEDERATION}",
    700211: f"No federated credential of the app fits the token's issuer. {_FEDERATION}",
    700212: f"No federated credential of the app fits the token's audience. {_FEDERATION}",
    700213: f"No federated credential of the app fits the token's subject. {_FEDERATION}",
}

TRANSIENT = frozenset({90006, 90012, 90013, 90033, 50196, 53013})
"""Codes of failures inside Entra: asking again later helps."""

_OAUTH_REMEDIES: Mapping[str, str] = {
    "invalid_client": "Check login (client id) and the secret, certificate or federated token.",
    "invalid_grant": _NEW_LOGIN,
    "invalid_scope": "Check the extra field scope.",
    "identity_not_found": "No such managed identity is assigned here: check managed_identity_client_id.",
}
_TRANSIENT_OAUTH = frozenset({"temporarily_unavailable", "server_error", "timeout"})
_CODE = re.compile(r"AADSTS(\d{1,10})")
_MUCH = 20_000
_TRAIL = re.compile(r"\s*(Trace ID|Correlation ID|Timestamp):.*", re.DOTALL)


def entra_error(settings: FabricSettings, answer: Mapping[str, Any], status: int | None = None) -> FabricAuthError:
    """Return the exception for a refusal.

    :param settings: the connection; its secrets are removed from whatever the answer says.
    :param answer: an OAuth error: ``error``, ``error_description``, ``error_codes``, ``correlation_id``.
    :param status: HTTP status, if it is known.
    """
    description = _text(answer.get("error_description"))
    oauth = _text(answer.get("error"))
    code = _code(answer, description)
    if status is not None and 300 <= status < 400:
        redirect = f"the login host answered {status} with a redirect, which is not followed. Check authority."
        return FabricAuthError(f"Connection {settings.conn_id!r}: no token was issued: {redirect}")
    said = _TRAIL.sub("", description).strip() or oauth or f"HTTP status {status}"
    remedy = REMEDIES.get(code or 0) or _OAUTH_REMEDIES.get(oauth) or ""
    correlation_id = one_line(_text(answer.get("correlation_id")), MAX_CODE)
    correlation = f" (correlation id {correlation_id})" if correlation_id else ""
    reason = one_line(settings.redact(f"{said}{correlation}"))
    text = f"Connection {settings.conn_id!r}: no token was issued: {reason} {remedy}".strip()
    retriable = code in TRANSIENT or oauth in _TRANSIENT_OAUTH or status == 429 or (status or 0) >= 500
    error_code = f"AADSTS{code}" if code else one_line(settings.redact(oauth), MAX_CODE)
    return FabricAuthError(text, error_code=error_code or None, is_retriable=retriable)


def _text(value: object) -> str:
    return value[:_MUCH] if isinstance(value, str) else ""


def refusal_in(body: bytes) -> dict[str, Any]:
    """Return the OAuth error that an answer's body holds, or nothing."""
    try:
        content = parse_json(body)
    except ValueError:
        return {}
    return content if isinstance(content, dict) and "error" in content else {}


def unreachable_error(settings: FabricSettings, failure: TransportFailure) -> FabricAuthError:
    """Return the exception for a login host that gave no answer."""
    text = f"Connection {settings.conn_id!r}: no token was issued: {failure.reason}"
    return FabricAuthError(settings.redact(text), is_retriable=not failure.permanent, unreachable=True)


def _code(answer: Mapping[str, Any], description: str) -> int | None:
    codes = answer.get("error_codes")
    if isinstance(codes, list) and codes and type(codes[0]) is int:
        return codes[0]
    match = _CODE.search(description)
    return int(match[1]) if match else None
