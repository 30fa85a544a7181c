"""Airflow's masker knows every token before it is used."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_fabric.hooks import masked_tokens
from airflow_provider_fabric.hooks.masked_tokens import KEPT, MaskedTokens, TokenMask


class Source:
    """Hands out one token after the other."""

    def __init__(self) -> None:
        self.number = 0

    def token(self, audience: Any, *, refused: str | None = None) -> str:
        if refused is not None:
            self.number += 1
        return f"token-{self.number}"

    async def atoken(self, audience: Any, *, refused: str | None = None) -> str:
        return self.token(audience, refused=refused)


@pytest.fixture
def masked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    seen: list[str] = []

    async def mask_later(secrets: list[str]) -> None:
        seen.extend(secrets)

    monkeypatch.setattr(masked_tokens, "mask_secrets", seen.extend)
    monkeypatch.setattr(masked_tokens, "mask_secrets_async", mask_later)
    return seen


def test_each_token_is_masked_once_before_it_is_handed_out(masked: list[str]) -> None:
    tokens = MaskedTokens(Source(), TokenMask())
    assert [tokens.token() for _ in range(3)] == ["token-0"] * 3
    assert masked == ["token-0"]
    assert tokens.token(refused="token-0") == "token-1"
    assert masked == ["token-0", "token-1"]


async def test_on_an_event_loop_too(masked: list[str]) -> None:
    tokens = MaskedTokens(Source(), TokenMask())
    assert await tokens.atoken() == await tokens.atoken() == "token-0"
    assert masked == ["token-0"]


def test_no_more_is_remembered_than_needed(masked: list[str]) -> None:
    tokens = MaskedTokens(Source(), TokenMask())
    for _ in range(3 * KEPT):
        tokens.token(refused="x")
    assert len(tokens._masker._masked) == KEPT


def test_airflows_own_masker_hides_it() -> None:
    try:
        from airflow.sdk._shared.secrets_masker import redact
    except ImportError:
        try:
            from airflow.sdk.execution_time.secrets_masker import redact
        except ImportError:
            from airflow.utils.log.secrets_masker import redact
    TokenMask().mask("a-token-that-only-this-test-knows")
    assert redact("Bearer a-token-that-only-this-test-knows") == "Bearer ***"
