"""What is sent again, when, for how long; and what is never sent again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_fabric.api.http.flow import Request, Response
from airflow_provider_fabric.api.http.retry import (
    KILL_BUDGET,
    ONCE,
    Replay,
    RetryBudget,
    backoff,
    require_status,
    send,
)
from airflow_provider_fabric.exceptions import (
    FabricAmbiguousError,
    FabricApiError,
    FabricBadRequestError,
    FabricCapacityError,
    FabricError,
    FabricPermissionError,
    FabricProtocolError,
    FabricServerError,
    FabricThrottledError,
    FabricTransportError,
    FabricUnauthorizedError,
)
from tests.flow_driver import LOST, NO_SUCH_HOST, UNSENT, Answer, Talk, drive, ok, refusal

READ = Request("GET", "/v1/workspaces", "list workspaces")
SUBMIT = Request("POST", "/v1/jobs", "start a job")


def sending(replay: Replay, *answers: Answer, budget: RetryBudget | None = None) -> Talk[Response]:
    request = READ if replay is Replay.SAFE else SUBMIT
    return drive(send(request, replay=replay, budget=budget or RetryBudget()), answers)


@pytest.mark.parametrize("replay", Replay)
@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_a_success_is_returned_at_once(replay: Replay, status: int) -> None:
    talk = sending(replay, ok(status=status))
    assert talk.result().status == status
    assert talk.sleeps == []


@pytest.mark.parametrize("failure", [refusal(500), refusal(503), refusal(408), LOST, UNSENT])
def test_a_read_is_repeated_after_a_failure(failure: Answer) -> None:
    talk = sending(Replay.SAFE, failure, failure, ok({"value": 1}))
    assert talk.result().json() == {"value": 1}
    assert talk.sleeps == [1.0, 2.0]


@pytest.mark.parametrize(
    ("failure", "kind"),
    [(refusal(503), FabricServerError), (LOST, FabricTransportError), (UNSENT, FabricTransportError)],
)
def test_a_read_is_given_up_after_the_budgets_attempts(failure: Answer, kind: type[FabricError]) -> None:
    talk = sending(Replay.SAFE, failure, failure, failure, budget=RetryBudget(attempts=3))
    assert type(talk.error) is kind


@pytest.mark.parametrize("failure", [refusal(500), refusal(502), refusal(503), refusal(504), refusal(408), LOST])
def test_a_submit_without_a_clear_answer_is_never_repeated(failure: Answer) -> None:
    """STYLE 2: the test after a 503 on a submit counts one POST."""
    talk = sending(Replay.IF_UNSENT, failure)
    assert isinstance(talk.error, FabricAmbiguousError)
    assert "may have been accepted" in str(talk.error)
    assert isinstance(talk.error.__cause__, FabricServerError | FabricBadRequestError | FabricTransportError)
    assert talk.posts == 1


@pytest.mark.parametrize("unaccepted", [refusal(429, "RequestBlocked"), refusal(430, "CapacityNotAvailable"), UNSENT])
def test_a_submit_that_was_surely_not_accepted_is_repeated(unaccepted: Answer) -> None:
    talk = sending(Replay.IF_UNSENT, unaccepted, ok(status=202))
    assert talk.result().status == 202
    assert talk.posts == 2


def test_an_unclear_answer_after_being_throttled_tells_how_long_was_waited() -> None:
    talk = sending(Replay.IF_UNSENT, refusal(429, retry_after="30"), refusal(429, retry_after="12"), LOST)
    assert isinstance(talk.error, FabricAmbiguousError)
    assert talk.error.waited == 42.0


@pytest.mark.parametrize("replay", Replay)
def test_what_cannot_be_helped_by_repeating_is_not_repeated(replay: Replay) -> None:
    talk = sending(replay, NO_SUCH_HOST)
    assert isinstance(talk.error, FabricTransportError)
    assert talk.error.permanent


@pytest.mark.parametrize("replay", Replay)
@pytest.mark.parametrize("status", [400, 403, 404, 409, 410, 422])
def test_a_refusal_is_final(replay: Replay, status: int) -> None:
    talk = sending(replay, refusal(status, "SomeCode"))
    assert isinstance(talk.error, FabricApiError)
    assert talk.error.status_code == status


@pytest.mark.parametrize("replay", Replay)
def test_a_refused_token_is_replaced_once(replay: Replay) -> None:
    talk = sending(replay, refusal(401, "TokenExpired"), ok())
    assert talk.result().status == 200
    assert [request.fresh_token for request in talk.requests] == [False, True]
    assert talk.sleeps == []


@pytest.mark.parametrize("replay", Replay)
def test_a_second_refused_token_is_an_error(replay: Replay) -> None:
    talk = sending(replay, refusal(401, "TokenExpired"), refusal(401, "TokenExpired"))
    assert isinstance(talk.error, FabricUnauthorizedError)


def test_only_the_request_after_a_401_asks_for_a_fresh_token() -> None:
    talk = sending(Replay.SAFE, refusal(401), refusal(503), ok())
    assert [request.fresh_token for request in talk.requests] == [False, True, False]


def test_retry_after_is_obeyed() -> None:
    assert sending(Replay.SAFE, refusal(429, retry_after="37"), ok()).sleeps == [37.0]
    assert sending(Replay.SAFE, refusal(503, retry_after="11"), ok()).sleeps == [11.0]


def test_without_retry_after_a_throttled_caller_is_slower_than_one_in_trouble() -> None:
    throttled = sending(Replay.SAFE, refusal(429), refusal(429), ok()).sleeps
    in_trouble = sending(Replay.SAFE, refusal(503), refusal(503), ok()).sleeps
    assert throttled == [4.0, 8.0]
    assert in_trouble == [1.0, 2.0]


def test_being_throttled_costs_time_not_attempts() -> None:
    storm = [refusal(429, retry_after="10")] * 20
    assert sending(Replay.SAFE, *storm, ok(), budget=RetryBudget(attempts=2, seconds=600)).result().status == 200


@pytest.mark.parametrize(("status", "kind"), [(429, FabricThrottledError), (430, FabricCapacityError)])
def test_a_throttling_that_does_not_end_is_an_error_when_the_time_is_up(status: int, kind: type[FabricError]) -> None:
    talk = drive(
        send(READ, replay=Replay.SAFE, budget=RetryBudget(seconds=100)), lambda _: refusal(status, retry_after="30")
    )
    assert type(talk.error) is kind
    assert talk.sleeps == [30.0, 30.0, 30.0]


@pytest.mark.parametrize("asked", ["0", "0.001", "-5", "Sun, 22 Jun 2014 06:35:00 GMT"])
@pytest.mark.parametrize("budget", [RetryBudget(), ONCE, KILL_BUDGET])
def test_a_service_that_always_says_at_once_is_not_hammered(asked: str, budget: RetryBudget) -> None:
    talk = drive(send(READ, replay=Replay.SAFE, budget=budget), lambda _: refusal(429, retry_after=asked))
    assert isinstance(talk.error, FabricThrottledError)
    assert all(pause >= 1.0 for pause in talk.sleeps)
    assert sum(talk.sleeps) <= budget.seconds


def test_the_budget_of_one_try_means_one_request_whatever_comes() -> None:
    for failure in (refusal(503), refusal(429, retry_after="1"), LOST, UNSENT):
        assert len(sending(Replay.SAFE, failure, budget=ONCE).requests) == 1


def test_a_429_is_no_answer_even_if_its_body_looks_like_one() -> None:
    body = {"id": "f2d65699-dd22-4889-980c-15226deb0e1b", "status": "Completed"}
    talk = drive(send(READ, replay=Replay.SAFE, budget=ONCE), [refusal(429, content=body)])
    assert isinstance(talk.error, FabricThrottledError)


def test_a_redirect_is_not_followed() -> None:
    talk = sending(Replay.SAFE, Response(302, {"location": "https://elsewhere.example/v1"}))
    assert isinstance(talk.error, FabricProtocolError)
    assert len(talk.requests) == 1


def test_a_driver_that_answers_a_request_with_nothing_is_a_bug() -> None:
    flow = send(READ, replay=Replay.SAFE)
    next(flow)
    with pytest.raises(TypeError, match="NoneType"):
        flow.send(None)


SCRIPTS = st.lists(st.sampled_from([200, 401, 403, 408, 429, 430, 500, 503, "lost", "unsent"]), max_size=12)


def may_have_been_accepted(answer: Answer) -> bool:
    if isinstance(answer, Response):
        return answer.status < 300 or answer.status >= 500 or answer.status == 408
    return not answer.unsent


@given(SCRIPTS)
def test_a_submit_is_never_sent_after_one_that_may_have_been_accepted(script: list[int | str]) -> None:
    answers = [LOST if s == "lost" else UNSENT if s == "unsent" else refusal(int(s), retry_after="1") for s in script]
    given_out: list[Answer] = []

    def answer(_: Request) -> Answer:
        given_out.append(answers[len(given_out)] if len(given_out) < len(answers) else ok())
        return given_out[-1]

    drive(send(SUBMIT, replay=Replay.IF_UNSENT), answer)
    assert not any(map(may_have_been_accepted, given_out[:-1]))


def test_pauses_double_up_to_a_minute() -> None:
    assert [backoff(n) for n in (1, 2, 3, 6, 7, 8, 50)] == [1, 2, 4, 32, 60, 60, 60]


def test_a_success_that_is_not_documented_is_refused() -> None:
    assert require_status(ok(status=202), "cancel", 200, 202).status == 202
    with pytest.raises(FabricProtocolError, match=r"cancel.*204"):
        require_status(ok(status=204), "cancel", 200, 202)


def test_the_error_is_the_most_specific_one() -> None:
    talk = sending(Replay.IF_UNSENT, refusal(403, "InsufficientPrivileges"))
    assert type(talk.error) is FabricPermissionError
