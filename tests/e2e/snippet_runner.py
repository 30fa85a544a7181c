"""Run DAG files in one process, each DAG in each kind of run, against an Airflow database of one's own.

::

    python tests/e2e/snippet_runner.py FOLDER name…

runs ``FOLDER/name/name.py``, and prints after each DAG run a line of JSON: what became of its tasks.

``dag.test()`` runs the tasks: the same task runner, and the triggers in line. It always makes a run as a person starts
it, so it is given the run that the scheduler would have made: of an interval that is over, or of an asset's event.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from every_kind import STARTER, TODAY
from sqlalchemy import select

KINDS = ("scheduled", "manual", "asset-triggered")
RESULT = "RUN OF A SNIPPET: "

PAYLOAD = {
    "workspace": "Sales",
    "item": "Daily load",
    "outcome": "completed",
    "status": "Completed",
    "job_instance_id": "5fc01710-f200-420a-b550-8ff722a70e98",
    "end_time_utc": "2026-01-01T04:00:00+00:00",
    "rows": {"read": 30, "written": 30},
}
"""What a task tells of its run in an event of the asset; tests/e2e/test_example_dags.py sees real ones."""

try:
    import airflow.models.dagrun as maker
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.types import DagRunTriggeredByType, DagRunType

    MAKER = "get_or_create_dagrun"
except ImportError:  # Airflow 2
    import airflow.models.dag as maker
    from airflow.models.dataset import DatasetEvent, DatasetModel
    from airflow.utils.types import DagRunType

    MAKER = "_get_or_create_dagrun"
    AssetEvent = None


def make_run_3(kind: str, given: dict[str, Any]) -> Any:
    """Make a run as Airflow 3 does."""
    interval, now = (TODAY - timedelta(days=1), TODAY), datetime.now(timezone.utc)
    run_type = {"scheduled": DagRunType.SCHEDULED, "manual": DagRunType.MANUAL}.get(kind, DagRunType.ASSET_TRIGGERED)
    by = {"scheduled": DagRunTriggeredByType.TIMETABLE, "manual": DagRunTriggeredByType.REST_API}
    scheduled = kind == "scheduled"
    dag, session = given["dag"], given["session"]
    run = dag.create_dagrun(
        run_id=f"{run_type.value}__{now.isoformat()}",
        logical_date=interval[0] if scheduled else None,
        data_interval=interval if scheduled else None,
        run_after=interval[1] if scheduled else now,
        run_type=run_type,
        state="running",
        triggered_by=by.get(kind, DagRunTriggeredByType.ASSET),
        start_date=now,
        session=session,
    )
    if kind == "asset-triggered":
        asset = session.scalar(select(AssetModel).where(AssetModel.uri == STARTER.uri))
        event = AssetEvent(asset_id=asset.id, extra=PAYLOAD, source_dag_id="load", source_task_id="load")
        run.consumed_asset_events.append(event)
    session.commit()
    return run


def make_run_2(kind: str, given: dict[str, Any]) -> Any:
    """Make a run as Airflow 2 does, where every run has a logical date."""
    interval, now = (TODAY - timedelta(days=1), TODAY), datetime.now(timezone.utc)
    run_type = {"scheduled": DagRunType.SCHEDULED, "manual": DagRunType.MANUAL}.get(kind, DagRunType.DATASET_TRIGGERED)
    dag, session = given["dag"], given["session"]
    date = interval[0] if kind == "scheduled" else now
    more = {"triggered_by": given["triggered_by"]} if "triggered_by" in given else {}
    run = dag.create_dagrun(
        run_type=run_type,
        run_id=f"{run_type.value}__{date.isoformat()}",
        execution_date=date,
        data_interval=interval if kind == "scheduled" else (now, now),
        state="running",
        start_date=now,
        session=session,
        **more,
    )
    if kind == "asset-triggered":
        dataset = session.scalar(select(DatasetModel).where(DatasetModel.uri == STARTER.uri))
        if dataset is None:
            dataset = DatasetModel(uri=STARTER.uri)
            session.add(dataset)
            session.flush()
        event = DatasetEvent(dataset_id=dataset.id, extra=PAYLOAD, source_dag_id="load", source_task_id="load")
        run.consumed_dataset_events.append(event)
    session.commit()
    return run


def run_of(kind: str) -> Callable[..., Any]:
    """Return what stands for Airflow's own function, which makes the run for ``dag.test()``."""

    def make(**given: Any) -> Any:
        return (make_run_3 if AssetEvent is not None else make_run_2)(kind, given)

    return make


def dags_of(path: Path) -> list[Any]:
    """Return the DAGs that a file makes, also those that it keeps no name of."""
    try:
        from airflow.dag_processing.dagbag import DagBag
    except ImportError:  # before 3.3
        from airflow.models.dagbag import DagBag
    bag = DagBag(dag_folder=str(path))
    if bag.import_errors:
        raise RuntimeError("\n".join(bag.import_errors.values()))
    return [dag for _, dag in sorted(bag.dags.items())]  # in a file of two, the first prepares the second


def keep_api_server() -> None:
    """Make the app of Airflow's task API once, as 3.3 does; before, every task start pays seconds for one."""
    try:
        from airflow.sdk.execution_time import supervisor
    except ImportError:  # Airflow 2
        return
    supervisor.in_process_api_server = cache(supervisor.in_process_api_server)


def main(folder: Path, names: list[str]) -> None:
    """Run the files of these names."""
    keep_api_server()
    for name in names:
        dags = dags_of(folder / name / f"{name}.py")
        if not dags:  # assets are watched since Airflow 3
            print(
                RESULT
                + json.dumps({"name": name, **dict.fromkeys(("dag_id", "kind", "type", "state"), ""), "tasks": []})
            )
        for dag in dags:
            for kind in KINDS:
                setattr(maker, MAKER, run_of(kind))
                run = dag.test()
                tasks = [[task.task_id, task.map_index, str(task.state)] for task in run.get_task_instances()]
                answer = {"name": name, "dag_id": dag.dag_id, "kind": kind, "type": str(run.run_type)}
                print(RESULT + json.dumps({**answer, "state": str(run.state), "tasks": tasks}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
