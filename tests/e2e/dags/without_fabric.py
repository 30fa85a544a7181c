"""A DAG without Fabric: one task that waits in the triggerer, one in a worker. It tests the harness itself."""

from __future__ import annotations

from datetime import timedelta

try:  # Airflow 3
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.providers.standard.sensors.time_delta import TimeDeltaSensor
    from airflow.sdk import DAG

    DEFERRABLE = {"deferrable": True}
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.operators.bash import BashOperator
    from airflow.sensors.time_delta import TimeDeltaSensorAsync as TimeDeltaSensor

    DEFERRABLE = {}

with DAG("without_fabric", schedule=None, catchup=False):
    # The delta counts from the run's logical time; it must outlast the scheduler's first moves to be deferred at all.
    wait = TimeDeltaSensor(task_id="wait", delta=timedelta(seconds=10), **DEFERRABLE)
    wait >> BashOperator(task_id="work", bash_command="echo worked; sleep {{ dag_run.conf.get('seconds', 0) }}")
