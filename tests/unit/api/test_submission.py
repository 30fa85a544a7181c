"""Which run an answer to a submit names: one reader for the job scheduler and for refreshes of semantic models."""

from __future__ import annotations

import pytest

from airflow_provider_fabric.api.http.flow import Response
from airflow_provider_fabric.api.jobs.submission import REFRESH, read_submission
from airflow_provider_fabric.api.refresh_requests import RefreshRequest
from airflow_provider_fabric.exceptions import FabricAmbiguousError
from tests.flow_driver import ITEM, JOB, OTHER_JOB, WORKSPACE, drive, ok

REFRESHES = f"https://api.powerbi.com/v1.0/myorg/groups/{WORKSPACE}/datasets/{ITEM}/refreshes"


@pytest.mark.parametrize(
    ("answer", "refresh"),
    [
        (ok(status=202, location=f"{REFRESHES}/{JOB}"), JOB),
        (ok(status=202, location=f"{REFRESHES}/{JOB} ", requestid=OTHER_JOB), JOB),
        (ok(status=202, location=f"{REFRESHES}/{JOB.upper()}/"), JOB),
        (ok(status=202, requestid=f" {JOB} "), JOB),
        (ok(status=202, x_ms_request_id=JOB), JOB),
        (ok(status=202, location=REFRESHES, requestid=JOB), JOB),
        (ok(status=202, location=f"https://api.powerbi.com/v1.0/myorg/datasets/{OTHER_JOB}", requestid=JOB), JOB),
        (ok({"jobInstanceId": JOB}, status=202), JOB),
    ],
)
def test_where_a_refreshs_id_comes_from(answer: Response, refresh: str) -> None:
    talk = drive(RefreshRequest(WORKSPACE, ITEM).send(), [answer])
    assert talk.result().job_instance_id == refresh
    assert talk.posts == 1


@pytest.mark.parametrize(
    "answer",
    [
        ok(status=202),
        ok(status=202, location=REFRESHES),
        ok(status=202, location=f"{REFRESHES}/latest"),
        ok(status=202, location=f"https://api.fabric.microsoft.com/v1/operations/{JOB}"),
    ],
)
def test_an_answer_that_names_no_refresh_is_unclear(answer: Response) -> None:
    with pytest.raises(FabricAmbiguousError, match=r"did not name the refresh\. It may be running"):
        read_submission(answer, "refresh", ITEM, REFRESH)
