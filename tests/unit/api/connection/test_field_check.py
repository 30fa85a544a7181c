"""One field alone is checked by the rules that read the whole connection."""

from __future__ import annotations

import pytest

from airflow_provider_fabric.api.connection.field_check import error_of
from airflow_provider_fabric.api.connection.fields import FIELDS, STORED_SECRET, AuthType
from airflow_provider_fabric.api.connection.settings import FabricSettings
from airflow_provider_fabric.exceptions import FabricConnectionError

WRONG = {
    "auth_type": ("password", "The extra field 'auth_type' must be one of client_secret, "),
    "tenant_id": ("t\u00e9.example", "plain ASCII"),
    "authority": ("http://login.example", "must begin with https://"),
    "power_bi_host": ("ftp://pbi.example", "must begin with https://"),
    "onelake_host": ("https://user@files.example", "without user"),
    "arm_host": ("not a host", "is not a URL"),
    "proxies": ("http://proxy.example:3128", "must be a JSON object"),
    "timeout_seconds": ("soon", "must be a number, not 'soon'"),
    "job_calls_per_minute": ("0", "must be a whole number from 1 to 10000"),
    "local_cache": ("relative/path", "absolute path of a directory"),
    "events_hub": ("namespace", "must be a host and the name of an event hub"),
    "events_consumer_group": ("a group", "must be a consumer group"),
    "events_stream": ("one-guid", "must be two GUIDs"),
    "events_trust_succeeded": ("perhaps", "must be true or false"),
}
"""Field → a wrong value, and what is said of it."""
EXTRAS = [name for name, field in FIELDS.items() if not field.standard]
STANDARD = {"login": "app", "password": "secret"}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_value_is_named(name: str) -> None:
    value, said = WRONG[name]
    error = error_of(name, value)
    assert error is not None
    assert error.startswith(f"The extra field {name!r} ")
    assert said in error
    with pytest.raises(FabricConnectionError, match="field"):
        FabricSettings.from_connection("c", **STANDARD, extra={"tenant_id": "t.example", name: value})


@pytest.mark.parametrize("name", EXTRAS)
@pytest.mark.parametrize("value", [None, "", "  ", STORED_SECRET])
def test_an_empty_field_and_a_stored_secret_are_fine(name: str, value: object) -> None:
    assert error_of(name, value) is None


@pytest.mark.parametrize("name", [name for name in EXTRAS if FIELDS[name].default is not None])
def test_every_default_is_fine(name: str) -> None:
    assert error_of(name, str(FIELDS[name].default)) is None


@pytest.mark.parametrize("word", ["spn", "token", "SPN", *(member.value for member in AuthType)])
def test_every_word_that_signs_in_is_fine(word: str) -> None:
    assert error_of("auth_type", word) is None


def test_what_another_host_has_is_not_asked_for() -> None:
    assert error_of("verify", "/no/such/bundle.pem") is None
    assert error_of("certificate", "/no/such/certificate.pem") is None
    assert error_of("federated_token_file", "/no/such/token") is None


def test_a_secret_is_not_repeated() -> None:
    error = error_of("access_token", "eyJ.secret\u00e9.token")
    assert error is not None
    assert "secret\u00e9" not in error
