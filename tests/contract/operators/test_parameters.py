"""Parameters on their way: what arrives, and what is refused before anything starts."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.exceptions import FabricInputError
from airflow_provider_fabric.operators.dataflow import FabricRunDataflowRefreshOperator
from airflow_provider_fabric.operators.notebook import FabricRunNotebookOperator
from airflow_provider_fabric.operators.pipeline import FabricRunPipelineOperator
from tests.contract.operators.items import add_item, definition
from tests.task_runner import TaskRunner

MASHUP = """section Section1;
shared region = "EU" meta [IsParameterQuery = true, IsParameterQueryRequired = true, Type = type text];
shared at = #datetimezone(2026, 1, 1, 0, 0, 0, 1, 0) meta [IsParameterQuery = true, Type = type datetimezone];
shared Query = let Source = 1 in Source;
"""

NOTEBOOK = """# Fabric notebook source

# METADATA ********************

# META {"kernel_info": {"name": "synapse_pyspark"}}

# PARAMETERS CELL ********************

region = "EU"
limit: int = 10
day: str

# METADATA ********************

# CELL ********************

other = 1
"""


@pytest.fixture
def pipeline(tenant: FabricEmulator) -> None:
    parameters = {
        "region": {"type": "string"},
        "day": {"type": "string", "defaultValue": "today"},
        "limit": {"type": "int", "defaultValue": 1},
        "full": {"type": "bool", "defaultValue": False},
        "tables": {"type": "array", "defaultValue": []},
    }
    content = {"properties": {"activities": [], "parameters": parameters}}
    add_item(tenant, "DataPipeline", "Daily load", definition(pipeline_content__json=content))


@pytest.fixture
def dataflow(tenant: FabricEmulator) -> None:
    add_item(
        tenant, "Dataflow", "Customers", definition(mashup__pq=MASHUP, queryMetadata__json={"formatVersion": "202502"})
    )


@pytest.fixture
def notebook(tenant: FabricEmulator) -> None:
    add_item(tenant, "Notebook", "Clean up", definition(notebook_content__py=NOTEBOOK))


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


def run_notebook(parameters: dict[str, Any], name: str = "Clean up") -> TaskRunner:
    return TaskRunner(
        lambda: FabricRunNotebookOperator(
            task_id="run",
            workspace="Emulator workspace",
            notebook=name,
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


def sent(tenant: FabricEmulator) -> Any:
    """Return the ``executionData`` of the one run."""
    [request] = [r for r in tenant.control.request_log() if r["method"] == "POST" and "/jobs/" in r["path"]]
    return request["body"]["executionData"]


@pytest.mark.parametrize(
    ("run", "parameters", "problem"),
    [
        (run_pipeline, {}, "pipeline 'Daily load' requires 'region', which the task does not give"),
        (run_pipeline, {"region": 5}, "'region' is declared as string, so it must be text, and is a int"),
        (run_pipeline, {"region": None}, "'region' is declared as string"),
        (run_pipeline, {"region": "EU", "limit": "5"}, "'limit' is declared as int, .* is a str .templates give text"),
        (run_pipeline, {"region": "EU", "limit": True}, "'limit' is declared as int"),
        (run_pipeline, {"region": "EU", "limit": 1.5}, "'limit' is declared as int"),
        (run_pipeline, {"region": "EU", "full": 1}, "'full' is declared as bool, so it must be true or false"),
        (run_pipeline, {"region": "EU", "tables": "a"}, "'tables' is declared as array, so it must be a list"),
        (run_pipeline, {"day": 5, "limit": "x"}, "requires 'region', .* 'day' is declared .* 'limit' is declared"),
        (run_dataflow, {}, "dataflow 'Customers' requires 'region'"),
        (run_dataflow, {"region": 5}, "'region' is declared as String, so it must be text"),
        (
            run_dataflow,
            {"region": "EU", "at": "tomorrow"},
            "'at' is declared as DateTimeZone, so it must be a datetime",
        ),
        (run_notebook, {"day": "x", "limit": "5"}, "'limit' is declared as number"),
        (run_notebook, {"region": "EU"}, "notebook 'Clean up' requires 'day'"),
        (run_notebook, {"day": "x", "regoin": "EU"}, r"does not declare 'regoin' \(did you mean 'region'\?\)"),
        (run_notebook, {"day": "x", "other": 1}, "does not declare 'other'"),
    ],
)
def test_what_does_not_fit_the_declaration_starts_nothing(
    tenant, pipeline, dataflow, notebook, run, parameters, problem
):
    with pytest.raises(FabricInputError, match=rf"^parameters: .*{problem}.*Nothing was started\.$"):
        run(parameters).run()
    assert tenant.control.jobs() == []


def test_a_notebook_without_a_parameter_cell_is_not_checked(tenant):
    add_item(tenant, "Notebook", "Plain", definition(notebook_content__py="# Fabric notebook source\n\nx = 1\n"))
    assert run_notebook({"anything": 1}, "Plain").run()["status"] == "Completed"


@pytest.mark.parametrize("validate", [True, False])
def test_a_datetimezone_keeps_its_offset(tenant, dataflow, validate):
    at = datetime(2026, 1, 31, 8, tzinfo=timezone(timedelta(hours=2)))
    task = run_dataflow({"region": "EU", "at": at})
    make = task.operator

    def operator() -> Any:
        made = make()
        made.validate_parameters = validate
        return made

    task.operator = operator
    task.run()
    assert {entry["parameterName"]: entry["value"] for entry in sent(tenant)["parameters"]} == {
        "region": "EU",
        "at": "2026-01-31T08:00:00+02:00",
    }


def test_a_template_that_was_not_rendered_is_reported(tenant, pipeline, caplog: pytest.LogCaptureFixture, capsys):
    task = run_pipeline({"region": "{{ '{{' }} ds }}"})
    task.run()
    assert sent(tenant) == {"parameters": {"region": "{{ ds }}"}}
    assert "parameters.region holds a template that was not rendered" in caplog.text + capsys.readouterr().out
