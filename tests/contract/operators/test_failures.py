"""A failed task's last words: which run, what happened, why, what to do, and where to look."""

from __future__ import annotations

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.exceptions import FabricApiError, FabricJobFailed
from airflow_provider_fabric.operators.dataflow import FabricRunDataflowRefreshOperator
from airflow_provider_fabric.operators.job import FabricRunItemJobOperator
from airflow_provider_fabric.operators.pipeline import FabricRunPipelineOperator
from airflow_provider_fabric.remedies import REMEDIES
from tests.contract.operators.items import add_item, definition
from tests.task_runner import TaskRunner

ACTIVITIES = {
    "properties": {
        "activities": [
            {"name": "Wait", "type": "Wait", "typeProperties": {"waitTimeInSeconds": 1}},
            {
                "name": "Each region",
                "type": "ForEach",
                "typeProperties": {"activities": [{"name": "Copy customers", "type": "Copy"}]},
            },
        ]
    }
}


@pytest.fixture
def pipeline(tenant: FabricEmulator) -> str:
    return add_item(tenant, "DataPipeline", "Daily load", definition(pipeline_content__json=ACTIVITIES))


def run_pipeline(deferrable: bool = False) -> TaskRunner:
    return TaskRunner(
        lambda: FabricRunPipelineOperator(
            task_id="run",
            workspace="Emulator workspace",
            pipeline="Daily load",
            check_interval=0.1,
            deferrable=deferrable,
        )
    )


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_failed_pipeline_names_its_failed_activity(tenant: FabricEmulator, pipeline: str, deferrable: bool):
    reason = {"errorCode": "2200", "message": "Cannot sign in to the sink.", "requestId": "req-7"}
    tenant.control.add_job_rule(outcome="Failed", failure_reason=reason)
    task = run_pipeline(deferrable)
    with pytest.raises(FabricJobFailed) as caught:
        task.run()
    instance, url = task.xcoms["job_instance_id"], task.xcoms["run_url"]
    root = caught.value.job["root_activity_id"]
    assert str(caught.value) == (
        "Job 'Execute' of DataPipeline 'Daily load' failed: 2200: Cannot sign in to the sink (request req-7). "
        "Failed activity: 'Copy customers' (Copy): 2200: Cannot sign in to the sink. "
        f"Job instance {instance}, root activity {root}, "
        f"in workspace 'Emulator workspace' ({tenant.workspace_id}): {url}"
    )
    assert task.xcoms["failed_activities"] == [
        {
            "name": "Copy customers",
            "type": "Copy",
            "error_code": "2200",
            "message": "Cannot sign in to the sink.",
            "inside": [],
            "times": 1,
        }
    ]


def test_activities_are_asked_for_once_and_never_in_the_way(tenant: FabricEmulator, pipeline: str):
    tenant.control.add_job_rule(outcome="Failed", failure_reason={"errorCode": "Boom", "message": "No"})
    route = "POST /v1/workspaces/{workspaceId}/datapipelines/pipelineruns/{jobInstanceId}/queryactivityruns"
    tenant.control.add_fault(path="*queryactivityruns", status=503, count=None)
    task = run_pipeline()
    with pytest.raises(FabricJobFailed, match=r"failed: Boom: No\. Job instance"):
        task.run()
    assert "failed_activities" not in task.xcoms
    assert tenant.control.stats()["routes"][route] == {"503": 1}


def test_a_remedy_for_what_an_activity_ran_into(tenant: FabricEmulator, pipeline: str):
    activity = {
        "activityName": "Refresh",
        "activityType": "DataflowRefresh",
        "status": "Failed",
        "error": {"errorCode": "DataflowNeverPublishedError", "message": "The dataflow was never published"},
    }
    tenant.control.add_job_rule(outcome="Failed", failure_reason=None, activities=[activity])
    with pytest.raises(FabricJobFailed) as caught:
        run_pipeline().run()
    assert (
        "'Daily load' failed. Failed activity: 'Refresh' (DataflowRefresh): DataflowNeverPublishedError: The dataflow "
        "was never published. Publish the dataflow first (FabricPublishDataflowOperator), or refresh it with "
        'apply_changes="if_needed". Job instance ' in str(caught.value)
    )


def test_more_details_and_their_remedy(tenant: FabricEmulator, pipeline: str):
    details = [{"errorCode": "CapacityNotActive", "message": "Suspended"}, {"errorCode": "Other", "message": "x"}]
    reason = {"errorCode": "JobFailed", "message": "It failed", "moreDetails": details}
    tenant.control.add_job_rule(outcome="Failed", failure_reason=reason, activities=[])
    with pytest.raises(FabricJobFailed) as caught:
        run_pipeline().run()
    assert (
        f"failed: JobFailed: It failed [CapacityNotActive: Suspended; Other: x]. {REMEDIES['CapacityNotActive']} "
        "Job instance " in str(caught.value)
    )


@pytest.mark.parametrize("code", sorted(REMEDIES))
def test_every_remedy_in_a_failed_runs_last_words(tenant: FabricEmulator, code: str):
    item = add_item(tenant, "CopyJob", "Customers")
    reason = {"errorCode": code, "message": "The service said so.", "requestId": "req-1"}
    tenant.control.add_job_rule(outcome="Failed", failure_reason=reason)
    task = TaskRunner(
        lambda: FabricRunItemJobOperator(
            task_id="run",
            workspace=tenant.workspace_id,
            item=item,
            item_type="CopyJob",
            job_type="Execute",
            check_interval=0.1,
        )
    )
    with pytest.raises(FabricJobFailed) as caught:
        task.run()
    assert str(caught.value) == (
        f"Job 'Execute' of CopyJob '{item}' failed: {code}: The service said so (request req-1). {REMEDIES[code]} "
        f"Job instance {task.xcoms['job_instance_id']}, root activity {caught.value.job['root_activity_id']}: "
        f"{task.xcoms['run_url']}"
    )


@pytest.mark.parametrize("code", sorted(REMEDIES))
def test_every_remedy_when_the_submit_is_refused(tenant: FabricEmulator, code: str):
    item = add_item(tenant, "Dataflow", "Customers")
    tenant.control.add_job_rule(refuse={"status": 403, "error_code": code, "message": "The service said so."})
    task = TaskRunner(
        lambda: FabricRunDataflowRefreshOperator(task_id="run", workspace=tenant.workspace_id, dataflow=item)
    )
    with pytest.raises(FabricApiError) as caught:
        task.run()
    error = caught.value
    assert (error.status_code, error.error_code) == (403, code)
    assert str(error) == (
        f"Could not start job 'Execute' of item {item}: 403 {code}: The service said so (request {error.request_id}). "
        f"{REMEDIES[code]}"
    )


def test_remedies_read_well():
    for remedy in REMEDIES.values():
        assert remedy[0].isupper()
        assert remedy.endswith(".")
        assert len(remedy) < 250


def test_a_service_principal_that_may_not_refresh_a_dataflow(tenant: FabricEmulator):
    tenant.control.configure(users_only_dataflow=True)
    add_item(tenant, "Dataflow", "Customers")
    task = TaskRunner(
        lambda: FabricRunDataflowRefreshOperator(task_id="run", workspace="Emulator workspace", dataflow="Customers")
    )
    with pytest.raises(FabricApiError) as caught:
        task.run()
    assert "use a connection that signs in as a user (auth_type refresh_token)" in str(caught.value)


def test_a_dataflow_that_was_never_published(tenant: FabricEmulator):
    add_item(tenant, "Dataflow", "Customers", published=False)
    task = TaskRunner(
        lambda: FabricRunDataflowRefreshOperator(
            task_id="run",
            workspace="Emulator workspace",
            dataflow="Customers",
            apply_changes="skip",
            check_interval=0.1,
        )
    )
    with pytest.raises(FabricJobFailed) as caught:
        task.run()
    assert "DataflowNeverPublishedError" in str(caught.value)
    assert "Publish the dataflow first (FabricPublishDataflowOperator)" in str(caught.value)
