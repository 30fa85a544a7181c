"""The form, the reader and the documentation show the same fields, in the shapes that each Airflow wants."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import airflow
import jsonschema
import pytest

from airflow_provider_fabric.api.connection.fields import FIELDS, AuthType, Kind
from airflow_provider_fabric.api.connection.settings import FabricSettings
from airflow_provider_fabric.hooks.connection_form import (
    conn_fields,
    fields_table,
    hook_field_behaviour,
    hook_form_widgets,
    ui_field_behaviour,
)

EXTRAS = {name for name, field in FIELDS.items() if not field.standard}
VALUES = {
    Kind.TEXT: "https://value.example",
    Kind.NUMBER: 7,
    Kind.INTEGER: 7,
    Kind.MAPPING: {"https": "http://proxy:1"},
    Kind.FLAG_OR_PATH: False,
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
    value = {"auth_type": "access_token", "tenant_id": "u.example", "managed_identity_client_id": "id"}.get(
        name, VALUES[FIELDS[name].kind]
    )
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
