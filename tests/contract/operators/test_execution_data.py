"""``execution_data`` arrives, rendered, beside what the other arguments send; or is refused before anything is sent."""

from __future__ import annotations

import time
from typing import Any

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.exceptions import FabricInputError
from airflow_provider_fabric.operators.copy_job import FabricRunCopyJobOperator
from airflow_provider_fabric.operators.dataflow import FabricPublishDataflowOperator, FabricRunDataflowRefreshOperator
from airflow_provider_fabric.operators.dbt import FabricRunDbtJobOperator
from airflow_provider_fabric.operators.job import FabricRunItemJobOperator
from airflow_provider_fabric.operators.lakehouse import (
    FabricRefreshMaterializedLakeViewsOperator,
    FabricRunTableMaintenanceOperator,
)
from airflow_provider_fabric.operators.notebook import FabricRunNotebookOperator
from airflow_provider_fabric.operators.pipeline import FabricRunPipelineOperator
from airflow_provider_fabric.operators.semantic_model import FabricRefreshSemanticModelOperator
from airflow_provider_fabric.operators.spark_job import FabricRunSparkJobOperator
from tests.contract.operators.items import add_item
from tests.task_runner import TaskRunner
from tests.unit.operators.test_every_operator import ALL

GUID = "6f6f6f6f-0000-4000-8000-000000000001"

OWNER = {
    "ownerName": "{{ ds }} load",
    "OwnerUserPrincipalName": "etl@example.com",
    "nested": {"days": ["{{ ds }}", {"n": "{{ params.n }}"}], "plain": 5},
}
RENDERED = {
    "ownerName": "2024-01-05 load",
    "OwnerUserPrincipalName": "etl@example.com",
    "nested": {"days": ["2024-01-05", {"n": "7"}], "plain": 5},
}

#: Operator, kind of item, its arguments, what these alone send, and what each key they send is set by.
JOBS: list[tuple[type[FabricRunItemJobOperator], str, dict[str, Any], dict[str, Any], dict[str, str]]] = [
    (FabricRunItemJobOperator, "DataPipeline", {"item": "It", "job_type": "Execute"}, {}, {}),
    (FabricRunPipelineOperator, "DataPipeline", {"pipeline": "It"}, {}, {}),
    (
        FabricRunPipelineOperator,
        "DataPipeline",
        {"pipeline": "It", "parameters": {"region": "eu"}},
        {"parameters": {"region": "eu"}},
        {"parameters": "parameters", "Parameters": "parameters"},
    ),
    (
        FabricRunDataflowRefreshOperator,
        "Dataflow",
        {"dataflow": "It", "parameters": {"region": "eu"}},
        {
            "executeOption": "ApplyChangesIfNeeded",
            "parameters": [{"parameterName": "region", "type": "Automatic", "value": "eu"}],
        },
        {"executeOption": "apply_changes", "EXECUTEOPTION": "apply_changes", "parameters": "parameters"},
    ),
    (FabricPublishDataflowOperator, "Dataflow", {"dataflow": "It"}, {}, {}),
    (FabricRunCopyJobOperator, "CopyJob", {"copy_job": "It"}, {}, {}),
    (FabricRunDbtJobOperator, "DataBuildToolJob", {"dbt_job": "It"}, {}, {}),
    (
        FabricRunNotebookOperator,
        "Notebook",
        {"notebook": "It", "parameters": {"n": 3}, "configuration": {"useStarterPool": True}},
        {"parameters": {"n": {"value": 3, "type": "int"}}, "configuration": {"useStarterPool": True}},
        {"parameters": "parameters", "configuration": "configuration"},
    ),
    (
        FabricRunSparkJobOperator,
        "SparkJobDefinition",
        {
            "spark_job": "It",
            "executable_file": "abfss://a/b.py",
            "main_class": "m",
            "command_line_arguments": ["a", "b"],
            "additional_library_uris": ["abfss://a/c.py"],
        },
        {
            "executableFile": "abfss://a/b.py",
            "mainClass": "m",
            "commandLineArguments": "a b",
            "additionalLibraryUris": ["abfss://a/c.py"],
        },
        {
            "executableFile": "executable_file",
            "mainClass": "main_class",
            "commandLineArguments": "command_line_arguments",
            "additionalLibraryUris": "additional_library_uris",
        },
    ),
    (
        FabricRefreshMaterializedLakeViewsOperator,
        "Lakehouse",
        {"lakehouse": "It", "execution_definition_id": GUID},
        {"mlvExecutionDefinitionId": GUID},
        {"mlvExecutionDefinitionId": "execution_definition_id"},
    ),
    (
        FabricRunTableMaintenanceOperator,
        "Lakehouse",
        {"lakehouse": "It", "table": "t", "schema": "dbo", "v_order": True, "vacuum_retention": "7:01:00:00"},
        {
            "tableName": "t",
            "schemaName": "dbo",
            "optimizeSettings": {"vOrder": True},
            "vacuumSettings": {"retentionPeriod": "7:01:00:00"},
        },
        {
            "tableName": "table",
            "schemaName": "schema",
            "optimizeSettings": "v_order or z_order_by",
            "vacuumSettings": "vacuum_retention",
        },
    ),
]
EACH = pytest.mark.parametrize(
    ("kind", "item_type", "given", "sent", "set_by"), JOBS, ids=lambda v: getattr(v, "__name__", "")
)


def runner(kind: type[FabricRunItemJobOperator], native: bool = False, **given: Any) -> TaskRunner:
    given = {"workspace": "Emulator workspace", "check_interval": 0.1, **given}
    return TaskRunner(lambda: kind(task_id="run", **given), native=native, values={"params": {"n": 7}})


def bodies(tenant: FabricEmulator) -> list[Any]:
    log = tenant.control.request_log()
    return [e["body"] for e in log if e["method"] == "POST" and ("/jobs/" in e["path"] or "/refreshes" in e["path"])]


def item_for(tenant: FabricEmulator, item_type: str) -> None:
    add_item(tenant, item_type, "It")


def test_the_table_names_every_job_operator() -> None:
    operators = {kind for kind in ALL if issubclass(kind, FabricRunItemJobOperator)}
    assert operators == {case[0] for case in JOBS} | {FabricRefreshSemanticModelOperator}


@EACH
def test_it_is_sent_rendered_beside_the_rest(tenant, kind, item_type, given, sent, set_by) -> None:
    item_for(tenant, item_type)
    runner(kind, **given, execution_data=OWNER).run()
    assert [body["executionData"] for body in bodies(tenant)] == [{**sent, **RENDERED}]


@EACH
def test_native_rendering_gives_values(tenant, kind, item_type, given, sent, set_by) -> None:
    item_for(tenant, item_type)
    runner(kind, native=True, **given, execution_data={"count": "{{ params.n }}", "flag": "{{ true }}"}).run()
    assert [body["executionData"] for body in bodies(tenant)] == [{**sent, "count": 7, "flag": True}]


@EACH
def test_a_key_that_another_argument_sets_is_refused_by_both_names(
    tenant, kind, item_type, given, sent, set_by
) -> None:
    item_for(tenant, item_type)
    for key, argument in set_by.items():
        with pytest.raises(FabricInputError, match=rf"execution_data: '{key}' is also set by {argument}\."):
            runner(kind, **given, execution_data={**OWNER, key: None}).run()
    assert tenant.control.request_log() == []


@EACH
@pytest.mark.parametrize("wrong", [[1], "text", {"at": object()}])
def test_what_is_no_mapping_or_has_no_json_form_is_refused(tenant, kind, item_type, given, sent, set_by, wrong) -> None:
    item_for(tenant, item_type)
    with pytest.raises(FabricInputError, match="execution_data"):
        runner(kind, **given, execution_data=wrong).run()
    assert tenant.control.request_log() == []


def test_parameters_beside_execution_data_cannot_be_said_twice(tenant) -> None:
    item_for(tenant, "DataPipeline")
    with pytest.raises(FabricInputError, match=r"execution_data: 'parameters' is also set by parameters"):
        runner(
            FabricRunItemJobOperator,
            item="It",
            job_type="Execute",
            parameters={"a": 1},
            execution_data={"parameters": {"a": 2}},
        ).run()
    assert bodies(tenant) == []


@pytest.mark.parametrize("kind", [case[0] for case in JOBS if "parameters" not in case[2]], ids=lambda k: k.__name__)
def test_parameters_are_never_dropped_either(kind) -> None:
    case = next(case for case in JOBS if case[0] is kind)
    operator = kind(task_id="run", workspace="w", **case[2], parameters={"a": 1})
    assert '"a"' in str(operator.build_body()).replace("'", '"')


@pytest.mark.parametrize("name", ["execution_data", "parameters"])
def test_a_semantic_model_takes_neither_and_says_so(tenant, name) -> None:
    item_for(tenant, "SemanticModel")
    with pytest.raises(FabricInputError, match=rf"{name} cannot be sent: .* takes options instead"):
        runner(FabricRefreshSemanticModelOperator, semantic_model="It", **{name: {"commitMode": "transactional"}}).run()
    assert tenant.control.request_log() == []


def test_table_maintenance_by_execution_data_alone(tenant) -> None:
    item_for(tenant, "Lakehouse")
    settings = {"optimizeSettings": {"vOrder": True}}
    runner(FabricRunTableMaintenanceOperator, lakehouse="It", table="t", execution_data=settings).run()
    assert bodies(tenant)[0]["executionData"] == {"tableName": "t", **settings}


def test_the_articles_owner_fields_with_their_job_type(tenant) -> None:
    item_for(tenant, "DataPipeline")
    owner = {"pipelineName": "p", "OwnerUserPrincipalName": "u@example.com"}
    runner(FabricRunPipelineOperator, pipeline="It", job_type="Refresh", execution_data=owner).run()
    assert bodies(tenant) == [{"executionData": owner}]


@pytest.mark.parametrize(("form", "address"), [("query", "jobs/instances"), ("path", "jobs/Refresh/instances")])
@pytest.mark.parametrize("deferrable", [False, True])
def test_the_address_that_starts_a_job_can_be_chosen(tenant, form, address, deferrable) -> None:
    item_for(tenant, "DataPipeline")
    runner(FabricRunPipelineOperator, pipeline="It", job_type="Refresh", submit_form=form, deferrable=deferrable).run()
    posts = [e for e in tenant.control.request_log() if e["method"] == "POST" and "/jobs/" in e["path"]]
    assert [e["path"].partition("/items/")[2].partition("/")[2] for e in posts] == [address]


def test_an_address_that_does_not_exist_is_refused(tenant) -> None:
    item_for(tenant, "DataPipeline")
    with pytest.raises(FabricInputError, match="submit_form must be one of auto, path, query, got 'older'"):
        runner(FabricRunPipelineOperator, pipeline="It", submit_form="older").run()
    with pytest.raises(FabricInputError, match="submit_form does not apply to a semantic model"):
        runner(FabricRefreshSemanticModelOperator, semantic_model="It", submit_form="query").run()
    assert tenant.control.request_log() == []


@pytest.mark.parametrize("deferrable", [False, True])
def test_the_run_that_only_a_body_names_is_waited_for(tenant, deferrable) -> None:
    item_for(tenant, "Dataflow")
    tenant.control.add_job_rule(body=True, omit_location=True)
    task = runner(FabricRunDataflowRefreshOperator, dataflow="It", deferrable=deferrable)
    began = time.monotonic()
    result = task.run()
    assert result["status"] == "Completed"
    assert [job["id"] for job in tenant.control.jobs()] == [result["job_instance_id"]]
    assert time.monotonic() - began < 20  # it was not searched for
