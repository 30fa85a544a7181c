"""What happens to the tasks of the ownership part: clears, changed DAGs, deaths in a pause, a backfill."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any

import psutil

from devtools.airflow.rest import as_a_person
from tests.chaos import task_failures
from tests.chaos.ownership import CaseRun

THROTTLED_SECONDS = 30
BACKFILL_DAYS = 5


def clear(case_run: CaseRun) -> None:
    """Clear all tasks of the first DAG run, in the UI."""

    def once() -> None:
        with case_run.harness.person:
            case_run.airflow.clear(*case_run.dag_runs[0])

    as_a_person(once, done=lambda: False, say=case_run.say)
    case_run.say("cleared")


def clear_after_success(**changes: Any) -> Callable[[CaseRun], None]:
    """Return what clears a task that has succeeded, after its author changed the DAG."""

    def accident(case_run: CaseRun) -> None:
        case_run.wait(case_run.done, "the first end")
        case_run.change(**changes)
        clear(case_run)
        case_run.wait(lambda: len(case_run.own_jobs()) > 1 or not case_run.done(), "the task runs again")
        time.sleep(3)

    return accident


def clear_while_it_runs(**changes: Any) -> Callable[[CaseRun], None]:
    """Return what clears a task whose run goes on, after its author changed the DAG."""

    def accident(case_run: CaseRun) -> None:
        case_run.wait(case_run.waiting, "the task waits")
        time.sleep(5)
        case_run.change(**changes)
        clear(case_run)
        time.sleep(3)

    return accident


def kill_while_throttled(kill: Callable[[CaseRun], None]) -> Callable[[CaseRun], None]:
    """Return what kills a task that waits out a 429 of its submit, while somebody else starts a run of the item."""

    def accident(case_run: CaseRun) -> None:
        start_another_while_throttled(case_run)
        kill(case_run)

    return accident


def start_another_while_throttled(case_run: CaseRun) -> None:
    """Let somebody else start a run while a task waits out a 429 of its submit."""
    case_run.wait(case_run.fault_hit, "the 429")
    time.sleep(5)
    case_run.start_job()
    time.sleep(2)


def kill_process(case_run: CaseRun) -> None:
    """SIGKILL the task's process, as the kernel does when memory runs out."""
    task_failures.kill_task(case_run, supervisor=False)


def kill_worker(case_run: CaseRun) -> None:
    """SIGKILL the task's process and the one that watches over it, as a machine that dies."""
    task_failures.kill_task(case_run, supervisor=True)


def terminate_process(case_run: CaseRun) -> None:
    """SIGTERM the task's process, as a deployment does."""
    pid = case_run.task().pid
    assert pid is not None
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(pid).terminate()
    case_run.say(f"terminated process {pid}")


def rename_job_then_kill(case_run: CaseRun) -> None:
    """Call the job by its other name while the submit's answer is held back, then kill the task."""
    case_run.wait(case_run.fault_hit, "the submit is held back")
    case_run.change(operator={"job_type": "Execute"}, description="second")
    kill_process(case_run)


def rename_job_then_kill_waiting(case_run: CaseRun) -> None:
    """Call the job by its other name while the task waits, then kill it."""
    case_run.wait(case_run.waiting, "the task waits")
    case_run.wait(case_run.published, "the run's id")
    case_run.change(operator={"job_type": "Execute"}, description="second")
    kill_process(case_run)


def rename_job_then_clear(case_run: CaseRun) -> None:
    """Call the job by its other name while the task waits, then clear it."""
    clear_while_it_runs(operator={"job_type": "Execute"}, description="second")(case_run)


def start_scheduled_run(case_run: CaseRun) -> None:
    """Let Fabric's own schedule start a run of the item first."""
    case_run.start_job("Scheduled")


def end_scheduled_run_at_once(case_run: CaseRun) -> None:
    """Let the scheduled run complete as soon as the task has asked for its own, which is deduplicated later."""
    case_run.wait(case_run.own_jobs, "the task's own run", every=0.2)
    for id_ in case_run.strangers:
        case_run.control.force_job(id_, "Completed")
        case_run.say(f"{id_} is over")


def backfill(case_run: CaseRun) -> None:
    """Run the DAG for five days, all at once, by Airflow's own command."""
    (dag_id,) = case_run.dag_ids
    airflow = case_run.airflow
    case_run.wait(lambda: airflow.db.knows_dag(dag_id), "the DAG is parsed")
    first, last = "2024-01-01", f"2024-01-{BACKFILL_DAYS:02}"
    if airflow.dialect.major >= 3:
        command = ["backfill", "create", "--dag-id", dag_id, "--from-date", first, "--to-date", last]
        airflow.airflow(*command, "--max-active-runs", str(BACKFILL_DAYS), log="backfill")
    else:  # Airflow 2's command schedules the runs itself, and ends when they have ended
        command = ["dags", "backfill", "--start-date", first, "--end-date", last, dag_id]
        options = {"log": "backfill", "timeout": 900.0}
        threading.Thread(target=airflow.airflow, args=command, kwargs=options, daemon=True).start()

    def days() -> list[dict[str, Any]]:
        return airflow.db.rows("SELECT run_id FROM dag_run WHERE dag_id = :dag_id", dag_id=dag_id)

    case_run.wait(lambda: len(days()) >= BACKFILL_DAYS, "the days' DAG runs")
    case_run.dag_runs = [(dag_id, row["run_id"]) for row in days()]
    case_run.say(f"backfill: {[run_id for _, run_id in case_run.dag_runs]}")
