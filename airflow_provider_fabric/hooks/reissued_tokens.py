"""Access tokens that something else renews: a secrets backend that hands out another one at the next look-up.

Fabric's own Airflow does so: its connections hold a token that lives about an hour. When such a token has expired, or
the service refuses it, the connection is read once more; if it holds another token by then, that one is used.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

from airflow_provider_fabric.api.auth.sign_in import token_source
from airflow_provider_fabric.api.auth.tokens import SharedTokens
from airflow_provider_fabric.api.connection.settings import FabricSettings
from airflow_provider_fabric.api.http.flow import Service
from airflow_provider_fabric.exceptions import FabricAuthError

EXPIRED = "TokenExpired"


class ReissuedTokens:
    """The tokens of a connection of ``auth_type`` ``access_token``.

    :param settings: the connection as it was read.
    :param read: reads the connection again, past every cache of ours.
    :param aread: the same without blocking the event loop.
    """

    def __init__(
        self,
        settings: FabricSettings,
        read: Callable[[], FabricSettings],
        aread: Callable[[], Awaitable[FabricSettings]],
    ) -> None:
        self._settings = settings
        self._read = read
        self._aread = aread

    def token(self, service: Service, *, refused: str | None = None) -> str:
        """Return the token; a newer one, if it expired or was refused and the connection holds another by now.

        :raises FabricAuthError: it expired, and there is no other.
        """
        if refused is None:
            try:
                return self._held.token(service)
            except FabricAuthError as error:
                if error.error_code != EXPIRED:
                    raise
        with suppress(Exception):  # the error of the token that is held says more
            self._take(self._read())
        return self._held.token(service, refused=refused)

    async def atoken(self, service: Service, *, refused: str | None = None) -> str:
        """Return the token without blocking the event loop; see :meth:`token`."""
        if refused is None:
            try:
                return await self._held.atoken(service)
            except FabricAuthError as error:
                if error.error_code != EXPIRED:
                    raise
        with suppress(Exception):
            self._take(await self._aread())
        return await self._held.atoken(service, refused=refused)

    def _take(self, settings: FabricSettings) -> None:
        """Use a token that was read again, if only the token has changed: it must go to no other host than its own."""
        if replace(settings, secret=self._settings.secret) == self._settings:
            self._settings = settings

    @property
    def _held(self) -> SharedTokens:
        return token_source(self._settings)
