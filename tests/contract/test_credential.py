"""``FabricHook.credential()`` as Azure's SDKs use it: the right audience and identity, and no secret shown."""

from __future__ import annotations

import json
import logging
import time

import jwt
import pytest

from airflow_provider_fabric.exceptions import FabricAuthError, FabricInputError
from airflow_provider_fabric.hooks.fabric import FabricHook

STORAGE = "https://storage.azure.com/.default"
FABRIC = "https://api.fabric.microsoft.com/.default"
TOKEN_ROUTE = "POST /{tenantId}/oauth2/v2.0/token"
OTHER_TENANT = "00000000-0000-4000-8000-00000000abcd"


def claims(token: str) -> dict:
    return jwt.decode(token, options={"verify_signature": False})


def connect(emulator, monkeypatch, **changes) -> FabricHook:
    fields = {**emulator.connection, **changes}
    fields["extra"] = {**emulator.connection["extra"], **changes.get("extra", {})}
    monkeypatch.setenv("AIRFLOW_CONN_FABRIC_DEFAULT", json.dumps(fields))
    return FabricHook()


@pytest.mark.parametrize(
    ("scope", "audience"),
    [
        (STORAGE, "https://storage.azure.com"),
        ("https://management.azure.com/.default", "https://management.azure.com"),
        (FABRIC, "https://api.fabric.microsoft.com"),
    ],
)
async def test_the_audience_that_is_asked_for(emulator, scope, audience):
    hook = FabricHook()
    before = time.time()
    token = hook.credential().get_token(scope, enable_cae=True, tenant_id=emulator.tenant_id)
    assert claims(token.token)["aud"].rstrip("/") == audience
    assert claims(token.token)["appid"] == emulator.client_id
    assert isinstance(token.expires_on, int)
    assert before + 3000 < token.expires_on <= time.time() + 3600
    assert tuple(token) == (token.token, token.expires_on)
    async with hook.acredential() as credential:
        assert await credential.get_token(scope) == token


async def test_the_newer_protocol_and_the_twin_that_may_be_awaited(emulator):
    hook = FabricHook()
    info = hook.credential().get_token_info(STORAGE, options={"enable_cae": True})
    assert (info.token_type, info.refresh_on < info.expires_on) == ("Bearer", True)
    credential = await hook.acredential()
    assert await credential.get_token_info(STORAGE) == info
    await credential.close()
    with hook.credential() as one:
        assert one.get_token(STORAGE).token == info.token


def test_one_token_per_audience_and_none_twice(emulator, monkeypatch):
    hook = connect(emulator, monkeypatch, extra={"timeout_seconds": 61})  # an identity that holds no token yet
    hook.list_workspaces()
    credential = hook.credential()
    issued = emulator.control.stats()["routes"][TOKEN_ROUTE]["200"]
    assert issued == 1
    held = {credential.get_token(scope).token for scope in (FABRIC, STORAGE, STORAGE, FABRIC)}
    assert len(held) == 2
    assert emulator.control.stats()["routes"][TOKEN_ROUTE]["200"] == issued + 1, "Fabric's was there already"


def test_an_access_token_is_not_passed_off_as_one_for_another_audience(emulator, monkeypatch):
    given = emulator.control.issue_token()
    hook = connect(emulator, monkeypatch, password=given, extra={"auth_type": "access_token"})
    assert hook.credential().get_token(FABRIC).token == given
    with pytest.raises(FabricAuthError, match=r"fabric_default.*is for 'https://api.fabric.microsoft.com'.*storage"):
        hook.credential().get_token(STORAGE)
    given = emulator.control.issue_token(audience="https://storage.azure.com")
    hook = connect(emulator, monkeypatch, password=given, extra={"auth_type": "access_token"})
    assert hook.credential().get_token(STORAGE).token == given


def test_a_token_that_names_no_audience(emulator, monkeypatch):
    hook = connect(emulator, monkeypatch, password="opaque-token-text", extra={"auth_type": "access_token"})
    assert hook.credential().get_token(FABRIC).expires_on > time.time() + 300
    with pytest.raises(FabricAuthError, match="unknown audience"):
        hook.credential().get_token(STORAGE)


@pytest.mark.parametrize("scopes", [(), ("",), (" ",), (None,), (STORAGE, 5)])
async def test_no_scope(emulator, scopes):
    with pytest.raises(FabricInputError, match="at least one scope"):
        FabricHook().credential().get_token(*scopes)
    with pytest.raises(FabricInputError, match="at least one scope"):
        await FabricHook().acredential().get_token(*scopes)


def test_another_tenant_or_further_claims(emulator):
    credential = FabricHook().credential()
    with pytest.raises(FabricAuthError, match=OTHER_TENANT):
        credential.get_token(STORAGE, tenant_id=OTHER_TENANT)
    with pytest.raises(FabricAuthError, match="conditional access"):
        credential.get_token(STORAGE, claims='{"access_token": {}}')


def test_a_scope_that_nobody_knows(emulator):
    with pytest.raises(FabricAuthError, match="AADSTS500011"):
        FabricHook().credential().get_token("https://graph.example/.default")


async def test_no_secret_is_shown(emulator, caplog, capsys):
    caplog.set_level(logging.DEBUG)
    hook = FabricHook()
    credential, twin = hook.credential(), hook.acredential()
    token, info = credential.get_token(STORAGE), await twin.get_token_info(STORAGE)
    output = capsys.readouterr()
    seen = caplog.text + output.out + output.err
    seen += "".join(f"{thing!r}{thing}" for thing in (credential, twin, token, info, [token], vars(credential)))
    assert [
        secret for secret in (token.token, token.token.split(".")[2], emulator.client_secret) if secret in seen
    ] == []
    assert "fabric_default" in repr(credential) + repr(twin)
