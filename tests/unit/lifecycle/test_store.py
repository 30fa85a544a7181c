"""The record of a task's run: what one attempt writes for the next."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_fabric.api.jobs.ownership import SubmitWindow
from airflow_provider_fabric.api.models import JobRef
from airflow_provider_fabric.compat_tasks import has_task_state, is_airflow_2
from airflow_provider_fabric.exceptions import FabricInputError
from airflow_provider_fabric.lifecycle.identity import JobIdentity, fingerprint
from airflow_provider_fabric.lifecycle.state import FabricRun
from airflow_provider_fabric.lifecycle.store import KEY, RunRecord, RunStore
from tests.flow_driver import ITEM, JOB, OTHER_JOB, WORKSPACE

RUN = FabricRun(JobRef(WORKSPACE, ITEM, JOB), "Execute", None, "https://x", 100.0, 160.0, 60.0)
WINDOW = SubmitWindow(99.5, None, frozenset({JOB}))
ASKED = JobIdentity(WORKSPACE, ITEM, "Execute", fingerprint({"executionData": {"parameters": {"region": "eu"}}}))


class Store(dict[str, Any]):
    """Airflow's ``task_state_store``: what it holds has been JSON in between."""

    def set(self, key: str, value: Any) -> None:
        self[key] = json.loads(json.dumps(value))


def attempt(
    store: Store | None,
    number: int = 1,
    *,
    max_tries: int = 2,
    retries: int = 2,
    enabled: bool = True,
    clears: int | None = None,
    began: float = 1000.0,
    state: str = "running",
    **server: Any,
) -> RunStore:
    """Return the store as an attempt sees it."""
    ti = SimpleNamespace(max_tries=max_tries, try_number=number, dag_id="dag", run_id="r", task_id="t", map_index=3)
    ti.get_task_states = lambda **asked: {"r": {"t_3": state}} if asked["run_ids"] == ["r"] else {}
    if server:
        ti._ti_context_from_server = SimpleNamespace(**server)
    context = {"ti": ti, "task": SimpleNamespace(retries=retries), "task_state_store": store}
    context["dag_run"] = SimpleNamespace(clear_number=clears, start_date=datetime.fromtimestamp(began, timezone.utc))
    return RunStore(context, enabled)


def record_of(store: RunStore) -> RunRecord:
    record = store.load()
    assert record is not None
    return record


def test_at_first_there_is_no_record() -> None:
    assert attempt(Store()).available
    assert attempt(Store()).load() is None


def test_an_attempt_that_died_while_it_submitted() -> None:
    store = Store()
    attempt(store).submitting(WINDOW, ASKED)
    assert attempt(store, 2).load() == RunRecord(cleared=False, since=99.5, window=WINDOW, identity=ASKED)


def test_an_attempt_that_could_not_tell_which_run_is_its_own() -> None:
    store = Store()
    attempt(store).unclear(SubmitWindow(99.5, 101.0, None), [JOB, OTHER_JOB], ASKED)
    record = record_of(attempt(store, 2))
    assert (record.candidates, record.window) == ((JOB, OTHER_JOB), SubmitWindow(99.5, 101.0, None))
    assert (record.cleared, record.identity) == (False, ASKED)


def test_an_attempt_that_did_not_know_what_time_it_is_at_the_service() -> None:
    """Its own clock, which may be hours off, is in no record as the service's."""
    store = Store()
    unknown = SubmitWindow(None, known=frozenset({JOB}))
    attempt(store).submitting(unknown, ASKED)
    assert store[KEY]["since"] is None
    assert record_of(attempt(store, 2)) == RunRecord(cleared=False, since=None, window=unknown, identity=ASKED)
    attempt(store).unclear(unknown, [JOB], ASKED)
    assert record_of(attempt(store, 2)).window == unknown


def test_the_ids_of_a_tasks_own_runs_are_kept_over_its_attempts() -> None:
    store = Store()
    runs = [replace(RUN, job=replace(RUN.job, job_instance_id=f"{number:08}{JOB[8:]}")) for number in range(30)]
    for number, run in enumerate(runs, start=1):
        one = attempt(store, number)
        one.submitting(WINDOW, ASKED)
        one.started(run, 99.0, ASKED)
        one.started(run, 99.0, ASKED)
        attempt(store, number).cancel_asked()  # as a task that was resumed does: it has loaded nothing
        attempt(store, number).nothing_started()
    ids = tuple(run.job.job_instance_id for run in runs)
    assert attempt(store, 31).own_runs == ids[-20:]
    attempt(store, 31).started(replace(RUN, ours=False), 99.0, None)
    assert attempt(store, 32).own_runs == ids[-20:]


@pytest.mark.parametrize("asked", [False, True])
def test_an_attempt_that_died_while_it_waited(asked: bool) -> None:
    store = Store()
    attempt(store).submitting(WINDOW, ASKED)
    attempt(store).started(RUN, 99.7, ASKED)
    if asked:
        attempt(store).cancel_asked()
    record = record_of(attempt(store, 2))
    assert (record.cleared, record.since, record.run, record.cancel_asked) == (False, 99.7, RUN, asked)


def test_a_new_submit_replaces_the_run_before() -> None:
    store = Store()
    attempt(store).started(RUN, 99.0, ASKED)
    attempt(store, 2).submitting(WINDOW, ASKED)
    assert record_of(attempt(store, 3)).run is None


def test_nothing_started_is_no_record() -> None:
    store = Store()
    attempt(store).submitting(WINDOW, ASKED)
    attempt(store).nothing_started()
    assert attempt(store, 2).load() is None
    attempt(store).cancel_asked()
    attempt(store).delivered(waited=True)
    assert attempt(store, 2).load() is None


def test_a_store_that_is_gone_hides_no_other_error() -> None:
    class Gone(Store):
        def set(self, key: str, value: Any) -> None:
            raise RuntimeError("the API server is gone")

    attempt(Gone()).nothing_started()
    attempt(Gone()).cancel_asked()
    attempt(Gone()).delivered(waited=True)
    with pytest.raises(RuntimeError):  # but without a record nothing is submitted
        attempt(Gone()).submitting(WINDOW, ASKED)


CLEARED_BY = {  # retries before, retries now, max_tries as Airflow then sets it: attempts so far plus retries
    "fewer retries": (1, 0),
    "equal retries": (1, 1),
    "more retries": (1, 4),
    "none before and after": (0, 0),
    "many to few": (5, 1),
}


@pytest.mark.parametrize(("before", "now"), CLEARED_BY.values(), ids=CLEARED_BY)
@pytest.mark.parametrize("attempts", [1, 2])
def test_a_task_that_is_cleared_after_it_succeeded_knows(before: int, now: int, attempts: int) -> None:
    if attempts > before + 1:
        return
    store = Store()
    first = attempt(store, attempts, max_tries=before, retries=before)
    first.started(RUN, 99.0, ASKED)
    first.delivered(waited=True)
    cleared = attempt(store, attempts + 1, max_tries=attempts + now, retries=now)
    assert record_of(cleared).cleared


@pytest.mark.parametrize(("before", "now"), CLEARED_BY.values(), ids=CLEARED_BY)
@pytest.mark.parametrize("attempts", [1, 2])
def test_a_task_that_is_cleared_after_it_could_not_tell_its_run_knows(before: int, now: int, attempts: int) -> None:
    """Airflow does not retry such a task by itself, so it may be cleared long before its attempts are used up."""
    if attempts > before + 1:
        return
    store = Store()
    attempt(store, attempts, max_tries=before, retries=before).unclear(WINDOW, [JOB], ASKED)
    again = attempt(store, attempts + 1, max_tries=before, retries=before)  # its worker died before it said so
    assert not record_of(again).cleared
    assert record_of(attempt(store, attempts + 1, max_tries=attempts + now, retries=now)).cleared


@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.parametrize("retries", [2, 0])
def test_a_task_that_is_cleared_while_it_runs_knows_by_the_number_of_clears(before: int, retries: int) -> None:
    """Airflow 3 leaves ``max_tries`` as it is for all but one of the running tasks that are cleared at once."""
    store = Store()
    attempt(store, 1, clears=before).submitting(WINDOW, ASKED)
    assert record_of(attempt(store, 2, retries=retries, clears=before + 1)).cleared
    attempt(store, 1, clears=before).started(RUN, 99.0, ASKED)
    attempt(store, 1, clears=before).cancel_asked()
    assert record_of(attempt(store, 2, retries=retries, clears=before + 1)).cleared
    assert not record_of(attempt(store, 2, clears=before)).cleared
    assert not record_of(attempt(store, 2)).cleared  # nobody tells


def test_a_clear_of_another_task_is_nobodys_look_at_the_candidates() -> None:
    store = Store()
    attempt(store, 1, clears=0).unclear(WINDOW, [JOB], ASKED)
    assert not record_of(attempt(store, 2, clears=1)).cleared


@pytest.mark.skipif(is_airflow_2(), reason="Airflow 2 is asked by its database")
@pytest.mark.parametrize(
    ("state", "cleared"), [("restarting", True), ("running", False), ("failed", False), ("success", False)]
)
def test_a_task_that_is_cleared_while_it_runs_says_so_as_it_is_killed(state: str, cleared: bool) -> None:
    """What it writes afterwards, on its way out, does not undo that; what the next attempt writes does."""
    for writes_more in (False, True):
        store = Store()
        attempt(store).submitting(WINDOW, ASKED)
        one = attempt(store, state=state)
        one.killed(cancel_asked=False)
        if writes_more:
            one.started(RUN, 99.0, ASKED)
        assert record_of(attempt(store, 2)).cleared is cleared
        assert record_of(attempt(store, 3)).cleared is cleared
        attempt(store, 3).started(RUN, 99.0, ASKED)
        assert not record_of(attempt(store, 4)).cleared


@pytest.mark.skipif(is_airflow_2(), reason="Airflow 2 is asked by its database")
def test_a_killed_task_has_seconds_and_writes_all_at_once() -> None:
    calls: list[str] = []

    class Slow(Store):
        def get(self, key: str, default: Any = None) -> Any:
            calls.append("get")
            return super().get(key, default)

        def set(self, key: str, value: Any) -> None:
            calls.append("set")
            super().set(key, value)

    store = Slow()
    one = attempt(store, state="restarting")
    one.started(RUN, 99.0, ASKED)
    calls.clear()
    one.killed(cancel_asked=True)
    assert calls == ["set"]
    record = record_of(attempt(store, 2))
    assert (record.cleared, record.cancel_asked, record.run) == (True, True, RUN)


@pytest.mark.skipif(is_airflow_2(), reason="Airflow 3 tells what a clear is to remove; 2 is asked by its database")
@pytest.mark.parametrize("retries", [0, 1, 2, 5])
def test_a_task_cleared_with_another_version_of_its_dag_knows(retries: int) -> None:
    """What Airflow counted with, and what the worker's DAG says, may differ: then what the attempt returned tells."""
    store = Store()
    first = attempt(store, 1, max_tries=1, retries=1)
    first.started(RUN, 99.0, ASKED)
    first.delivered(waited=True)
    cleared = attempt(store, 2, max_tries=1, retries=retries, xcom_keys_to_clear=["job_instance_id", "return_value"])
    assert record_of(cleared).cleared


@pytest.mark.parametrize("delivered", [False, True])
def test_a_retry_is_not_taken_for_a_clear(delivered: bool) -> None:
    """Also one after a worker that died between the result and the end of its task."""
    store = Store()
    first = attempt(store, 1)
    first.started(RUN, 99.0, ASKED)
    if delivered:
        first.delivered(waited=True)
    assert not record_of(attempt(store, 2, xcom_keys_to_clear=["job_instance_id"])).cleared


NOWHERE = pytest.param(None, True, marks=pytest.mark.skipif(not has_task_state(), reason="there is another store"))


@pytest.mark.parametrize(("store", "enabled"), [NOWHERE, (Store(), False)])
def test_without_a_store_or_when_turned_off_nothing_is_kept(store: Store | None, enabled: bool) -> None:
    off = attempt(store, enabled=enabled)
    off.submitting(WINDOW, ASKED)
    off.started(RUN, 1.0, ASKED)
    off.cancel_asked()
    off.delivered(waited=True)
    off.nothing_started()
    assert not off.available
    assert off.load() is None
    assert not store


@pytest.mark.parametrize(
    "record",
    [
        {"series": 2},
        {"since": None, "series": 2},
        {"since": "soon", "series": 2},
        {"since": 1.0, "run": {"job": {}}},
        {"since": 1.0, "run": "x"},
        {"since": 1.0, "run": {**RUN.to_state(), "check_interval": "x"}},
        {"since": 1.0, "window": {"until": "x"}},
        {"since": 1.0, "candidates": 5},
        {"since": 1.0, "job": "x"},
        {"since": 1.0, "job": {"item_id": ITEM}},
        {"since": 1.0, "job": {**ASKED.to_state(), "arguments": 5}},
    ],
)
def test_a_record_that_cannot_be_read_starts_nothing(record: dict[str, Any]) -> None:
    with pytest.raises(FabricInputError):
        attempt(Store({KEY: record})).load()


def test_the_record_of_an_older_version_is_read() -> None:
    assert record_of(attempt(Store({KEY: {"since": 99.5, "series": 2}}), 2)).window == SubmitWindow(99.5)
    older = {"since": 100.0, "run": RUN.to_state(), "cancel_asked": False, "series": 2}
    assert record_of(attempt(Store({KEY: older}), 2)).run == RUN


@pytest.mark.parametrize("record", [None, "x", 5, []])
def test_what_is_no_record_is_none(record: Any) -> None:
    assert attempt(Store({KEY: record})).load() is None


def test_no_secret_is_kept() -> None:
    store = Store()
    body = {"executionData": {"parameters": {"password": "correct horse"}}}
    attempt(store).started(RUN, 99.0, replace(ASKED, arguments=fingerprint(body)))
    counts = {"series", "retries", "clears", "began", "attempt"}
    assert set(store[KEY]) == {"since", "run", "cancel_asked", "job", "own_runs", *counts}
    assert store[KEY]["run"] == RUN.to_state()
    assert "correct" not in json.dumps(store)


@pytest.mark.parametrize("delivered", [True, False])
@pytest.mark.parametrize("began", [1000.0, 2000.0])
def test_a_run_of_a_dag_run_that_was_deleted_and_made_anew_is_not_this_ones(began: float, delivered: bool) -> None:
    """Attempts are counted from 1 again; attempt 1 died before it read the record, so the number does not tell."""
    store = Store()
    first = attempt(store)
    first.started(RUN, 99.0, ASKED)
    if delivered and not is_airflow_2():  # which asks its database of a result that was delivered
        first.delivered(waited=True)
    assert record_of(attempt(store, 2, began=began)).cleared is (began != 1000.0)
