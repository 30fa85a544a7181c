"""What a job is given: its type, and its body, per kind of item.

Shapes: https://learn.microsoft.com/rest/api/fabric/core/job-scheduler/run-on-demand-item-job and the pages of each
item. Python values go in; the service's form comes out; what cannot be sent is refused before anything is sent.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timezone
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from airflow_provider_fabric.exceptions import FabricInputError

#: "must be unique (case-insensitive check) and no longer than 256 characters", says the API reference.
MAX_PARAMETER_NAME = 256

#: ``apply_changes`` of a dataflow refresh → ``executeOption`` on the wire.
EXECUTE_OPTIONS: Mapping[str, str] = {"if_needed": "ApplyChangesIfNeeded", "skip": "SkipApplyChanges"}


def parameter_value(value: Any, name: str) -> Any:
    """Return a parameter's value in a form JSON can carry.

    A datetime becomes ISO 8601 in UTC, dates and times ISO 8601, ``UUID`` a string, ``Decimal`` a number if that
    loses nothing, else a string.

    :param value: any plain Python value, nested lists and mappings included.
    :param name: the parameter's name, for errors.
    :raises FabricInputError: NaN, infinity, or a value that has no JSON form.
    """
    if value is None or isinstance(value, bool | int | str):
        return value.value if isinstance(value, Enum) else value
    if isinstance(value, float | Decimal):
        return _number(value, name)
    if isinstance(value, datetime):
        return _utc(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Enum):
        return parameter_value(value.value, name)
    if isinstance(value, Mapping):
        return {str(key): parameter_value(entry, f"{name}.{key}") for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [parameter_value(entry, f"{name}[{index}]") for index, entry in enumerate(value)]
    raise FabricInputError(
        f"parameters: {name!r} is a {type(value).__name__}, which has no JSON form. Give text, a number, a bool, "
        "a date or time, a UUID, or lists and mappings of these."
    )


def _utc(value: datetime) -> str:
    """Return ``YYYY-MM-DDTHH:mm:ssZ``; a naive datetime is taken as UTC, as Airflow's are."""
    aware = value if value.tzinfo else value.replace(tzinfo=timezone.utc)
    return aware.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")


def _number(value: float | Decimal, name: str) -> float | int | str:
    if not (Decimal(value).is_finite() and math.isfinite(value)):  # math cannot take a signalling NaN
        raise FabricInputError(f"parameters: {name!r} is {value}, which JSON cannot carry.")
    if isinstance(value, float):
        return value
    if value == value.to_integral_value():
        return int(value)
    return float(value) if Decimal(repr(float(value))) == value else str(value)


def _checked(parameters: Mapping[str, Any]) -> dict[str, Any]:
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
    return {name: parameter_value(value, name) for name, value in parameters.items()}


def string_list(value: Sequence[str] | None, name: str) -> list[str] | None:
    """Return a list of texts as it is sent; ``None`` for none.

    :param name: the argument, for messages.
    :raises FabricInputError: it is one text, which would be taken apart into letters, or holds something else.
    """
    if not value:
        return None
    if isinstance(value, str) or not all(isinstance(text, str) and text.strip() for text in value):
        raise FabricInputError(f"{name} must be a list of texts, such as ['first', 'second'], got {value!r}.")
    return list(value)


def pipeline_body(parameters: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the body of a pipeline run: ``{"executionData": {"parameters": {name: value}}}``."""
    return {"executionData": {"parameters": _checked(parameters)}} if parameters else None


def dataflow_body(parameters: Mapping[str, Any] | None, apply_changes: str) -> dict[str, Any]:
    """Return the body of a dataflow refresh.

    https://learn.microsoft.com/rest/api/fabric/dataflow/background-jobs/run-on-demand-execute

    :param parameters: names and values; sent with the type ``Automatic``.
    :param apply_changes: ``"if_needed"`` publishes a changed definition first, ``"skip"`` runs what is published.
    """
    if apply_changes not in EXECUTE_OPTIONS:
        raise FabricInputError(f"apply_changes must be 'if_needed' or 'skip', got {apply_changes!r}.")
    data: dict[str, Any] = {"executeOption": EXECUTE_OPTIONS[apply_changes]}
    if parameters:
        data["parameters"] = [
            {"parameterName": name, "type": "Automatic", "value": value} for name, value in _checked(parameters).items()
        ]
    return {"executionData": data}


def notebook_body(
    parameters: Mapping[str, Any] | None, configuration: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    """Return the body of a notebook run: ``executionData`` with typed parameters and the session's configuration.

    https://learn.microsoft.com/fabric/data-engineering/notebook-public-api#run-a-notebook-on-demand

    :param parameters: names and values, for the cell that is tagged *parameters*: text, numbers and bools.
    :param configuration: of the Spark session: ``defaultLakehouse``, ``environment``, ``useStarterPool``, ``conf``, ….
    """
    data: dict[str, Any] = {}
    if parameters:
        data["parameters"] = {
            name: {"value": value, "type": _notebook_type(value, name)} for name, value in _checked(parameters).items()
        }
    if configuration is not None:
        if not isinstance(configuration, Mapping):
            raise FabricInputError(f"configuration must be a mapping, got {type(configuration).__name__}.")
        data["configuration"] = parameter_value(configuration, "configuration")
    return {"executionData": data} if data else None


def _notebook_type(value: Any, name: str) -> str:
    """Return a notebook's word for the type of a value that was made ready to send."""
    words: tuple[tuple[type, str], ...] = ((bool, "bool"), (int, "int"), (float, "float"), (str, "string"))
    word = next((word for kind, word in words if isinstance(value, kind)), None)
    if word is None:
        raise FabricInputError(
            f"parameters: a notebook takes text, numbers and bools, and {name!r} is none of these. "
            "Pass it as text (json.dumps) and read it in the notebook (json.loads)."
        )
    return word


def generic_body(
    execution_data: Mapping[str, Any] | None, parameters: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    """Return the body of any job: ``executionData`` as given, ``parameters`` as ``[{name, type, value}]``.

    :param execution_data: what the job type documents.
    :param parameters: names and values; "not broadly supported", says the API reference.
    """
    body: dict[str, Any] = {}
    if execution_data is not None:
        if not isinstance(execution_data, Mapping):
            raise FabricInputError(f"execution_data must be a mapping, got {type(execution_data).__name__}.")
        body["executionData"] = parameter_value(execution_data, "execution_data")
    if parameters:
        body["parameters"] = [
            {"name": name, "type": _type_of(parameters[name], value), "value": value}
            for name, value in _checked(parameters).items()
        ]
    return body or None


def _type_of(value: Any, sent: Any) -> str:
    """Return the service's word for a value's type (``ItemJobParameterType``)."""
    if isinstance(value, Decimal) and isinstance(sent, str):  # it has more digits than a JSON number carries
        return "Text"
    words: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (bool, "Boolean"),
        (int, "Integer"),
        ((float, Decimal), "Number"),
        (datetime, "DateTime"),
        (UUID, "Guid"),
        (str, "Text"),
    )
    return next((word for kind, word in words if isinstance(value, kind)), "Automatic")
