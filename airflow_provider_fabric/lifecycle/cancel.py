"""How a run is cancelled: in time when the task is killed, with patience where there is time, and what came of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from airflow_provider_fabric.exceptions import FabricApiError, FabricJobCancelled

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


@dataclass(frozen=True)
class CancelResult:
    """What came of a cancel.

    :param ends: the run has ended, or the service has accepted to end it.
    :param text: ``asked``, ``over already``, ``refused: …`` or ``not reached: …``.
    """

    ends: bool
    text: str

    def __str__(self) -> str:
        """Return it as a sentence about the run."""
        if self.ends:
            return "Fabric was asked to cancel it." if self.text == "asked" else "It was over already."
        return f"Cancel {self.text}; it may go on."


def ask_to_cancel(send: Callable[[], bool]) -> CancelResult:
    """Ask for a run's cancellation, and report what came of it.

    :param send: sends the request; returns whether there was anything to cancel.
    :raises FabricJobCancelled: the task was killed meanwhile.
    """
    try:
        accepted = send()
    except FabricJobCancelled:
        raise
    except FabricApiError as error:
        code = f" {error.error_code}" if error.error_code else ""
        return CancelResult(False, f"refused: {error.status_code}{code}")
    except Exception as error:  # noqa: BLE001 - whoever ends the task must not be held up
        return CancelResult(False, f"not reached: {error}")
    return CancelResult(True, "asked" if accepted else "over already")


def within_kill_timeout(*steps: Callable[[], None]) -> None:
    """Do it, all at once, but wait no longer than a killed task may.

    In threads, because the signal may have come while this one holds a lock of the HTTP client, or talks to Airflow.
    """
    workers = [threading.Thread(target=step, daemon=True) for step in steps]
    for worker in workers:
        worker.start()
    ends = time.monotonic() + KILL_SECONDS
    for worker in workers:
        worker.join(max(ends - time.monotonic(), 0.0))
