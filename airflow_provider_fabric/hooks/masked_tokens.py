"""Every token that a hook hands out is known to Airflow's masker first, so that no log shows it."""

from __future__ import annotations

from airflow_provider_fabric.api.http.flow import Service
from airflow_provider_fabric.api.http.transport import TokenSource
from airflow_provider_fabric.compat import mask_secrets, mask_secrets_async

KEPT = 64
"""Tokens that a hook remembers to have masked; masking one again does no harm."""


class TokenMask:
    """Has Airflow mask each token once."""

    def __init__(self) -> None:
        self._masked: dict[str, None] = {}

    def mask(self, token: str) -> None:
        """Mask a token."""
        if token not in self._masked:
            mask_secrets([token])
            self._remember(token)

    async def amask(self, token: str) -> None:
        """Mask a token without blocking the event loop."""
        if token not in self._masked:
            await mask_secrets_async([token])
            self._remember(token)

    def _remember(self, token: str) -> None:
        self._masked[token] = None
        while len(self._masked) > KEPT:
            del self._masked[next(iter(self._masked))]


class MaskedTokens:
    """A source of tokens for a driver, which masks what it hands out.

    :param source: the process's own source.
    :param masker: remembers what is masked.
    """

    def __init__(self, source: TokenSource, masker: TokenMask) -> None:
        self._source = source
        self._masker = masker

    def token(self, service: Service = Service.FABRIC, /, *, refused: str | None = None) -> str:
        """Return a token, waiting for it if need be."""
        token = self._source.token(service, refused=refused)
        self._masker.mask(token)
        return token

    async def atoken(self, service: Service = Service.FABRIC, /, *, refused: str | None = None) -> str:
        """Return a token without blocking the event loop."""
        token = await self._source.atoken(service, refused=refused)
        await self._masker.amask(token)
        return token
