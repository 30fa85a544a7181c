"""How a task that is ended from outside cancels its run: in time, once, best effort."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow_provider_fabric.lifecycle.state import FabricRun

if TYPE_CHECKING:
    from airflow_provider_fabric.api.http.flow import Flow
    from airflow_provider_fabric.api.models import JobRef

KILL_SECONDS = 4.0
"""How long a killed task waits for its cancel to go out; Airflow follows up with SIGKILL after five."""


def cancel_on_kill_flow(job: JobRef) -> Flow[bool]:
    """Return the conversation that cancels a job instance, with no patience."""
    from airflow_provider_fabric.api.http.retry import KILL_BUDGET
    from airflow_provider_fabric.api.jobs.instances import cancel_item_job_instance  # not while a DAG is parsed

    return cancel_item_job_instance(job.workspace_id, job.item_id, job.job_instance_id, budget=KILL_BUDGET)


def cancel_run(run: FabricRun, send: Callable[[], bool], log: Any) -> None:
    """Ask for a run's cancellation; never raise.

    :param send: sends the request; says whether there was anything to cancel.
    """
    try:
        accepted = send()
    except Exception as error:  # noqa: BLE001 - whoever ends the task must not be held up
        log.warning("Could not cancel job instance %s, which may go on: %s", run.job.job_instance_id, error)
    else:
        what = "Asked Fabric to cancel job instance %s." if accepted else "Job instance %s was over already."
        log.info(what, run.job.job_instance_id)


def within_kill_timeout(*steps: Callable[[], None]) -> None:
    """Do it, but wait no longer than a killed task may.

    In a thread, because the signal may have come while this one holds a lock of the HTTP client, or talks to Airflow.
    """

    def work() -> None:
        for step in steps:
            step()

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    worker.join(KILL_SECONDS)
