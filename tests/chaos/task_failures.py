"""What goes wrong with one task: what the kernel, a person or the service does to it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

import psutil

from devtools.airflow.rest import as_a_person
from tests.chaos.runner import CaseRun

UNREACHABLE_SECONDS = 60.0


def kill_task(case_run: CaseRun, *, supervisor: bool) -> None:
    """SIGKILL the task's process, and before it the one that watches over it, as a machine that dies."""
    pid = case_run.task().pid
    assert pid is not None
    process = psutil.Process(pid)
    assert process.environ().get("AIRFLOW_HOME") == str(case_run.airflow.home), process
    parent = process.parent()
    assert parent is not None
    assert parent.pid != case_run.airflow.component("scheduler").pid
    if supervisor:
        parent.kill()
    with contextlib.suppress(psutil.NoSuchProcess):
        process.kill()
    case_run.say(f"killed process {pid}{' and its supervisor' if supervisor else ''}")


def _kill_in_fault(case_run: CaseRun, *, supervisor: bool) -> None:
    case_run.wait(case_run.fault_hit, "the fault")
    kill_task(case_run, supervisor=supervisor)


def kill_worker_in_fault(case_run: CaseRun) -> None:
    """Kill the worker while its request is held back."""
    _kill_in_fault(case_run, supervisor=True)


def kill_task_process_in_fault(case_run: CaseRun) -> None:
    """Kill the task's process alone, so that the retry comes at once."""
    _kill_in_fault(case_run, supervisor=False)


def kill_worker_in_fault_and_start_another(case_run: CaseRun) -> None:
    """Kill the worker while its submit is held back, and let a person start the same job."""
    _kill_in_fault(case_run, supervisor=True)
    case_run.start_job("Manual")


def kill_worker_once_published(case_run: CaseRun) -> None:
    """Kill the worker once the run's id is known to Airflow."""
    case_run.wait(case_run.published, "the id of the run", every=0.02)
    if case_run.case.mode == "synchronous":
        time.sleep(3)
    with contextlib.suppress(psutil.NoSuchProcess):  # it may have deferred and ended already
        kill_task(case_run, supervisor=True)


def kill_task_process_once_published(case_run: CaseRun) -> None:
    """Kill the task's process, as the kernel does when memory runs out."""
    case_run.wait(case_run.published, "the id of the run")
    time.sleep(1)
    kill_task(case_run, supervisor=False)


def kill_worker_held_at_end(case_run: CaseRun) -> None:
    """Kill the worker after the run ended and before the task does."""
    case_run.wait(case_run.held, "the run's end")
    kill_task(case_run, supervisor=True)


def kill_task_process_held_at_end(case_run: CaseRun) -> None:
    """Kill the task's process after the run ended and before the task does."""
    case_run.wait(case_run.held, "the run's end")
    kill_task(case_run, supervisor=False)


def _settled(case_run: CaseRun) -> None:
    """Wait until the task waits for its run."""
    case_run.wait(case_run.waiting, "the task waits")
    time.sleep(3)


def _as_a_person(case_run: CaseRun, do: Callable[[], None]) -> None:
    """Do something in the UI."""

    def alone() -> None:
        with case_run.harness.person:
            do()

    as_a_person(alone, done=lambda: False, say=case_run.say)


def clear(case_run: CaseRun) -> None:
    """Clear the task."""
    _settled(case_run)
    _as_a_person(case_run, lambda: case_run.airflow.clear(case_run.dag_id, case_run.run_id))
    case_run.say("cleared")


def _mark(case_run: CaseRun, state: str) -> None:
    _settled(case_run)
    _as_a_person(case_run, lambda: case_run.airflow.set_state(case_run.dag_id, case_run.run_id, "run", state))
    case_run.say(f"marked {state}")


def mark_failed(case_run: CaseRun) -> None:
    """Mark the task failed."""
    _mark(case_run, "failed")


def mark_success(case_run: CaseRun) -> None:
    """Mark the task a success."""
    _mark(case_run, "success")


def close_gate(case_run: CaseRun) -> None:
    """Let nobody reach the service for a minute."""
    _settled(case_run)
    case_run.gate.close()
    time.sleep(UNREACHABLE_SECONDS)
    case_run.gate.open()
    case_run.say("reachable again")


def revoke_tokens(case_run: CaseRun) -> None:
    """Let every token issued so far be refused."""
    _settled(case_run)
    case_run.control.revoke_tokens()


def start_scheduled_run(case_run: CaseRun) -> None:
    """Let Fabric's own schedule start a run of the item first."""
    case_run.start_job("Scheduled")


def end_scheduled_run(case_run: CaseRun) -> None:
    """Let the other run complete once the task waits for it."""

    def attached() -> bool:
        published = case_run.airflow.xcoms(case_run.dag_id, case_run.run_id, "run")
        return published.get("job_instance_id") in case_run.strangers

    case_run.wait(attached, "the task waits for the other run")
    for job_id in case_run.strangers:
        case_run.control.force_job(job_id, "Completed")
