"""How a task that is ended from outside stops: it learns of the kill, and cancels its run in time, best effort."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from airflow_provider_fabric.exceptions import FabricJobCancelled
from airflow_provider_fabric.lifecycle.state import FabricRun

KILL_SECONDS = 4.0
"""How long a killed task waits for its cancel to go out; Airflow follows up with SIGKILL after five."""


class KillSignal:
    """Whether the task is being killed. Set in a signal handler, or by another thread."""

    def __init__(self) -> None:
        self._event = threading.Event()

    @property
    def is_set(self) -> bool:
        """Whether the task is being killed."""
        return self._event.is_set()

    def set(self) -> None:
        """The task is being killed."""
        self._event.set()

    def raise_if_killed(self) -> None:
        """Stop here if the task is being killed.

        :raises FabricJobCancelled: it is.
        """
        self.sleep(0.0)

    def sleep(self, seconds: float) -> None:
        """Sleep, unless the task is killed before or meanwhile.

        :raises FabricJobCancelled: it was.
        """
        if self._event.wait(seconds):
            raise FabricJobCancelled("The task was killed while it waited.")


def cancel_run(run: FabricRun, send: Callable[[], bool], log: Any) -> None:
    """Ask for a run's cancellation; never raise.

    :param send: sends the request; returns whether there was anything to cancel.
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
