"""The connection's identity for other libraries: what Azure's SDKs call a ``TokenCredential``.

https://learn.microsoft.com/python/api/azure-core/azure.core.credentials.tokencredential: an object with
``get_token(*scopes, **kwargs)``, and ``get_token_info`` since azure-core 1.31. Nothing of azure-core is imported: it
asks for attributes, not for classes. The tokens are those that the process holds anyway, one per audience.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Generator, Mapping
from typing import Any, NamedTuple

from airflow_provider_fabric.api.auth import tokens
from airflow_provider_fabric.api.auth.sign_in import IdentityTokens, scopes_of, token_source
from airflow_provider_fabric.api.connection.settings import RESERVED_SCOPES, FabricSettings
from airflow_provider_fabric.api.models import is_guid
from airflow_provider_fabric.exceptions import FabricAuthError, FabricInputError

UNKNOWN_LIFETIME = 3600.0
"""Seconds that a token is said to live if it does not say so itself."""


class AccessToken(NamedTuple):
    """A token as azure-core has it. Its repr does not show the token.

    :param token: what is sent.
    :param expires_on: epoch seconds.
    """

    token: str
    expires_on: int

    def __repr__(self) -> str:
        return f"AccessToken(token='***', expires_on={self.expires_on})"


class AccessTokenInfo(NamedTuple):
    """A token as azure-core's newer protocol has it. Its repr does not show the token.

    :param token: what is sent.
    :param expires_on: epoch seconds.
    :param token_type: always ``Bearer``.
    :param refresh_on: epoch seconds from which a new one is to be asked for.
    """

    token: str
    expires_on: int
    token_type: str = "Bearer"  # noqa: S105 - a kind of token, not a token
    refresh_on: int | None = None

    def __repr__(self) -> str:
        return f"AccessTokenInfo(token='***', expires_on={self.expires_on}, token_type={self.token_type!r})"


def audience_of(settings: FabricSettings, scopes: tuple[object, ...], options: Mapping[str, Any]) -> tokens.Audience:
    """Return what to ask Entra for.

    :param settings: the connection.
    :param scopes: such as ``https://storage.azure.com/.default``.
    :param options: azure-core's options; ``enable_cae`` and others are ignored.
    :raises FabricInputError: no scope, or one that is no text.
    :raises FabricAuthError: another tenant than the connection's, or a claims challenge, which is not supported.
    """
    if not scopes or not all(isinstance(scope, str) and scope.strip() for scope in scopes):
        raise FabricInputError(
            f"get_token needs at least one scope, such as 'https://storage.azure.com/.default', got {scopes!r}."
        )
    wanted = [word for scope in scopes for word in str(scope).split() if word not in RESERVED_SCOPES]
    tenant = options.get("tenant_id")
    if is_guid(tenant) and is_guid(settings.tenant_id) and str(tenant).lower() != str(settings.tenant_id).lower():
        raise FabricAuthError(
            f"Connection {settings.conn_id!r} signs in to tenant {settings.tenant_id}; a token of tenant {tenant} was "
            "asked for. Use a connection to that tenant."
        )
    if options.get("claims"):
        raise FabricAuthError(
            f"Connection {settings.conn_id!r}: the service asks for another sign-in with further claims (conditional "
            "access), which this connection cannot give. Exempt the identity from that policy."
        )
    for service, own in scopes_of(settings).items():
        if wanted == own.split():
            return service
    return " ".join(wanted)


def _as_token(token: tokens.AccessToken) -> AccessToken:
    return AccessToken(token.value, _seconds(token.expires_at))


def _as_info(token: tokens.AccessToken) -> AccessTokenInfo:
    return AccessTokenInfo(token.value, _seconds(token.expires_at), refresh_on=_seconds(token.renew_at))


def _seconds(at: float) -> int:
    return int(at) if at != float("inf") else int(time.time() + UNKNOWN_LIFETIME)


class FabricTokenCredential:
    """The identity of a connection as a ``TokenCredential``. Safe to use from any thread.

    :param conn_id: Airflow's connection id, for the repr.
    :param settings: reads the connection; called when the first token is asked for.
    :param mask: called with each token before it is handed out.
    """

    def __init__(
        self, conn_id: str, settings: Callable[[], FabricSettings], mask: Callable[[str], object] = lambda token: None
    ) -> None:
        self._conn_id = conn_id
        self._settings = settings
        self._mask = mask

    def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        """Return a token that is valid now.

        :param scopes: what it is for, such as ``https://storage.azure.com/.default``.
        :param kwargs: azure-core's ``tenant_id`` (must be the connection's), ``claims`` (refused), ``enable_cae``.
        :raises FabricAuthError: none was issued.
        :raises FabricConnectionError: the connection cannot be used.
        """
        return _as_token(self._get(scopes, kwargs))

    def get_token_info(self, *scopes: str, options: Mapping[str, Any] | None = None) -> AccessTokenInfo:
        """Return a token that is valid now, in azure-core's newer form; see :meth:`get_token`."""
        return _as_info(self._get(scopes, options or {}))

    def _get(self, scopes: tuple[str, ...], options: Mapping[str, Any]) -> tokens.AccessToken:
        settings = self._settings()
        token = token_source(settings).get(audience_of(settings, scopes, options))
        self._mask(token.value)
        return token

    def close(self) -> None:
        """Do nothing: no connection is kept."""

    def __enter__(self) -> FabricTokenCredential:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._conn_id!r})"


class AsyncFabricTokenCredential:
    """The identity of a connection as an ``AsyncTokenCredential``: the same tokens, without blocking an event loop.

    It may be awaited, which returns itself, so that ``await hook.acredential()`` is right too.

    :param conn_id: Airflow's connection id, for the repr.
    :param settings: reads the connection; awaited when the first token is asked for.
    :param mask: awaited with each token before it is handed out.
    """

    def __init__(
        self,
        conn_id: str,
        settings: Callable[[], Awaitable[FabricSettings]],
        mask: Callable[[str], Awaitable[object]] | None = None,
    ) -> None:
        self._conn_id = conn_id
        self._settings = settings
        self._mask = mask

    async def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        """Return a token that is valid now; see :meth:`FabricTokenCredential.get_token`."""
        return _as_token(await self._get(scopes, kwargs))

    async def get_token_info(self, *scopes: str, options: Mapping[str, Any] | None = None) -> AccessTokenInfo:
        """Return a token that is valid now; see :meth:`FabricTokenCredential.get_token_info`."""
        return _as_info(await self._get(scopes, options or {}))

    async def _get(self, scopes: tuple[str, ...], options: Mapping[str, Any]) -> tokens.AccessToken:
        settings = await self._settings()
        source: IdentityTokens = token_source(settings)
        token = await source.aget(audience_of(settings, scopes, options))
        if self._mask is not None:
            await self._mask(token.value)
        return token

    async def close(self) -> None:
        """Do nothing: no connection is kept."""

    async def __aenter__(self) -> AsyncFabricTokenCredential:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    def __await__(self) -> Generator[Any, None, AsyncFabricTokenCredential]:
        yield from ()
        return self

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._conn_id!r})"
