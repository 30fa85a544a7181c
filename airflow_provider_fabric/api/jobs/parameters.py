"""Which parameters an item declares, so that a misspelt one is found before a run starts: the service ignores those."""

from __future__ import annotations

import json
from typing import Any

from airflow_provider_fabric.api.http.flow import Flow, Request
from airflow_provider_fabric.api.http.pages import list_all
from airflow_provider_fabric.api.items.items import get_item_definition, item_path
from airflow_provider_fabric.api.jobs.notebook_parameters import declared_parameters
from airflow_provider_fabric.exceptions import FabricBadRequestError, FabricProtocolError

PIPELINE_PART = "pipeline-content.json"


def list_dataflow_parameters(workspace_id: str, dataflow_id: str) -> Flow[list[dict[str, Any]]]:
    """Return the parameters of a dataflow, all pages: ``{name, type, isRequired, description, defaultValue}``.

    https://learn.microsoft.com/rest/api/fabric/dataflow/items/discover-dataflow-parameters

    :param workspace_id: GUID.
    :param dataflow_id: GUID.
    """
    path = item_path(workspace_id, dataflow_id, "Dataflow", typed=True) + "/parameters"
    try:
        return (yield from list_all(Request("GET", path, f"list the parameters of dataflow {dataflow_id}")))
    except FabricBadRequestError as error:
        if error.error_code == "DataflowNotParametricError":
            return []
        raise


def list_pipeline_parameters(workspace_id: str, pipeline_id: str) -> Flow[list[dict[str, Any]]]:
    """Return the parameters that a pipeline's definition declares: ``{name, type, defaultValue}``.

    :param workspace_id: GUID.
    :param pipeline_id: GUID.
    :raises FabricProtocolError: the definition is not what a pipeline's is documented to be.
    """
    parts = yield from get_item_definition(workspace_id, pipeline_id)
    try:
        declared = (json.loads(parts[PIPELINE_PART]).get("properties") or {}).get("parameters") or {}
        return [{"name": name, **(entry or {})} for name, entry in declared.items()]
    except (KeyError, ValueError, AttributeError, TypeError) as error:
        raise FabricProtocolError(
            f"The definition of pipeline {pipeline_id} has no readable {PIPELINE_PART}."
        ) from error


def list_notebook_parameters(workspace_id: str, notebook_id: str) -> Flow[list[dict[str, Any]] | None]:
    """Return the parameters that a notebook's parameter cell declares: ``{name, type, isRequired}``.

    :param workspace_id: GUID.
    :param notebook_id: GUID.
    :returns: ``None`` if the definition does not tell: there is no such cell, or it is no Python that can be read.
    """
    return declared_parameters((yield from get_item_definition(workspace_id, notebook_id)))
