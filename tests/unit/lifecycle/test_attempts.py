"""Attempts of one task: what each does with what the one before left behind, for every way in which that may end."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_fabric.compat import AirflowSkipException
from airflow_provider_fabric.compat_tasks import is_airflow_2
from airflow_provider_fabric.exceptions import (
    FabricJobAlreadyRunning,
    FabricJobCancelled,
    FabricJobFailed,
    FabricJobMayBeRunning,
    FabricPermissionError,
)
from airflow_provider_fabric.lifecycle import final
from tests.flow_driver import ITEM, NO_SUCH_HOST, OTHER_JOB, refusal

from .attempts import CommsDecoder, Run, Service, Task, WorkerDied

BEFORE = ["503 before", "lost before", "500 before", "408 before"]
AFTER = ["503 after", "lost after", "500 after", "408 after"]
OTHER_ITEM = OTHER_JOB


@pytest.fixture(autouse=True, params=["task state store", "variable"])
def _record(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the record where Airflow 3.3 does (and, as far as this matters, Airflow 2), or where 3.0 to 3.2 do."""
    monkeypatch.setattr(Task, "in_variable", request.param == "variable")


def is_own(result: dict[str, Any], run: Run) -> bool:
    return (result["job_instance_id"], result["status"]) == (run.id, "Completed")


@pytest.mark.parametrize("fault", AFTER)
def test_a_lost_answer_leads_to_the_run_that_was_started(fault: str) -> None:
    service = Service([fault])
    assert is_own(Task(service).run(), service.runs[0])
    assert len(service.started) == 1


@pytest.mark.parametrize("fault", BEFORE)
def test_where_nothing_was_started_the_next_attempt_starts_a_run(fault: str) -> None:
    service = Service([fault])
    task = Task(service)
    with pytest.raises(FabricJobMayBeRunning, match="the next attempt starts one") as failed:
        task.run()
    assert type(failed.value) is FabricJobMayBeRunning  # Airflow retries it
    assert is_own(task.run(), service.runs[0])
    assert len(service.started) == 1


# Somebody else at the same item.


@pytest.mark.parametrize("fault", [*BEFORE, *AFTER])
@pytest.mark.parametrize("over_by_now", [False, True])
def test_while_somebody_else_is_at_the_item_no_run_is_adopted(fault: str, over_by_now: bool) -> None:
    """Whoever started one run may have started the other in the very second of our submit."""
    service = Service([fault])
    first = service.strangers(ends=service.now + 620.0 if not over_by_now else service.now + 602.0)
    service.sleep(600.0)
    if "before" in fault:
        service.at.append((service.now + 0.06, service.strangers))
    task = Task(service)
    for _ in range(3):
        with pytest.raises(final.FabricJobMayBeRunning) as failed:
            task.run()
    (new,) = (run for run in service.runs if run is not first)
    assert f"job instance {new.id} of item" in str(failed.value)
    assert sum(run.cancel_requests for run in service.runs) == 0
    task.clear()
    assert is_own(task.run(), service.started[-1])
    assert len(service.started) == (1 if "before" in fault else 2)


@pytest.mark.parametrize("invoked", ["Scheduled", "EventTriggered"])
def test_a_run_of_a_schedule_is_in_nobodys_way(invoked: str) -> None:
    service = Service(["503 after"])
    service.strangers(invoke_type=invoked)
    service.sleep(30.0)
    assert is_own(Task(service).run(), service.started[0])


def test_a_tasks_own_earlier_run_is_in_nobodys_way() -> None:
    """It failed a moment ago, by the service's clock perhaps in the second of the next submit."""
    service = Service(["accepted", "503 after"], seconds=30.0)
    task = Task(service)
    service.at.append((service.now + 5.0, lambda: setattr(service.runs[0], "outcome", "Failed")))
    with pytest.raises(FabricJobFailed):
        task.run()
    if task.in_variable:  # which a run that has failed leaves nothing in: it may be anybody's
        with pytest.raises(final.FabricJobMayBeRunning) as caught:
            task.run()
        assert service.runs[1].id in str(caught.value)
    else:
        assert is_own(task.run(), service.runs[1])
    assert len(service.started) == 2


# What time it is at the service.


def undated(service: Service) -> Service:
    service.dated = False
    return service


@pytest.mark.parametrize("skew", [-300.0, -10.0, 0.0, 10.0, 300.0])
@pytest.mark.parametrize("accepted", [True, False])
def test_without_the_services_clock_a_submit_cut_short_proves_nothing(skew: float, accepted: bool) -> None:
    """Not even if our clock would have it so: the stranger's run starts in the second of our submit."""
    service = undated(Service(["died after" if accepted else "died"]))
    task = Task(service, skew=skew)
    task.dies()
    assert task.store["fabric_run"]["since"] is None
    service.dated = True
    if not accepted:
        service.strangers()
    with pytest.raises(final.FabricJobMayBeRunning, match=service.runs[0].id):
        task.run()
    with pytest.raises(final.FabricJobMayBeRunning, match=service.runs[0].id):
        task.run()
    assert len(service.runs) == 1
    assert service.runs[0].cancel_requests == 0


@pytest.mark.parametrize("fault", [*BEFORE, *AFTER])
def test_without_the_services_clock_a_lost_answer_proves_nothing(fault: str) -> None:
    service = undated(Service([fault]))
    if "before" in fault:
        service.at.append((service.now + 0.06, service.strangers))
    task = Task(service)
    for _ in range(2):
        with pytest.raises(final.FabricJobMayBeRunning, match=service.runs[0].id if service.runs else "job instance"):
            task.run()
    assert len(service.runs) == 1
    task.clear()
    assert is_own(task.run(), service.started[-1])


def test_without_the_services_clock_and_without_any_run_nothing_was_started() -> None:
    service = undated(Service(["died"]))
    task = Task(service)
    task.dies()
    assert is_own(task.run(), service.runs[0])
    assert len(service.runs) == 1


def test_what_was_listed_before_is_known_without_the_services_clock() -> None:
    service = undated(Service(["died"]))
    theirs = service.strangers()
    task = Task(service)
    task.dies()
    assert task.run()["job_instance_id"] != theirs.id
    assert theirs.cancel_requests == 0


def test_a_list_that_cannot_be_read_before_leaves_the_clock_and_the_item_unknown() -> None:
    service = Service(["died after"])
    service.refused["/jobs/instances"] = [NO_SUCH_HOST]
    task = Task(service)
    task.dies()
    assert task.store["fabric_run"]["window"] == {"since": None, "until": None, "known": None, "stale": False}
    with pytest.raises(final.FabricJobMayBeRunning, match=service.runs[0].id):
        task.run()
    assert len(service.runs) == 1


@pytest.mark.parametrize("skew", [-300.0, -10.0, 10.0, 300.0])
@pytest.mark.parametrize("how", ["died after", "died"])
def test_workers_whose_clocks_are_apart_start_one_run(skew: float, how: str) -> None:
    service = Service([how])
    task = Task(service)
    task.dies()
    task.skew = skew
    service.sleep(45.0)
    assert is_own(task.run(), service.runs[0])
    assert len(service.runs) == 1


# Names of jobs.


@pytest.mark.parametrize("word", ["Reload", "dbt", ""])
@pytest.mark.parametrize("fault", [*AFTER, "died after"])
def test_a_run_listed_by_a_name_that_we_do_not_know_is_not_nobodys(word: str, fault: str) -> None:
    service = Service([fault], listed_as=word)
    task = Task(service)
    if fault.startswith("died"):
        task.dies()
    for _ in range(2):
        with pytest.raises(
            final.FabricJobMayBeRunning, match=r"the name of its job does not prove|earlier attempt"
        ) as e:
            task.run()
        assert service.runs[0].id in str(e.value)
    assert len(service.runs) == 1


@pytest.mark.parametrize("word", ["Execute", "Refresh", "CopyJob", "DefaultJob"])
@pytest.mark.parametrize("fault", ["503 after", "died after"])
def test_a_run_listed_by_another_name_that_we_know_is_ours(word: str, fault: str) -> None:
    service = Service([fault], listed_as=word)
    task = Task(service)
    if fault.startswith("died"):
        task.dies()
    assert is_own(task.run(), service.runs[0])
    assert len(service.runs) == 1


@pytest.mark.parametrize(
    ("policy", "error"),
    [("fail", FabricJobAlreadyRunning), ("skip", AirflowSkipException), ("attach", FabricJobAlreadyRunning)],
)
def test_an_active_run_of_an_unknown_name_may_be_of_the_job(policy: str, error: type[Exception]) -> None:
    service = Service()
    theirs = service.strangers(job_type="Reload")
    with pytest.raises(error, match=theirs.id):
        Task(service, {"if_running": policy}).run()
    assert len(service.runs) == 1
    other = Service()
    other.strangers(job_type="ApplyChanges")
    assert is_own(Task(other, {"if_running": policy}).run(), other.runs[1])


@pytest.mark.parametrize("word", ["Reload", "Pipeline"])
def test_the_run_that_ours_was_deduped_by_has_the_name_that_ours_is_listed_under(word: str) -> None:
    service = Service(listed_as=word, seconds=5.0)
    theirs, another = service.strangers(), service.strangers(job_type="ApplyChanges")
    task = Task(service, {"on_deduped": "attach"})
    service.at.append((service.now + 1.0, lambda: setattr(service.started[0], "outcome", "Deduped")))
    assert task.run()["job_instance_id"] == theirs.id
    assert another.cancel_requests == 0


# Clears.


@pytest.mark.parametrize(("before", "now"), [(2, 0), (2, 1), (2, 2), (2, 3), (1, 0), (0, 0), (0, 2)])
@pytest.mark.parametrize("fault", ["503 after", "died after"])
def test_one_clear_is_enough_after_it_may_be_running(before: int, now: int, fault: str) -> None:
    service = Service([fault])
    task = Task(service, {"on_unclear_submit": "fail"}, retries=before, max_tries=before)
    if fault.startswith("died") and before:
        task.dies()
    elif fault.startswith("died"):
        service.submits[0] = "503 after"
    with pytest.raises(final.FabricJobMayBeRunning):
        task.run()
    task.clear(now)
    assert is_own(task.run(), service.runs[1])
    assert len(service.runs) == 2


def test_a_worker_that_dies_before_it_says_that_it_may_be_running_is_no_clear() -> None:
    service = Service(["503 after"])
    task = Task(service, {"on_unclear_submit": "fail"})
    with pytest.raises(final.FabricJobMayBeRunning):
        task.run()
    for _ in range(2):  # attempts of the same series
        with pytest.raises(final.FabricJobMayBeRunning):
            task.run()
    assert len(service.runs) == 1


@pytest.mark.parametrize(("before", "now"), [(2, 0), (2, 1), (2, 2), (2, 3), (1, 0), (0, 0), (0, 2)])
@pytest.mark.parametrize("pushes", [True, False])
@pytest.mark.parametrize("waits", [True, False])
def test_a_cleared_task_runs_again(before: int, now: int, pushes: bool, waits: bool) -> None:
    """Also one that waits for nothing and returns nothing."""
    service = Service()
    arguments = {"wait_for_termination": waits, "do_xcom_push": pushes, "cancel_on_kill": False}
    task = Task(service, arguments, retries=before, max_tries=before)
    first = task.run()["job_instance_id"]
    task.clear(now)
    assert task.run()["job_instance_id"] != first
    assert len(service.runs) == 2
    if waits or not task.in_variable:  # which goes as the task succeeds, and so nobody knows what to wait for
        assert service.runs[1].start >= service.runs[0].ends, "the new run started beside the old one"


@pytest.mark.parametrize("told_by", ["the attempt that is killed", "the number of clears"])
@pytest.mark.parametrize("when", [0.0, 30.0], ids=["while it searches", "while it waits"])
@pytest.mark.parametrize("outcome", ["Completed", "Failed"])
def test_a_task_that_is_cleared_while_it_runs_takes_nothing_of_its_old_run(
    told_by: str, when: float, outcome: str
) -> None:
    """Airflow may leave ``max_tries`` as it is, and the cancel may be refused."""
    service = Service(["503 after"] if when == 0.0 else [])
    task = Task(service, {"cancel_on_kill": False})
    service.at.append((service.now + 10.0 + when, task.kill))
    task.state = "restarting" if told_by == "the attempt that is killed" else "running"
    task.dies()
    task.clears += int(told_by == "the number of clears")
    task.state = "running"
    service.runs[0].outcome = outcome
    assert is_own(task.run(), service.runs[1])
    assert len(service.runs) == 2
    assert service.runs[1].start >= service.runs[0].ends, "the new run started beside the old one"


def test_a_task_that_is_killed_for_another_reason_reconnects() -> None:
    service = Service()
    task = Task(service, {"cancel_on_kill": False})
    service.at.append((service.now + 40.0, task.kill))
    task.dies()
    assert is_own(task.run(), service.runs[0])
    assert len(service.runs) == 1


@pytest.mark.skipif(is_airflow_2(), reason="Airflow 2 is asked by its database")
@pytest.mark.parametrize("state", ["restarting", "running"])
@pytest.mark.parametrize("deferrable", [True, False])
@pytest.mark.parametrize("cancels", [True, False])
def test_a_task_that_is_cleared_while_it_talks_to_airflow_says_so_afterwards(
    state: str, deferrable: bool, cancels: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen on 3.1.8: mapped tasks, cleared before they deferred, kept the run of before the clear."""
    service = Service()
    task = Task(service, {"deferrable": deferrable, "cancel_on_kill": cancels})

    def killed() -> None:
        task.state = state
        task.execution.signal.set()
        task.execution.kill()

    supervisor = CommsDecoder(killed)

    def push(_: Task, key: str, value: Any) -> None:
        if key == "job_instance_id":
            supervisor.send()

    def states(_: Task) -> dict[str, dict[str, str]]:
        assert not supervisor.is_busy
        return {"run": {"run": task.state}}

    service.refused["/cancel"] = [refusal(403, "InsufficientPrivileges")] * 9
    with monkeypatch.context() as patch:
        patch.setattr(Task, "push", push)
        patch.setattr(Task, "states", states)
        with pytest.raises(FabricJobCancelled):
            task.run()
    task.state = "running"
    task.arguments = {"cancel_on_kill": cancels}
    service.refused.clear()
    again = task.run()
    if state == "restarting":
        assert is_own(again, service.runs[1])
        assert service.runs[1].start >= service.runs[0].ends
    else:
        assert len(service.runs) == 1 + (service.runs[0].outcome == "Cancelled")


# What is to run.

EU, US = ({"execution_data": {"parameters": {"region": region}}} for region in ("eu", "us"))


@pytest.mark.parametrize("how", ["died after", "503 after"])
@pytest.mark.parametrize("cancel", [True, False])
def test_a_retry_with_other_parameters_takes_no_run_with_the_old_ones(how: str, cancel: bool) -> None:
    """The author fixed a parameter after the attempt died; its run is let end, and one with the new ones starts."""
    service = Service([how])
    task = Task(service, {**EU, "cancel_on_kill": cancel})
    if how == "503 after":
        service.at.append((service.now + 90.0, crash))
    with pytest.raises((Crash, WorkerDied)):
        task.run()
    task.arguments = {**US, "cancel_on_kill": cancel}
    assert is_own(task.run(), service.runs[1])
    assert [run.body["executionData"]["parameters"]["region"] for run in service.runs] == ["eu", "us"]
    assert service.runs[0].cancel_requests == int(cancel)
    assert service.runs[1].start >= service.runs[0].ends, "the new run started beside the old one"


class Crash(BaseException):
    """kill -9 while the task waits."""


def crash() -> None:
    raise Crash


@pytest.mark.parametrize("status", ["Completed", "Failed"])
def test_a_retry_with_other_parameters_takes_no_result_of_the_old_ones(status: str) -> None:
    service = Service()
    service.at.append((service.now + 90.0, crash))
    task = Task(service, dict(EU))
    with pytest.raises(Crash):
        task.run()
    service.runs[0].outcome = status
    service.sleep(600.0)
    task.arguments = dict(US)
    assert is_own(task.run(), service.runs[1])
    assert len(service.runs) == 2


def test_a_retry_with_the_same_parameters_reconnects() -> None:
    service = Service()
    service.at.append((service.now + 90.0, crash))
    task = Task(service, {"execution_data": {"parameters": {"a": 1, "b": 2}}})
    with pytest.raises(Crash):
        task.run()
    task.arguments = {"execution_data": {"parameters": {"b": 2, "a": 1}}}
    assert is_own(task.run(), service.runs[0])
    assert len(service.runs) == 1


def test_no_parameter_is_in_the_record() -> None:
    service = Service(["died after"])
    task = Task(service, {"execution_data": {"parameters": {"key": "correct horse"}}})
    task.dies()
    assert "correct" not in json.dumps(task.store)


@pytest.mark.parametrize("accepted", [True, False])
def test_a_submit_cut_short_is_looked_for_in_the_list_of_its_own_item(accepted: bool) -> None:
    """The author named another item meanwhile; the run of the first may be going on."""
    service = Service(["died after" if accepted else "died"])
    task = Task(service)
    task.dies()
    task.item = OTHER_ITEM
    if accepted:
        with pytest.raises(final.FabricJobMayBeRunning, match=f"{service.runs[0].id} of item {ITEM}"):
            task.run()
        assert len(service.runs) == 1
        task.clear()
    assert is_own(task.run(), service.runs[-1])
    assert service.runs[-1].item == OTHER_ITEM


@pytest.mark.parametrize("alias", ["Execute", "Refresh", "pipeline"])
@pytest.mark.parametrize("how", ["died after", "waiting"])
def test_an_alias_edited_between_attempts_is_the_same_job(alias: str, how: str) -> None:
    service = Service([how] if how != "waiting" else [])
    service.at.append((service.now + 90.0, crash))
    task = Task(service)
    with pytest.raises((Crash, WorkerDied)):
        task.run()
    service.at.clear()
    task.arguments = {"job_type": alias}
    assert is_own(task.run(), service.runs[0])
    assert len(service.runs) == 1


# A throttled submit, a refused or throttled cancel.


def test_a_worker_that_dies_in_a_throttled_submit_takes_nobodys_run() -> None:
    service = Service(["429 before"])
    service.at.append((service.now + 10.0, crash))
    task = Task(service)
    with pytest.raises(Crash):
        task.run()
    theirs = service.strangers()
    service.sleep(300.0)
    assert is_own(task.run(), service.started[0])
    assert (len(service.started), theirs.cancel_requests) == (1, 0)


@pytest.mark.parametrize(
    ("answers", "requests", "seconds"),
    [
        ([refusal(403, "InsufficientPrivileges")] * 9, 0, 1.0),
        ([refusal(429, retry_after="30")], 1, 1.0),
        ([], 1, 1.0),
        ([], 1, 180.0),
    ],
    ids=["403", "429 for 30 s", "accepted", "3 min"],
)
def test_a_cleared_task_waits_for_its_old_runs_end_whatever_becomes_of_the_cancel(
    answers: list[Any], requests: int, seconds: float
) -> None:
    service = Service(cancel_seconds=seconds)
    service.at.append((service.now + 20.0, crash))
    task = Task(service)
    with pytest.raises(Crash):
        task.run()
    task.clear()
    service.refused["/cancel"] = answers
    assert is_own(task.run(), service.runs[1])
    assert service.runs[0].cancel_requests == requests
    assert service.runs[1].start >= service.runs[0].ends
    assert len(service.runs) == 2


def test_a_refused_submit_leaves_nothing_behind() -> None:
    service = Service(["403 before"])
    task = Task(service)
    with pytest.raises(FabricPermissionError):
        task.run()
    theirs = service.strangers()
    service.sleep(300.0)
    assert task.run()["job_instance_id"] != theirs.id
    assert len(service.started) == 1
