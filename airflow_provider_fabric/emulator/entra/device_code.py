"""The device authorization grant: a code shown on one screen, approved on another.

https://learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code. Nobody has to open a browser here: a test
approves or refuses over ``POST /_emulator/devicecode/approve``.
"""

from __future__ import annotations

from starlette.responses import Response

from airflow_provider_fabric.emulator.entra.errors import EntraError
from airflow_provider_fabric.emulator.entra.tenants import check_tenant, read_audience
from airflow_provider_fabric.emulator.http.request import ApiRequest
from airflow_provider_fabric.emulator.http.responses import json_response
from airflow_provider_fabric.emulator.state.device_codes import LIFETIME, DeviceCode
from airflow_provider_fabric.emulator.state.world import World

INTERVAL = 1
"""Seconds between two polls of a client."""


def device_code(world: World, request: ApiRequest) -> Response:
    """``POST /{tenant}/oauth2/v2.0/devicecode``."""
    form = request.form()
    try:
        check_tenant(world, request.params["tenantId"], app_only=False)
        if not form.get("client_id"):
            raise EntraError("invalid_request", 900144, "The request body must contain the parameter 'client_id'.")
        read_audience(form.get("scope", ""))
    except EntraError as error:
        return error.to_response(request.now)
    started = world.device_codes.start(form["client_id"], form["scope"], world.user, request.now)
    page = f"{request.base_url}/devicelogin"
    return json_response(
        {
            "user_code": started.user_code,
            "device_code": started.device_code,
            "verification_uri": page,
            "expires_in": LIFETIME,
            "interval": INTERVAL,
            "message": f"To sign in, use a web browser to open the page {page} and enter the code "
            f"{started.user_code} to authenticate.",
        }
    )


def redeem(world: World, device_code: str, client_id: str, now: float) -> DeviceCode:
    """Exchange an approved device code for the sign-in it stands for; it works once.

    :raises EntraError: while it is pending, and when it was refused or has expired.
    """
    entry = world.device_codes.find(device_code, client_id)
    if entry is None:
        raise EntraError("bad_verification_code", 70002, "The device code is not known.")
    if now >= entry.expires_at:
        raise EntraError("expired_token", 70020, "The provided device code has expired.")
    if entry.approved is None:
        raise EntraError(
            "authorization_pending", 70016, "OAuth 2.0 device flow error. Authorization is pending. Continue polling."
        )
    world.device_codes.remove(entry)
    if not entry.approved:
        raise EntraError("authorization_declined", 70018, "The end user denied the authorization request.")
    return entry
