"""The ownership part of the chaos matrix as data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from tests.chaos import ownership_accidents as accidents
from tests.chaos import task_failures
from tests.chaos.ownership import Case

MODES = ("synchronous", "deferrable")

SUBMIT = {"method": "POST", "path": "*/workspaces/{workspace}/items/*/jobs/*instances", "count": 1}
LOOK_UP = {"method": "GET", "path": "*/workspaces/{workspace}/items*", "count": 1}
CANCEL = {"method": "POST", "path": "*/workspaces/{workspace}/*/cancel"}
HELD_BACK = {**SUBMIT, "action": "delay", "phase": "after", "delay_seconds": 60}
THROTTLED = {**SUBMIT, "action": "status", "status": 429, "retry_after": accidents.THROTTLED_SECONDS}
LONG = 36_000.0

FAULTS: dict[str, dict[str, Any]] = {
    "503 before": {**SUBMIT, "action": "status", "status": 503, "phase": "before"},
    "503 after": {**SUBMIT, "action": "status", "status": 503, "phase": "after"},
    "dropped after": {**SUBMIT, "action": "drop", "phase": "after"},
    "timeout": {**SUBMIT, "action": "delay", "phase": "after", "delay_seconds": 40},
}
CLOCKS = {"5 min ahead": 300, "5 min behind": -300, "10 s ahead": 10, "10 s behind": -10}
"""Of the worker of the first try; the second one's is right. The service is 95 s ahead of both."""

PATIENT: dict[str, Any] = {"fabric_conn_id": "fabric_patient"}
"""A connection that waits for an answer for longer than it is held back."""


def _shared(mode: str) -> Iterator[Case]:
    """Return tasks that share an item, when one answer to a submit is lost."""
    for fault, what in FAULTS.items():
        known: dict[str, Any] = {"mode": mode, "faults": (what,), "red": "perhaps"}
        yield Case(f"three mapped tasks, {fault}", mapped=3, **known)
        yield Case(f"two DAG runs, {fault}", runs=2, **known)
        yield Case(f"two DAGs, {fault}", dags=2, **known)


def _killed_while_throttled(mode: str) -> Iterator[Case]:
    """Return deaths in a throttled submit's pause, in which somebody else starts a run of the item."""
    kills = {
        "process killed -9": accidents.kill_process,
        "worker killed -9": accidents.kill_worker,
        "process terminated": accidents.terminate_process,
    }
    for how, kill in kills.items():
        name = f"{how} during a throttled submit, and somebody else's run in between"
        accident = accidents.kill_while_throttled(kill)
        yield Case(name, mode, faults=(THROTTLED,), accident=accident, operator=PATIENT)
        rules = ({"duration_seconds": 8}, {"duration_seconds": LONG, "count": 1})
        yield Case(f"{name}, that goes on", mode, rules=rules, faults=(THROTTLED,), accident=accident, operator=PATIENT)


def _throttled_and_lost(mode: str) -> Iterator[Case]:
    """Return submits whose answer is lost after a pause: what was started in the pause is not known."""
    lost = (THROTTLED, FAULTS["503 after"])
    yield Case("throttled submit, then its answer lost", mode, faults=lost, red="always", operator=PATIENT)
    another = accidents.start_another_while_throttled
    name = "throttled submit, then its answer lost, and somebody else's run in between"
    yield Case(name, mode, faults=lost, red="always", accident=another, operator=PATIENT)


def _crashes(mode: str) -> Iterator[Case]:
    """Return the crash cases of the first part of the matrix, with a worker whose clock is wrong."""
    killed, lost = task_failures.kill_worker_in_fault, "killed -9 after the submit, before the id is stored"
    crashes: dict[str, dict[str, Any]] = {
        "killed -9 before the submit": {
            "faults": ({**LOOK_UP, "action": "delay", "delay_seconds": 40},),
            "accident": killed,
        },
        lost: {"faults": (HELD_BACK,), "rules": ({"duration_seconds": 60},), "accident": killed},
        f"{lost}; the run is over before the retry": {
            "faults": (HELD_BACK,),
            "rules": ({"duration_seconds": 1},),
            "accident": killed,
        },
        f"{lost}; the run becomes visible late": {
            "faults": (HELD_BACK,),
            "rules": ({"duration_seconds": 60, "visible_after_seconds": 25},),
            "accident": task_failures.kill_task_process_in_fault,
        },
        f"{lost}; somebody else starts a run then": {
            "faults": (HELD_BACK,),
            "rules": ({"duration_seconds": LONG},),
            "accident": task_failures.kill_worker_in_fault_and_start_another,
            "red": "always",
        },
        "killed -9 while waiting": {
            "rules": ({"duration_seconds": 45},),
            "accident": task_failures.kill_worker_once_published,
        },
        "killed -9 after the run ended": {"hold_at_end": True, "accident": task_failures.kill_worker_held_at_end},
    }
    for what, known in crashes.items():
        for off, seconds in CLOCKS.items():
            name = f"worker with a clock {off} {what}"
            yield Case(name, mode, clock=seconds, operator=PATIENT, **known)


NEW_VERSION: dict[str, Any] = {"description": "second", "operator": {"check_interval": 2.0}}


def _cleared_after_success(mode: str) -> Iterator[Case]:
    """Return clears of tasks that have succeeded, with a DAG that was changed."""
    again: dict[str, Any] = {"mode": mode, "started": (2, 2)}
    for retries in (0, 2, 3):
        name = f"cleared after success, with {retries} retries instead of 2"
        yield Case(name, accident=accidents.clear_after_success(retries=retries), **again)
    accident = accidents.clear_after_success(**NEW_VERSION)
    yield Case("cleared after success, with a new version of the DAG", accident=accident, **again)


def _cleared_while_running(mode: str) -> Iterator[Case]:
    """Return clears of tasks whose run goes on, with a changed DAG, or a cancel that does not succeed at once."""
    again: dict[str, Any] = {"mode": mode, "started": (2, 2), "cancels": True}
    # Longer than it takes to clear a task on a busy machine: on Airflow 2 by its command.
    long = ({"duration_seconds": 5}, {"duration_seconds": 240, "cancel_seconds": 2, "count": 1})
    accident = accidents.clear_while_it_runs(**NEW_VERSION)
    yield Case("cleared while it runs, with a new version of the DAG", rules=long, accident=accident, **again)
    again["accident"] = accidents.clear_while_it_runs()
    slow = ({"duration_seconds": 5}, {"duration_seconds": LONG, "cancel_seconds": 180, "count": 1})
    refused = {**CANCEL, "action": "status", "status": 403, "error_code": "InsufficientPrivileges", "count": None}
    throttled = {**CANCEL, "action": "status", "status": 429, "retry_after": 30, "count": 1}
    yield Case("cleared, the cancel is refused (403)", rules=long, faults=(refused,), says=("refused: 403",), **again)
    yield Case("cleared, the cancel is throttled (429) for 30 s", rules=long, faults=(throttled,), **again)
    yield Case("cleared, the cancel takes 3 min", rules=slow, **again)
    # Airflow 3 counts only one of several running tasks as cleared that end in one loop of its scheduler.
    rules = (long[0], {**long[1], "count": 3})
    name = "three mapped tasks cleared at once, the cancel is refused (403)"
    yield Case(name, mapped=3, rules=rules, faults=(refused,), says=("refused: 403",), **again)


def _other_name(mode: str) -> Iterator[Case]:
    """Return tasks whose author calls the job by its other name between tries."""
    old: dict[str, Any] = {"operator": {**PATIENT, "job_type": "Pipeline"}, "mode": mode}
    name = "job type Pipeline edited to Execute, and the process killed -9"
    accident = accidents.rename_job_then_kill
    yield Case(f"{name} before the id is stored", faults=(HELD_BACK,), accident=accident, **old)
    rules = ({"duration_seconds": 60},)
    if mode == "synchronous":  # a deferred task has no process
        yield Case(f"{name} while waiting", accident=accidents.rename_job_then_kill_waiting, rules=rules, **old)
    rules = ({"duration_seconds": 5}, {"duration_seconds": LONG, "cancel_seconds": 2, "count": 1})
    more: dict[str, Any] = {"accident": accidents.rename_job_then_clear, "rules": rules, "started": (2, 2)}
    yield Case("job type Pipeline edited to Execute, and the task cleared", cancels=True, **more, **old)


def _deduplicated(mode: str) -> Iterator[Case]:
    yield Case(
        "deduplicated by a run that is over, on_deduped=attach",
        mode,
        before=accidents.start_scheduled_run,
        accident=accidents.end_scheduled_run_at_once,
        operator={"on_deduped": "attach"},
        rules=({"outcome": "Deduped", "duration_seconds": 12}, {"duration_seconds": LONG, "count": 1}),
        attaches=True,
    )


def _backfill(mode: str) -> Iterator[Case]:
    yield Case(
        "backfill of five days at once, one run fails",
        mode,
        daily=True,
        start=accidents.backfill,
        rules=({"duration_seconds": 25}, {"duration_seconds": 5, "outcome": "Failed", "count": 1}),
        started=(1, 2),
    )


GROUPS: Mapping[str, Callable[[str], Iterator[Case]]] = {
    "Worker dies, its clock 10 s or 5 min off": _crashes,
    "Item shared, one submit's answer lost": _shared,
    "Killed in a throttled submit, another's run meanwhile": _killed_while_throttled,
    "Throttled, then the answer lost": _throttled_and_lost,
    "Cleared after success, retries or DAG changed": _cleared_after_success,
    "Cleared while running, cancel refused, throttled or slow": _cleared_while_running,
    "Job type renamed between tries": _other_name,
    "Deduplicated by a run that is over": _deduplicated,
    "Backfill of five days, one run fails": _backfill,
}
CASES: tuple[Case, ...] = tuple(
    replace(case, group=group) for group, cases in GROUPS.items() for mode in MODES for case in cases(mode)
)
