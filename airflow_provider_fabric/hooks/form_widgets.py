"""The connection form of Airflow 2, which asks the hook for wtforms fields; Airflow 3.0 and 3.1 use stubs.

What Airflow 2's form does to a field that stays empty: it deletes the key from ``extra``. A password field is always
sent empty, because its value is not written into the page, so saving any edit deleted every secret. Airflow 2 keeps
the stored value of a key that comes back as its placeholder (``airflow/www/views.py``, 2.10 and 2.11); the widget here
sends that.

What it does to an error beside a field: its script writes a warning of its own over the text of every ``.alert`` of
the page (``displayAlert`` in ``airflow/www/static/js/connection_form.js``). The widgets here write errors themselves.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from airflow_provider_fabric.api.connection.field_check import error_of
from airflow_provider_fabric.api.connection.fields import FIELDS, STORED_SECRET, Field, Kind
from airflow_provider_fabric.hooks.connection_form import description

_CONN_TYPE = "fabric"


def hook_form_widgets() -> dict[str, Any]:
    """Return the fields of ``extra`` as the hook's ``get_connection_form_widgets``; none without wtforms.

    Airflow 2 has one form for all connection types, so every field must accept being empty.
    """
    try:
        from flask_appbuilder.fieldwidgets import BS3PasswordFieldWidget, BS3TextFieldWidget
        from flask_babel import lazy_gettext
        from wtforms import IntegerField, PasswordField, StringField
        from wtforms.validators import Optional, any_of
    except ImportError:
        return {}

    airflow_2 = not hasattr(StringField, "param_type")  # the stand-ins of Airflow 3 have it, and take no filters
    widgets = {}
    for field in FIELDS.values():
        if field.standard:
            continue
        kind = PasswordField if field.secret else IntegerField if field.kind is Kind.INTEGER else StringField
        widget = BS3PasswordFieldWidget() if field.secret else BS3TextFieldWidget()
        validators = [Optional(), *([any_of(list(field.choices))] if field.choices else [])]
        more: dict[str, Any] = {}
        if airflow_2:
            own = _stored_secret_widget(BS3PasswordFieldWidget) if field.secret else BS3TextFieldWidget
            widget = _with_errors(own)()
            validators = [Optional(), partial(_validate, name=field.name)]
            more = {"filters": [_empty_as_text]} if field.kind is Kind.INTEGER else {}
        widgets[field.name] = kind(
            lazy_gettext(field.label),
            validators=validators,
            description=_described(field),
            widget=widget,
            **more,
        )
    return widgets


def _validate(form: Any, field: Any, name: str) -> None:
    """Refuse what a connection of ours could not be read with; the form serves every connection type."""
    from wtforms.validators import ValidationError

    kind = getattr(form, "conn_type", None)
    if kind is not None and kind.data != _CONN_TYPE:
        return
    error = error_of(name, field.data)
    if error:
        raise ValidationError(error)


def _with_errors(base: Any) -> Any:
    """Return a widget that writes its field's errors below it."""
    from markupsafe import Markup

    class WidgetWithErrors(base):
        """The errors are no ``.alert``, so that Airflow's script leaves them alone."""

        def __call__(self, field: Any, **kwargs: Any) -> Any:
            errors = [Markup('<strong class="text-danger" role="alert">{}</strong>').format(e) for e in field.errors]
            return Markup("<br>").join([super().__call__(field, **kwargs), *errors])

    return WidgetWithErrors


def _described(field: Field) -> str:
    """Return a field's description; a text field names the words that it takes."""
    words = f" One of {', '.join(field.choices)}." if field.choices else ""
    return description(field) + words


def _empty_as_text(value: object) -> object:
    """Return an empty number as empty text, which Airflow leaves out; it would save ``null``."""
    return "" if value is None else value


def _stored_secret_widget(base: Any) -> Any:
    """Return the class of a password box that stands for the stored secret until something else is typed."""

    class StoredSecretWidget(base):
        """Writes a placeholder into the page in place of a secret that was read from the connection."""

        def __call__(self, field: Any, **kwargs: Any) -> Any:
            typed = bool(field.raw_data)  # a page that is shown again because something else was wrong
            self.hide_value = False
            kwargs["value"] = (field.data or "") if typed else (STORED_SECRET if field.data else "")
            return super().__call__(field, **kwargs)

    return StoredSecretWidget
