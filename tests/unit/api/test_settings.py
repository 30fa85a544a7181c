"""A connection's contents end in settings, or in one sentence that names the field and the connection."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_fabric.api.connection.fields import FIELDS, AuthType
from airflow_provider_fabric.api.connection.settings import FabricSettings
from airflow_provider_fabric.exceptions import FabricConnectionError

TENANT = "c6bc7552-bf2b-4afe-89b0-7a657563520c"
CLIENT = "a3e8d8a5-9529-4d44-a366-ad783ec0a54b"
SECRET = "s3cr3t-value~of.the-app"
JWT = "eyJhbGciOi.eyJleHAiOjF9.c2ln"
GOOD = {"login": CLIENT, "password": SECRET, "extra": {"tenant_id": TENANT}}


def read(**fields: Any) -> FabricSettings:
    extra = {**GOOD["extra"], **fields.pop("extra", {})}
    return FabricSettings.from_connection("my_conn", **{**GOOD, **fields, "extra": extra})


def refusal(**fields) -> str:
    with pytest.raises(FabricConnectionError) as caught:
        read(**fields)
    text = str(caught.value)
    assert "'my_conn'" in text
    assert SECRET not in text
    assert "\n" not in text
    return text


def test_the_least_connection_gets_the_defaults():
    settings = read()
    assert settings == FabricSettings(
        "my_conn", AuthType.CLIENT_SECRET, tenant_id=TENANT, client_id=CLIENT, secret=SECRET
    )
    assert settings.host == "https://api.fabric.microsoft.com"
    assert settings.power_bi_host == "https://api.powerbi.com"
    assert settings.scope == "https://api.fabric.microsoft.com/.default"
    assert (settings.timeout_seconds, settings.job_calls_per_minute, settings.verify) == (60.0, 180, True)


def test_blanks_around_values_do_not_matter():
    blank = read(
        login=f" {CLIENT}\n", password=f"\t{SECRET} ", host=" https://api.fabric.microsoft.com/v1/ ",
        extra={"tenant_id": f" {TENANT} ", "verify": " true ", "timeout_seconds": " 60 ", "proxies": "  "},
    )  # fmt: skip
    assert blank == read()


@pytest.mark.parametrize(
    ("extra", "name", "value"),
    [
        ({"verify": "false"}, "verify", False),
        ({"verify": False}, "verify", False),
        ({"verify": "1"}, "verify", True),
        ({"timeout_seconds": "30"}, "timeout_seconds", 30.0),
        ({"timeout": 5}, "timeout_seconds", 5.0),
        ({"job_calls_per_minute": "60"}, "job_calls_per_minute", 60),
        ({"proxies": '{"https": "http://proxy:3128"}'}, "proxies", {"https": "http://proxy:3128"}),
        ({"proxies": {"https": "http://proxy:3128"}}, "proxies", {"https": "http://proxy:3128"}),
        ({"auth_type": "SPN"}, "auth_type", AuthType.CLIENT_SECRET),
        ({"authority": "login.microsoftonline.us"}, "authority", "https://login.microsoftonline.us"),
        ({"scopes": "a  b"}, "scope", "a b"),
    ],
)
def test_extras_that_arrive_as_text_are_read(extra, name, value):
    assert getattr(read(extra=extra), name) == value


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"login": None}, ["'login'", "Client ID", "client_secret"]),
        ({"login": 7}, ["'login'", "must be text"]),
        ({"login": "a b"}, ["'login'"]),
        ({"password": ""}, ["'password'", "client secret"]),
        ({"password": "clé-secrète"}, ["'password'", "ASCII"]),
        ({"password": "two\nlines"}, ["'password'", "one line"]),
        ({"password": JWT}, ["'password'", "access_token"]),
        ({"password": "0.A" + "x" * 300}, ["'password'", "refresh_token"]),
        ({"extra": {"tenant_id": ""}}, ["'tenant_id'"]),
        ({"extra": {"tenant_id": None, "tennant_id": TENANT}}, ["'tenant_id'", "'tennant_id'"]),
        ({"extra": {"tenant_id": "not/a/tenant"}}, ["'tenant_id'"]),
        ({"extra": {"tenant_id": "common"}}, ["'tenant_id'", "one tenant"]),
        ({"extra": {"tenantId": "another.example"}}, ["'tenant_id'", "more than once", "tenantId"]),
        ({"extra": {"clientSecret": "another"}}, ["'password'", "'client_secret'"]),
        ({"extra": {"auth_type": "kerberos"}}, ["'auth_type'", "managed_identity"]),
        ({"extra": {"auth_type": 3}}, ["'auth_type'"]),
        ({"host": "http://api.fabric.microsoft.com"}, ["'host'", "https://"]),
        ({"host": "https://u:p@evil.example"}, ["'host'"]),
        ({"host": "https://api.fabric.microsoft.com\\@evil.example"}, ["'host'"]),
        ({"host": "ftp://x"}, ["'host'", "https://"]),
        ({"host": "https://"}, ["'host'"]),
        ({"host": "https://[::1"}, ["'host'"]),
        ({"host": "https://a:99999"}, ["'host'"]),
        ({"port": "many"}, ["'port'"]),
        ({"extra": {"authority": "http://127.0.0.1"}}, ["'authority'", "https://"]),
        ({"extra": {"authority": f"https://login.microsoftonline.com/{TENANT}"}}, ["'authority'", "tenant_id"]),
        ({"extra": {"verify": "maybe"}}, ["'verify'", "maybe"]),
        ({"extra": {"verify": 2}}, ["'verify'"]),
        ({"extra": {"verify": "/no/such/ca.pem"}}, ["'verify'", "/no/such/ca.pem"]),
        ({"extra": {"proxies": "{"}}, ["'proxies'", "JSON"]),
        ({"extra": {"proxies": ["x"]}}, ["'proxies'"]),
        ({"extra": {"proxies": {"https": "socks5://x"}}}, ["'proxies'"]),
        ({"extra": {"proxies": {"https": 3128}}}, ["'proxies'"]),
        ({"extra": {"timeout_seconds": "soon"}}, ["'timeout_seconds'", "soon"]),
        ({"extra": {"timeout_seconds": 0}}, ["'timeout_seconds'"]),
        ({"extra": {"timeout_seconds": True}}, ["'timeout_seconds'"]),
        ({"extra": {"timeout_seconds": "nan"}}, ["'timeout_seconds'"]),
        ({"extra": {"job_calls_per_minute": 1.5}}, ["'job_calls_per_minute'", "whole"]),
        ({"extra": {"auth_type": "client_certificate"}}, ["'certificate'"]),
        ({"extra": {"auth_type": "client_certificate", "certificate": "/no/such.pem"}}, ["'certificate'"]),
        ({"extra": {"auth_type": "workload_identity"}}, ["'federated_token_file'", "AZURE_FEDERATED_TOKEN_FILE"]),
        ({"extra": {"auth_type": "workload_identity", "federated_token_file": "/no/file"}}, ["'federated_token_file'"]),
        ({"password": None, "extra": {"auth_type": "refresh_token"}}, ["'password'", "fabric-login"]),
        ({"password": JWT, "extra": {"auth_type": "refresh_token"}}, ["'password'", "access_token"]),
        ({"password": None, "extra": {"auth_type": "access_token"}}, ["'password'", "access token"]),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(fields, words, monkeypatch):
    monkeypatch.delenv("AZURE_FEDERATED_TOKEN_FILE", raising=False)
    text = refusal(**fields)
    assert [word for word in words if word not in text] == []


@pytest.mark.parametrize("extra", ["text", ["list"], 7])
def test_an_extra_that_is_no_object_is_refused(extra):
    with pytest.raises(FabricConnectionError, match="extra must be a JSON object"):
        FabricSettings.from_connection("c", **{**GOOD, "extra": extra})


def test_a_connection_of_microsofts_provider_is_understood():
    settings = FabricSettings.from_connection(
        "old", extra={"auth_type": "spn", "tenantId": TENANT, "clientId": CLIENT, "clientSecret": SECRET}
    )
    assert (settings.tenant_id, settings.client_id, settings.secret) == (TENANT, CLIENT, SECRET)
    token = FabricSettings.from_connection("old", extra={"auth_type": "token", "accessToken": JWT, "expiresAt": 1})
    assert (token.auth_type, token.secret) == (AuthType.ACCESS_TOKEN, JWT)


def test_a_connection_of_microsofts_plugin_needs_its_auth_type_only():
    settings = FabricSettings.from_connection(
        "old", login=CLIENT, password="0.AREFRESH", extra={"tenantId": TENANT, "auth_type": "refresh_token",
                                                           "clientSecret": SECRET},
    )  # fmt: skip
    assert (settings.secret, settings.client_secret) == ("0.AREFRESH", SECRET)


@pytest.mark.parametrize(
    ("fields", "root"),
    [
        ({"host": "127.0.0.1", "port": 8443}, "https://127.0.0.1:8443"),
        ({"host": "127.0.0.1", "port": 80, "schema": "http"}, "http://127.0.0.1:80"),
        ({"host": "http://localhost:8080/"}, "http://localhost:8080"),
        ({"host": "https://[::1]:8443/v1"}, "https://[::1]:8443"),
        ({"host": "https://gateway.example/fabric/v1"}, "https://gateway.example/fabric"),
    ],
)
def test_a_host_is_brought_into_one_form_and_power_bi_follows_a_private_one(fields, root):
    assert read(**fields).host == root
    assert read(**fields).power_bi_host == root
    assert read(**fields, extra={"power_bi_host": "https://pbi.example"}).power_bi_host == "https://pbi.example"


def test_workload_identity_reads_the_environment_of_its_pod(tmp_path, monkeypatch):
    token = tmp_path / "token"
    token.write_text("assertion")
    for name, value in {"FEDERATED_TOKEN_FILE": str(token), "CLIENT_ID": CLIENT, "TENANT_ID": TENANT}.items():
        monkeypatch.setenv(f"AZURE_{name}", value)
    settings = FabricSettings.from_connection("pod", extra={"auth_type": "workload_identity"})
    assert (settings.tenant_id, settings.client_id, settings.federated_token_file) == (TENANT, CLIENT, str(token))


def test_an_identity_is_the_same_for_the_same_credentials_on_the_same_host():
    base = read()
    assert base.identity == read(extra={"job_calls_per_minute": 5}).identity
    others = [read(password="another"), read(host="localhost"), read(extra={"scope": "x/.default"}),
              read(extra={"verify": False}), read(extra={"proxies": {"https": "http://p:1"}})]  # fmt: skip
    assert len({base.identity, *(other.identity for other in others)}) == 6
    assert SECRET not in base.identity


def test_no_secret_is_in_the_repr_and_every_secret_is_masked():
    pem = "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----"
    settings = FabricSettings(
        "c", secret=SECRET, client_secret="app-secret", certificate=pem, certificate_password="pass-phrase",
        proxies={"https": "http://user:proxy-password@proxy:3128"},
    )  # fmt: skip
    assert settings.secrets() == [SECRET, "app-secret", "pass-phrase", pem, "proxy-password"]
    assert [secret for secret in settings.secrets() if secret in repr(settings)] == []
    assert settings.redact(f"no {SECRET}, no app-secret") == "no ***, no ***"


values = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.lists(st.text(max_size=3)),
    st.dictionaries(st.text(max_size=5), st.one_of(st.text(max_size=20), st.integers()), max_size=3),
    st.sampled_from([TENANT, CLIENT, JWT, "https://x", "http://127.0.0.1:1", "true", "60", '{"https": "http://p"}',
                     "-----BEGIN X-----", "/", "\x00", *(member.value for member in AuthType)]),
)  # fmt: skip
names = st.sampled_from([name for field in FIELDS.values() for name in (field.name, *field.aliases)])


@given(
    login=values, password=values, host=values, port=values, schema=values,
    extra=st.one_of(values, st.dictionaries(st.one_of(names, st.text(max_size=5)), values, max_size=8)),
    base=st.booleans(),
)  # fmt: skip
def test_whatever_a_connection_holds_it_is_read_or_refused(login, password, host, port, schema, extra, base):
    if base and isinstance(extra, dict):
        login, password, extra = CLIENT, SECRET, {"tenant_id": TENANT, **extra}
    try:
        settings = FabricSettings.from_connection(
            "fuzzed", login=login, password=password, host=host, port=port, schema=schema, extra=extra
        )
    except FabricConnectionError as error:
        refused = str(error)
    else:
        refused = None
    if refused is not None:
        assert "fuzzed" in refused
        return
    assert settings.host.startswith(("https://", "http://127.", "http://localhost", "http://[::1]"))
    assert settings.authority.startswith("https://")
    assert settings.timeout_seconds > 0
    assert len(settings.identity) == 32
    json.dumps(settings.proxies and dict(settings.proxies))


def test_onelake_and_resource_manager_are_microsofts_in_the_public_cloud() -> None:
    settings = read()
    assert settings.onelake_host == "https://onelake.dfs.fabric.microsoft.com"
    assert settings.arm_host == "https://management.azure.com"
    assert settings.onelake_scope == "https://storage.azure.com/.default"
    assert settings.arm_scope == "https://management.azure.com/.default"


@pytest.mark.parametrize(
    "fields",
    [
        {"host": "https://gateway.example"},
        {"extra": {"authority": "https://login.microsoftonline.us"}},
        {"extra": {"authority": "https://login.chinacloudapi.cn"}},
    ],
)
def test_elsewhere_nothing_is_assumed_about_their_hosts(fields: dict[str, Any]) -> None:
    settings = read(**fields)
    assert (settings.onelake_host, settings.arm_host) == (None, None)


def test_their_hosts_can_be_named() -> None:
    extra = {"arm_host": "https://management.usgovcloudapi.net", "onelake_host": "onelake.example"}
    settings = read(host="https://gateway.example", extra=extra)
    assert settings.arm_host == "https://management.usgovcloudapi.net"
    assert settings.arm_scope == "https://management.usgovcloudapi.net/.default"
    assert settings.onelake_host == "https://onelake.example"


HUB = "name.servicebus.windows.net/es_1f69e798-5e3c-4b0e-9d3c-2a4f9c1c8d11"
STREAM = "1F69e798-5e3c-4b0e-9d3c-2a4f9c1c8d11/5b218778-e7a5-4d73-8187-f10824047715"


def events(**extra: object) -> FabricSettings:
    base = {"tenant_id": "t.example", **extra}
    return FabricSettings.from_connection("c", login="app", password="secret", extra=base)


@pytest.mark.parametrize("given", [HUB, f"sb://{HUB}", f" {HUB}/ "])
def test_a_hub_is_read(given: str) -> None:
    settings = events(events_hub=given, events_stream=STREAM, events_trust_succeeded="yes")
    assert settings.events_hub == tuple(HUB.split("/"))
    assert settings.events_stream == tuple(STREAM.lower().split("/"))
    assert settings.events_consumer_group == "$Default"
    assert settings.events_trust_succeeded is True
    assert events().events_hub is None
    assert events().identity != settings.identity


@pytest.mark.parametrize(
    "extra",
    [
        {"events_hub": "name.servicebus.windows.net"},
        {"events_hub": "https://name.servicebus.windows.net/hub"},
        {"events_hub": "user:secret@name.servicebus.windows.net/hub"},
        {"events_hub": "name.servicebus.windows.net:99999/hub"},
        {"events_hub": "name.servicebus.windows.net/hub/more"},
        {"events_hub": "name.servicebus.windows.net/hub?x=1"},
        {"events_hub": "Endpoint=sb://name.servicebus.windows.net/;SharedAccessKey=abc;EntityPath=hub"},
        {"events_hub": ["name"]},
        {"events_stream": "5b218778-e7a5-4d73-8187-f10824047715"},
        {"events_stream": "workspace/stream"},
        {"events_consumer_group": "a/b"},
        {"events_trust_succeeded": "perhaps"},
        {"events_trust_succeeded": 1},
    ],
)
def test_a_wrong_field_of_the_stream_is_named(extra: dict[str, object]) -> None:
    (name,) = extra
    with pytest.raises(FabricConnectionError, match=f"extra field '{name}'") as raised:
        events(**extra)
    assert "SharedAccessKey" not in str(raised.value)


def test_an_access_token_reads_no_hub() -> None:
    with pytest.raises(FabricConnectionError, match="events_hub"):
        FabricSettings.from_connection(
            "c", password="eyJ0.e30.x", extra={"auth_type": "access_token", "events_hub": HUB}
        )
