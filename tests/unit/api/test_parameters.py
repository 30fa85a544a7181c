"""Which parameters an item declares, and names that are not among them."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from airflow_provider_fabric.api.jobs.declared import check_names
from airflow_provider_fabric.api.jobs.parameters import list_dataflow_parameters, list_pipeline_parameters
from airflow_provider_fabric.api.jobs.payloads import notebook_body
from airflow_provider_fabric.exceptions import FabricBadRequestError, FabricInputError, FabricProtocolError
from tests.flow_driver import ITEM, WORKSPACE, drive, ok, page, refusal


def definition(content: Any) -> dict[str, Any]:
    payload = base64.b64encode(json.dumps(content).encode()).decode()
    return {"definition": {"parts": [{"path": "pipeline-content.json", "payload": payload}]}}


def test_a_dataflows_parameters_come_in_pages():
    talk = drive(list_dataflow_parameters(WORKSPACE, ITEM), [page({"name": "a"}, token="more"), page({"name": "b"})])
    assert [entry["name"] for entry in talk.result()] == ["a", "b"]
    assert talk.paths == [f"GET /v1/workspaces/{WORKSPACE}/dataflows/{ITEM}/parameters"] * 2


def test_a_dataflow_without_parameters_has_none():
    assert drive(list_dataflow_parameters(WORKSPACE, ITEM), [refusal(400, "DataflowNotParametricError")]).result() == []


def test_another_refusal_is_one():
    with pytest.raises(FabricBadRequestError):
        drive(list_dataflow_parameters(WORKSPACE, ITEM), [refusal(400, "InvalidItemType")]).result()


def test_a_pipelines_parameters_are_in_its_definition():
    content = {"properties": {"parameters": {"region": {"type": "string", "defaultValue": "all"}}}}
    talk = drive(list_pipeline_parameters(WORKSPACE, ITEM), [ok(definition(content))])
    assert talk.result() == [{"name": "region", "type": "string", "defaultValue": "all"}]


@pytest.mark.parametrize("content", [{}, {"properties": {}}, {"properties": {"parameters": None}}])
def test_a_pipeline_without_parameters_has_none(content: Any):
    assert drive(list_pipeline_parameters(WORKSPACE, ITEM), [ok(definition(content))]).result() == []


@pytest.mark.parametrize("content", [[], {"properties": {"parameters": ["a"]}}, 5])
def test_a_definition_that_is_none(content: Any):
    with pytest.raises(FabricProtocolError, match=r"no readable pipeline-content\.json"):
        drive(list_pipeline_parameters(WORKSPACE, ITEM), [ok(definition(content))]).result()


def test_names_that_are_declared_pass():
    check_names(["region"], ["region", "day"], "pipeline 'P'")


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (["regoin"], "pipeline 'P' does not declare 'regoin' (did you mean 'region'?). It declares 'day', 'region'."),
        (["Region"], "pipeline 'P' does not declare 'Region' (did you mean 'region'?). It declares 'day', 'region'."),
        (["x", "day"], "pipeline 'P' does not declare 'x'. It declares 'day', 'region'."),
    ],
)
def test_a_name_that_is_not_declared(given: list[str], text: str):
    with pytest.raises(FabricInputError) as caught:
        check_names(given, ["region", "day"], "pipeline 'P'")
    assert str(caught.value) == f"parameters: {text} Nothing was started."


def test_an_item_without_parameters():
    with pytest.raises(FabricInputError, match=r"does not declare 'x'\. It declares no parameters\."):
        check_names(["x"], [], "dataflow 'D'")


def test_a_notebooks_parameters_are_typed():
    from datetime import date
    from decimal import Decimal
    from uuid import UUID

    values = {
        "text": "a",
        "flag": True,
        "count": 3,
        "share": 0.5,
        "day": date(2026, 1, 2),
        "price": Decimal("1.5"),
        "id": UUID(int=5),
    }
    body = notebook_body(values, {"useStarterPool": True})
    assert body == {
        "executionData": {
            "parameters": {
                "text": {"value": "a", "type": "string"},
                "flag": {"value": True, "type": "bool"},
                "count": {"value": 3, "type": "int"},
                "share": {"value": 0.5, "type": "float"},
                "day": {"value": "2026-01-02", "type": "string"},
                "price": {"value": 1.5, "type": "float"},
                "id": {"value": "00000000-0000-0000-0000-000000000005", "type": "string"},
            },
            "configuration": {"useStarterPool": True},
        }
    }
    assert notebook_body(None, None) is None


@pytest.mark.parametrize("value", [None, [1], {"a": 1}])
def test_what_a_notebook_cannot_take_is_refused(value: Any):
    with pytest.raises(FabricInputError, match=r"'p' is none of these.*json\.dumps"):
        notebook_body({"p": value}, None)


def test_a_configuration_is_a_mapping():
    with pytest.raises(FabricInputError, match="configuration must be a mapping, got list"):
        notebook_body(None, [])  # type: ignore[arg-type]
