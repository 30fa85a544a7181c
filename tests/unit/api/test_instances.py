"""Job instances: started once, read, listed, cancelled, explained."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from airflow_provider_fabric.api.http.flow import Response
from airflow_provider_fabric.api.http.retry import ONCE
from airflow_provider_fabric.api.jobs.instances import (
    cancel_item_job_instance,
    get_item_job_instance,
    run_item_job,
)
from airflow_provider_fabric.api.jobs.listing import get_job_instances_by_id, list_item_job_instances
from airflow_provider_fabric.api.models import Submission
from airflow_provider_fabric.api.status import JobStatus
from airflow_provider_fabric.exceptions import (
    FabricAmbiguousError,
    FabricApiError,
    FabricBadRequestError,
    FabricInputError,
    FabricNotFoundError,
    FabricPermissionError,
    FabricProtocolError,
    FabricThrottledError,
)
from tests.flow_driver import (
    HTML,
    ITEM,
    JOB,
    LOST,
    OTHER_JOB,
    TRUNCATED,
    UNSENT,
    WORKSPACE,
    Answer,
    drive,
    instance,
    ok,
    page,
    refusal,
)

JOBS = f"/v1/workspaces/{WORKSPACE}/items/{ITEM}/jobs"
PATH_FORM, QUERY_FORM = f"POST {JOBS}/Execute/instances", f"POST {JOBS}/instances"
LOCATION = f"https://api.fabric.microsoft.com{JOBS}/instances/{JOB}"
ACCEPTED = ok(status=202, location=LOCATION, retry_after="60")
BODY = {"executionData": {"parameters": {"day": 1}}}
WRONG_FORM = refusal(400, "InvalidJobType")


def test_a_run_is_started_and_its_id_taken_from_the_location() -> None:
    talk = drive(run_item_job(WORKSPACE, ITEM, "Execute", BODY), [ACCEPTED])
    assert talk.result() == Submission(JOB, 60.0)
    assert talk.paths == [PATH_FORM]
    assert talk.requests[0].json == BODY


@pytest.mark.parametrize(
    ("headers", "job"),
    [
        ({"x_ms_job_id": OTHER_JOB, "location": LOCATION}, OTHER_JOB),
        ({"x_ms_job_id": OTHER_JOB}, OTHER_JOB),
        ({"x_ms_job_id": "not a guid", "location": LOCATION}, JOB),
        ({"location": LOCATION.replace(JOB, JOB.upper())}, JOB),
        ({"location": LOCATION + "/?a=b#c"}, JOB),
        ({"location": f"{JOBS}/instances/{JOB}"}, JOB),
        ({"location": f"https://evil.example{JOBS}/instances/{JOB}"}, JOB),
        ({"location": f"{LOCATION} "}, JOB),
        ({"location": f"  {LOCATION}/ "}, JOB),
        ({"location": f"{LOCATION}%20"}, JOB),
        ({"x_ms_job_id": f" {OTHER_JOB} ", "location": LOCATION}, OTHER_JOB),
        ({"location": LOCATION.replace("/jobs/instances/", "/jobs/Execute/instances/")}, JOB),
        ({"location": LOCATION.replace(f"/items/{ITEM}", f"/copyJobs/{ITEM}")}, JOB),
    ],
)
def test_where_the_id_comes_from(headers: dict[str, str], job: str) -> None:
    talk = drive(run_item_job(WORKSPACE, ITEM, "Execute"), [ok(status=202, **headers)])
    assert talk.result().job_instance_id == job


RUN = {"id": OTHER_JOB, "itemId": ITEM, "jobType": "Refresh", "status": "Accepted", "jobInstanceId": JOB}
"""A body as https://learn.microsoft.com/fabric/data-factory/dataflow-gen2-public-apis prints it."""


@pytest.mark.parametrize(
    "body",
    [
        [RUN],
        RUN,
        [{**RUN, "jobInstanceId": JOB.upper(), "itemId": ITEM.upper()}],
        [{"jobInstanceId": JOB}],
        {"id": JOB, "itemId": ITEM},
        [{**RUN, "jobInstanceId": None, "id": JOB}],
    ],
)
@pytest.mark.parametrize("headers", [{}, {"location": f"/v1/workspaces/{WORKSPACE}/items/{ITEM}"}])
def test_the_id_comes_from_the_body_where_no_header_names_it(body: Any, headers: dict[str, str]) -> None:
    talk = drive(run_item_job(WORKSPACE, ITEM, "Execute"), [ok(body, status=202, retry_after="9", **headers)])
    assert talk.result() == Submission(JOB, 9.0)
    assert talk.posts == 1


def test_a_header_counts_more_than_the_body() -> None:
    talk = drive(
        run_item_job(WORKSPACE, ITEM, "Execute"), [ok([{**RUN, "jobInstanceId": OTHER_JOB}], 202, location=LOCATION)]
    )
    assert talk.result().job_instance_id == JOB


@pytest.mark.parametrize(
    "answer",
    [
        ok(status=202),
        ok(status=202, location=f"{LOCATION}/cancel"),
        ok(status=202, location="https://api.fabric.microsoft.com/"),
        ok(status=202, location="http://[not an address"),
        ok(status=202, location=f"https://api.fabric.microsoft.com/v1/workspaces/{WORKSPACE}/items/{JOB}"),
        ok(status=202, location=f"https://api.fabric.microsoft.com/v1/operations/{JOB}"),
        ok(
            status=202,
            location=f"https://api.fabric.microsoft.com/v1/workspaces/{WORKSPACE}/items/{JOB}/jobs/instances",
        ),
        ok({"id": "text"}, status=202),
        ok([RUN, {**RUN, "jobInstanceId": OTHER_JOB}], status=202),
        ok([{**RUN, "jobInstanceId": "<uniqueJobInstanceId>"}], status=202),
        ok([{**RUN, "itemId": OTHER_JOB}], status=202),
        ok({"id": ITEM}, status=202),
        ok([], status=202),
        ok([[RUN]], status=202),
        ok("text", status=202),
        ok(RUN, status=200),
        Response(202, {}, b"202 Accepted"),
        HTML,
    ],
)
def test_accepted_without_an_id_says_that_it_may_be_running(answer: Response) -> None:
    talk = drive(run_item_job(WORKSPACE, ITEM, "Execute"), [answer])
    with pytest.raises(FabricAmbiguousError, match="It may be running"):
        talk.result()
    assert talk.posts == 1


ROUTE_UNKNOWN = [
    WRONG_FORM,
    refusal(404, "EntityNotFound"),
    refusal(404, "EndpointNotFound"),
    refusal(404, "NotFound"),
    ok(status=404, x_ms_public_api_error_code="EntityNotFound"),
    refusal(404, "EntityNotFound", {"isRetriable": False, "moreDetails": [{"message": "No such route."}]}),
    ok(status=404),
    ok(status=405),
    refusal(405, "MethodNotAllowed"),
    Response(404, {"content-type": "text/html"}, b"<html>404</html>"),
]


@pytest.mark.parametrize("unknown", ROUTE_UNKNOWN)
def test_the_older_form_is_sent_once_where_the_newer_is_not_known(unknown: Response) -> None:
    talk = drive(run_item_job(WORKSPACE, ITEM, "Execute", BODY), [unknown, ACCEPTED])
    assert talk.result().job_instance_id == JOB
    assert talk.paths == [PATH_FORM, QUERY_FORM]
    assert talk.requests[1].params == {"jobType": "Execute"}
    assert talk.requests[1].json == BODY


def test_an_invalid_job_type_in_both_forms_is_an_error() -> None:
    talk = drive(run_item_job(WORKSPACE, ITEM, "Execute"), [WRONG_FORM, WRONG_FORM])
    assert isinstance(talk.error, FabricBadRequestError)
    assert talk.error.error_code == "InvalidJobType"


@pytest.mark.parametrize(("form", "path"), [("path", PATH_FORM), ("query", QUERY_FORM)])
@pytest.mark.parametrize("answer", [ACCEPTED, WRONG_FORM, refusal(405), refusal(404), refusal(404, "EntityNotFound")])
def test_a_form_that_is_chosen_is_the_only_one(form: Any, path: str, answer: Answer) -> None:
    talk = drive(run_item_job(WORKSPACE, ITEM, "Refresh", BODY, submit_form=form), [answer])
    assert talk.paths == [path.replace("Execute", "Refresh")]
    assert talk.requests[0].params == ({"jobType": "Refresh"} if form == "query" else {})
    assert talk.requests[0].json == BODY
    assert (talk.error is None) is (answer is ACCEPTED)


@pytest.mark.parametrize("form", ["older", "", None, "PATH"])
def test_a_form_that_does_not_exist_is_refused(form: Any) -> None:
    talk = drive(run_item_job(WORKSPACE, ITEM, "Execute", submit_form=form))
    with pytest.raises(FabricInputError, match="submit_form must be 'auto', 'path' or 'query'"):
        talk.result()


@pytest.mark.parametrize(
    ("job_type", "named", "absent"),
    [
        (
            "Execute",
            ["Refresh (dataflows and pipelines", "Pipeline (pipelines)", "CopyJob (copy jobs)"],
            ["; Execute ("],
        ),
        ("refresh", ["Execute (dataflows", "Pipeline (pipelines)"], ["Refresh ("]),
        ("CopyJob", ["Execute (dataflows, pipelines, copy jobs"], ["CopyJob ("]),
        ("ApplyChanges", ["Publish (dataflows, in Microsoft's older articles)"], ["Execute", "Refresh"]),
        ("Publish", ["ApplyChanges (dataflows)"], ["Execute", "Refresh"]),
        ("TableMaintenance", [], ["Other names"]),
    ],
)
@pytest.mark.parametrize("refused", [WRONG_FORM, refusal(405), refusal(404)])
def test_a_job_that_is_refused_in_every_form_is_named_with_its_other_names(
    job_type: str, named: list[str], absent: list[str], refused: Answer
) -> None:
    talk = drive(run_item_job(WORKSPACE, ITEM, job_type), [WRONG_FORM, refused])
    text = str(talk.error)
    assert talk.posts == 2
    assert all(word in text for word in named), text
    assert not any(word in text for word in absent), text


@pytest.mark.parametrize("unclear", [refusal(503), LOST, ok(status=202)])
@pytest.mark.parametrize("before", [[], [WRONG_FORM], [refusal(404, "EntityNotFound")], [ok(status=405)]])
def test_nothing_is_sent_after_an_unclear_answer_in_either_form(unclear: Answer, before: list[Answer]) -> None:
    talk = drive(run_item_job(WORKSPACE, ITEM, "Execute"), [*before, unclear])
    assert isinstance(talk.error, FabricAmbiguousError)
    assert talk.posts == len(before) + 1


@pytest.mark.parametrize(
    "refused",
    [
        refusal(404, "InvalidJobType"),
        refusal(404, "ItemNotFound"),
        refusal(404, "WorkspaceNotFound"),
        refusal(404, "SparkCoreItemNotFound"),
        refusal(404, "EntityNotFound", {"moreDetails": [{"errorCode": "ItemNotFound", "message": "No such item."}]}),
        refusal(405, "ItemNotFound"),
        refusal(410),
        refusal(422, "InvalidJobType"),
        refusal(400, "InvalidInput"),
        refusal(400),
        refusal(403, "InsufficientPrivileges"),
        refusal(409, "InvalidJobType"),
    ],
)
def test_no_other_refusal_leads_to_a_second_submit(refused: Answer) -> None:
    talk = drive(run_item_job(WORKSPACE, ITEM, "Execute"), [refused])
    assert isinstance(talk.error, FabricApiError)
    assert talk.paths == [PATH_FORM]


def test_a_job_type_is_quoted_in_the_path_and_not_in_the_query() -> None:
    talk = drive(run_item_job(WORKSPACE, ITEM, "a/b c"), [WRONG_FORM, ACCEPTED])
    assert talk.requests[0].path == f"{JOBS}/a%2Fb%20c/instances"
    assert talk.requests[1].params == {"jobType": "a/b c"}
    assert isinstance(drive(run_item_job(WORKSPACE, ITEM, "")).error, FabricInputError)


def test_one_instance() -> None:
    talk = drive(get_item_job_instance(WORKSPACE, ITEM, JOB), [ok(instance("Completed"))])
    assert talk.result().status is JobStatus.COMPLETED
    assert talk.paths == [f"GET {JOBS}/instances/{JOB}"]


@pytest.mark.parametrize(
    "answer",
    [
        HTML,
        TRUNCATED,
        ok(),
        ok([]),
        ok({"errorCode": "x", "message": "y"}),
        ok(instance(status="")),
        ok(instance(job="")),
    ],
)
def test_what_is_no_instance_is_refused(answer: Response) -> None:
    assert isinstance(drive(get_item_job_instance(WORKSPACE, ITEM, JOB), [answer]).error, FabricProtocolError)


def test_a_429_is_never_read_as_an_instance() -> None:
    body = instance("Completed")
    talk = drive(get_item_job_instance(WORKSPACE, ITEM, JOB, budget=ONCE), [refusal(429, "RequestBlocked", body)])
    assert isinstance(talk.error, FabricThrottledError)


def test_an_instance_that_is_not_there() -> None:
    talk = drive(get_item_job_instance(WORKSPACE, ITEM, JOB), [refusal(404, "EntityNotFound")])
    assert isinstance(talk.error, FabricNotFoundError)


def test_all_instances_of_all_pages() -> None:
    talk = drive(
        list_item_job_instances(WORKSPACE, ITEM), [page(instance(), token="t"), page(instance("Failed", OTHER_JOB))]
    )
    assert [i.id for i in talk.result()] == [JOB, OTHER_JOB]
    assert talk.paths == [f"GET {JOBS}/instances"] * 2


@pytest.mark.parametrize(
    ("wanted", "found", "others", "pages"),
    [({JOB}, [JOB], [], 1), ({OTHER_JOB}, [OTHER_JOB], [JOB], 2), ({JOB, OTHER_JOB}, [JOB, OTHER_JOB], [], 2)],
)
def test_no_more_pages_are_read_than_it_takes(
    wanted: set[str], found: list[str], others: list[str], pages: int
) -> None:
    answers = [page(instance(), token="t1"), page(instance(job=OTHER_JOB), token="t2")]
    talk = drive(get_job_instances_by_id(WORKSPACE, ITEM, wanted), answers[:pages])
    assert list(talk.result()[0]) == found
    assert [entry["id"] for entry in talk.result()[1]] == others
    assert talk.result()[2] == pages


def test_looking_for_what_is_not_listed_ends() -> None:
    talk = drive(get_job_instances_by_id(WORKSPACE, ITEM, {"x"}), [page(instance())])
    assert talk.result()[0] == {}
    circle = itertools.cycle("ab")
    talk = drive(get_job_instances_by_id(WORKSPACE, ITEM, {"x"}), lambda _: page(instance(), token=next(circle)))
    assert talk.result()[2] == 3


@pytest.mark.parametrize("status", [200, 202])
def test_a_cancel_is_asked_for(status: int) -> None:
    talk = drive(cancel_item_job_instance(WORKSPACE, ITEM, JOB), [ok(status=status)])
    assert talk.result() is True
    assert talk.paths == [f"POST {JOBS}/instances/{JOB}/cancel"]


@pytest.mark.parametrize("status", [400, 409])
def test_a_cancel_that_comes_too_late_is_fine(status: int) -> None:
    talk = drive(cancel_item_job_instance(WORKSPACE, ITEM, JOB), [refusal(status, "JobAlreadyCompleted")])
    assert talk.result() is False


@pytest.mark.parametrize("failure", [refusal(503), LOST, UNSENT, refusal(429)])
def test_a_cancel_may_be_repeated(failure: Answer) -> None:
    assert drive(cancel_item_job_instance(WORKSPACE, ITEM, JOB), [failure, ok(status=202)]).result() is True


def test_a_cancel_that_is_refused_or_answered_oddly_is_an_error() -> None:
    refused = drive(cancel_item_job_instance(WORKSPACE, ITEM, JOB), [refusal(403, "InsufficientPrivileges")])
    assert isinstance(refused.error, FabricPermissionError)
    assert isinstance(
        drive(cancel_item_job_instance(WORKSPACE, ITEM, JOB), [ok(status=204)]).error, FabricProtocolError
    )
