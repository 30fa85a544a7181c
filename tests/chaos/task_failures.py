"""What goes wrong with one task: what the kernel, a person or the service does to it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

import psutil

from devtools.airflow.rest import as_a_person
from tests.chaos.runner import Scene

UNREACHABLE_SECONDS = 60.0


def kill_task(scene: Scene, *, supervisor: bool) -> None:
    """SIGKILL the task's process, and before it the one that watches over it, as a machine that dies."""
    pid = scene.task().pid
    assert pid is not None
    process = psutil.Process(pid)
    assert process.environ().get("AIRFLOW_HOME") == str(scene.airflow.home), process
    parent = process.parent()
    assert parent is not None
    assert parent.pid != scene.airflow.component("scheduler").pid
    if supervisor:
        parent.kill()
    with contextlib.suppress(psutil.NoSuchProcess):
        process.kill()
    scene.say(f"killed process {pid}{' and its supervisor' if supervisor else ''}")


def _kill_in_fault(scene: Scene, *, supervisor: bool) -> None:
    scene.wait(scene.fault_hit, "the fault")
    kill_task(scene, supervisor=supervisor)


def kill_worker_in_fault(scene: Scene) -> None:
    """Kill the worker while its request is held back."""
    _kill_in_fault(scene, supervisor=True)


def kill_task_process_in_fault(scene: Scene) -> None:
    """Kill the task's process alone, so that the retry comes at once."""
    _kill_in_fault(scene, supervisor=False)


def kill_worker_in_fault_and_start_another(scene: Scene) -> None:
    """Kill the worker while its submit is held back, and let a person start the same job."""
    _kill_in_fault(scene, supervisor=True)
    scene.start_job("Manual")


def kill_worker_once_published(scene: Scene) -> None:
    """Kill the worker once the run's id is known to Airflow."""
    scene.wait(scene.published, "the id of the run", every=0.02)
    if scene.cell.mode == "synchronous":
        time.sleep(3)
    with contextlib.suppress(psutil.NoSuchProcess):  # it may have deferred and ended already
        kill_task(scene, supervisor=True)


def kill_task_process_once_published(scene: Scene) -> None:
    """Kill the task's process, as the kernel does when memory runs out."""
    scene.wait(scene.published, "the id of the run")
    time.sleep(1)
    kill_task(scene, supervisor=False)


def kill_worker_held_at_end(scene: Scene) -> None:
    """Kill the worker after the run ended and before the task does."""
    scene.wait(scene.held, "the run's end")
    kill_task(scene, supervisor=True)


def kill_task_process_held_at_end(scene: Scene) -> None:
    """Kill the task's process after the run ended and before the task does."""
    scene.wait(scene.held, "the run's end")
    kill_task(scene, supervisor=False)


def _settled(scene: Scene) -> None:
    """Wait until the task waits for its run."""
    scene.wait(scene.waiting, "the task waits")
    time.sleep(3)


def _as_a_person(scene: Scene, do: Callable[[], None]) -> None:
    """Do something in the UI."""

    def alone() -> None:
        with scene.stage.person:
            do()

    as_a_person(alone, done=lambda: False, say=scene.say)


def clear(scene: Scene) -> None:
    """Clear the task."""
    _settled(scene)
    _as_a_person(scene, lambda: scene.airflow.clear(scene.dag_id, scene.run_id))
    scene.say("cleared")


def _mark(scene: Scene, state: str) -> None:
    _settled(scene)
    _as_a_person(scene, lambda: scene.airflow.set_state(scene.dag_id, scene.run_id, "run", state))
    scene.say(f"marked {state}")


def mark_failed(scene: Scene) -> None:
    """Mark the task failed."""
    _mark(scene, "failed")


def mark_success(scene: Scene) -> None:
    """Mark the task a success."""
    _mark(scene, "success")


def close_gate(scene: Scene) -> None:
    """Let nobody reach the service for a minute."""
    _settled(scene)
    scene.gate.close()
    time.sleep(UNREACHABLE_SECONDS)
    scene.gate.open()
    scene.say("reachable again")


def revoke_tokens(scene: Scene) -> None:
    """Let every token issued so far be refused."""
    _settled(scene)
    scene.control.revoke_tokens()


def start_scheduled_run(scene: Scene) -> None:
    """Let Fabric's own schedule start a run of the item first."""
    scene.start_job("Scheduled")


def end_scheduled_run(scene: Scene) -> None:
    """Let the other run complete once the task waits for it."""

    def attached() -> bool:
        return scene.airflow.xcoms(scene.dag_id, scene.run_id, "run").get("job_instance_id") in scene.strangers

    scene.wait(attached, "the task waits for the other run")
    for job_id in scene.strangers:
        scene.control.force_job(job_id, "Completed")
