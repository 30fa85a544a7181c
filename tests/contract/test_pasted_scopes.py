"""The delegated scopes that Microsoft's articles name, bare, sign a user in; through both drivers."""

from __future__ import annotations

import json

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.exceptions import FabricAuthError
from tests.conformance.tour import Ask

BARE = "Workspace.ReadWrite.All, Item.ReadWrite.All"


@pytest.mark.parametrize("scope", [BARE, BARE.replace(",", ""), "Item.ReadWrite.All offline_access"])
def test_bare_scopes_sign_a_user_in(
    ask: Ask, emulator: FabricEmulator, monkeypatch: pytest.MonkeyPatch, scope: str
) -> None:
    connection = emulator.connection
    extra = {**connection["extra"], "auth_type": "refresh_token", "scope": scope}
    password = emulator.control.issue_refresh_token()
    monkeypatch.setenv("AIRFLOW_CONN_FABRIC_DEFAULT", json.dumps({**connection, "password": password, "extra": extra}))
    assert ask("list_workspaces")


def test_an_app_is_told_that_it_cannot_ask_for_them(
    ask: Ask, emulator: FabricEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = emulator.connection
    extra = {**connection["extra"], "scope": BARE}
    monkeypatch.setenv("AIRFLOW_CONN_FABRIC_DEFAULT", json.dumps({**connection, "extra": extra}))
    with pytest.raises(FabricAuthError, match=r"scope"):
        ask("list_workspaces")
