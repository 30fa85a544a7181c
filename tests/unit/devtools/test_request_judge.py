"""The judge must see what is wrong; a judge that cannot condemn proves nothing."""

from __future__ import annotations

from typing import Any

import pytest

from devtools.demo.request_judge import Judgement, judge

SUBMIT = "/v1/workspaces/w/items/i/jobs/Execute/instances"
LOOK = "/v1/workspaces/w/items/i/jobs/instances/j1"


def entry(time: float, method: str, path: str, **more: Any) -> dict[str, Any]:
    """Return a line of the emulator's log."""
    line = {"time": time, "method": method, "path": path, "query": "", "status": 200, "bucket": "job_scheduler"}
    return line | {"authorized": True, "retry_after": None, "job_instance_id": None} | more


def accepted(time: float, instance: str = "j1", path: str = SUBMIT, **more: Any) -> dict[str, Any]:
    """Return an accepted submit that asks for ten seconds of patience."""
    return entry(time, "POST", path, status=202, retry_after="10", job_instance_id=instance, **more)


def test_a_good_run():
    seen = judge([accepted(0), entry(10, "GET", LOOK, retry_after="5"), entry(15, "GET", LOOK)])
    assert seen == Judgement(
        submits=seen.submits, attempts=1, instances={"j1": 0}, polls=2, early=[], unauthorised=[], token_requests=0
    )
    assert seen.submits == {("i", "Execute"): 1}
    assert seen.doubled == []


def test_a_second_submit_is_seen_in_both_forms():
    old_form = SUBMIT.replace("/Execute", "")
    seen = judge([accepted(0), accepted(1, "j2", old_form, query="jobType=Execute")])
    assert seen.doubled == [("i", "Execute")]


def test_a_refused_submit_is_an_attempt_only():
    seen = judge([entry(0, "POST", SUBMIT, status=503), accepted(1)])
    assert (seen.attempts, sum(seen.submits.values())) == (2, 1)


@pytest.mark.parametrize(("second", "early"), [(9.9, True), (9.97, False), (10.0, False)])
def test_a_poll_before_the_submits_retry_after(second: float, early: bool):
    assert bool(judge([accepted(0), entry(second, "GET", LOOK)]).early) is early


def test_a_poll_before_the_last_polls_retry_after():
    seen = judge([accepted(0), entry(10, "GET", LOOK, retry_after="5"), entry(12, "GET", LOOK)])
    assert seen.early == ["job instance j1 was looked at 3.00 s too early"]


def test_a_call_without_a_token():
    seen = judge([entry(0, "GET", LOOK, authorized=False, status=401)])
    assert seen.unauthorised == [f"GET {LOOK} → 401"]


def test_only_token_calls_count_as_token_requests():
    calls = ["/t/oauth2/v2.0/token", "/t/v2.0/.well-known/openid-configuration", "/metadata/identity/oauth2/token"]
    seen = judge([entry(0, "POST", path, bucket="token", authorized=False) for path in calls])
    assert seen.token_requests == 2
    assert seen.unauthorised == []


def test_throttling_is_counted():
    assert judge([entry(0, "GET", LOOK, status=429), entry(0, "GET", LOOK, status=430)]).throttled == 2


LIST = "/v1/workspaces/w/items/i/jobs/instances"
OVER = {"id": "j1", "ends_at": 12.0, "active": False}


def test_a_list_polls_every_run_of_the_item():
    seen = judge([accepted(0), entry(4, "GET", LIST), entry(10, "GET", LIST)])
    assert seen.polls == 2
    assert seen.early == ["item i was looked at 6.00 s too early"]


def test_a_list_is_in_time_if_one_run_was_due():
    assert judge([accepted(0), accepted(5, "j2"), entry(10, "GET", LIST)]).early == []


def test_a_run_that_was_seen_to_be_over_excuses_no_list():
    calls = [accepted(0), entry(13, "GET", LIST), accepted(20, "j2"), entry(21, "GET", LIST)]
    assert judge(calls, [OVER]).early == ["item i was looked at 9.00 s too early"]


def test_a_list_when_nothing_is_waited_for_is_no_poll():
    seen = judge([entry(0, "GET", LIST), accepted(1), entry(13, "GET", LIST), entry(14, "GET", LIST)], [OVER])
    assert seen.polls == 1


def test_the_pages_of_a_list_are_one_look():
    seen = judge([accepted(0), entry(10, "GET", LIST), entry(10, "GET", LIST, query="continuationToken=x")])
    assert seen.polls == 1
