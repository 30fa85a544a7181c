"""A run is watched patiently, and our own errors are never taken for the run's."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_fabric.api.http.flow import Flow
from airflow_provider_fabric.api.http.permanent import PATIENCE, is_permanent
from airflow_provider_fabric.api.http.retry import ONCE
from airflow_provider_fabric.api.jobs.instances import get_item_job_instance
from airflow_provider_fabric.api.jobs.polling import JobPoll, poll_job_instance, wait_for_job_instance
from airflow_provider_fabric.api.jobs.visibility import VISIBILITY_GRACE
from airflow_provider_fabric.api.models import JobInstance, JobRef
from airflow_provider_fabric.api.status import JobStatus
from airflow_provider_fabric.exceptions import (
    FabricAuthError,
    FabricConnectionError,
    FabricError,
    FabricJobMayBeRunning,
    FabricJobTimeout,
)
from tests.flow_driver import (
    HTML,
    ITEM,
    JOB,
    LOST,
    NO_SUCH_HOST,
    TRUNCATED,
    UNSENT,
    WORKSPACE,
    Answer,
    FakeClock,
    Script,
    Talk,
    drive,
    instance,
    ok,
    refusal,
)

NOW = FakeClock().now
REF = JobRef(WORKSPACE, ITEM, JOB)
RUNNING, COMPLETED = ok(instance("InProgress")), ok(instance("Completed"))


def watching(
    answers: Script, *, submitted: float = 0.0, first: float = 0.0, interval: float = 60.0, timeout: float | None = None
) -> Talk[JobInstance]:
    """JobPoll a run; all times are seconds from now."""
    clock = FakeClock()
    deadline = None if timeout is None else NOW + timeout
    poll = JobPoll(REF, NOW + submitted, interval, NOW + first, deadline)
    return drive(poll_job_instance(poll, clock=clock, steady=clock), answers, clock)


def test_it_is_polled_at_its_interval_until_it_is_over() -> None:
    talk = watching([RUNNING, RUNNING, COMPLETED], first=45.0)
    assert talk.result().status is JobStatus.COMPLETED
    assert talk.sleeps == [45.0, 60.0, 60.0]
    assert set(talk.paths) == {f"GET /v1/workspaces/{WORKSPACE}/items/{ITEM}/jobs/instances/{JOB}"}


@pytest.mark.parametrize("status", ["Completed", "Failed", "Cancelled", "Deduped", "completed"])
def test_every_terminal_status_ends_it_without_an_error(status: str) -> None:
    """What an end means is for the operator to say."""
    assert watching([ok(instance(status))]).result().status.is_terminal


@pytest.mark.parametrize(
    "status", ["NotStarted", "InProgress", "Queued", "dehydrated", "Unknown", "Cancelling", "Paused"]
)
def test_any_other_word_means_that_it_runs(status: str) -> None:
    talk = watching([ok(instance(status)), ok(instance(status)), COMPLETED])
    assert talk.result().status is JobStatus.COMPLETED


PASSING_ERRORS = [
    refusal(500),
    refusal(503),
    refusal(408),
    refusal(429),
    refusal(430),
    refusal(409, "Busy"),
    LOST,
    UNSENT,
]
PASSING_ERRORS += [NO_SUCH_HOST, HTML, TRUNCATED, ok(), ok({"errorCode": "x"}), refusal(302)]
PASSING_ERRORS += [refusal(400, "UnknownError", {"isRetriable": True})]
PASSING_ERRORS += [refusal(403, "Forbidden", {"isRetriable": True}), refusal(410, "Gone", {"isRetriable": True})]
PASSING_ERRORS += [refusal(status, "CapacityNotActive") for status in (400, 403, 409)]
PASSING_ERRORS += [refusal(403, "UnknownError", {"moreDetails": [{"errorCode": "CapacityNotActive"}]})]


@pytest.mark.parametrize("failure", PASSING_ERRORS)
@pytest.mark.parametrize("seen", [[], [RUNNING]])
def test_a_blip_is_waited_out(failure: Answer, seen: list[Answer]) -> None:
    talk = watching([*seen, failure, failure, COMPLETED])
    assert talk.result().status is JobStatus.COMPLETED


@pytest.mark.parametrize(
    "answer", [refusal(404, "CapacityNotActive"), refusal(404, "EntityNotFound", {"isRetriable": True})]
)
def test_a_404_that_may_pass_is_waited_out_after_the_run_was_seen(answer: Answer) -> None:
    assert watching([RUNNING, answer, answer, COMPLETED]).result().status is JobStatus.COMPLETED
    talk = watching(lambda _: answer, submitted=-2 * VISIBILITY_GRACE)
    assert isinstance(talk.error, FabricJobMayBeRunning)
    assert PATIENCE < sum(talk.sleeps) <= PATIENCE + 600


@pytest.mark.parametrize("seen", [[], [RUNNING]])
def test_a_refused_token_is_replaced_and_two_refusals_are_a_blip(seen: list[Answer]) -> None:
    talk = watching([*seen, refusal(401), COMPLETED])
    assert talk.result().status is JobStatus.COMPLETED
    assert talk.requests[-1].fresh_token
    assert watching([*seen, refusal(401), refusal(401), COMPLETED]).result().status is JobStatus.COMPLETED


def test_every_poll_is_one_call_so_that_the_interval_is_kept() -> None:
    assert watching([LOST, refusal(503, retry_after="5"), COMPLETED]).sleeps == [0.0, 60.0, 60.0]


def test_a_longer_retry_after_is_obeyed_and_a_shorter_one_hurries_nobody() -> None:
    talk = watching([refusal(429, retry_after="200"), refusal(429, retry_after="1"), COMPLETED])
    assert talk.sleeps == [0.0, 200.0, 60.0]


@pytest.mark.parametrize("failure", PASSING_ERRORS)
def test_errors_without_end_end_it_and_say_that_the_run_may_go_on(failure: Answer) -> None:
    talk = watching(lambda _: failure)
    assert isinstance(talk.error, FabricJobMayBeRunning)
    assert talk.error.job_instance_id == JOB
    assert "may still be going" in str(talk.error)
    assert talk.error.__cause__ is not None
    assert PATIENCE < sum(talk.sleeps) <= PATIENCE + 600


def test_one_good_answer_renews_the_patience() -> None:
    almost = [refusal(503)] * int(PATIENCE / 60)
    assert watching([*almost, RUNNING, *almost, RUNNING, *almost, COMPLETED]).result().status is JobStatus.COMPLETED


def test_a_triggerer_that_was_down_for_hours_begins_with_fresh_patience() -> None:
    """The trigger's state says when the next look was due; that may be long ago."""
    talk = watching([refusal(503), RUNNING, LOST, COMPLETED], submitted=-9000.0, first=-8000.0)
    assert talk.result().status is JobStatus.COMPLETED


@pytest.mark.parametrize("interval", [1800.0, 7200.0])
def test_a_long_interval_survives_a_blip(interval: float) -> None:
    blips: list[Answer] = [RUNNING, LOST, LOST, COMPLETED]
    assert watching(blips, interval=interval).result().status is JobStatus.COMPLETED


@pytest.mark.parametrize("final", [refusal(403, "InsufficientPrivileges"), refusal(400, "InvalidInput"), refusal(410)])
def test_a_refusal_that_will_not_change_ends_it_at_once(final: Answer) -> None:
    talk = watching([RUNNING, final])
    assert isinstance(talk.error, FabricJobMayBeRunning)
    assert talk.error.job == {**REF.to_state(), "status": "InProgress"}
    assert str(talk.error).startswith(f"Lost sight of job instance {JOB} of item {ITEM}: Could not read")


class Broken:
    """A driver in which no token can be had."""

    def __init__(self, error: FabricError) -> None:
        self.error = error

    def drive(self, flow: Flow[JobInstance], times: int, clock: FakeClock) -> JobInstance:
        wish: Any = flow.send(None)
        try:
            while True:
                if not hasattr(wish, "method"):
                    clock.now += wish.seconds
                    wish = flow.send(None)
                elif times:
                    times -= 1
                    wish = flow.throw(self.error)
                else:
                    wish = flow.send(COMPLETED)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("error", "goes_on"),
    [
        (FabricAuthError("no token", error_code="AADSTS7000215"), False),
        (FabricAuthError("Entra is down", is_retriable=True), True),
        (FabricAuthError("the name login.example does not resolve", unreachable=True), True),
        (FabricConnectionError("tenant_id is missing"), False),
    ],
)
def test_errors_of_the_sign_in(error: FabricError, goes_on: bool) -> None:
    clock = FakeClock()
    flow = poll_job_instance(JobPoll(REF, NOW, 60.0, NOW), clock=clock, steady=clock)
    if goes_on:
        assert Broken(error).drive(flow, 3, clock).status is JobStatus.COMPLETED
    else:
        with pytest.raises(FabricJobMayBeRunning) as caught:
            Broken(error).drive(flow, 1, clock)
        assert caught.value.__cause__ is error


STATUSES = (301, 400, 401, 403, 404, 405, 408, 409, 410, 418, 429, 430, 500, 503)
CODES = (None, "CapacityNotActive", "InsufficientPrivileges", "ItemNotFound", "ItemDisplayNameAlreadyInUse", "Other")


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("retriable", [True, False, None])
def test_a_poll_and_the_retry_policy_agree_about_what_is_final(
    status: int, code: str | None, retriable: bool | None
) -> None:
    answer = refusal(status, code, {"isRetriable": retriable})
    error = drive(get_item_job_instance(WORKSPACE, ITEM, JOB, budget=ONCE), lambda _: answer).error
    assert error is not None
    poll = JobPoll(REF, NOW - 2 * VISIBILITY_GRACE, 60.0, NOW)
    try:
        poll.record_failure(error, NOW)
    except FabricJobMayBeRunning:
        assert is_permanent(error)
    else:
        assert not is_permanent(error)
    assert not (retriable and is_permanent(error))


NOT_YET: list[Answer] = [
    refusal(404, "EntityNotFound"),
    ok(instance("Failed", failureReason={"errorCode": "NotFound"})),
    ok(instance("Failed", failureReason={"errorCode": "RequestExecutionFailed"})),
    ok(instance("NotStarted", failureReason={"errorCode": "NotFound"})),
]


@pytest.mark.parametrize("not_yet", NOT_YET)
def test_a_run_may_be_visible_late(not_yet: Answer) -> None:
    talk = watching([not_yet, not_yet, RUNNING, COMPLETED])
    assert talk.result().status is JobStatus.COMPLETED


def test_a_run_that_stays_invisible_is_lost_after_the_grace() -> None:
    talk = watching(lambda _: refusal(404, "EntityNotFound"))
    assert isinstance(talk.error, FabricJobMayBeRunning)
    assert sum(talk.sleeps) == VISIBILITY_GRACE


@pytest.mark.parametrize("code", ["NotFound", "RequestExecutionFailed"])
def test_a_failure_with_such_a_reason_is_a_failure_after_the_grace(code: str) -> None:
    failed = ok(instance("Failed", failureReason={"errorCode": code}))
    talk = watching(lambda _: failed)
    assert talk.result().status is JobStatus.FAILED
    assert sum(talk.sleeps) == VISIBILITY_GRACE
    assert watching([failed], submitted=-VISIBILITY_GRACE).result().status is JobStatus.FAILED


@pytest.mark.parametrize("code", ["NotFound", "RequestExecutionFailed"])
def test_a_failure_with_such_a_reason_is_a_failure_once_the_run_was_seen(code: str) -> None:
    failed = ok(instance("Failed", failureReason={"errorCode": code}))
    talk = watching([RUNNING, failed])
    assert talk.result().status is JobStatus.FAILED


def test_any_other_failure_is_one_at_once() -> None:
    failed = ok(instance("Failed", failureReason={"errorCode": "UserError"}))
    assert watching([failed]).result().failure_reason is not None
    odd = ok(instance("Completed", failureReason={"errorCode": "NotFound"}))
    assert watching([odd]).result().status is JobStatus.COMPLETED


def test_a_run_that_vanishes_after_it_was_seen_is_lost() -> None:
    assert isinstance(watching([RUNNING, refusal(404, "EntityNotFound")]).error, FabricJobMayBeRunning)


@pytest.mark.parametrize("timeout", [1.0, 59.0, 60.0, 100.0, 601.0])
@pytest.mark.parametrize("answer", [RUNNING, LOST, refusal(429, retry_after="600"), ok(instance("Queued")), HTML])
def test_the_deadline_is_kept_to_the_second(timeout: float, answer: Answer) -> None:
    talk = watching(lambda _: answer, timeout=timeout, submitted=1000.0)
    assert isinstance(talk.error, FabricJobTimeout)
    assert sum(talk.sleeps) == timeout
    assert talk.error.job_instance_id == JOB


def test_the_deadline_of_a_run_that_is_not_visible_is_kept_to_the_second() -> None:
    talk = watching(lambda _: refusal(404), timeout=100.0)
    assert isinstance(talk.error, FabricJobTimeout)
    assert sum(talk.sleeps) == 100.0


def test_a_timeout_says_what_was_last_seen() -> None:
    talk = watching([RUNNING, refusal(503, "Busy")], timeout=60.0)
    assert isinstance(talk.error, FabricJobTimeout)
    assert "Last known status: InProgress." in str(talk.error)
    assert "Last error: Could not read" in str(talk.error)
    assert talk.error.job["status"] == "InProgress"
    assert "Last known status: none." in str(watching([LOST], timeout=0.0).error)
    assert "Last error" not in str(watching([LOST, RUNNING], timeout=60.0).error)


@pytest.mark.parametrize("timeout", [0.0, -3600.0])
def test_a_run_that_ended_before_a_deadline_long_past_has_still_ended(timeout: float) -> None:
    assert watching([COMPLETED], timeout=timeout).result().status is JobStatus.COMPLETED


def test_a_deadline_before_the_first_look_brings_it_forward() -> None:
    talk = watching([RUNNING], first=60.0, timeout=30.0)
    assert isinstance(talk.error, FabricJobTimeout)
    assert talk.sleeps == [30.0]


def test_a_watch_tells_whether_the_run_was_seen() -> None:
    poll = JobPoll(REF, NOW, 60.0, NOW + 5)
    assert (poll.known_visible, poll.first_poll_at) == (False, NOW + 5)
    poll.record_poll(JobInstance.from_wire(instance("InProgress")), NOW)
    assert poll.known_visible
    assert poll.known() == {**REF.to_state(), "status": "InProgress"}


def waiting(answers: Script, **options: Any) -> Talk[JobInstance]:
    clock = FakeClock()
    return drive(wait_for_job_instance(WORKSPACE, ITEM, JOB, clock=clock, steady=clock, **options), answers, clock)


def test_the_hooks_wait() -> None:
    assert waiting([RUNNING, COMPLETED], first_poll_after=7.0, check_interval=9.0).sleeps == [7.0, 9.0]
    assert isinstance(waiting(lambda _: RUNNING, timeout=100.0).error, FabricJobTimeout)
    assert waiting([*[RUNNING] * 2000, COMPLETED]).result().status is JobStatus.COMPLETED


@pytest.mark.parametrize("step", [-3600.0, 3600.0, -60.0])
def test_a_clock_that_is_set_moves_no_poll(step: float) -> None:
    """Intervals are kept on a clock that nobody sets; a step is no reason to take a young run for gone."""
    wall, steady = FakeClock(), FakeClock(now=5.0)
    polled: list[float] = []

    def answer(_: Any) -> Any:
        polled.append(steady.now - 5.0)
        if len(polled) == 1:
            wall.now += step
            return refusal(404, "ItemNotFound")
        return COMPLETED if len(polled) == 5 else RUNNING

    poll = JobPoll(REF, NOW, 60.0, NOW + 10)
    assert drive(poll_job_instance(poll, clock=wall, steady=steady), answer, steady).result().status.is_terminal
    assert polled == [10, 70, 130, 190, 250]


@pytest.mark.parametrize("apart", [-3600.0, 3600.0])
def test_the_first_poll_is_not_hours_away_where_clocks_are_apart(apart: float) -> None:
    """The worker that submitted has another clock than the triggerer that waits."""
    wall, steady = FakeClock(now=NOW + apart), FakeClock(now=0.0)
    poll = JobPoll(REF, NOW, 60.0, NOW + 30)
    talk = drive(poll_job_instance(poll, clock=wall, steady=steady), [COMPLETED], steady)
    assert talk.sleeps[0] <= 30


def test_a_deadline_is_kept_on_the_wall_clock() -> None:
    wall, steady = FakeClock(), FakeClock(now=0.0)

    def answer(_: Any) -> Any:
        wall.now += 600
        return RUNNING

    poll = JobPoll(REF, NOW, 60.0, NOW, NOW + 1000)
    talk = drive(poll_job_instance(poll, clock=wall, steady=steady), answer, steady)
    assert isinstance(talk.error, FabricJobTimeout)
    assert len(talk.requests) == 2
