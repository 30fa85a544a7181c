"""The budget of calls: evenly spread, shared fairly with others, and paid for by every request."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from airflow_provider_fabric.api.http.flow import Flow, Request, Response, Sleep, TransportFailure
from airflow_provider_fabric.exceptions import FabricAuthError
from airflow_provider_fabric.triggerer.call_budget import (
    DEFAULT_PAUSE,
    GROWTH_PER_MINUTE,
    SHRINK,
    SMALLEST,
    CallBudget,
    rate_limited,
)

START = 1_750_000_000.0


def spend_greedily(budget: CallBudget, seconds: float, start: float = START) -> list[float]:
    """Make every call as soon as it may be made; return when."""
    now, calls = start, []
    while now < start + seconds:
        delay = budget.delay(now)
        now += max(delay, 1e-6)
        if budget.delay(now) <= 1e-6:
            budget.spend(now)
            calls.append(now)
    return calls


def most_in_any(calls: list[float], span: float) -> int:
    return max(sum(first <= call < first + span for call in calls[i:]) for i, first in enumerate(calls))


@pytest.mark.parametrize("per_minute", [1, 2, 10, 30, 180])
def test_no_minute_exceeds_the_budget(per_minute: int) -> None:
    calls = spend_greedily(CallBudget(per_minute, START), 600)
    assert most_in_any(calls, 59.99) <= max(per_minute, 2)
    assert len(calls) >= 0.9 * 10 * per_minute or per_minute < 10


def test_calls_are_spread_not_made_in_bursts() -> None:
    calls = spend_greedily(CallBudget(180, START), 120)
    assert most_in_any(calls, 5.0) <= 180 / 12 + 0.1 * 180


def test_a_scaled_minute_scales_everything() -> None:
    budget = CallBudget(180, START, minute=6.0)
    calls = spend_greedily(budget, 60)
    assert most_in_any(calls, 5.999) <= 180
    budget.refused(START + 60, None)
    assert budget.delay(START + 60) == pytest.approx(DEFAULT_PAUSE / 10)


def test_a_quiet_hour_saves_nothing_up() -> None:
    budget = CallBudget(180, START)
    assert most_in_any(spend_greedily(budget, 120, START + 3600), 59.99) <= 180


def test_a_refusal_pauses_for_as_long_as_told() -> None:
    budget = CallBudget(180, START)
    budget.refused(START, 42.0)
    assert budget.delay(START) == 42.0
    assert budget.delay(START + 41.0) == 1.0
    assert budget.delay(START + 42.0) == 0.0


def test_without_a_retry_after_it_pauses_all_the_same() -> None:
    budget = CallBudget(180, START)
    budget.refused(START, None)
    assert budget.delay(START) == DEFAULT_PAUSE


def test_a_retry_after_of_nothing_is_not_taken_at_its_word() -> None:
    budget = CallBudget(180, START)
    budget.refused(START, 0.0)
    assert budget.delay(START) >= 1.0


def test_a_pause_saves_up_nothing_for_after_it() -> None:
    budget = CallBudget(180, START)
    budget.refused(START, 60.0)
    burst = most_in_any(spend_greedily(budget, 30, START + 60), 1.0)
    assert burst <= 4


def test_refusals_of_calls_made_together_shrink_the_share_once() -> None:
    budget = CallBudget(180, START)
    for _ in range(8):
        budget.refused(START, 5.0)
    assert budget.share == SHRINK
    budget.refused(START + 6, 5.0)
    assert budget.share == pytest.approx(SHRINK * SHRINK, rel=0.02)


def test_a_longer_pause_wins() -> None:
    budget = CallBudget(180, START)
    budget.refused(START, 30.0)
    budget.refused(START + 1, 5.0)
    assert budget.delay(START + 1) == 29.0


def test_the_share_has_a_floor_and_grows_back_slowly() -> None:
    budget = CallBudget(180, START)
    for refusal in range(50):
        budget.refused(START + 2 * refusal, 1.0)
    low, later = budget.share, START + 100
    assert SMALLEST <= low < SMALLEST + 0.01
    budget.delay(later + 60)
    assert budget.share == pytest.approx(low + GROWTH_PER_MINUTE * 62 / 60, abs=0.002)
    budget.delay(later + 3600)
    assert budget.share == 1.0


def test_a_smaller_share_makes_fewer_calls() -> None:
    budget = CallBudget(180, START)
    budget.refused(START, 1.0)
    assert most_in_any(spend_greedily(budget, 60, START + 1), 59.99) <= 0.8 * 180


def test_slack_goes_as_the_budget_is_used() -> None:
    budget = CallBudget(180, START)
    assert budget.slack(START) == 1.0
    now = START
    for rate, expected in ((80, 1.0), (117, 0.5), (160, 0.0)):
        for _ in range(rate * 10):  # ten minutes at that rate
            now += 60 / rate
            budget.spend(now)
        assert budget.slack(now) == pytest.approx(expected, abs=0.05)
    assert budget.slack(now + 600) == 1.0


def test_a_smaller_share_leaves_less_slack() -> None:
    budget, now = CallBudget(180, START), START
    for _ in range(900):
        now += 60 / 90
        budget.spend(now)
    before = budget.slack(now)
    budget.refused(now, 1.0)
    assert budget.slack(now) < before


def test_a_clock_that_goes_back_does_not_matter() -> None:
    budget = CallBudget(180, START)
    budget.spend(START + 10)
    assert budget.delay(START) == 0.0
    budget.spend(START, 100)
    assert 0 < budget.delay(START) < 120


def drive(flow: Flow[object], answers: Callable[[Request], object]) -> tuple[list[str], object]:
    """Run a flow in a time that passes only in sleeps; return what it did, and its result."""
    done: list[str] = []
    answer: object = None
    while True:
        try:
            wish = flow.throw(answer) if isinstance(answer, Exception) else flow.send(answer)  # type: ignore[arg-type]
        except StopIteration as end:
            return done, end.value
        if isinstance(wish, Sleep):
            done.append(f"sleep {wish.seconds:.2f}")
            clock.now += wish.seconds
            answer = None
        else:
            done.append(wish.path)
            answer = answers(wish)


class Clock:
    now = START

    def __call__(self) -> float:
        return self.now


clock = Clock()


def ask(count: int) -> Flow[int]:
    for number in range(count):
        answer = yield Request("GET", f"/{number}", "ask")
        assert isinstance(answer, Response | TransportFailure)
    return count


def exhausted() -> CallBudget:
    """Return a budget of one call a second with nothing left."""
    clock.now = START
    budget = CallBudget(60, START)
    while budget.delay(START) == 0:
        budget.spend(START)
    return budget


def test_every_request_of_a_flow_waits_for_its_turn() -> None:
    budget = exhausted()
    spent = budget.spent
    done, result = drive(rate_limited(budget, ask(3), clock), lambda _: Response(200))
    assert result == 3
    assert [step for step in done if step.startswith("/")] == ["/0", "/1", "/2"]
    assert [step.split()[0] for step in done] == ["sleep", "/0", "sleep", "/1", "sleep", "/2"]
    assert budget.spent - spent == 3


def test_a_request_that_was_paid_for_goes_at_once() -> None:
    budget = exhausted()
    spent = budget.spent
    done, _ = drive(rate_limited(budget, ask(2), clock, paid=1), lambda _: Response(200))
    assert done[0] == "/0"
    assert done[1].startswith("sleep")
    assert budget.spent - spent == 1


def test_two_flows_do_not_take_the_same_turn() -> None:
    budget = exhausted()
    first, second = rate_limited(budget, ask(1), clock), rate_limited(budget, ask(1), clock)
    pauses = [next(first), next(second)]
    assert isinstance(pauses[0], Sleep)
    assert isinstance(pauses[1], Sleep)
    assert pauses[1].seconds >= pauses[0].seconds + 0.9


def test_a_failed_sign_in_reaches_the_flow() -> None:
    def patient() -> Flow[str]:
        try:
            yield Request("GET", "/0", "ask")
        except FabricAuthError:
            yield Request("GET", "/again", "ask")
        return "patient"

    refusals = iter([FabricAuthError("no token"), Response(200)])
    done, result = drive(rate_limited(CallBudget(180, START), patient(), clock), lambda _: next(refusals))
    assert (done, result) == (["/0", "/again"], "patient")


def test_a_refusal_is_known_to_the_budget() -> None:
    budget = CallBudget(180, START)
    clock.now = START
    answers = iter([Response(429, {"retry-after": "20"}), Response(200), Response(200)])
    done, _ = drive(rate_limited(budget, ask(3), clock), lambda _: next(answers))
    assert budget.share < 1.0
    assert done[:3] == ["/0", "sleep 20.00", "/1"]


def test_a_flows_own_sleeps_pass_through() -> None:
    def sleepy() -> Flow[None]:
        yield Sleep(3.0)

    clock.now = START
    assert drive(rate_limited(CallBudget(180, START), sleepy(), clock), lambda _: None) == (["sleep 3.00"], None)


def test_a_flow_that_is_given_up_is_closed() -> None:
    closed = []

    def open_ended() -> Flow[None]:
        try:
            while True:
                yield Request("GET", "/", "ask")
        finally:
            closed.append(True)

    flow = rate_limited(CallBudget(180, START), open_ended(), clock)
    next(flow)
    flow.close()
    assert closed == [True]
