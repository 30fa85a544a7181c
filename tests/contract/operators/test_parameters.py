"""Parameters on their way: what arrives, and what is refused before anything starts."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.exceptions import FabricInputError
from airflow_provider_fabric.operators.dataflow import FabricRunDataflowRefreshOperator
from airflow_provider_fabric.operators.pipeline import FabricRunPipelineOperator
from tests.contract.operators.items import add_item, definition
from tests.task_runner import TaskRunner

MASHUP = """section Section1;
shared region = "EU" meta [IsParameterQuery = true, IsParameterQueryRequired = true, Type = type text];
shared Query = let Source = 1 in Source;
"""


@pytest.fixture
def pipeline(tenant: FabricEmulator) -> None:
    parameters = {"region": {"type": "string"}, "day": {"type": "string"}}
    content = {"properties": {"activities": [], "parameters": parameters}}
    add_item(tenant, "DataPipeline", "Daily load", definition(pipeline_content__json=content))


@pytest.fixture
def dataflow(tenant: FabricEmulator) -> None:
    add_item(
        tenant, "Dataflow", "Customers", definition(mashup__pq=MASHUP, queryMetadata__json={"formatVersion": "202502"})
    )


def run_pipeline(parameters: dict[str, Any]) -> TaskRunner:
    return TaskRunner(
        lambda: FabricRunPipelineOperator(
            task_id="run",
            workspace="Emulator workspace",
            pipeline="Daily load",
            parameters=parameters,
            validate_parameters=True,
            check_interval=0.1,
        )
    )


def run_dataflow(parameters: dict[str, Any]) -> TaskRunner:
    return TaskRunner(
        lambda: FabricRunDataflowRefreshOperator(
            task_id="run",
            workspace="Emulator workspace",
            dataflow="Customers",
            parameters=parameters,
            validate_parameters=True,
            check_interval=0.1,
        )
    )


@pytest.mark.parametrize(
    ("run", "kind", "name"), [(run_pipeline, "pipeline", "Daily load"), (run_dataflow, "dataflow", "Customers")]
)
def test_a_misspelt_parameter_starts_nothing(tenant, pipeline, dataflow, run, kind, name):
    with pytest.raises(
        FabricInputError, match=rf"{kind} '{name}' does not declare 'regoin' \(did you mean 'region'\?\)"
    ):
        run({"regoin": "EU"}).run()
    assert tenant.control.jobs() == []


@pytest.mark.parametrize("run", [run_pipeline, run_dataflow])
def test_declared_parameters_pass(tenant, pipeline, dataflow, run):
    assert run({"region": "EU"}).run()["status"] == "Completed"


def test_without_parameters_there_is_nothing_to_look_up(tenant, pipeline):
    run_pipeline({}).run()
    assert not [route for route in tenant.control.stats()["routes"] if "getDefinition" in route]
