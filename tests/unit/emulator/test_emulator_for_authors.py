"""What authors of DAGs set: outputs of functions, exit values, failed activities, durations of one item, seeds."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import PIPELINE, Service


def query(service: Service, url: str) -> dict[str, tuple[str, str]]:
    """Return the status and the error of each activity of a run."""
    window = {"lastUpdatedAfter": "2020-01-01T00:00:00Z", "lastUpdatedBefore": "2040-01-01T00:00:00Z"}
    found = service.post(f"/datapipelines/pipelineruns/{url.rsplit('/', 1)[1]}/queryactivityruns", window).json()
    return {run["activityName"]: (run["status"], run["error"]["message"]) for run in found}


@pytest.mark.parametrize("output", [{"score": 0.9}, "text", 5, None, []])
def test_the_output_of_a_function(service: Service, output: Any) -> None:
    item = service.create("UserDataFunction", "Scores")
    service.control("POST", "jobs", {"item_name": "Scores", "job_type": "score", "output": output})
    path = f"/userDataFunctions/{item}/functions"
    assert service.post(f"{path}/score/invoke", {"a": 1}).json()["output"] == output
    assert service.post(f"{path}/other/invoke", {"a": 1}).json()["output"] == {"a": 1}


def test_the_exit_value_of_a_notebook(service: Service) -> None:
    item = service.create("Notebook", "Clean up")
    service.control("POST", "jobs", {"item_name": "Clean up", "exit_value": "17 rows"})
    url = service.run(item, "RunNotebook")
    own = f"/notebooks/{item}/jobs/execute/instances/{url.rsplit('/', 1)[1]}?beta=true"
    shown = service.get(own).json()["properties"]
    assert (shown["compute"], "exitValue" in shown) == ("Spark", False)
    assert set(shown["computeDetails"]["monitoringInfo"]) == {"sparkUiUrl", "driverLogUrl", "executionSnapshotUrl"}
    service.clock.advance(3)
    assert service.get(own).json()["properties"]["exitValue"] == "17 rows"
    assert "properties" not in service.get(url).json(), "the generic route does not show it"


@pytest.mark.parametrize(
    "failed", [["Wait1"], {"Wait1": {"errorCode": "7", "message": "Login refused"}}, {"Wait1": "No"}]
)
def test_an_activity_that_fails(service: Service, failed: Any) -> None:
    service.control("POST", "jobs", {"failed_activities": failed})
    url = service.run(service.create(definition=PIPELINE))
    service.clock.advance(3)
    reasons = {"Wait1": {"message": "Activity Wait1 failed"}} if isinstance(failed, list) else failed
    message = reasons["Wait1"]["message"] if isinstance(reasons["Wait1"], dict) else reasons["Wait1"]
    assert query(service, url) == {"Wait1": ("Failed", message), "Copy1": ("Succeeded", "")}
    ended = service.get(url).json()
    assert ended["status"] == "Failed"
    assert ended["failureReason"]["message"] == f"Operation on target Wait1 failed: {message}"


def test_how_long_the_runs_of_one_item_take(service: Service) -> None:
    service.control("POST", "jobs", {"item_name": "Slow", "duration_seconds": 100})
    slow, quick = (service.run(service.create(name=name)) for name in ("Slow", "Quick"))
    service.clock.advance(50)
    assert [service.get(url).json()["status"] for url in (slow, quick)] == ["InProgress", "Completed"]


@pytest.mark.parametrize("rule", [{"failed_activities": "Wait1"}, {"failed_activities": [1]}, {"exit_value": 5}])
def test_a_rule_that_makes_no_sense(service: Service, rule: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        service.control("POST", "jobs", rule)


@pytest.mark.parametrize(
    "seed",
    [
        {"workspaces": [{"displayName": "x", "item": []}]},
        {"workspaces": [{"displayName": "x", "items": [{"type": "Notebook", "displayname": "n"}]}]},
        {"workspaces": [{"displayName": "x", "items": ["Notebook"]}]},
        {"copies": {"type": "Notebook", "count": 1, "name": "x"}},
        {"identities": [{"client": "x"}]},
    ],
)
def test_a_seed_that_nobody_reads_is_refused(service: Service, seed: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        service.control("POST", "seed", seed)
