"""The budget of calls: evenly spread, shared fairly with others, and paid for by every request."""

from __future__ import annotations

import pytest

from airflow_provider_fabric.triggerer.call_budget import (
    DEFAULT_PAUSE,
    GROWTH_PER_MINUTE,
    SHRINK,
    SMALLEST,
    CallBudget,
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


def test_a_clock_that_goes_back_prolongs_no_pause() -> None:
    budget = CallBudget(180, START)
    budget.refused(START, 30.0)
    assert budget.pause(START - 3600) == pytest.approx(30.0)
    assert budget.pause(START - 3600 + 31) == 0.0


def test_a_debt_is_bounded_by_a_minutes_calls() -> None:
    budget = CallBudget(180, START)
    budget.spend(START, 1000)
    assert budget.delay(START) <= 66


def test_a_debt_is_paid_while_the_service_asks_to_pause() -> None:
    budget = CallBudget(180, START)
    budget.spend(START, 300)
    budget.refused(START, 60.0)
    assert budget.delay(START + 64) == 0.0


def test_a_refusal_of_an_overdrawn_budget_costs_no_share() -> None:
    budget = CallBudget(180, START)
    budget.spend(START, 100)
    budget.refused(START, 30.0)
    assert budget.share == 1.0


def test_calls_that_were_not_made_are_given_back() -> None:
    budget = CallBudget(60, START)
    while budget.delay(START) == 0:
        budget.spend(START)
    budget.give_back(1)
    assert budget.delay(START) == 0
