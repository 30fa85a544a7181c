"""What a login host, or a file, may say: nothing is sent that is no token, and nothing that comes back is believed."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_fabric.api.auth.claims import claims_of, expiry_of, is_json_web_token
from airflow_provider_fabric.api.auth.entra_errors import entra_error
from airflow_provider_fabric.api.auth.federated_token import FederatedTokenError, load_federated_token
from airflow_provider_fabric.api.auth.sign_in import SignIn
from airflow_provider_fabric.api.connection.fields import AuthType
from airflow_provider_fabric.api.connection.settings import FabricSettings
from airflow_provider_fabric.exceptions import FabricAuthError


def part(content: Any) -> str:
    text = content if isinstance(content, str) else json.dumps(content)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


TOKEN = f"{part({'alg': 'RS256'})}.{part({'sub': 'system:serviceaccount:a:b'})}.{part('signature')}"


@pytest.mark.parametrize(
    "content",
    [
        "root:x:0:0:root:/root:/bin/bash\n",
        "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----",
        '{"client_secret": "s3cr3t-value"}',
        "s3cr3t-value",
        "s3cr3t-value.s3cr3t-value.s3cr3t-value",
        f"{part({'alg': 'RS256'})}.{part({'sub': 'a'})}",
        f"{part({'alg': 'RS256'})}.{part({})}.{part('s3cr3t-value')}",
        f"{part({'typ': 'JWT'})}.{part({'sub': 'a'})}.{part('s3cr3t-value')}",
        f"{part('[' * 50_000)}.{part({'sub': 'a'})}.{part('s3cr3t-value')}",
        f"{TOKEN}\ns3cr3t-value",
        f"{TOKEN} {TOKEN}",
        "x" * 100_000,
        "s3cr3t-v\u00e4lue",
    ],
)
def test_a_file_that_holds_no_token_is_never_sent(content: str, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(FederatedTokenError) as caught:
        load_federated_token(str(file))
    assert "s3cr3t-value" not in str(caught.value)
    assert str(file) in str(caught.value)


def test_a_token_is_read_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"\n{TOKEN}\n")
    assert load_federated_token(str(file)) == TOKEN
    assert is_json_web_token(TOKEN)
    with pytest.raises(FederatedTokenError, match="cannot be read"):
        load_federated_token(str(tmp_path / "missing"))


SETTINGS = FabricSettings("c", tenant_id="t.example", client_id="app", secret="the-client-secret")


@pytest.mark.parametrize("lifetime", [None, "", "abc", "nan", "inf", "-5", 0, -1, [], {}, True, 1e999, "3600"])
def test_a_lifetime_that_makes_no_sense_is_an_hour(lifetime: Any) -> None:
    token = SignIn(SETTINGS)._token_in({"access_token": "a.b.c", "expires_in": lifetime}, None, 1000.0)
    assert 1000.0 < token.expires_at <= 1000.0 + 7 * 86400
    assert token.renew_at < token.expires_at


@pytest.mark.parametrize("value", ["", "a b", "a\r\nX-Evil: 1", "t\u00f6ken", None, 7, [], {"a": 1}])
def test_a_token_that_is_none_is_refused(value: Any) -> None:
    with pytest.raises(FabricAuthError):
        SignIn(SETTINGS)._token_in({"access_token": value}, None, 0.0)


@pytest.mark.parametrize("expiry", ["1e999", "-1e999", "NaN", "1e300", '"soon"', "true", "null", "[]", "-5"])
def test_an_expiry_that_is_no_time_is_none(expiry: str) -> None:
    claims = part('{"exp": ' + expiry + "}")
    assert expiry_of(f"x.{claims}.x") is None


def test_a_hostile_token_has_no_claims() -> None:
    for middle in ("[" * 100_000, '{"a":' * 100_000, "\ud800", "null", "[]"):
        coded = base64.urlsafe_b64encode(middle.encode("utf-8", "surrogatepass")).decode()
        assert claims_of(f"x.{coded}.y") == {}


HOSTILE = "AADSTS700038: no.\r\n2026 forged line \x1b[31m the-client-secret " + TOKEN + " " + "x" * 100_000


@pytest.mark.parametrize(
    "answer",
    [
        {"error": "invalid_client", "error_description": HOSTILE},
        {"error": HOSTILE, "correlation_id": HOSTILE, "error_codes": [HOSTILE]},
        {"error": ["a"], "error_description": {"b": 1}, "error_codes": {"c": 2}, "correlation_id": 7},
        {"error_codes": [True], "error": None},
        {},
    ],
)
def test_what_entra_says_is_one_bounded_line_without_secrets(answer: dict[str, Any]) -> None:
    error = entra_error(SETTINGS, answer, 400)
    for text in (str(error), error.error_code or ""):
        assert text.isprintable()
        assert len(text) < 4000
        assert "the-client-secret" not in text
        assert TOKEN not in text


def test_an_id_that_is_no_applications_is_explained() -> None:
    description = "AADSTS700038: 00000000-0000-0000-0000-000000000000 is not a valid application identifier."
    error = entra_error(SETTINGS, {"error": "unauthorized_client", "error_description": description}, 400)
    assert error.error_code == "AADSTS700038"
    assert "login (client id)" in str(error)


def test_the_token_of_a_workload_identity_is_checked_before_anything_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SignIn, "_as_app", lambda *arguments: pytest.fail("it was sent"))
    file = tmp_path / "shadow"
    file.write_text("root:$6$hash")
    settings = FabricSettings(
        "c", auth_type=AuthType.WORKLOAD_IDENTITY, tenant_id="t.example", client_id="a", federated_token_file=str(file)
    )
    with pytest.raises(ValueError, match="holds no JSON web token"):
        SignIn(settings).by_federated_token(None, [])
