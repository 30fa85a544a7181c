"""Test connection: get a token, list one page of workspaces, and say in a sentence what stands in the way.

Signing in, reaching the API and being let in fail apart: the first is Entra's refusal with its code, the second a
proxy, a name or a certificate, the third a wrong audience, a tenant setting, or no workspace.
"""

from __future__ import annotations

from dataclasses import replace

from airflow_provider_fabric.api.auth.claims import claims_of
from airflow_provider_fabric.api.auth.sign_in import token_source
from airflow_provider_fabric.api.connection.fields import AuthType
from airflow_provider_fabric.api.connection.settings import FabricSettings
from airflow_provider_fabric.api.http.errors import detail_of
from airflow_provider_fabric.api.http.flow import Flow, Request, Response, TransportFailure
from airflow_provider_fabric.api.http.transport import RequestsDriver
from airflow_provider_fabric.exceptions import FabricAuthError, FabricInputError, FabricProtocolError
from airflow_provider_fabric.remedies import remedy_for

_SETTING = (
    'In the Fabric admin portal, under Tenant settings > Developer settings, allow "Service principals can call Fabric '
    'public APIs" for this app (or a group that it is in).'
)
APP_ONLY = frozenset(
    {
        AuthType.CLIENT_SECRET,
        AuthType.CLIENT_CERTIFICATE,
        AuthType.MANAGED_IDENTITY,
        AuthType.WORKLOAD_IDENTITY,
    }
)
AUDIENCES = frozenset(
    {
        "https://api.fabric.microsoft.com",
        "https://analysis.windows.net/powerbi/api",
        "00000009-0000-0000-c000-000000000000",
    }
)
"""Whom Fabric's tokens are for: its own name, and the Power BI Service's by name and by application id."""


def diagnose(settings: FabricSettings) -> tuple[bool, str]:
    """Return whether the connection works, and a sentence for a person.

    :param settings: the connection.
    """
    tokens = token_source(settings)
    try:
        audience = str(claims_of(tokens.token()).get("aud") or "")
    except (FabricAuthError, FabricInputError) as error:
        return False, f"Sign-in failed. {error}"
    driver = RequestsDriver(settings, tokens)
    try:
        return driver.run(check(settings, audience))
    except FabricAuthError as error:
        return False, f"Sign-in failed. {error}"
    finally:
        driver.close()


def check(settings: FabricSettings, audience: str) -> Flow[tuple[bool, str]]:
    """Ask for one page of workspaces, once, and say what the answer means.

    :param settings: the connection.
    :param audience: the token's ``aud`` claim, or nothing.
    """
    request = Request("GET", "/v1/workspaces", "list workspaces")
    answer = yield request
    if isinstance(answer, Response) and answer.status == 401:
        answer = yield replace(request, fresh_token=True)  # the process may hold a token from before it was revoked
    if isinstance(answer, TransportFailure):
        return False, f"Signed in, but the API cannot be reached: {answer.reason}"
    if not isinstance(answer, Response):
        raise TypeError(f"The driver answered a request with {type(answer).__name__}.")
    if answer.status == 200:
        return _seen(settings, answer)
    return False, f"Signed in, but {settings.host} answered {answer.status}: {_why(settings, answer, audience)}"


def _seen(settings: FabricSettings, answer: Response) -> tuple[bool, str]:
    try:
        page = answer.json_object()["value"]
        names = [str(workspace["displayName"]) for workspace in page]
    except (FabricProtocolError, KeyError, TypeError):
        return False, f"Signed in, but {settings.host} does not answer as the Fabric API does: check the field 'host'."
    if not names:
        return False, (
            "Signed in, and the Fabric API answers, but this identity sees no workspace: add it to one (Manage "
            "access), as Contributor to run items, or Member for dataflows and dbt jobs."
        )
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return True, f"Signed in ({settings.auth_type.value}). Workspaces: {names[0]!r}{more}."


def _why(settings: FabricSettings, answer: Response, audience: str) -> str:
    detail = detail_of(answer)
    if detail.error_code == "UserNotLicensed":
        return f"{detail}. {remedy_for(detail.error_code)}"
    if answer.status in {401, 403}:
        if audience and audience.rstrip("/") not in AUDIENCES:
            return f"{detail}. The token is for {audience!r}: check the extra field 'scope' ({settings.scope})."
        if settings.auth_type in APP_ONLY:
            return f"{detail}. {_SETTING}"
        return f"{detail}. Check that the user may use Fabric, and that the app has the delegated API permissions."
    if 300 <= answer.status < 400:
        return "a redirect, which is not followed. Check the field 'host'."
    if answer.status == 404:
        return f"{detail}. Check the field 'host': it does not seem to be the root of the Fabric API."
    return f"{detail}."
