"""The device authorization grant: a code shown on one screen, approved on another.

Source: Learn, *v2-oauth2-device-code*. Nobody has to open a browser here: a test approves or refuses over
``POST /_emulator/devicecode/approve``.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.responses import Response

from airflow_provider_fabric.emulator.entra.errors import EntraError
from airflow_provider_fabric.emulator.entra.token_endpoint import check_tenant, read_audience
from airflow_provider_fabric.emulator.http.request import Call, json_answer
from airflow_provider_fabric.emulator.state.identities import Identity

if TYPE_CHECKING:
    from airflow_provider_fabric.emulator.state.world import World

LIFETIME = 900
INTERVAL = 1
USER_CODE_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"


@dataclass
class DeviceCode:
    """One sign-in under way. ``approved`` is ``None`` until somebody decides."""

    device_code: str
    user_code: str
    client_id: str
    scope: str
    expires_at: float
    identity: Identity
    approved: bool | None = None


class DeviceCodes:
    """All sign-ins under way."""

    def __init__(self) -> None:
        self._all: dict[str, DeviceCode] = {}

    def start(self, client_id: str, scope: str, identity: Identity, now: float) -> DeviceCode:
        """Begin a sign-in."""
        user_code = "".join(secrets.choice(USER_CODE_LETTERS) for _ in range(9))
        started = DeviceCode(secrets.token_urlsafe(48), user_code, client_id, scope, now + LIFETIME, identity)
        self._all[started.device_code] = started
        return started

    def decide(self, user_code: str | None, approved: bool, identity: Identity | None) -> int:
        """Approve or refuse the sign-in with ``user_code``, or all that wait; return how many."""
        waiting = [
            entry for entry in self._all.values() if entry.approved is None and user_code in (None, entry.user_code)
        ]
        for entry in waiting:
            entry.approved = approved
            entry.identity = identity or entry.identity
        return len(waiting)

    def redeem(self, device_code: str, client_id: str, now: float) -> DeviceCode:
        """Turn an approved code in.

        :raises EntraError: while nobody has decided, and when it was refused or is over.
        """
        entry = self._all.get(device_code)
        if entry is None or entry.client_id != client_id:
            raise EntraError("bad_verification_code", 70002, "The device code is not known.")
        if now >= entry.expires_at:
            raise EntraError("expired_token", 70020, "The provided device code has expired.")
        if entry.approved is None:
            raise EntraError(
                "authorization_pending",
                70016,
                "OAuth 2.0 device flow error. Authorization is pending. Continue polling.",
            )
        del self._all[device_code]
        if not entry.approved:
            raise EntraError("authorization_declined", 70018, "The end user denied the authorization request.")
        return entry


def device_code(world: World, call: Call) -> Response:
    """``POST /{tenant}/oauth2/v2.0/devicecode``."""
    form = call.form()
    try:
        check_tenant(world, call.params["tenantId"], app_only=False)
        if not form.get("client_id"):
            raise EntraError("invalid_request", 900144, "The request body must contain the parameter 'client_id'.")
        read_audience(form.get("scope", ""))
    except EntraError as error:
        return error.answer(call.now)
    started = world.device_codes.start(form["client_id"], form["scope"], world.user, call.now)
    page = f"{call.base_url}/devicelogin"
    return json_answer(
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
