"""What a job is given: its type, and its body, per kind of item.

Shapes: https://learn.microsoft.com/rest/api/fabric/core/job-scheduler/run-on-demand-item-job and the pages of each
item. Python values go in; the service's form comes out; what cannot be sent is refused before anything is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from airflow_provider_fabric.api.jobs.values import (
    DATAFLOW_FORMS,
    FREE,
    VARIABLE_REFERENCE,
    WHOLE_SECONDS,
    TimeForm,
    parameter_value,
)
from airflow_provider_fabric.exceptions import FabricInputError

#: "must be unique (case-insensitive check) and no longer than 256 characters", says the API reference.
MAX_PARAMETER_NAME = 256

#: ``apply_changes`` of a dataflow refresh → ``executeOption`` on the wire.
EXECUTE_OPTIONS: Mapping[str, str] = {"if_needed": "ApplyChangesIfNeeded", "skip": "SkipApplyChanges"}


def _checked(
    parameters: Mapping[str, Any], forms: Mapping[str, TimeForm] | None = None, form: TimeForm = FREE
) -> dict[str, Any]:
    """Return parameters in the service's form.

    :param forms: parameter → how its times are written.
    :param form: the same for all others.
    """
    if not isinstance(parameters, Mapping):
        raise FabricInputError(f"parameters must be a mapping of names to values, got {type(parameters).__name__}.")
    for name in parameters:
        if not isinstance(name, str) or not name.strip():
            raise FabricInputError(f"parameters: names must be text and not blank, got {name!r}.")
        if len(name) > MAX_PARAMETER_NAME:
            raise FabricInputError(f"parameters: the name {name[:40]!r}… is longer than {MAX_PARAMETER_NAME}.")
    twice = len(parameters) - len({name.casefold() for name in parameters})
    if twice:
        raise FabricInputError("parameters: names must differ by more than upper and lower case.")
    return {name: parameter_value(value, name, (forms or {}).get(name, form)) for name, value in parameters.items()}


def string_list(value: Sequence[str] | None, name: str) -> list[str] | None:
    """Return a list of texts as it is sent; ``None`` for none.

    :param name: the argument, for messages.
    :raises FabricInputError: it is no list: one text would be taken apart into letters; or it holds something else.
    """
    if value is None or (isinstance(value, list | tuple) and not value):
        return None
    is_list = isinstance(value, Sequence) and not isinstance(value, str | bytes)
    if not is_list or not all(isinstance(text, str) and text.strip() for text in value):
        got = type(value).__name__  # what is in it may be a secret
        raise FabricInputError(f"{name} must be a list of texts, such as ['first', 'second'], got {got}.")
    return list(value)


def execution_body(
    made: Mapping[str, tuple[str, Any]], execution_data: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    """Return a body whose ``executionData`` holds what other arguments make, and what ``execution_data`` adds.

    :param made: key on the wire → the argument that sets it and its value; ``None`` for an argument that was left out.
    :param execution_data: further keys, in the service's own form; ``None`` for none.
    :returns: the body; ``None`` if there is nothing to send.
    :raises FabricInputError: ``execution_data`` is no mapping, has no JSON form, or sets what another argument sets.
    """
    added = _execution_data(execution_data)
    data = {key: value for key, (_, value) in made.items() if value is not None}
    for key in added or {}:
        _refuse_twice(key, {own: made[own][0] for own in data})
    data.update(added or {})
    return {"executionData": data} if data or added is not None else None


def _execution_data(execution_data: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if execution_data is None:
        return None
    if not isinstance(execution_data, Mapping):
        raise FabricInputError(f"execution_data must be a mapping, got {type(execution_data).__name__}.")
    return {str(key): parameter_value(value, f"execution_data.{key}") for key, value in execution_data.items()}


def _refuse_twice(key: str, set_by: Mapping[str, str]) -> None:
    """Refuse a key of ``execution_data`` that another argument sets: the service ignores case, so we do."""
    for own, argument in set_by.items():
        if own.casefold() == key.casefold():
            raise FabricInputError(
                f"execution_data: {key!r} is also set by {argument}. Give it once: leave it out of execution_data, or "
                f"leave {argument} out."
            )


def pipeline_body(
    parameters: Mapping[str, Any] | None, execution_data: Mapping[str, Any] | None = None
) -> dict[str, Any] | None:
    """Return the body of a pipeline run: ``{"executionData": {"parameters": {name: value}}}``.

    :param parameters: names and values.
    :param execution_data: further keys, such as ``OwnerUserPrincipalName``.
    """
    return execution_body({"parameters": ("parameters", _checked(parameters) if parameters else None)}, execution_data)


def dataflow_body(
    parameters: Mapping[str, Any] | None,
    apply_changes: str,
    execution_data: Mapping[str, Any] | None = None,
    types: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the body of a dataflow refresh.

    https://learn.microsoft.com/rest/api/fabric/dataflow/background-jobs/run-on-demand-execute

    :param parameters: names and values; sent with the type ``Automatic``.
    :param apply_changes: ``"if_needed"`` publishes a changed definition first, ``"skip"`` runs what is published.
    :param execution_data: further keys, such as ``DataflowName``.
    :param types: parameter → its declared type, if it is known: ``DateTimeZone`` keeps a datetime's offset.
    """
    if apply_changes not in EXECUTE_OPTIONS:
        raise FabricInputError(f"apply_changes must be 'if_needed' or 'skip', got {apply_changes!r}.")
    entries = [
        {"parameterName": name, "type": "Automatic", "value": value}
        for name, value in (_dataflow_values(parameters, types or {}) if parameters else {}).items()
    ]
    made = {
        "executeOption": ("apply_changes", EXECUTE_OPTIONS[apply_changes]),
        "parameters": ("parameters", entries or None),
    }
    return execution_body(made, execution_data) or {}


def _dataflow_values(parameters: Mapping[str, Any], types: Mapping[str, str]) -> dict[str, Any]:
    forms = {name: DATAFLOW_FORMS.get(kind, WHOLE_SECONDS) for name, kind in types.items()}
    values = _checked(parameters, forms, DATAFLOW_FORMS["DateTime"])
    for name, value in parameters.items():
        if isinstance(value, time):
            if value.tzinfo is not None:
                raise FabricInputError(f"parameters: {name!r} is a time with an offset; a dataflow's Time has none.")
            values[name] = parameter_value(value, name, WHOLE_SECONDS)
        elif isinstance(value, timedelta):
            values[name] = parameter_value(value, name, WHOLE_SECONDS)
    return values


def notebook_body(
    parameters: Mapping[str, Any] | None,
    configuration: Mapping[str, Any] | None,
    execution_data: Mapping[str, Any] | None = None,
) -> dict[str, Any] | None:
    """Return the body of a notebook run: ``executionData`` with typed parameters and the session's configuration.

    https://learn.microsoft.com/fabric/data-engineering/notebook-public-api#run-a-notebook-on-demand

    :param parameters: names and values, for the cell that is tagged *parameters*: text, numbers and bools.
    :param configuration: of the Spark session: ``defaultLakehouse``, ``environment``, ``useStarterPool``, ``conf``, ….
    :param execution_data: further keys, such as ``compute``.
    """
    typed = {
        name: {"value": value, "type": _notebook_type(value, name)}
        for name, value in (_checked(parameters) if parameters else {}).items()
    }
    if configuration is not None and not isinstance(configuration, Mapping):
        raise FabricInputError(f"configuration must be a mapping, got {type(configuration).__name__}.")
    session = None if configuration is None else parameter_value(configuration, "configuration")
    made = {"parameters": ("parameters", typed or None), "configuration": ("configuration", session)}
    return execution_body(made, execution_data)


def notebook_parameters(parameters: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Return parameters as the notebook's own job API takes them: ``[{name, value, type}]``."""
    names = {"bool": "Boolean", "int": "Integer", "float": "Number", "string": "Text"}
    checked = _checked(parameters) if parameters else {}
    return [{"name": n, "value": v, "type": names[_notebook_type(v, n)]} for n, v in checked.items()]


def _notebook_type(value: Any, name: str) -> str:
    """Return a notebook's name for the type of a value that was made ready to send."""
    names: tuple[tuple[type, str], ...] = ((bool, "bool"), (int, "int"), (float, "float"), (str, "string"))
    type_name = next((type_name for kind, type_name in names if isinstance(value, kind)), None)
    if type_name is None:
        raise FabricInputError(
            f"parameters: a notebook takes text, numbers and bools, and {name!r} is none of these. "
            "Pass it as text (json.dumps) and read it in the notebook (json.loads)."
        )
    return type_name


def generic_body(
    execution_data: Mapping[str, Any] | None, parameters: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    """Return the body of any job: ``executionData`` as given, ``parameters`` as ``[{name, type, value}]``.

    :param execution_data: what the job type documents.
    :param parameters: names and values; "not broadly supported", says the API reference.
    :raises FabricInputError: both say what the parameters are.
    """
    return with_parameters({}, execution_data, parameters)


def with_parameters(
    made: Mapping[str, tuple[str, Any]],
    execution_data: Mapping[str, Any] | None,
    parameters: Mapping[str, Any] | None,
) -> dict[str, Any] | None:
    """Return the body of :func:`execution_body`, with ``parameters`` beside ``executionData``.

    :param made: see :func:`execution_body`.
    :param execution_data: see :func:`execution_body`.
    :param parameters: names and values, sent as ``[{name, type, value}]``.
    """
    body = execution_body(made, execution_data) or {}
    if parameters:
        for key in execution_data or {}:
            _refuse_twice(str(key), {"parameters": "parameters"})
        body["parameters"] = [
            {"name": name, "type": _type_of(parameters[name], value), "value": value}
            for name, value in _checked(parameters, form=WHOLE_SECONDS).items()
        ]
    return body or None


def _type_of(value: Any, sent: Any) -> str:
    """Return the service's name for a value's type (``ItemJobParameterType``)."""
    if isinstance(value, Decimal) and isinstance(sent, str):  # it has more digits than a JSON number carries
        return "Text"
    if isinstance(sent, str) and VARIABLE_REFERENCE.fullmatch(sent):
        return "VariableReference"
    if isinstance(value, Enum) and not isinstance(value, int | str):
        value = value.value
    names: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (bool, "Boolean"),
        (int, "Integer"),
        ((float, Decimal), "Number"),
        (datetime, "DateTime"),
        (UUID, "Guid"),
        (str, "Text"),
    )
    return next((type_name for kind, type_name in names if isinstance(value, kind)), "Automatic")
