"""The connection form, drawn from the table of fields that also reads the connection.

Airflow 3.2 and newer read :func:`conn_fields` and :func:`ui_field_behaviour` from the provider's description, without
importing the hook. Older ones ask the hook: :func:`hook_field_behaviour`, and :func:`.form_widgets.hook_form_widgets`.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_fabric.api.connection.fields import FIELDS, Field, Kind

HIDDEN = ("schema", "port")
"""Standard fields that a Fabric connection has no use for: both are part of the host."""

_JSON_TYPES = {
    Kind.TEXT: "string",
    Kind.NUMBER: "number",
    Kind.INTEGER: "integer",
    Kind.MAPPING: "object",
    Kind.FLAG: "string",
    Kind.FLAG_OR_PATH: "string",
}


def conn_fields() -> dict[str, dict[str, Any]]:
    """Return the fields of ``extra`` as ``conn-fields`` of Airflow's ``provider.yaml.schema.json``."""
    return {field.name: _conn_field(field) for field in FIELDS.values() if not field.standard}


def _conn_field(field: Field) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": [_JSON_TYPES[field.kind], "null"]}
    if field.secret:
        schema["format"] = "password"
    if field.choices:
        schema |= {"enum": list(field.choices), "default": field.default}
    if field.minimum is not None and field.maximum is not None:
        schema |= {"minimum": field.minimum, "maximum": field.maximum}
    return {"label": field.label, "description": description(field), "schema": schema}


def description(field: Field) -> str:
    """Return what a field is for, and what it means when it is empty."""
    if field.default is None or field.choices:
        return field.description
    return f"{field.description} Empty means {_shown(field.default)}."


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def ui_field_behaviour() -> dict[str, Any]:
    """Return labels, placeholders and hidden fields as ``ui-field-behaviour`` of the provider's description."""
    standard = [field for field in FIELDS.values() if field.standard]
    return {
        "hidden-fields": list(HIDDEN),
        "relabeling": {field.name: field.label for field in standard},
        "placeholders": {field.name: field.placeholder for field in FIELDS.values() if field.placeholder},
    }


def hook_field_behaviour() -> dict[str, Any]:
    """Return the same as the hook's ``get_ui_field_behaviour`` (Airflow before 3.2)."""
    return {key.replace("-", "_"): value for key, value in ui_field_behaviour().items()}


def fields_table() -> str:
    """Return the fields as a Markdown table, for the documentation; it says which are standard fields of Airflow."""
    rows = ["| field | label | meaning |", "| --- | --- | --- |"]
    for field in FIELDS.values():
        aliases = f" Also: {', '.join(f'`{alias}`' for alias in field.aliases)}." if field.aliases else ""
        choices = f" One of {', '.join(f'`{choice}`' for choice in field.choices)}." if field.choices else ""
        rows.append(f"| `{field.name}` | {field.label} | {description(field)}{choices}{aliases} |")
    return "\n".join(rows) + "\n"
