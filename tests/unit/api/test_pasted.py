"""Tokens and scopes as people paste them."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_fabric.api.connection.fields import FIELDS
from airflow_provider_fabric.api.connection.settings import FabricSettings
from airflow_provider_fabric.exceptions import FabricConnectionError

TOKEN = "eyJ0eXAi.eyJhdWQi.c2lnbmF0dXJl"
FABRIC = "https://api.fabric.microsoft.com"
POWER_BI = "https://analysis.windows.net/powerbi/api"
PASTED = [
    "{}",
    " {} ",
    '"{}"',
    "'{}'",
    "`{}`",
    "Bearer {}",
    "bearer {}",
    "BEARER   {}",
    '"Bearer {}"',
    "'bearer {}'",
    'Bearer "{}"',
    " ' {} ' ",
    "Authorization: Bearer {}",
    "authorization:bearer {}",
    '"{}",',
    "{};",
]


def read(auth_type: str = "access_token", password: str | None = None, **extra: Any) -> FabricSettings:
    return FabricSettings.from_connection("c", password=password, extra={"auth_type": auth_type, **extra})


@pytest.mark.parametrize("pasted", PASTED)
@pytest.mark.parametrize("field", ["password", "access_token", "accessToken"])
def test_a_pasted_token_is_understood(pasted: str, field: str) -> None:
    settings = read(**{field: pasted.format(TOKEN)})
    assert settings.secret == TOKEN
    assert settings.secrets() == [TOKEN]
    assert TOKEN not in repr(settings)


def test_the_same_token_in_both_places_in_different_dress() -> None:
    assert read(password=f'"{TOKEN}"', access_token=f"Bearer {TOKEN}").secret == TOKEN
    with pytest.raises(FabricConnectionError, match="hold different values"):
        read(password=TOKEN, access_token=f"{TOKEN}x")


@pytest.mark.parametrize("empty", ["Bearer", "Bearer ", '""', "''", "bearer ''", "Authorization: Bearer"])
def test_nothing_but_dress_is_no_token(empty: str) -> None:
    with pytest.raises(FabricConnectionError, match="is empty, but auth_type access_token needs an access token"):
        read(password=empty)


@pytest.mark.parametrize("wrong", [f"{TOKEN} {TOKEN}", f"the token {TOKEN}"])
def test_more_than_a_token_is_refused_without_repeating_it(wrong: str) -> None:
    with pytest.raises(FabricConnectionError, match="one access token and nothing else") as caught:
        read(password=wrong)
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("pasted", PASTED)
@pytest.mark.parametrize("auth_type", ["client_secret", "refresh_token"])
def test_a_token_in_the_place_of_another_secret_is_recognised(pasted: str, auth_type: str) -> None:
    with pytest.raises(FabricConnectionError, match="holds an access token: set auth_type to access_token") as caught:
        FabricSettings.from_connection(
            "c", login="app", password=pasted.format(TOKEN), extra={"auth_type": auth_type, "tenant_id": "t"}
        )
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "scope"),
    [
        (None, f"{FABRIC}/.default"),
        ("Item.ReadWrite.All", f"{FABRIC}/Item.ReadWrite.All"),
        (
            "Workspace.ReadWrite.All Item.ReadWrite.All",
            f"{FABRIC}/Workspace.ReadWrite.All {FABRIC}/Item.ReadWrite.All",
        ),
        (
            "Workspace.ReadWrite.All, Item.ReadWrite.All",
            f"{FABRIC}/Workspace.ReadWrite.All {FABRIC}/Item.ReadWrite.All",
        ),
        (
            "_Workspace.ReadWrite.All_, *Item.ReadWrite.All*",
            f"{FABRIC}/Workspace.ReadWrite.All {FABRIC}/Item.ReadWrite.All",
        ),
        (f"{FABRIC}/Item.Execute.All Item.ReadWrite.All", f"{FABRIC}/Item.Execute.All {FABRIC}/Item.ReadWrite.All"),
        ("offline_access openid Item.ReadWrite.All", f"{FABRIC}/Item.ReadWrite.All"),
        ("offline_access", f"{FABRIC}/.default"),
        (".default", f"{FABRIC}/.default"),
        ("https://api.example.cn/.default", "https://api.example.cn/.default"),
        ("00000009-0000-0000-c000-000000000000/.default", "00000009-0000-0000-c000-000000000000/.default"),
    ],
)
def test_bare_scopes_are_completed(given: str | None, scope: str) -> None:
    assert read(password=TOKEN, scope=given).scope == scope


def test_bare_power_bi_scopes_are_of_power_bi() -> None:
    settings = read(password=TOKEN, power_bi_scope="Dataset.ReadWrite.All")
    assert settings.power_bi_scope == f"{POWER_BI}/Dataset.ReadWrite.All"
    assert read(password=TOKEN).power_bi_scope == FIELDS["power_bi_scope"].default
