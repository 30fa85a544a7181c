"""Formats of definitions: which a kind takes, in which order parts must come, and one form made of another.

Formats are those that Microsoft's pages of each kind's definition name
(https://learn.microsoft.com/rest/api/fabric/articles/item-management/definitions/item-definition-overview). A reader
who does not ask for the format that was written gets the kind's own one, as from the service.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from airflow_provider_fabric.emulator.errors import ServiceError
from airflow_provider_fabric.emulator.state.definitions import PLATFORM_PART, Part, Parts

#: Kind → its formats; the first is what is meant when none is named. Kinds that are not here take none.
FORMATS: Mapping[str, tuple[str, ...]] = {
    "ApacheAirflowJob": ("ApacheAirflowJobV1",),
    "CopyJob": ("CopyJobV1",),
    "DataBuildToolJob": ("DataBuildToolJobV1",),
    "Eventstream": ("eventstream",),
    "GraphModel": ("json",),
    "GraphQLApi": ("GraphQLApiV1",),
    "Lakehouse": ("LakehouseDefinitionV1",),
    "Notebook": ("fabricGitSource", "ipynb"),
    "PaginatedReport": ("PaginatedReportDefinition",),
    "Reflex": ("json",),
    "Report": ("PBIR", "PBIR-Legacy"),
    "SQLDatabase": ("sqlproj", "dacpac"),
    "SemanticModel": ("TMDL", "TMSL"),
    "SparkJobDefinition": ("SparkJobDefinitionV1", "SparkJobDefinitionV2"),
    "UserDataFunction": ("UserDataFunctionV1",),
    "VariableLibrary": ("VariableLibraryV1",),
}


def check_format(item_type: str, format_name: object) -> str | None:
    """Return the format that a request means, ``None`` for kinds that have none.

    :raises ServiceError: 400 ``InvalidDefinitionFormat``.
    """
    known = FORMATS.get(item_type, ())
    if format_name in (None, ""):
        return known[0] if known else None
    if format_name not in known:
        raise ServiceError(
            400,
            "InvalidDefinitionFormat",
            f"The format '{format_name}' is not supported for items of type {item_type}",
            is_retriable=False,
        )
    return str(format_name)


def check_parts(item_type: str, format_name: str | None, parts: Parts) -> None:
    """Refuse parts that do not fit the format, or come in an order that the service does not take.

    :raises ServiceError: 400.
    """
    paths = [part.path for part in parts if part.path != PLATFORM_PART]
    if item_type == "Notebook":
        _check_notebook(format_name, paths)
    elif item_type == "SparkJobDefinition":
        inline = [path for path in paths if path.startswith(("Main/", "Libs/"))]
        if inline and format_name != "SparkJobDefinitionV2":
            raise _corrupted(f"The part '{inline[0]}' needs the format SparkJobDefinitionV2")
    elif item_type == "SemanticModel":
        if "model.bim" in paths and format_name != "TMSL":
            raise _corrupted("The part 'model.bim' needs the format TMSL")
        if format_name == "TMSL" and any(path.startswith("definition/") for path in paths):
            raise _corrupted("A definition in the format TMSL must not hold TMDL parts")
    if any(path.startswith((".pbi/", ".children/")) for path in paths):
        raise _corrupted("The definition holds parts that belong to an editor or to other items")


def _check_notebook(format_name: str | None, paths: list[str]) -> None:
    is_content = [path.endswith(".ipynb") or path.startswith("notebook-content.") for path in paths]
    if not paths or not is_content[0]:
        first = paths[0] if paths else "nothing"
        raise _corrupted(f"The first part of a notebook must be its content, not '{first}'")
    if paths[0].endswith(".ipynb") is not (format_name == "ipynb"):
        raise _corrupted(f"The part '{paths[0]}' does not fit the format {format_name}")


def check_contents(item_type: str, parts: Parts, item_types_by_id: Mapping[str, str]) -> None:
    """Refuse contents that name what is not there: a report's model by its path, a database's eventhouse.

    :param item_types_by_id: kinds of the workspace's items.
    :raises ServiceError: 400.
    """
    for part in parts:
        if (item_type, part.path) == ("Report", "definition.pbir"):
            reference = _json(part).get("datasetReference")
            if isinstance(reference, dict) and reference.get("byPath") is not None:
                raise _corrupted("A report's datasetReference must be byConnection, not byPath")
        if (item_type, part.path) == ("KQLDatabase", "DatabaseProperties.json"):
            parent = _json(part).get("parentEventhouseItemId")
            if parent is not None and item_types_by_id.get(str(parent)) != "Eventhouse":
                raise _corrupted(f"parentEventhouseItemId '{parent}' is no eventhouse of the workspace")


def _json(part: Part) -> dict[str, object]:
    try:
        body = part.json()
    except ValueError as problem:
        raise _corrupted(f"The part '{part.path}' is not valid JSON: {problem}") from problem
    return body if isinstance(body, dict) else {}


def _corrupted(message: str) -> ServiceError:
    return ServiceError(
        400,
        "CorruptedPayload",
        "The provided payload is corrupted",
        more_details=[{"errorCode": "InvalidDefinitionPart", "message": message}],
        is_retriable=False,
    )


def converted(item_type: str, parts: Parts, held: str | None, wanted: str | None) -> Parts:
    """Return parts in another format than they were written in; roughly, so that a reader notices."""
    if held == wanted:
        return parts
    if item_type == "Notebook":
        return _other_notebook(parts)
    if item_type == "SparkJobDefinition" and wanted == "SparkJobDefinitionV1":
        return tuple(part for part in parts if not part.path.startswith(("Main/", "Libs/")))
    if item_type == "SemanticModel":
        rest = tuple(part for part in parts if part.path != "model.bim" and not part.path.startswith("definition/"))
        if wanted == "TMDL":
            return (*rest, Part("definition/model.tmdl", b"model Model\n"))
        return (*rest, Part("model.bim", b'{"compatibilityLevel": 1604, "model": {}}'))
    return parts


def _other_notebook(parts: Parts) -> Parts:
    """Return a notebook's source as ``.py``, or its ``.py`` as ``ipynb``."""
    content, *others = parts or (Part("notebook-content.py", b"# Fabric notebook source\n"),)
    if content.path.endswith(".ipynb"):
        body = _json(content)
        cells = body.get("cells")
        lines = ["# Fabric notebook source", ""]
        for cell in cells if isinstance(cells, list) else []:
            source = cell.get("source", "") if isinstance(cell, dict) else ""
            lines += ["# CELL ********************", "", "".join(source), ""]
        return (Part("notebook-content.py", "\n".join(lines).encode()), *others)
    cell = {"cell_type": "code", "source": content.content.decode("utf-8", "replace"), "metadata": {}, "outputs": []}
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}
    return (Part("notebook-content.ipynb", json.dumps(notebook).encode()), *others)
