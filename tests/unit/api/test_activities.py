"""From activity runs to the few that say why a pipeline failed."""

from __future__ import annotations

from typing import Any

from airflow_provider_fabric.api.jobs.activities import FailedActivity, failed_activities, summary


def run(name: str, status: str = "Failed", kind: str = "Copy", code: str = "2200", **more: Any) -> dict[str, Any]:
    error = {"errorCode": code, "message": more.pop("message", "Login failed."), "target": name}
    start = more.pop("start", "2024-05-23T13:43:03.6397566Z")
    return {
        "activityName": name,
        "activityType": kind,
        "status": status,
        "activityRunStart": start,
        "error": error,
        "iterationHash": "",
        "retryAttempt": None,
        **more,
    }


def test_nothing_failed():
    assert failed_activities([run("A", "Succeeded"), run("B", "Cancelled"), run("C", "InProgress")]) == []
    assert summary([]) == ""


def test_one_activity_with_its_kind_code_and_message():
    failed = failed_activities([run("Copy customers"), run("Wait", "Succeeded", "Wait")])
    assert failed == [FailedActivity("Copy customers", "Copy", "2200", "Login failed.")]
    assert summary(failed) == "Failed activity: 'Copy customers' (Copy): 2200: Login failed."


def test_iterations_that_fail_alike_are_one():
    failed = failed_activities([run("Copy", iterationHash=str(i)) for i in range(4)])
    assert summary(failed) == "Failed activity: 'Copy' (Copy, 4 times): 2200: Login failed."


def test_a_container_is_named_only_if_nothing_else_is():
    loop = run("Each table", kind="ForEach", code="BadRequest", message="An inner activity failed")
    both = failed_activities([loop, run("Copy")])
    assert [a.name for a in both] == ["Copy", "Each table"], "the cause comes first"
    assert "Each table" not in summary(both)
    assert summary(failed_activities([loop])) == (
        "Failed activity: 'Each table' (ForEach): BadRequest: An inner activity failed."
    )


def test_the_chain_through_called_pipelines_is_unfolded():
    message = "Operation on target Load EU failed: Operation on target Copy orders failed: ErrorCode=Full,\nthe sink is"
    failed = failed_activities([run("Run inner", kind="ExecutePipeline", code="BadRequest", message=message)])
    assert failed[0].inside == ("Load EU", "Copy orders")
    assert summary(failed) == (
        "Failed activity: 'Run inner' (ExecutePipeline) > 'Load EU' > 'Copy orders': BadRequest: "
        "ErrorCode=Full, the sink is."
    )


def test_a_try_that_was_retried_does_not_count():
    first = run("Copy", start="2024-05-23T13:00:00Z")
    assert failed_activities([run("Copy", "Succeeded", start="2024-05-23T13:05:00Z", retryAttempt=1), first]) == []
    again = failed_activities([first, run("Copy", start="2024-05-23T13:05:00Z", retryAttempt=1)])
    assert [a.times for a in again] == [1]


def test_iterations_without_a_hash_do_not_hide_each_other():
    runs = [run("Copy", start="2024-05-23T13:00:00Z"), run("Copy", "Succeeded", start="2024-05-23T13:05:00Z")]
    assert [a.name for a in failed_activities(runs)] == ["Copy"]


def test_a_hundred_long_messages_stay_short():
    failed = failed_activities([run(f"Copy {i}", message="x" * 5000) for i in range(100)])
    text = summary(failed)
    assert len(text) < 2000
    assert "'Copy 0' (Copy): 2200: xxx" in text
    assert text.endswith("; and 95 more.")
    assert len(failed[0].to_dict()["message"]) == 2000


def test_odd_answers_do_no_harm():
    assert summary(failed_activities([{"status": "Failed"}])) == (
        "Failed activity: 'unnamed' (unknown): no reason given."
    )
    assert str(failed_activities([{"status": "TimedOut", "activityName": "A", "error": "too long"}])[0]) == (
        "'A' (unknown): too long"
    )
