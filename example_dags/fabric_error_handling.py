"""What to do next depends on why a pipeline failed: a branch on the error code of its failed activity.

The operator leaves the failed activities in the XCom ``failed_activities``, so the branch asks nothing of Fabric. A
missing file is made up for, a busy source is tried again later by Airflow's own retries, and anything else fails the
DAG run and goes to a person.

It needs a connection ``fabric_default``, the workspace "Emulator workspace" and in it the pipeline "Partner load".
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.decorators import task

from airflow_provider_fabric.operators import FabricRunPipelineOperator

WORKSPACE = "Emulator workspace"

#: Error code of an activity -> the task that deals with it.
REMEDIES = {"UserErrorFileNotFound": "use_yesterdays_file", "2100": "use_yesterdays_file"}


def next_task(completed: bool, failed_activities: list[dict]) -> str:
    """Return the task that comes after the pipeline: the last failed activity decides."""
    if completed:
        return "go_on"
    codes = [activity.get("error_code") for activity in failed_activities]
    return next((REMEDIES[code] for code in reversed(codes) if code in REMEDIES), "ask_a_person")


with DAG(
    dag_id="fabric_error_handling",
    description=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    tags=["fabric", "example"],
) as dag:
    run_pipeline = FabricRunPipelineOperator(
        task_id="run_pipeline",
        workspace=WORKSPACE,
        pipeline="Partner load",
        retries=0,  # a run that failed is not started again before its error is known
        retry_delay=timedelta(minutes=5),
        check_interval=2,
    )

    @task.branch(trigger_rule="all_done")
    def decide(ti=None) -> str:
        """Choose by what the pipeline's task left behind."""
        result = ti.xcom_pull(task_ids="run_pipeline")
        failed = ti.xcom_pull(task_ids="run_pipeline", key="failed_activities")
        return next_task(bool(result and result["status"] == "Completed"), failed or [])

    @task
    def go_on() -> str:
        """Stand for the rest of the DAG."""
        return "loaded"

    @task
    def use_yesterdays_file() -> str:
        """Stand for what makes up for the missing file."""
        return "loaded from yesterday's file"

    @task
    def ask_a_person() -> None:
        """Fail, so that the run is red and its callbacks are called."""
        raise RuntimeError("The pipeline failed for a reason that nobody has planned for: see the task run_pipeline.")

    run_pipeline >> decide() >> [go_on(), use_yesterdays_file(), ask_a_person()]
