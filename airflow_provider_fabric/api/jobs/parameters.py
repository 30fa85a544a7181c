"""Which parameters an item declares, so that a misspelt one is found before a run starts: the service ignores those."""

from __future__ import annotations

import json
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from airflow_provider_fabric.api.http.flow import Flow, Request
from airflow_provider_fabric.api.http.pages import list_all
from airflow_provider_fabric.api.items.items import get_item_definition, item_path
from airflow_provider_fabric.exceptions import FabricBadRequestError, FabricInputError, FabricProtocolError

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


def check_names(given: Iterable[str], declared: Iterable[str], item: str) -> None:
    """Compare the names of parameters, letter by letter.

    :param given: what is to be sent.
    :param declared: what the item declares.
    :param item: what to call the item in the error: ``"pipeline 'Daily load'"``.
    :raises FabricInputError: a name is not declared; near ones are listed.
    """
    known = sorted(declared)
    folded = {name.casefold(): name for name in known}
    wrong = []
    for name in given:
        if name in known:
            continue
        close = get_close_matches(name.casefold(), folded, n=3, cutoff=0.6)
        near = " or ".join(repr(folded[match]) for match in close)
        wrong.append(f"{name!r} (did you mean {near}?)" if near else repr(name))
    if wrong:
        all_known = f"It declares {', '.join(map(repr, known))}" if known else "It declares no parameters"
        raise FabricInputError(
            f"parameters: {item} does not declare {', '.join(wrong)}. {all_known}. Nothing was started."
        )
