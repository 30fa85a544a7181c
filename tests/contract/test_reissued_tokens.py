"""A connection whose token a secrets backend re-issues: read once more when the token expired or is refused."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.exceptions import FabricAuthError, FabricUnauthorizedError
from airflow_provider_fabric.hooks.fabric import FabricHook


@pytest.fixture
def issue(emulator: FabricEmulator, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that puts a token into the connection, as a secrets backend would."""

    def put(token: str, host: str = "") -> None:
        extra = {"auth_type": "token", "accessToken": token, "verify": emulator.connection["extra"]["verify"]}
        extra["expiresAt"] = "2026-01-01T00:00:00Z"  # Fabric's own Airflow writes it; the token says it itself
        connection = {"conn_type": "fabric", "host": host or emulator.url, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_FABRIC_DEFAULT", json.dumps(connection))

    return put


def names(hook: FabricHook, driver: str) -> list[str]:
    async def ask() -> list[Any]:
        try:
            return await hook.alist_workspaces()
        finally:
            await hook.aclose()

    return [w.display_name for w in (asyncio.run(ask()) if driver == "httpx" else hook.list_workspaces())]


@pytest.mark.parametrize("driver", ["requests", "httpx"])
class TestReissued:
    def test_an_expired_token_is_replaced_by_the_connections_new_one(
        self, emulator: FabricEmulator, issue: Any, driver: str
    ) -> None:
        issue(emulator.control.issue_token(lifetime_seconds=-5))
        hook = FabricHook()
        hook.get_conn()
        issue(emulator.control.issue_token())
        assert names(hook, driver) == ["Emulator workspace"]

    def test_a_refused_token_too(self, emulator: FabricEmulator, issue: Any, driver: str) -> None:
        issue(emulator.control.issue_token())
        hook = FabricHook()
        assert names(hook, driver) == ["Emulator workspace"]
        emulator.control.revoke_tokens()
        issue(emulator.control.issue_token())
        assert names(hook, driver) == ["Emulator workspace"]

    def test_without_a_new_one_it_fails_as_before(self, emulator: FabricEmulator, issue: Any, driver: str) -> None:
        issue(emulator.control.issue_token(lifetime_seconds=-5))
        with pytest.raises(FabricAuthError, match="expired"):
            names(FabricHook(), driver)
        issue(emulator.control.issue_token())
        hook = FabricHook()
        hook.get_conn()
        emulator.control.revoke_tokens()
        with pytest.raises(FabricUnauthorizedError):
            names(hook, driver)

    def test_a_connection_that_is_gone_by_then_shows_the_tokens_error(
        self, emulator: FabricEmulator, issue: Any, driver: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        issue(emulator.control.issue_token(lifetime_seconds=-5))
        hook = FabricHook()
        hook.get_conn()
        monkeypatch.delenv("AIRFLOW_CONN_FABRIC_DEFAULT")
        with pytest.raises(FabricAuthError, match="expired"):
            names(hook, driver)

    def test_a_token_for_another_host_is_not_sent_to_the_old_one(
        self, emulator: FabricEmulator, issue: Any, driver: str
    ) -> None:
        issue(emulator.control.issue_token(lifetime_seconds=-5))
        hook = FabricHook()
        hook.get_conn()
        issue(emulator.control.issue_token(), host="https://other.example")
        with pytest.raises(FabricAuthError, match="expired"):
            names(hook, driver)
