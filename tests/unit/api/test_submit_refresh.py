"""A refresh of a semantic model is started once, and adopted only if it is proven to be ours."""

from __future__ import annotations

from email.utils import formatdate
from typing import Any

import pytest

from airflow_provider_fabric.api.http.flow import Request
from airflow_provider_fabric.api.models import Submission
from airflow_provider_fabric.api.refresh_requests import refresh_semantic_model
from airflow_provider_fabric.exceptions import FabricJobMayBeRunning
from tests.flow_driver import ITEM, JOB, OTHER_JOB, WORKSPACE, Answer, FakeClock, Talk, drive, ok, refusal, wire_time

START = FakeClock().now


def refresh(job: str = JOB, after: float = 0.0, **more: Any) -> dict[str, Any]:
    """Return an entry of a model's refresh history that began so many seconds after our request."""
    begun = f"{wire_time(START + after)[:23]}Z"
    return {"requestId": job, "refreshType": "ViaEnhancedApi", "status": "Unknown", "startTime": begun, **more}


def refreshing(answer: Answer, before: list[dict[str, Any]], after: list[dict[str, Any]]) -> Talk[Submission]:
    """Request a refresh; the history holds one thing before that, and another one afterwards."""
    clock, posts = FakeClock(), list[Request]()

    def reply(request: Request) -> Answer:
        if request.method == "POST":
            posts.append(request)
            return answer
        return ok({"value": after if posts else before}, date=formatdate(clock.now, usegmt=True))

    return drive(refresh_semantic_model(WORKSPACE, ITEM, clock=clock), reply, clock)


def test_the_history_is_read_before_the_request() -> None:
    talk = refreshing(ok(status=202, x_ms_request_id=JOB), [], [])
    assert talk.result() == Submission(JOB)
    assert [request.method for request in talk.requests] == ["GET", "POST"]


def test_after_a_lost_answer_the_one_new_refresh_is_ours() -> None:
    assert refreshing(refusal(503), [], [refresh()]).result() == Submission(JOB, adopted=True)


@pytest.mark.parametrize("after", [-0.4, 0.0, 0.9])
def test_a_refresh_that_was_there_before_is_not_ours(after: float) -> None:
    theirs = refresh(after=after)
    talk = refreshing(refusal(503), [theirs], [theirs])
    assert isinstance(talk.error, FabricJobMayBeRunning)
    assert "no new instance has appeared" in str(talk.error)
    assert talk.posts == 1


def test_while_somebody_else_refreshes_the_model_nothing_is_proven() -> None:
    theirs = refresh(OTHER_JOB, -60.0)
    talk = refreshing(refusal(503), [theirs], [theirs, refresh()])
    assert isinstance(talk.error, FabricJobMayBeRunning)
    assert f"somebody else's run was active at that time ({OTHER_JOB})" in str(talk.error)
    scheduled = refresh(OTHER_JOB, -60.0, refreshType="Scheduled")
    assert refreshing(refusal(503), [scheduled], [scheduled, refresh()]).result().adopted
