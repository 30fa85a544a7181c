"""What crosses from a worker to a triggerer, and back."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_fabric.api.models import JobInstance, JobRef
from airflow_provider_fabric.exceptions import FabricInputError, FabricJobMayBeRunning, FabricJobTimeout
from airflow_provider_fabric.lifecycle.state import FabricRun, Outcome, WaitEnd, event_of, read_event
from tests.flow_driver import ITEM, JOB, OTHER_JOB, WORKSPACE, instance

REF = JobRef(WORKSPACE, ITEM, JOB)
RUN = FabricRun(REF, "Execute", "DataPipeline", "https://app.fabric.microsoft.com/x", 100.0, 160.0, 60.0, 1000.0)
STATE = RUN.to_state()


def over_the_wire(state: Any) -> Any:
    return json.loads(json.dumps(state))


def test_a_run_survives_the_crossing() -> None:
    assert FabricRun.from_state(over_the_wire(STATE)) == RUN
    endless = FabricRun(REF, "Execute", None, "", 1, 2, 3)
    assert FabricRun.from_state(over_the_wire(endless.to_state())) == endless


def test_what_crosses_is_plain_and_says_nothing_else() -> None:
    assert RUN.to_state() == {
        "job": REF.to_state(),
        "job_type": "Execute",
        "item_type": "DataPipeline",
        "run_url": "https://app.fabric.microsoft.com/x",
        "submitted_at": 100.0,
        "next_poll_at": 160.0,
        "check_interval": 60.0,
        "deadline": 1000.0,
        "ours": True,
    }


@pytest.mark.parametrize("missing", [key for key in STATE if key not in ("deadline", "ours")])
def test_a_run_with_something_missing_is_refused(missing: str) -> None:
    with pytest.raises(FabricInputError):
        FabricRun.from_state({key: value for key, value in STATE.items() if key != missing})


@pytest.mark.parametrize(
    "change",
    [
        {"job": None},
        {"job": "x"},
        {"job": {}},
        {"job": {**REF.to_state(), "item_id": "../x"}},
        {"submitted_at": "100"},
        {"next_poll_at": None},
        {"check_interval": math.nan},
        {"deadline": math.inf},
        {"deadline": "soon"},
        {"more": 1},
    ],
)
def test_a_run_is_checked_on_arrival(change: dict[str, Any]) -> None:
    with pytest.raises(FabricInputError):
        FabricRun.from_state({**STATE, **change})


@given(
    st.none()
    | st.text()
    | st.integers()
    | st.lists(st.integers())
    | st.dictionaries(st.sampled_from(list(STATE)), st.none() | st.text() | st.floats())
)
def test_nothing_else_passes_for_a_run_or_an_event(state: Any) -> None:
    with pytest.raises(FabricInputError):
        FabricRun.from_state(state)
    with pytest.raises(FabricInputError):
        Outcome.from_state(state)


def test_the_poll_of_a_run() -> None:
    watch = RUN.poll()
    assert (watch.job, watch.submitted_at, watch.check_interval) == (REF, 100.0, 60.0)
    assert (watch.next_poll_at, watch.deadline) == (160.0, 1000.0)


def test_the_same_wait_for_another_run_keeps_the_deadline() -> None:
    other = RUN.again(JobRef(WORKSPACE, ITEM, OTHER_JOB), "url", 500.0)
    assert (other.job.job_instance_id, other.run_url) == (OTHER_JOB, "url")
    assert (other.submitted_at, other.next_poll_at, other.deadline) == (500.0, 500.0, 1000.0)
    assert other.check_interval == RUN.check_interval


def test_the_outcome_of_a_run_that_is_over() -> None:
    ended = JobInstance.from_wire(instance("Failed", failureReason={"errorCode": "A"}))
    outcome = Outcome.over(ended, WORKSPACE)
    assert outcome == Outcome(WaitEnd.OVER, ended.result(WORKSPACE))
    assert Outcome.from_state(over_the_wire(outcome.to_state())) == outcome


@pytest.mark.parametrize(
    ("error", "ending"),
    [
        (FabricJobTimeout("late", job={"status": "InProgress"}), WaitEnd.TIMEOUT),
        (FabricJobMayBeRunning("lost", job={"status": None}), WaitEnd.LOST),
        (FabricJobMayBeRunning("lost"), WaitEnd.LOST),
        (RuntimeError("a bug"), WaitEnd.LOST),
    ],
)
def test_the_outcome_of_a_wait_that_ended_first(error: Exception, ending: WaitEnd) -> None:
    outcome = Outcome.not_seen(error, RUN)
    assert outcome.ending is ending
    assert outcome.message == str(error)
    assert outcome.job == {**REF.to_state(), **getattr(error, "job", {})}
    assert Outcome.from_state(over_the_wire(outcome.to_state())) == outcome


@pytest.mark.parametrize(
    "state",
    [
        None,
        "x",
        [],
        {},
        {"ending": "over"},
        {"job": {}},
        {"ending": "?", "job": {}},
        {"ending": "over", "job": None},
        {"ending": "over", "job": "x"},
        {"ending": "over", "job": 5},
    ],
)
def test_an_event_is_checked_on_arrival(state: Any) -> None:
    """A trigger of another version, or a person, may have sent it."""
    with pytest.raises(FabricInputError, match="event that no Fabric trigger produces"):
        Outcome.from_state(state)


def test_an_event_brings_the_run_along() -> None:
    """``dag.test()`` hands nothing but the event to the operator."""
    outcome = Outcome(WaitEnd.TIMEOUT, {"status": "InProgress"}, "late")
    assert read_event(over_the_wire(event_of(RUN, outcome))) == (RUN, outcome)


@pytest.mark.parametrize("event", [None, "x", {}, Outcome(WaitEnd.OVER, {}).to_state(), {"run": STATE}])
def test_an_event_without_its_parts_is_refused(event: Any) -> None:
    with pytest.raises(FabricInputError):
        read_event(event)


def test_an_event_brings_its_run_along() -> None:
    outcome = Outcome(WaitEnd.TIMEOUT, REF.to_state(), "late")
    assert read_event(over_the_wire(event_of(RUN, outcome))) == (RUN, outcome)


@pytest.mark.parametrize("event", [None, "x", {}, Outcome(WaitEnd.OVER, {}).to_state(), {"run": RUN.to_state()}])
def test_an_event_without_its_run_or_its_outcome_is_refused(event: Any) -> None:
    with pytest.raises(FabricInputError):
        read_event(event)


@pytest.mark.parametrize("named", [OTHER_JOB, None, ""])
def test_the_end_of_another_run_is_not_ours(named: str | None) -> None:
    """Whoever answers about another run, a green task is not its end."""
    theirs = Outcome(WaitEnd.OVER, {**REF.to_state(), "job_instance_id": named, "status": "Completed"})
    assert theirs.about(RUN).ending is WaitEnd.LOST
    ours = Outcome(WaitEnd.OVER, {**REF.to_state(), "status": "Completed"})
    assert ours.about(RUN) is ours
