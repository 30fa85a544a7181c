"""``fabric-login`` prints connections that Airflow and this package read back. Signing in itself is a contract test."""

from __future__ import annotations

import json
import shlex
import warnings

import pytest
from airflow.models import Connection, import_all_models

from airflow_provider_fabric import login
from airflow_provider_fabric.api.connection.fields import AuthType
from airflow_provider_fabric.api.connection.settings import FabricSettings
from airflow_provider_fabric.exceptions import FabricAuthError

TOKEN = "1.AX~%/?+ =&'\"token"


def settings_for(**changes) -> FabricSettings:
    extra = {"tenant_id": "contoso.example", "auth_type": "refresh_token", **changes.pop("extra", {})}
    return FabricSettings.from_connection("c", login="app-id", password=login.PLACEHOLDER, extra=extra, **changes)


PRIVATE = {
    "host": "https://127.0.0.1:8443",
    "extra": {"authority": "https://127.0.0.1:8443", "verify": "/", "proxies": {"https": "http://proxy:3128"}},
}


def printed(chosen: str, **changes) -> dict[str, str]:
    lines = login.render(login.connection_of(settings_for(**changes)), TOKEN, chosen, "my_conn").splitlines()
    forms = [line for line in lines if line.startswith(("{", "fabric://", "airflow "))]
    return {"json": forms[0], "uri": forms[1], "command": forms[2]} if chosen == "json" else {chosen: forms[0]}


def read_back(connection: Connection) -> FabricSettings:
    return FabricSettings.from_connection(
        "c", login=connection.login, password=connection.password, host=connection.host, port=connection.port,
        schema=connection.schema, extra=connection.extra_dejson,
    )  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _all_models():
    """SQLAlchemy maps Airflow's ``Connection`` only when it knows the models that it is related to."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import_all_models()


@pytest.mark.parametrize("changes", [{}, PRIVATE])
@pytest.mark.parametrize("form", ["json", "uri", "command"])
def test_what_is_printed_is_read_back(form, changes):
    text = printed(form, **changes)[form]
    if form == "command":
        words = shlex.split(text)
        assert words[:4] == ["airflow", "connections", "add", "my_conn"]
        text = words[5]
    connection = Connection(uri=text) if form == "uri" else Connection.from_json(text)
    assert connection.conn_type == "fabric"
    found = read_back(connection)
    assert found.secret == TOKEN
    expected = settings_for(**changes)
    assert (found.auth_type, found.host, found.authority, found.verify, found.proxies, found.tenant_id) == (
        AuthType.REFRESH_TOKEN, expected.host, expected.authority, expected.verify, expected.proxies,
        "contoso.example",
    )  # fmt: skip


@pytest.mark.parametrize("form", ["json", "uri", "command"])
def test_the_token_is_in_the_chosen_form_only(form):
    text = login.render(login.connection_of(settings_for()), "refresh-token-value", form, "c")
    assert text.count("refresh-token-value") == 1
    assert text.count("put the refresh token in") == 2


def test_what_is_as_usual_is_left_out():
    connection = login.connection_of(settings_for())
    assert connection == {
        "conn_type": "fabric",
        "login": "app-id",
        "password": "<refresh-token>",
        "extra": {"tenant_id": "contoso.example", "auth_type": "refresh_token"},
    }
    assert json.dumps(connection)


def test_the_token_goes_to_standard_output_and_the_prompt_does_not(monkeypatch, capsys):
    def sign_in(settings, show):
        show("Open the page and type ABC")
        return "the-token"

    monkeypatch.setattr(login, "device_sign_in", sign_in)
    assert login.main(["--tenant-id", "t", "--client-id", "a"]) == 0
    output = capsys.readouterr()
    assert "the-token" in output.out
    assert output.err == "Open the page and type ABC\n"


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [(FabricAuthError("declined"), 1, "declined"), (KeyboardInterrupt(), 130, "Nothing was stored")],
)
def test_a_sign_in_that_does_not_come_to_an_end(monkeypatch, capsys, error, status, words):
    def sign_in(settings, show):
        raise error

    monkeypatch.setattr(login, "device_sign_in", sign_in)
    assert login.main(["--tenant-id", "t", "--client-id", "a"]) == status
    output = capsys.readouterr()
    assert output.out == ""
    assert words in output.err


def test_an_argument_that_is_wrong_is_explained(capsys):
    assert login.main(["--tenant-id", "not/one", "--client-id", "a"]) == 1
    assert "'tenant_id'" in capsys.readouterr().err
