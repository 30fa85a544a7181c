"""The time limits of a task's run, in seconds."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_fabric.api.jobs.ownership import VISIBLE_WITHIN


@dataclass(frozen=True)
class Timing:
    """Waits of a task that are not its arguments.

    :param visible_within: after which a run that was accepted is taken to be in the item's list.
    :param visibility_grace: during which a run that the service named may not be found by its id.
    :param old_run: for the end of an earlier attempt's run, before a new one starts.
    :param cancel_patience: for a cancel that is throttled or does not get through, where there is time.
    """

    visible_within: float = VISIBLE_WITHIN
    visibility_grace: float = 300.0
    old_run: float = 600.0
    cancel_patience: float = 120.0


TIMING = Timing()
