"""The form, the reader and the documentation show the same fields, in the shapes that each Airflow wants."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import airflow
import jsonschema
import pytest

from airflow_provider_fabric.api.connection.fields import FIELDS, STORED_SECRET, AuthType, Kind
from airflow_provider_fabric.api.connection.settings import FabricSettings
from airflow_provider_fabric.exceptions import FabricConnectionError
from airflow_provider_fabric.hooks.connection_form import (
    conn_fields,
    fields_table,
    hook_field_behaviour,
    ui_field_behaviour,
)
from airflow_provider_fabric.hooks.fabric import FabricHook
from airflow_provider_fabric.hooks.form_widgets import hook_form_widgets
from tests.unit.api.connection.test_field_check import WRONG

EXTRAS = {name for name, field in FIELDS.items() if not field.standard}
VALUES = {
    Kind.TEXT: "https://value.example",
    Kind.NUMBER: 7,
    Kind.INTEGER: 7,
    Kind.MAPPING: {"https": "http://proxy:1"},
    Kind.FLAG: True,
    Kind.FLAG_OR_PATH: False,
}
SPECIAL = {
    "auth_type": "access_token",
    "tenant_id": "u.example",
    "managed_identity_client_id": "id",
    "events_hub": "name.servicebus.example/hub",
    "events_consumer_group": "group",
    "events_stream": "1f69e798-5e3c-4b0e-9d3c-2a4f9c1c8d11/5b218778-e7a5-4d73-8187-f10824047715",
}


def schema_of(name: str) -> dict:
    return json.loads((Path(airflow.__file__).parent / name).read_text())


def test_the_declarative_form_is_what_airflow_32_and_newer_accept():
    schema = schema_of("provider.yaml.schema.json")["properties"]["connection-types"]
    if "conn-fields" not in schema["items"]["properties"]:
        pytest.skip("this Airflow asks the hook instead")
    form = {"conn-fields": conn_fields(), "ui-field-behaviour": ui_field_behaviour()}
    jsonschema.validate([{"connection-type": "fabric", "hook-class-name": "x.Y", **form}], schema)


def test_the_hooks_form_is_what_older_ones_accept():
    jsonschema.validate(hook_field_behaviour(), schema_of("customized_form_field_behaviours.schema.json"))
    assert set(hook_field_behaviour()) == {"hidden_fields", "relabeling", "placeholders"}


def test_every_extra_field_is_in_the_form_and_labelled():
    assert set(conn_fields()) == EXTRAS
    assert all(entry["label"] and entry["description"] for entry in conn_fields().values())
    assert set(ui_field_behaviour()["relabeling"]) == {"login", "password", "host"}


def test_secrets_are_not_shown_while_they_are_typed():
    secret = {name for name, entry in conn_fields().items() if entry["schema"].get("format") == "password"}
    assert secret == {"certificate", "certificate_password", "client_secret", "access_token"}


def test_the_form_offers_the_ways_to_sign_in():
    assert conn_fields()["auth_type"]["schema"] == {
        "type": ["string", "null"],
        "enum": [member.value for member in AuthType],
        "default": "client_secret",
    }


@pytest.mark.parametrize("name", sorted(EXTRAS - {"certificate", "certificate_password", "federated_token_file"}))
def test_every_field_of_the_form_is_read(name):
    """Filling a field changes what is read, or is refused: no field is there for show."""
    needed = {"access_token": "access_token", "client_secret": "refresh_token",
              "managed_identity_client_id": "managed_identity"}  # fmt: skip
    base = {"tenant_id": "t.example", "auth_type": needed.get(name, "client_secret")}
    standard = {"login": "app", "password": None if name == "access_token" else "secret"}
    value = SPECIAL.get(name, VALUES[FIELDS[name].kind])
    filled = FabricSettings.from_connection("c", **standard, extra={**base, name: value})
    plain = {**standard, "password": standard["password"] or "other"}
    assert filled != FabricSettings.from_connection("c", **plain, extra=base)


def test_every_setting_has_a_field():
    renamed = {"conn_id": None, "client_id": "login", "secret": "password"}
    settings = {renamed.get(name, name) for name in FabricSettings.__dataclass_fields__} - {None}
    assert settings <= set(FIELDS)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Airflow 2's own Flask
def test_airflow_2_gets_widgets_that_may_stay_empty():
    if not (find_spec("wtforms") and find_spec("flask_appbuilder") and find_spec("flask_babel")):
        assert hook_form_widgets() == {}
        return
    from wtforms import IntegerField, PasswordField, StringField
    from wtforms.validators import Optional

    widgets = hook_form_widgets()
    assert set(widgets) == EXTRAS
    assert {widget.field_class for widget in widgets.values()} == {IntegerField, PasswordField, StringField}
    assert all(isinstance(widget.kwargs["validators"][0], Optional) for widget in widgets.values())


def test_the_documentations_table_has_every_field_and_alias():
    table = fields_table()
    for field in FIELDS.values():
        assert f"`{field.name}`" in table
        assert all(f"`{alias}`" in table for alias in field.aliases)
    assert len(table.splitlines()) == len(FIELDS) + 2


airflow_2 = pytest.mark.skipif(
    not (find_spec("wtforms") and find_spec("flask_appbuilder") and find_spec("airflow.www")),
    reason="this Airflow has no Flask form",
)


@pytest.fixture
def form_of():
    """Return a function that builds the connection form as Airflow 2 does: from a request, or from what is stored."""
    from werkzeug.datastructures import MultiDict
    from wtforms import Form, StringField

    widgets = {f"extra__fabric__{name}": widget for name, widget in hook_form_widgets().items()}
    kind = type("ConnectionForm", (Form,), {**widgets, "conn_id": StringField(), "conn_type": StringField(),
                                            "extra": StringField()})  # fmt: skip

    def make(posted: dict[str, str] | None = None, stored: dict[str, object] | None = None):
        form = kind(MultiDict(posted)) if posted is not None else kind()
        form.conn_id.data, form.conn_type.data = "fabric_default", "fabric"
        if stored is not None:
            form.extra.data = json.dumps(stored)
        return form

    return make


@airflow_2
@pytest.mark.filterwarnings("ignore")  # Airflow 2's own Flask
class TestTheFormOfAirflow2:
    """Airflow's own ``prefill_form`` and ``process_form`` with our fields: what a page shows, and what is saved."""

    STORED = {
        "auth_type": "client_certificate",
        "tenant_id": "t.example",
        "certificate": "-----BEGIN PEM",
        "certificate_password": "pass word",
        "client_secret": "s3cret",
        "access_token": "eyJ.x.y",
    }

    @pytest.fixture
    def view(self, monkeypatch):
        from airflow.hooks.base import BaseHook
        from airflow.models.connection import Connection
        from airflow.www.views import ConnectionModelView

        view = object.__new__(ConnectionModelView)
        sensitive = {name for name, field in FIELDS.items() if field.secret}
        names = [(f"extra__fabric__{name}", name, name in sensitive) for name in EXTRAS]
        monkeypatch.setattr(view, "_iter_extra_field_names_and_sensitivity", lambda: iter(names), raising=False)
        stored = Connection(conn_id="fabric_default", conn_type="fabric", extra=json.dumps(self.STORED))
        monkeypatch.setattr(BaseHook, "get_connection", classmethod(lambda cls, conn_id: stored))
        return view

    def page(self, view, form_of) -> dict[str, str]:
        """Open the edit page; return what a browser would send back unchanged."""
        form = form_of(stored=self.STORED)
        view.prefill_form(form, 1)
        html = {field.name: str(field()) for field in form}
        for secret in ("-----BEGIN PEM", "pass word", "s3cret", "eyJ.x.y"):
            assert secret not in "".join(html.values()), "a stored secret is written into the page"
        sent = {}
        for name, text in html.items():
            value = text.partition('value="')[2].partition('"')[0]
            sent[name] = value.replace("&#34;", '"').replace("&quot;", '"')
        return sent

    def saved(self, view, form_of, sent: dict[str, str]) -> dict[str, object]:
        form = form_of(sent)
        assert form.validate(), form.errors
        view.process_form(form, False)
        return json.loads(form.extra.data)

    def test_saving_an_edit_keeps_the_secrets(self, view, form_of):
        assert self.saved(view, form_of, self.page(view, form_of)) == self.STORED

    def test_a_secret_can_be_replaced_and_removed(self, view, form_of):
        sent = self.page(view, form_of)
        sent |= {"extra__fabric__client_secret": "new", "extra__fabric__access_token": ""}
        saved = self.saved(view, form_of, sent)
        assert saved["client_secret"] == "new"
        assert "access_token" not in saved
        assert saved["certificate"] == "-----BEGIN PEM"

    def test_what_was_typed_survives_another_fields_error(self, view, form_of):
        sent = {
            **self.page(view, form_of),
            "extra__fabric__client_secret": "new",
            "extra__fabric__auth_type": "password",
        }
        form = form_of(sent)
        assert not form.validate()
        assert 'value="new"' in str(form.extra__fabric__client_secret())

    def test_an_empty_number_is_left_out(self, view, form_of):
        sent = {**self.page(view, form_of), "extra__fabric__job_calls_per_minute": ""}
        assert "job_calls_per_minute" not in self.saved(view, form_of, sent)
        sent["extra__fabric__job_calls_per_minute"] = "90"
        assert self.saved(view, form_of, sent)["job_calls_per_minute"] == 90

    def test_sign_in_names_its_words(self, form_of):
        field = form_of().extra__fabric__auth_type
        assert all(member.value in field.description for member in AuthType)
        wrong = form_of({"extra__fabric__auth_type": "password"})
        assert not wrong.validate()
        assert "client_secret" in str(wrong.errors)

    @pytest.mark.parametrize("name", WRONG)
    def test_a_wrong_value_is_refused_beside_its_field(self, form_of, name):
        value, error = WRONG[name]
        form = form_of({f"extra__fabric__{name}": value})
        assert not form.validate()
        assert list(form.errors) == [f"extra__fabric__{name}"]
        html = str(form[f"extra__fabric__{name}"]()).replace("&#39;", "'")
        assert error in html.partition("<strong")[2], html
        assert "alert " not in html, "Airflow's script writes over what is an alert"

    def test_an_error_shows_no_markup_of_what_was_typed(self, form_of):
        form = form_of({"extra__fabric__timeout_seconds": "<script>"})
        assert not form.validate()
        assert "<script" not in str(form.extra__fabric__timeout_seconds())

    def test_a_word_of_microsofts_plugin_can_be_saved_again(self, form_of):
        form = form_of({"extra__fabric__auth_type": "spn"})
        assert form.validate(), form.errors

    def test_fields_of_another_connection_type_are_left_alone(self, form_of):
        form = form_of({"extra__fabric__timeout_seconds": "soon"})
        form.conn_type.data = "http"
        assert form.validate(), form.errors
        assert FabricHook.conn_type == "fabric"

    def test_a_file_of_a_worker_need_not_be_on_the_web_server(self, form_of):
        form = form_of({"extra__fabric__verify": "/no/such/bundle.pem", "extra__fabric__certificate": "/no/such.pem"})
        assert form.validate(), form.errors

    def test_the_placeholder_is_airflows(self):
        from airflow.www.views import SENSITIVE_FIELD_PLACEHOLDER

        assert STORED_SECRET == SENSITIVE_FIELD_PLACEHOLDER


def test_the_placeholder_is_no_secret():
    with pytest.raises(FabricConnectionError, match="type the secret again"):
        FabricSettings.from_connection(
            "c", login="app", password=None, extra={"tenant_id": "t.example", "client_secret": STORED_SECRET}
        )
