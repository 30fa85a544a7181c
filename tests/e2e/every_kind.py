"""What the DAG files of the documentation's snippets import: a schedule by time and by an asset, for every DAG."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from airflow_provider_fabric.assets import fabric_asset

try:
    from airflow.sdk import DAG, AssetAny, task
    from airflow.timetables.assets import AssetOrTimeSchedule
    from airflow.timetables.interval import CronDataIntervalTimetable

    def schedule(own: list[Any]) -> Any:
        """Return the schedule: every day, and for each event of an asset."""
        return AssetOrTimeSchedule(timetable=CronDataIntervalTimetable("@daily", "UTC"), assets=AssetAny(*own, STARTER))
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.datasets import DatasetAny
    from airflow.decorators import task
    from airflow.timetables.datasets import DatasetOrTimeSchedule
    from airflow.timetables.interval import CronDataIntervalTimetable

    def schedule(own: list[Any]) -> Any:
        """Return the schedule: every day, and for each event of a dataset."""
        return DatasetOrTimeSchedule(
            timetable=CronDataIntervalTimetable("@daily", "UTC"), datasets=DatasetAny(*own, STARTER)
        )


TODAY = datetime.fromisoformat(os.environ["DAY_OF_THE_SNIPPETS"])
"""When the interval of the scheduled runs ended, which is a day."""

STARTER = fabric_asset("Sales", "Daily load")


def of_every_kind(name: str, dag_class: Callable[..., Any]) -> Callable[..., Any]:
    """Return what makes a DAG with our schedule in place of its own.

    :param name: goes before its id.
    """

    def make(dag_id: str, **given: Any) -> Any:
        own = [asset for asset in given.get("schedule") or [] if asset != STARTER]
        ours = {"schedule": schedule(own), "start_date": TODAY - timedelta(days=1), "catchup": True}
        more = {"params": {"stage": "test"}}  # the reader's DAG has what its templates name
        return dag_class(dag_id if dag_id == name else f"{name}.{dag_id}", **{**more, **given, **ours})

    return make


def in_order(dag: Any) -> None:
    """Run tasks one after the other, as they are written, where the snippet says nothing of their order."""
    tasks = list(dag.tasks)
    if not any(one.downstream_task_ids for one in tasks):
        for before, after in pairwise(tasks):
            before >> after


def as_task(function: Callable[..., Any], **arguments: Any) -> Any:
    """Call a function in a task, with a loop if it needs one."""

    @task(task_id=function.__name__)
    def call() -> str:
        answer = function(**arguments)
        return str(asyncio.run(answer) if inspect.iscoroutine(answer) else answer)

    return call()


__all__ = ["DAG", "STARTER", "as_task", "in_order", "of_every_kind"]
