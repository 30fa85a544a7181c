"""What the body of a run request may hold, item type by item type.

Sources: ``RunOnDemandItemJobRequest`` (platform file), ``DataflowExecutionPayload``, ``TableMaintenanceExecutionData``,
``ExecutionData`` of Spark job definitions, ``RunNotebookExecutionData``, and the owner fields that
https://learn.microsoft.com/fabric/data-factory/dataflow-gen2-public-apis sends. Unknown keys are ignored, as the
service does; known keys of a wrong shape are refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_provider_fabric.emulator.errors import ServiceError, invalid_input

PARAMETER_TYPES = frozenset(
    {"VariableReference", "Integer", "Number", "Text", "Boolean", "DateTime", "Guid", "Automatic"}
)
GENERIC_PARAMETERS = frozenset({"DataPipeline", "Dataflow", "Notebook"})
"""Items that take the generic ``parameters`` list; the specs call it not broadly supported."""

EXECUTE_OPTIONS = frozenset({"SkipApplyChanges", "ApplyChangesIfNeeded"})


def check_run_body(item_type: str, job_type: str, body: dict[str, Any]) -> dict[str, Any]:
    """Check the body of a run request and return its ``executionData``.

    :raises ServiceError: 400 ``InvalidInput`` for a wrong shape, 403 ``FeatureNotAvailable`` for generic parameters
        of an item that does not take them.
    """
    parameters = body.get("parameters")
    if parameters is not None:
        _check_generic_parameters(item_type, parameters)
    data = body.get("executionData")
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise invalid_input("executionData must be an object")
    check = _CHECKS.get((item_type, job_type)) or _CHECKS.get((item_type, None))
    if check is not None:
        check(data)
    return data


def _check_generic_parameters(item_type: str, parameters: Any) -> None:
    if item_type not in GENERIC_PARAMETERS:
        raise ServiceError(403, "FeatureNotAvailable", "Parameters are not supported for this item")
    if not isinstance(parameters, list):
        raise invalid_input("parameters must be a list")
    for entry in parameters:
        if not isinstance(entry, dict) or not {"name", "type", "value"} <= set(entry):
            raise invalid_input("A parameter needs name, type and value")
        if not isinstance(entry["name"], str) or not entry["name"]:
            raise invalid_input("The name of a parameter must not be blank")
        if entry["type"] not in PARAMETER_TYPES:
            raise invalid_input(f"'{entry['type']}' is no type of a parameter")
        _check_value(entry["type"], entry["name"], entry["value"])


_VALUE_KINDS: dict[str, tuple[type, ...]] = {
    "Integer": (int,),
    "Number": (int, float),
    "Text": (str,),
    "Boolean": (bool,),
    "DateTime": (str,),
    "Guid": (str,),
    "VariableReference": (str, dict),
}


def _check_value(kind: str, name: str, value: Any) -> None:
    kinds = _VALUE_KINDS.get(kind)
    if kinds is None:
        return
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise invalid_input(f"The value of parameter '{name}' is not of type {kind}")


def _check_dataflow(data: dict[str, Any]) -> None:
    option = data.get("executeOption")
    if option is not None and option not in EXECUTE_OPTIONS:
        raise invalid_input(f"executeOption must be one of {', '.join(sorted(EXECUTE_OPTIONS))}")
    parameters = data.get("parameters")
    if parameters is None:
        return
    if not isinstance(parameters, list):
        raise invalid_input("executionData.parameters of a dataflow must be a list")
    for entry in parameters:
        if not isinstance(entry, dict) or not {"parameterName", "type", "value"} <= set(entry):
            raise invalid_input("A dataflow parameter needs parameterName, type and value")
        if not isinstance(entry["parameterName"], str) or not entry["parameterName"]:
            raise invalid_input("parameterName must not be blank")
        if entry["type"] != "Automatic":
            raise invalid_input("The type of a dataflow parameter must be Automatic")


def _check_pipeline(data: dict[str, Any]) -> None:
    parameters = data.get("parameters")
    if parameters is not None and not isinstance(parameters, dict):
        raise invalid_input("executionData.parameters of a pipeline must be an object of names and values")


def _check_notebook(data: dict[str, Any]) -> None:
    parameters = data.get("parameters")
    if parameters is not None:
        if not isinstance(parameters, dict):
            raise invalid_input("executionData.parameters of a notebook must be an object")
        for name, entry in parameters.items():
            if not isinstance(entry, dict) or not {"value", "type"} <= set(entry):
                raise invalid_input(f"The notebook parameter '{name}' needs value and type")
    if not isinstance(data.get("configuration"), (dict, type(None))):
        raise invalid_input("executionData.configuration must be an object")
    if data.get("compute") not in (None, "Spark", "Jupyter", "DataWarehouse"):
        raise invalid_input("executionData.compute must be Spark, Jupyter or DataWarehouse")


def _check_table_maintenance(data: dict[str, Any]) -> None:
    if not isinstance(data.get("tableName"), str) or not data["tableName"]:
        raise invalid_input("executionData.tableName is required")
    for key in ("optimizeSettings", "vacuumSettings"):
        if not isinstance(data.get(key), (dict, type(None))):
            raise invalid_input(f"executionData.{key} must be an object")


def _check_spark_job(data: dict[str, Any]) -> None:
    for key in ("executableFile", "mainClass", "commandLineArguments"):
        if not isinstance(data.get(key), (str, type(None))):
            raise invalid_input(f"executionData.{key} must be a string")
    if not isinstance(data.get("additionalLibraryUris"), (list, type(None))):
        raise invalid_input("executionData.additionalLibraryUris must be a list")


_CHECKS: dict[tuple[str, str | None], Callable[[dict[str, Any]], None]] = {
    ("Dataflow", None): _check_dataflow,
    ("DataPipeline", None): _check_pipeline,
    ("Notebook", None): _check_notebook,
    ("Lakehouse", "TableMaintenance"): _check_table_maintenance,
    ("SparkJobDefinition", None): _check_spark_job,
}
