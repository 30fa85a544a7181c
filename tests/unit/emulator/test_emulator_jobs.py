"""The life of a job instance: computed from the clock, decided by rules."""

from __future__ import annotations

import re
from typing import Any

import pytest

from .conftest import Service, error_of


def status(service: Service, url: str) -> str:
    return str(service.get(url).json()["status"])


def test_a_run_goes_through_its_statuses_as_the_clock_moves(service: Service) -> None:
    url = service.run(service.create())
    assert status(service, url) == "NotStarted"
    service.clock.advance(1)
    assert status(service, url) == "InProgress"
    service.clock.advance(2)
    assert status(service, url) == "Completed"


def test_the_answer_to_a_run_is_empty_and_leads_to_the_instance(service: Service) -> None:
    item_id = service.create()
    answer = service.post(f"/items/{item_id}/jobs/Execute/instances")
    assert (answer.status_code, answer.content) == (202, b"")
    assert answer.headers["retry-after"] == "2"
    assert answer.headers["location"].startswith(f"https://fabric.test{service.root}/items/{item_id}/jobs/instances/")
    assert "json" not in answer.headers["content-type"]


def test_an_instance_has_the_documented_shape(service: Service) -> None:
    item_id = service.create()
    url = service.run(item_id)
    running = service.get(url).json()
    assert running["id"] == url.rsplit("/", 1)[1]
    assert running["itemId"] == item_id
    assert (running["invokeType"], running["endTimeUtc"], running["failureReason"]) == ("Manual", None, None)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}", running["startTimeUtc"])
    service.clock.advance(3)
    assert service.get(url).json()["endTimeUtc"] == "2025-06-15T15:06:43.0000000"


@pytest.mark.parametrize(
    ("item_type", "name", "read_back"),
    [
        ("Dataflow", "Execute", "Execute"),
        ("Dataflow", "refresh", "Refresh"),
        ("Dataflow", "applyChanges", "ApplyChanges"),
        ("Dataflow", "Publish", "Publish"),
        ("DataPipeline", "execute", "Execute"),
        ("DataPipeline", "Pipeline", "Pipeline"),
        ("DataPipeline", "Refresh", "Refresh"),
        ("CopyJob", "Execute", "CopyJob"),
        ("Notebook", "RunNotebook", "RunNotebook"),
        ("SparkJobDefinition", "sparkjob", "sparkjob"),
        ("Lakehouse", "refreshMaterializedLakeViews", "RefreshMaterializedLakeViews"),
        ("DataBuildToolJob", "execute", "Execute"),
        ("DataPipeline", "DefaultJob", "DefaultJob"),
    ],
)
@pytest.mark.parametrize("form", ["path", "query"])
def test_job_types_and_their_aliases(service: Service, item_type: str, name: str, read_back: str, form: str) -> None:
    item_id = service.create(item_type)
    path = f"jobs/{name}/instances" if form == "path" else f"jobs/instances?jobType={name}"
    answer = service.post(f"/items/{item_id}/{path}")
    assert answer.status_code == 202
    assert service.get(answer.headers["location"]).json()["jobType"] == read_back


@pytest.mark.parametrize(("item_type", "name"), [("DataPipeline", "ApplyChanges"), ("Environment", "Execute")])
def test_a_job_type_that_the_item_does_not_run(service: Service, item_type: str, name: str) -> None:
    answer = service.post(f"/items/{service.create(item_type)}/jobs/{name}/instances")
    assert error_of(answer) == (400, "InvalidJobType")


def test_the_query_form_needs_its_parameter(service: Service) -> None:
    assert error_of(service.post(f"/items/{service.create()}/jobs/instances")) == (400, "InvalidInput")


def test_typed_paths_run_get_list_and_cancel(service: Service) -> None:
    item_id = service.create("CopyJob")
    answer = service.post(f"/copyJobs/{item_id}/jobs/execute/instances")
    job_id = answer.headers["location"].rsplit("/", 1)[1]
    assert service.get(f"/copyJobs/{item_id}/jobs/instances/{job_id}").json()["jobType"] == "CopyJob"
    assert service.get(f"/copyJobs/{item_id}/jobs/execute/instances/{job_id}").status_code == 200
    assert len(service.get(f"/copyJobs/{item_id}/jobs/instances").json()["value"]) == 1
    assert service.post(f"/copyJobs/{item_id}/jobs/instances/{job_id}/cancel").status_code == 202
    wrong = service.get(f"/dataPipelines/{item_id}/jobs/instances/{job_id}")
    assert error_of(wrong) == (404, "ItemNotFound")


def test_a_list_by_job_type_shows_only_that_type(service: Service) -> None:
    item_id = service.create()
    service.run(item_id, "Execute")
    service.run(item_id, "Pipeline")
    found = service.get(f"/dataPipelines/{item_id}/jobs/execute/instances").json()["value"]
    assert [job["jobType"] for job in found] == ["Execute"]


def test_cancelling_takes_a_while_and_then_refuses(service: Service) -> None:
    url = service.run(service.create())
    answer = service.post(f"{url}/cancel")
    assert (answer.status_code, answer.headers["location"]) == (202, url)
    assert "retry-after" in answer.headers
    assert status(service, url) == "NotStarted"
    assert service.post(f"{url}/cancel").status_code == 202
    service.clock.advance(0.5)
    ended = service.get(url).json()
    assert (ended["status"], ended["failureReason"]) == ("Cancelled", None)
    assert error_of(service.post(f"{url}/cancel")) == (400, "JobAlreadyCompleted")
    assert service.control("GET", "stats")["jobs"] == {
        "started": 1,
        "cancelled": 1,
        "active": 0,
        "cancel_requests": 3,
    }


def test_a_run_that_ends_before_its_cancellation_completes(service: Service) -> None:
    url = service.run(service.create())
    service.clock.advance(2.8)
    assert service.post(f"{url}/cancel").status_code == 202
    service.clock.advance(1)
    assert status(service, url) == "Completed"


def test_an_unknown_outcome_never_ends_and_can_be_cancelled(service: Service) -> None:
    service.control("POST", "jobs", {"outcome": "Paused", "duration_seconds": 1})
    url = service.run(service.create())
    service.clock.advance(1000)
    paused = service.get(url).json()
    assert (paused["status"], paused["endTimeUtc"]) == ("Paused", None)
    assert service.control("GET", "stats")["jobs"]["active"] == 1
    service.post(f"{url}/cancel")
    service.clock.advance(1)
    assert status(service, url) == "Cancelled"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"errorCode": "X", "message": "y"}, {"errorCode": "X", "message": "y"}),
        ("just text", "just text"),
        (None, None),
    ],
)
def test_failure_reasons_of_every_shape(service: Service, given: Any, shown: Any) -> None:
    service.control("POST", "jobs", {"outcome": "Failed", "failure_reason": given})
    url = service.run(service.create())
    assert service.get(url).json()["failureReason"] is None
    service.clock.advance(3)
    assert service.get(url).json()["failureReason"] == shown


def test_a_failure_without_a_given_reason_has_one(service: Service) -> None:
    service.control("POST", "jobs", {"outcome": "Failed"})
    url = service.run(service.create())
    service.clock.advance(3)
    assert service.get(url).json()["failureReason"]["errorCode"] == "JobInstanceFailed"


def test_rules_match_count_and_give_way(service: Service) -> None:
    pipeline, copy_job = service.create(), service.create("CopyJob")
    service.control("POST", "jobs", {"duration_seconds": 10})
    service.control("POST", "jobs", {"item_type": "CopyJob", "job_type": "execute", "duration_seconds": 20})
    service.control("POST", "jobs", {"item_id": pipeline, "count": 1, "duration_seconds": 30})
    ends = [service.run(pipeline), service.run(pipeline), service.run(copy_job)]
    lengths = [job["ends_at"] - job["started_at"] for job in service.control("GET", "jobs")["value"]]
    assert lengths == [30, 10, 20]
    assert len(ends) == 3
    assert [rule["uses"] for rule in service.control("GET", "jobs/rules")["value"]] == [1, 1, 1]


def test_durations_spread_evenly_and_repeatably(service: Service) -> None:
    service.control("POST", "jobs", {"duration_seconds": [10, 20]})
    item_id = service.create()
    first = _durations(service, item_id)
    assert all(10 <= length <= 20 for length in first)
    assert max(first) - min(first) > 5
    service.control("POST", "reset", {})
    service.control("POST", "jobs", {"duration_seconds": [10, 20]})
    assert _durations(service, service.create()) == first


def _durations(service: Service, item_id: str) -> list[float]:
    for _ in range(20):
        service.run(item_id)
    return [round(job["ends_at"] - job["started_at"], 3) for job in service.control("GET", "jobs")["value"]]


def test_statuses_of_a_rule(service: Service) -> None:
    steps = [[0, "Queued"], [0.5, "dehydrated"]]
    service.control("POST", "jobs", {"duration_seconds": 10, "statuses": steps, "outcome": "Completed"})
    url = service.run(service.create())
    seen = [status(service, url)]
    for _ in range(2):
        service.clock.advance(5)
        seen.append(status(service, url))
    assert seen == ["Queued", "dehydrated", "Completed"]


def test_an_instance_that_shows_late_is_404_first(service: Service) -> None:
    service.control("POST", "jobs", {"visible_after_seconds": 2})
    item_id = service.create()
    url = service.run(item_id)
    assert error_of(service.get(url)) == (404, "ItemNotFound")
    assert service.get(f"/items/{item_id}/jobs/instances").json()["value"] == []
    assert error_of(service.post(f"{url}/cancel")) == (404, "ItemNotFound")
    service.clock.advance(2)
    assert status(service, url) == "InProgress"


@pytest.mark.parametrize("name", ["NotFound", "RequestExecutionFailed"])
def test_an_instance_that_shows_late_as_a_false_failure(service: Service, name: str) -> None:
    service.control("POST", "jobs", {"visible_after_seconds": 2, "invisible_as": name})
    url = service.run(service.create())
    answer = service.get(url)
    assert answer.status_code == 200
    assert answer.json()["failureReason"]["errorCode"] == name
    service.clock.advance(3)
    assert status(service, url) == "Completed"


def test_refusals_start_nothing(service: Service) -> None:
    refuse = {"status": 403, "error_code": "InsufficientPrivileges", "message": "no", "retry_after": 7}
    service.control("POST", "jobs", {"refuse": refuse, "count": 1})
    item_id = service.create()
    answer = service.post(f"/items/{item_id}/jobs/Execute/instances")
    assert error_of(answer) == (403, "InsufficientPrivileges")
    assert answer.headers["retry-after"] == "7"
    assert service.control("GET", "stats")["jobs"]["started"] == 0
    service.run(item_id)


def test_a_cluster_that_knows_only_the_query_form(service: Service) -> None:
    service.control("POST", "jobs", {"accept_only_query_form": True})
    item_id = service.create()
    assert error_of(service.post(f"/items/{item_id}/jobs/Execute/instances")) == (400, "InvalidJobType")
    assert service.post(f"/items/{item_id}/jobs/instances?jobType=Execute").status_code == 202
    assert service.control("GET", "stats")["jobs"]["started"] == 1


def test_the_answers_that_old_articles_print(service: Service) -> None:
    service.control("POST", "jobs", {"body": True, "omit_location": True, "job_id_header": True, "retry_after": 60})
    answer = service.post(f"/items/{service.create()}/jobs/Execute/instances")
    assert "location" not in answer.headers
    assert answer.headers["retry-after"] == "60"
    (printed,) = answer.json()
    assert printed["jobInstanceId"] == printed["id"] == answer.headers["x-ms-job-id"]
    assert (printed["status"], printed["invokeType"]) == ("Accepted", "OnDemand")


def test_reads_carry_retry_after_only_when_a_rule_says_so(service: Service) -> None:
    url = service.run(service.create())
    assert "retry-after" not in service.get(url).headers
    service.control("POST", "jobs", {"retry_after": 5})
    url = service.run(service.create(name="Another"))
    assert service.get(url).headers["retry-after"] == "5"
    service.clock.advance(10)
    assert "retry-after" not in service.get(url).headers


def test_a_second_dataflow_run_is_deduplicated_and_a_pipeline_run_is_not(service: Service) -> None:
    dataflow, pipeline = service.create("Dataflow"), service.create()
    service.run(dataflow, "ApplyChanges")
    url = service.run(dataflow, "ApplyChanges")
    second = service.get(url).json()
    assert (second["status"], second["endTimeUtc"]) == ("Deduped", second["startTimeUtc"])
    assert status(service, service.run(dataflow, "Publish")) == "NotStarted"
    service.run(pipeline)
    assert status(service, service.run(pipeline)) == "NotStarted"
    service.control("POST", "config", {"dedupe": True})
    assert status(service, service.run(pipeline)) == "Deduped"


def test_the_list_is_newest_first_paged_and_bounded(service: Service) -> None:
    service.control("POST", "config", {"page_size": 4, "completed_jobs_listed": 5})
    item_id = service.create()
    urls = []
    for _ in range(8):
        urls.append(service.run(item_id))
        service.clock.advance(3)
    urls += [service.run(item_id), service.run(item_id)]
    page = service.get(f"/items/{item_id}/jobs/instances").json()
    seen = [job["id"] for job in page["value"]]
    assert len(seen) == 4
    service.run(item_id)  # a newcomer must neither repeat nor hide an entry of the next page
    page = service.get(page["continuationUri"]).json()
    seen += [job["id"] for job in page["value"]]
    assert "continuationToken" not in page
    assert seen == [url.rsplit("/", 1)[1] for url in reversed(urls[3:])]
    assert service.get(urls[0]).status_code == 200, "what left the list can still be read"


def test_the_store_forgets_finished_instances_beyond_its_capacity(service: Service) -> None:
    service.world.jobs._capacity = 20
    item_id = service.create()
    service.control("POST", "jobs", {"outcome": "Stuck", "count": 1})
    stuck = service.run(item_id)
    for _ in range(60):
        service.run(item_id)
        service.clock.advance(3)
    assert len(service.control("GET", "jobs")["value"]) <= 20
    assert service.get(stuck).json()["status"] == "Stuck"
    assert service.control("GET", "stats")["jobs"]["started"] == 61


def test_forcing_and_starting_from_outside(service: Service) -> None:
    item_id = service.create()
    started = service.control("POST", "jobs/start", {"item_id": item_id, "job_type": "Execute"})
    url = f"{service.root}/items/{item_id}/jobs/instances/{started['id']}"
    assert service.get(url).json()["invokeType"] == "Scheduled"
    forced = service.control(
        "POST", f"jobs/{started['id']}", {"status": "Failed", "failure_reason": {"errorCode": "E"}}
    )
    assert forced["submitter"] == "fabric"
    seen = service.get(url).json()
    assert (seen["status"], seen["failureReason"]) == ("Failed", {"errorCode": "E"})


def test_users_only_dataflows(service: Service) -> None:
    service.control("POST", "config", {"users_only_dataflow": True})
    item_id = service.create("Dataflow")
    answer = service.post(f"/items/{item_id}/jobs/ApplyChanges/instances")
    assert error_of(answer) == (403, "PrincipalTypeNotSupported")
    service.sign_in(service.world.tenant.user_id)
    service.run(item_id, "ApplyChanges")


def test_too_many_active_runs_of_one_item(service: Service) -> None:
    service.control("POST", "config", {"max_active_jobs_per_item": 1})
    item_id = service.create()
    service.run(item_id)
    answer = service.post(f"/items/{item_id}/jobs/Execute/instances")
    assert error_of(answer) == (429, "TooManyRequestsForJobs")


def test_a_time_scale_shortens_the_service(service: Service) -> None:
    service.control("POST", "config", {"time_scale": 10, "retry_after_seconds": 60})
    service.control("POST", "jobs", {"duration_seconds": 60})
    item_id = service.create()
    answer = service.post(f"/items/{item_id}/jobs/Execute/instances")
    assert answer.headers["retry-after"] == "6"
    service.clock.advance(5.9)
    assert status(service, answer.headers["location"]) == "InProgress"
    service.clock.advance(0.1)
    assert status(service, answer.headers["location"]) == "Completed"


@pytest.mark.parametrize(
    ("item_type", "job_type", "body"),
    [
        ("Dataflow", "Execute", {"executionData": {"executeOption": "Sometimes"}}),
        ("Dataflow", "Execute", {"executionData": {"parameters": {"a": 1}}}),
        ("Dataflow", "Execute", {"executionData": {"parameters": [{"name": "a", "type": "Automatic", "value": 1}]}}),
        (
            "Dataflow",
            "Execute",
            {"executionData": {"parameters": [{"parameterName": "a", "type": "Text", "value": "1"}]}},
        ),
        ("DataPipeline", "Execute", {"executionData": {"parameters": [{"name": "a"}]}}),
        ("DataPipeline", "Execute", {"executionData": []}),
        ("DataPipeline", "Execute", []),
        ("DataPipeline", "Execute", {"parameters": [{"name": "a", "type": "Integer", "value": "1"}]}),
        ("DataPipeline", "Execute", {"parameters": [{"name": "a", "type": "Integer", "value": True}]}),
        ("DataPipeline", "Execute", {"parameters": [{"name": "a", "type": "Nonsense", "value": 1}]}),
        ("Notebook", "RunNotebook", {"executionData": {"parameters": {"a": 1}}}),
        ("Notebook", "Execute", {"executionData": {"compute": "Abacus"}}),
        ("Lakehouse", "TableMaintenance", {"executionData": {"optimizeSettings": {}}}),
        ("Lakehouse", "TableMaintenance", {"executionData": {"tableName": "t", "vacuumSettings": 1}}),
        ("SparkJobDefinition", "sparkjob", {"executionData": {"mainClass": 1}}),
    ],
)
def test_bad_run_bodies(service: Service, item_type: str, job_type: str, body: Any) -> None:
    answer = service.post(f"/items/{service.create(item_type)}/jobs/{job_type}/instances", body)
    assert error_of(answer) == (400, "InvalidInput")
    assert answer.json()["moreDetails"][0]["message"]
    assert service.control("GET", "stats")["jobs"]["started"] == 0


def test_a_body_that_is_not_json(service: Service) -> None:
    answer = service.post(f"/items/{service.create()}/jobs/Execute/instances", content=b"{")
    assert error_of(answer) == (400, "InvalidInput")


@pytest.mark.parametrize(
    ("item_type", "job_type", "body"),
    [
        ("DataPipeline", "Refresh", {"executionData": {"pipelineName": "p", "OwnerUserPrincipalName": "a@b"}}),
        ("Dataflow", "Refresh", {"executionData": {"DataflowName": "d", "OwnerUserObjectId": "x"}}),
        ("DataPipeline", "Execute", {"executionData": {"parameters": {"a": 1, "b": [1]}}}),
        ("DataPipeline", "Execute", {"parameters": [{"name": "a", "type": "Text", "value": "x"}]}),
        ("Notebook", "RunNotebook", {"executionData": {"parameters": {"a": {"value": 1, "type": "int"}}}}),
        ("Lakehouse", "TableMaintenance", {"executionData": {"tableName": "t", "optimizeSettings": {}}}),
    ],
)
def test_good_run_bodies(service: Service, item_type: str, job_type: str, body: Any) -> None:
    service.run(service.create(item_type), job_type, body)


def test_generic_parameters_are_not_for_every_item(service: Service) -> None:
    body = {"parameters": [{"name": "a", "type": "Text", "value": "x"}]}
    answer = service.post(f"/items/{service.create('CopyJob')}/jobs/Execute/instances", body)
    assert error_of(answer) == (403, "FeatureNotAvailable")


def test_an_instance_of_another_item_is_not_found(service: Service) -> None:
    url = service.run(service.create())
    other = service.create(name="Other")
    answer = service.get(f"/items/{other}/jobs/instances/{url.rsplit('/', 1)[1]}")
    assert error_of(answer) == (404, "ItemNotFound")
    assert error_of(service.get(f"/items/{other}/jobs/instances/nonsense")) == (400, "InvalidInput")
