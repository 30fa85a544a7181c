"""Notebooks that answer: their own job API, what they exit with, and the links of a run."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.exceptions import FabricInputError, FabricJobFailed, FabricProtocolError
from airflow_provider_fabric.lifecycle.timing import Timing
from airflow_provider_fabric.links import NOTEBOOK_LINKS
from airflow_provider_fabric.operators.job import FabricRunItemJobOperator
from airflow_provider_fabric.operators.notebook import FabricRunNotebookOperator
from tests.contract.conftest import ask_asynchronously, ask_synchronously
from tests.contract.operators.items import add_item
from tests.task_runner import TaskRunner


@pytest.fixture(autouse=True)
def notebook(tenant: FabricEmulator, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("airflow_provider_fabric.lifecycle.execution.settling_seconds", lambda: 0.1)
    monkeypatch.setattr(FabricRunItemJobOperator, "_timing", Timing(visible_within=0.5))
    return add_item(tenant, "Notebook", "Clean up")


def task(**arguments: Any) -> TaskRunner:
    given = {"workspace": "Emulator workspace", "notebook": "Clean up", "check_interval": 0.2, **arguments}
    return TaskRunner(lambda: FabricRunNotebookOperator(task_id="run", **given))


def submits(tenant: FabricEmulator) -> list[dict[str, Any]]:
    log = tenant.control.request_log()
    return [e for e in log if e["method"] == "POST" and "/jobs/" in e["path"] and e["path"].endswith("/instances")]


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize("arguments", [{}, {"session_tag": "etl"}], ids=["generic", "own"])
def test_the_exit_value_is_returned_and_published(
    tenant: FabricEmulator, deferrable: bool, arguments: dict[str, Any]
) -> None:
    tenant.control.add_job_rule(exit_value="17 rows")
    run = task(deferrable=deferrable, **arguments)
    result = run.run()
    assert (result["status"], result["exit_value"], run.xcoms["exit_value"]) == ("Completed", "17 rows", "17 rows")


def test_json_is_parsed_on_request(tenant: FabricEmulator) -> None:
    tenant.control.add_job_rule(exit_value='{"rows": 17}')
    assert task(parse_exit_value=True).run()["exit_value"] == {"rows": 17}
    assert task().run()["exit_value"] == '{"rows": 17}'


@pytest.mark.parametrize(("value", "shown"), [(None, "exited with nothing"), ("17 rows", "exited with '17 rows'")])
def test_a_result_that_is_no_json_is_named(tenant: FabricEmulator, value: str | None, shown: str) -> None:
    tenant.control.add_job_rule(exit_value=value)
    run = task(parse_exit_value=True)
    with pytest.raises(FabricProtocolError, match=shown):
        run.run()
    with pytest.raises(FabricProtocolError, match=shown):
        run.run()
    assert len(submits(tenant)) == 1, "a retry looks at the same run again"


def test_a_notebook_that_exits_with_nothing(tenant: FabricEmulator) -> None:
    assert task().run()["exit_value"] is None


def test_an_exit_value_that_cannot_be_read_now_is_not_taken_for_none(tenant: FabricEmulator) -> None:
    tenant.control.add_job_rule(exit_value="skip")
    fault = {"method": "GET", "path": "*/notebooks/*/jobs/execute/*", "status": 400, "error_code": "RequestBlocked"}
    tenant.control.add_fault(**fault, is_retriable=True, count=1)
    run = task()
    with pytest.raises(Exception, match="RequestBlocked"):
        run.run()
    assert run.run()["exit_value"] == "skip"
    assert len(submits(tenant)) == 1


def test_an_exit_value_that_nobody_may_read_is_left_out_and_not_none(tenant: FabricEmulator) -> None:
    """``None`` says that the notebook passed nothing; a branch would go by it."""
    tenant.control.add_job_rule(exit_value="skip")
    fault = {"method": "GET", "path": "*/notebooks/*/jobs/execute/*", "status": 403}
    tenant.control.add_fault(**fault, error_code="InsufficientPrivileges", count=99)
    run = task()
    assert "exit_value" not in run.run()
    assert "exit_value" not in run.xcoms


def test_the_body_of_the_own_api(tenant: FabricEmulator) -> None:
    task(
        session_tag="etl-{{ ds }}",
        compute_configuration={"numExecutors": 2},
        parameters={"day": "{{ ds }}", "limit": 3, "share": 0.5, "full": True},
    ).run()
    (sent,) = submits(tenant)
    assert sent["path"].endswith("/jobs/execute/instances")
    assert "/notebooks/" in sent["path"]
    assert sent["body"] == {
        "executionData": {
            "compute": "Spark",
            "computeConfiguration": {
                "numExecutors": 2,
                "highConcurrencyModeOptions": {"enabled": True, "sessionTag": "etl-2024-01-05"},
            },
        },
        "parameters": [
            {"name": "day", "value": "2024-01-05", "type": "Text"},
            {"name": "limit", "value": 3, "type": "Integer"},
            {"name": "share", "value": 0.5, "type": "Number"},
            {"name": "full", "value": True, "type": "Boolean"},
        ],
    }


@pytest.mark.parametrize(("status", "code"), [(404, "EntityNotFound"), (405, "MethodNotAllowed")])
def test_the_generic_api_takes_over_where_the_own_is_unknown(tenant: FabricEmulator, status: int, code: str) -> None:
    tenant.control.add_fault(method="POST", path="*/notebooks/*/jobs/execute/instances", status=status, error_code=code)
    assert task(session_tag="etl").run()["status"] == "Completed"
    assert ["/items/" in e["path"] for e in submits(tenant)] == [False, True]


@pytest.mark.parametrize(
    "arguments",
    [{"configuration": {}}, {"execution_data": {}}, {"job_type": "DefaultJob"}, {"submit_form": "query"}],
    ids=lambda arguments: next(iter(arguments)),
)
def test_what_only_the_api_of_all_items_takes(tenant: FabricEmulator, arguments: dict[str, Any]) -> None:
    assert task(**arguments, parameters={"limit": 3}).run()["status"] == "Completed"
    (sent,) = submits(tenant)
    assert "/items/" in sent["path"]
    assert sent["body"]["executionData"]["parameters"] == {"limit": {"value": 3, "type": "int"}}


def test_parameters_alone_leave_the_session_to_the_notebook(tenant: FabricEmulator) -> None:
    task(parameters={"limit": 3}).run()
    (sent,) = submits(tenant)
    assert "/notebooks/" in sent["path"]
    assert sent["body"] == {"parameters": [{"name": "limit", "value": 3, "type": "Integer"}]}


def test_parameters_reach_the_api_of_all_items(tenant: FabricEmulator) -> None:
    path = "*/notebooks/*/jobs/execute/instances"
    tenant.control.add_fault(method="POST", path=path, status=400, error_code="FeatureNotAvailable")
    assert task(parameters={"limit": 3}).run()["status"] == "Completed"
    assert submits(tenant)[1]["body"] == {"executionData": {"parameters": {"limit": {"value": 3, "type": "int"}}}}


def test_a_configuration_is_not_lost_on_the_way_to_the_other_api(tenant: FabricEmulator) -> None:
    """The default lakehouse may be in it: a run without it would write elsewhere."""
    path = "*/notebooks/*/jobs/execute/instances"
    tenant.control.add_fault(method="POST", path=path, status=404, error_code="EntityNotFound", count=9)
    run = task(compute_configuration={"defaultLakehouse": {"referenceType": "ById"}})
    with pytest.raises(FabricInputError, match="compute_configuration needs a notebook's own job API"):
        run.run()
    assert tenant.control.stats()["jobs"]["started"] == 0


@pytest.mark.parametrize("status", [500, 503, 504])
def test_an_unclear_answer_is_not_followed_by_the_other_api(tenant: FabricEmulator, status: int) -> None:
    path = "*/notebooks/*/jobs/execute/instances"
    tenant.control.add_fault(method="POST", path=path, status=status, error_code="EntityNotFound", phase="after")
    assert task().run()["status"] == "Completed"
    assert len(submits(tenant)) == tenant.control.stats()["jobs"]["started"] == 1


def test_a_notebook_that_is_not_there_is_not_tried_elsewhere(tenant: FabricEmulator) -> None:
    tenant.control.add_fault(
        method="POST", path="*/notebooks/*/jobs/execute/instances", status=404, error_code="ItemNotFound"
    )
    with pytest.raises(Exception, match="ItemNotFound"):
        task(session_tag="etl").run()
    assert len(submits(tenant)) == 1


def test_a_lost_answer_starts_one_run(tenant: FabricEmulator) -> None:
    tenant.control.add_fault(
        method="POST", path="*/notebooks/*/jobs/execute/instances", action="drop", phase="after", count=1
    )
    assert task(session_tag="etl").run()["status"] == "Completed"
    assert len(submits(tenant)) == 1


@pytest.mark.parametrize("outcome", ["Completed", "Failed"])
def test_links_lead_to_logs_also_of_a_run_that_failed(tenant: FabricEmulator, outcome: str) -> None:
    tenant.control.add_job_rule(outcome=outcome)
    run = task()
    if outcome == "Failed":
        with pytest.raises(FabricJobFailed):
            run.run()
    else:
        run.run()
    assert {run.xcoms[link.key].split("/")[-2] for link in NOTEBOOK_LINKS} == {"sparkui", "snapshots", "driverlog"}


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ({"session_tag": " "}, "session_tag"),
        ({"session_tag": "a", "compute": "Jupyter"}, "session_tag"),
        ({"session_tag": "a", "configuration": {}}, "configuration"),
        ({"session_tag": "a", "compute_configuration": {"highConcurrencyModeOptions": {}}}, "session_tag"),
        ({"compute": "DataWarehouse", "compute_configuration": {"name": "x"}}, "compute_configuration"),
        ({"compute_configuration": ["a"]}, "compute_configuration"),
        ({"compute": "Spark", "execution_data": {"compute": "Jupyter"}}, "compute"),
        ({"compute": "Spark", "parameters": {"a": [1]}}, "parameters"),
        ({"parse_exit_value": "yes"}, "parse_exit_value"),
    ],
)
def test_bad_input(tenant: FabricEmulator, arguments: dict[str, Any], names: str) -> None:
    with pytest.raises(FabricInputError, match=names):
        task(**arguments).run()
    assert submits(tenant) == []


@pytest.mark.parametrize("ask", [ask_synchronously, ask_asynchronously])
def test_the_hook_reads_the_result(tenant: FabricEmulator, notebook: str, ask: Any) -> None:
    tenant.control.add_job_rule(exit_value="5")
    one = {"workspace_id": tenant.workspace_id}
    job = task().run()["job_instance_id"]
    found = ask("get_notebook_run", **one, notebook_id=notebook, job_instance_id=job)
    assert (found.exit_value, found.compute) == ("5", "Spark")
    assert found.spark_ui_url.startswith("https://")
