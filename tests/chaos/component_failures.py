"""What goes wrong with a component that all tasks share, once every task of the wave waits for its run."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone

from devtools.airflow.metadata_db import moment
from devtools.airflow.processes import Component
from devtools.airflow.stack import AirflowStack
from tests.chaos.runner import CaseRun, Disturbance

WAIT_SECONDS = 600.0
SETTLE_SECONDS = 5.0
TAKE_OVER_SECONDS = 120.0
RESUME_SECONDS = 75.0
"""Seconds that Airflow gets to find out what its dead scheduler had been running."""

DEAD_AFTER = 12
"""Seconds without a heartbeat after which Airflow takes a triggerer for dead."""

TRIGGERERS = ("triggerer-1", "triggerer-2")

SETTINGS = {
    "AIRFLOW__CORE__PARALLELISM": "12",
    # 3.x looks tokens up synchronously on the API server's event loop: a pool that is used up stops it for 30 s.
    "AIRFLOW__DATABASE__SQL_ALCHEMY_POOL_SIZE": "40",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_MAX_OVERFLOW": "40",
    "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "2",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "20",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": str(DEAD_AFTER),
    # Airflow 3
    "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
    "AIRFLOW__WORKERS__MAX_FAILED_HEARTBEATS": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "2",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    # Airflow 2
    "AIRFLOW__SCHEDULER__LOCAL_TASK_JOB_HEARTBEAT_SEC": "2",
    "AIRFLOW__SCHEDULER__SCHEDULER_ZOMBIE_TASK_THRESHOLD": "60",
    "AIRFLOW__SCHEDULER__ZOMBIE_DETECTION_INTERVAL": "20",
}
"""Airflow's own, so that it notices within seconds what takes it minutes by default."""

CLOCK_ZONES = {"scheduler": "Asia/Tokyo", "triggerer-1": "America/Los_Angeles", "triggerer-2": "Asia/Kolkata"}
SERVICE_AHEAD = 95.0
"""Seconds by which the service's clock is ahead of ours."""


def all_wait(airflow: AirflowStack, case_runs: Sequence[CaseRun]) -> None:
    """Wait until every task waits for its run."""
    airflow.wait_until(lambda: all(s.run_id and s.waiting() for s in case_runs), WAIT_SECONDS, "all tasks wait", 0.5)
    time.sleep(2)


def live_triggerers(airflow: AirflowStack) -> set[int]:
    """Return the ids of the triggerer jobs that Airflow takes for alive."""
    rows = airflow.db.rows("SELECT id, latest_heartbeat FROM job WHERE job_type = 'TriggererJob' AND end_date IS NULL")
    oldest = datetime.now(timezone.utc) - timedelta(seconds=DEAD_AFTER)
    return {row["id"] for row in rows if (moment(row["latest_heartbeat"]) or oldest) > oldest}


def holders(airflow: AirflowStack) -> set[int | None]:
    """Return the ids of the triggerer jobs that hold triggers; ``None`` stands for triggers nobody holds."""
    return {row["triggerer_id"] for row in airflow.db.rows("SELECT DISTINCT triggerer_id FROM trigger")}


def _one_after_the_other(airflow: AirflowStack, case_runs: Sequence[CaseRun], end: Callable[[Component], None]) -> None:
    """End each triggerer in turn, so that every trigger loses its own once and is taken over by the other."""
    all_wait(airflow, case_runs)
    for name in TRIGGERERS:
        airflow.wait_until(lambda: len(live_triggerers(airflow)) == 2, WAIT_SECONDS, "both triggerers live", 0.5)
        end(airflow.component(name))

        def taken_over() -> bool:
            live = live_triggerers(airflow)
            return len(live) == 1 and holders(airflow) <= live

        airflow.wait_until(taken_over, TAKE_OVER_SECONDS, f"triggers of {name} taken over", 0.5)
        time.sleep(SETTLE_SECONDS)
        airflow.component(name).start()


def kill_triggerers(airflow: AirflowStack, case_runs: Sequence[CaseRun]) -> None:
    """SIGKILL both triggerers, one after the other."""
    _one_after_the_other(airflow, case_runs, lambda triggerer: triggerer.kill())


def stop_triggerers(airflow: AirflowStack, case_runs: Sequence[CaseRun]) -> None:
    """SIGTERM both triggerers, one after the other."""
    _one_after_the_other(airflow, case_runs, lambda triggerer: triggerer.stop())


def restart_triggerers(airflow: AirflowStack, case_runs: Sequence[CaseRun]) -> None:
    """SIGTERM both triggerers at once, and start them again: a deployment."""
    all_wait(airflow, case_runs)
    for name in TRIGGERERS:
        airflow.component(name).terminate()
    for name in TRIGGERERS:
        airflow.component(name).restart()
    airflow.wait_until(lambda: len(live_triggerers(airflow)) >= 2, WAIT_SECONDS, "both triggerers live", 0.5)
    time.sleep(SETTLE_SECONDS)


def kill_scheduler(airflow: AirflowStack, case_runs: Sequence[CaseRun]) -> None:
    """SIGKILL the scheduler with its executor and all workers, and start it again."""
    all_wait(airflow, case_runs)
    scheduler = airflow.component("scheduler")
    scheduler.kill()
    time.sleep(3)
    scheduler.start()
    time.sleep(RESUME_SECONDS)


WAVES: dict[str, Disturbance | None] = {
    "each its own": None,
    "triggerer killed -9": kill_triggerers,
    "triggerer stopped politely": stop_triggerers,
    "both triggerers restarted": restart_triggerers,
    "scheduler killed -9": kill_scheduler,
}
