"""Every other example DAG under a real scheduler and triggerer: all tasks end well and do what is promised."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from devtools.airflow.stack import AirflowStack
from tests.e2e.receivers import Receivers
from tests.e2e.snippet_tenant import seed_examples

pytestmark = [pytest.mark.e2e, pytest.mark.examples]

EXPECTED_STATES = {
    "fabric_alerts": {"run_pipeline": "failed"},
    "fabric_daily_sales": {"load.quick": "skipped"},
    "fabric_error_handling": {"run_pipeline": "failed", "go_on": "skipped", "ask_a_person": "skipped"},
    "fabric_notebook": {"nothing_new": "skipped"},
}
"""Tasks of an example that do not succeed, and should not."""

TOGETHER = 2
"""DAGs that are played at the same time. With all at once a task start takes a small machine so long that Airflow fails
tasks which were deferred and resumed before it had heard the end of their first part."""

WATCHES_ASSETS = find_spec("airflow.sdk") is not None


class Played:
    """The run of one DAG.

    :param state: what became of it.
    """

    def __init__(self, airflow: AirflowStack, dag_id: str, run_id: str, state: str) -> None:
        self.state = state
        self.tasks = airflow.task_instances(dag_id, run_id)
        self.troubles = [
            f"{task.task_id} [{task.map_index}], try {task.try_number}: {task.state}\n"
            + airflow.task_log(dag_id, run_id, task.task_id, max(1, task.try_number), task.map_index)[-3000:]
            for task in self.tasks
            if task.state != EXPECTED_STATES.get(dag_id, {}).get(task.task_id, "success")
            or (airflow.dialect.counts_tries and task.state != "skipped" and task.try_number != 1)
        ]
        self._xcoms = lambda task, index: airflow.xcoms(dag_id, run_id, task, index)

    def __getitem__(self, task: str) -> Any:
        """Return what a task returned."""
        return self.xcom(task, "return_value")

    def xcom(self, task: str, key: str, index: int = -1) -> Any:
        """Return what a task pushed."""
        return self._xcoms(task, index)[key]

    def completed(self, *tasks: str) -> bool:
        """Whether the Fabric runs of these tasks completed."""
        return {self[task]["status"] for task in tasks} == {"Completed"}


def _other_items(run: Played) -> bool:
    return run.completed("refresh_model", "run_dbt_job", "run_any_item") and run["call_function"] is not None


def _mapped(run: Played) -> bool:
    return len({run.xcom("run", "job_instance_id", index) for index in range(3)}) == 3


def _deployed(run: Played) -> set[str]:
    """Return the names of what a folder's deploy brought."""
    return {item["display_name"] for item in run["deploy"]["items"]}


PROMISES: dict[str, Callable[[Played], bool]] = {
    "fabric_alerts": lambda run: run["keep_record"] == "Partner load: failed",
    "fabric_assets": lambda run: run.xcom("load", "fabric_run")["rows"] == {"read": 30, "written": 30},
    "fabric_attach_and_retry": lambda run: (
        run["run_or_attach"]["job_instance_id"] == run.xcom("start_pipeline", "job_instance_id")
    ),
    "fabric_daily_sales": lambda run: (
        run["summarize"]["regions"] == ["Completed", "Completed"]
        and run["summarize"]["export"] == run["wait_for_any_export"]["job_instance_id"]
        and run.completed("ingest.copy_orders", "ingest.refresh_customers", "load.full", "clean_up")
    ),
    "fabric_data_integration": lambda run: run.completed("copy_shop_database", "copy_partner_files"),
    "fabric_error_handling": lambda run: (
        run["use_yesterdays_file"] == "loaded from yesterday's file"
        and run.xcom("run_pipeline", "failed_activities")[0]["error_code"] == "UserErrorFileNotFound"
    ),
    "fabric_events_load": lambda run: run.completed("run_pipeline"),
    "fabric_hook_taskflow": lambda run: run.completed("run") and "From a task" in run["names"],
    "fabric_mapped": _mapped,
    "fabric_monitoring": lambda run: run.completed("run_pipeline") and run["compare_duration"] == 0.0,
    "fabric_notebook": lambda run: run.completed("run_notebook") and run["report"] == "20 rows of EU",
    "fabric_other_items": _other_items,
    "fabric_parameters": lambda run: run.completed("run_pipeline", "refresh_dataflow"),
    "fabric_deploy_folder": lambda run: run.completed("run") and {"Nightly", "Clean orders"} <= _deployed(run),
    "fabric_rest": lambda run: (
        "Called by REST" in run["list_pipelines"]
        and "pipeline-content.json" in run["read_definition"]
        and run["describe"]["description"] == "Described by Airflow"
    ),
    "fabric_scheduling": lambda run: {run["schedule"], run["move"], run["switch_off"]} <= {"made", "changed"},
    "fabric_sensors": lambda run: (
        run["wait_for_this_run"]["job_instance_id"] == run["start_elsewhere"]["job_instance_id"]
        and run["wait_for_any_run"]["job_instance_id"] == run["start_elsewhere"]["job_instance_id"]
    ),
    "fabric_spark_and_lakehouse": lambda run: all(
        run[task.task_id]["status"] == "Completed" for task in run.tasks if not task.task_id.startswith("deploy")
    ),
}
"""What is to be seen of each DAG, besides that all its tasks succeed; others have files of their own."""

if not WATCHES_ASSETS:
    del PROMISES["fabric_events_load"]


@pytest.fixture(scope="module")
def played(airflow_stack: AirflowStack, emulator: FabricEmulator) -> dict[str, Played]:
    """All DAGs, :data:`TOGETHER` at a time."""
    seed_examples(emulator, attached_seconds=45)

    def play(dag_id: str) -> Played:
        run_id = airflow_stack.trigger(dag_id, timeout=120)
        return Played(airflow_stack, dag_id, run_id, airflow_stack.wait_for_run(dag_id, run_id, timeout=300))

    with ThreadPoolExecutor(TOGETHER) as stage:
        return dict(zip(PROMISES, stage.map(play, PROMISES), strict=True))


def test_every_example_is_played():
    files = {path.stem for path in (Path(__file__).parents[2] / "example_dags").glob("*.py")}
    played = {dag_id.removesuffix("_load") for dag_id in PROMISES}
    assert files == played | {"fabric_data_factory", "fabric_events", "fabric_full_day"}


@pytest.mark.parametrize("dag_id", PROMISES)
def test_every_task_succeeds(played: dict[str, Played], dag_id: str):
    run = played[dag_id]
    assert not run.troubles, "\n".join(run.troubles)
    assert run.state == "success"


@pytest.mark.parametrize("dag_id", PROMISES)
def test_it_does_what_it_promises(played: dict[str, Played], dag_id: str):
    assert PROMISES[dag_id](played[dag_id])


@pytest.mark.skipif(not WATCHES_ASSETS, reason="Airflow 2 watches no assets")
def test_fabric_starts_a_dag(played: dict[str, Played], airflow_stack: AirflowStack):
    """The end of the pipeline's run, which Fabric tells, starts the reporting DAG."""
    started = played["fabric_events_load"]["run_pipeline"]["job_instance_id"]
    dag_id = "fabric_events_report"

    def reported() -> list[str]:
        statement = "SELECT run_id FROM dag_run WHERE dag_id = :dag_id AND state = 'success'"
        runs = [row["run_id"] for row in airflow_stack.db.rows(statement, dag_id=dag_id)]
        return [job for run in runs for job in airflow_stack.xcoms(dag_id, run, "report")["return_value"]]

    airflow_stack.wait_until(lambda: started in reported(), 120, "Fabric's word starts the report", every=1)
    assert reported().count(started) == 1


@pytest.mark.skipif(not WATCHES_ASSETS, reason="Airflow 2 watches no assets")
def test_the_report_reads_the_event_that_started_it(
    played: dict[str, Played], airflow_stack: AirflowStack, emulator: FabricEmulator
):
    loads = {played["fabric_daily_sales"]["load.full"]["job_instance_id"]}
    loads |= {played["fabric_daily_sales"].xcom("load.by_region", "job_instance_id", index) for index in range(2)}

    def reported() -> set[str]:
        bodies = [request["body"] for request in emulator.control.request_log() if request["method"] == "POST"]
        given = [
            ((body or {}).get("executionData") or {}).get("parameters") for body in bodies if isinstance(body, dict)
        ]
        return {
            str(parameters["loaded_by"])
            for parameters in given
            if isinstance(parameters, dict) and "loaded_by" in parameters
        }

    airflow_stack.wait_until(lambda: loads & reported(), 180, "an event of the load starts the report", every=2)
    assert reported() <= loads


def test_an_assets_event_tells_the_next_dag_of_the_run(played: dict[str, Played], airflow_stack: AirflowStack):
    load = played["fabric_assets"].xcom("load", "fabric_run")
    dag_id = "fabric_assets_model"

    def read() -> list[dict[str, Any]]:
        statement = "SELECT run_id FROM dag_run WHERE dag_id = :dag_id AND state = 'success'"
        runs = [row["run_id"] for row in airflow_stack.db.rows(statement, dag_id=dag_id)]
        return [loaded for run in runs for loaded in airflow_stack.xcoms(dag_id, run, "loaded_by")["return_value"]]

    airflow_stack.wait_until(lambda: bool(read()), 120, "the lakehouse's event starts the refresh", every=1)
    assert read() == [{key: load[key] for key in ("item", "job_instance_id", "end_time_utc", "rows")}]


def test_callbacks_tell_people_of_the_run(played: dict[str, Played], airflow_stack: AirflowStack, receivers: Receivers):
    """What a real callback of a real failed task has read from its XCom."""
    run = played["fabric_alerts"].xcom("run_pipeline", "fabric_run")
    reason = "Failed activity 'Copy prices' (Copy): UserErrorFileNotFound: prices.csv is not there"
    airflow_stack.wait_until(lambda: len(receivers.posts) == 2 and len(receivers.mails) == 1, 60, "all alerts arrive")
    posts = dict(receivers.posts)
    slack = posts["/slack"]["text"]
    assert slack.startswith("fabric_alerts.run_pipeline: DataPipeline 'Partner load' in workspace 'Emulator workspace'")
    assert slack.splitlines()[-2:] == [reason, f"Run: {run['run_url']}"]
    card = posts["/teams"]["attachments"][0]["content"]
    assert [block["text"] for block in card["body"]] == slack.splitlines()
    assert card["actions"][0]["url"] == run["run_url"]
    assert receivers.mails[0]["Subject"] == slack.splitlines()[0]
    assert reason in receivers.mails[0].get_content()


OURS = re.compile(r"airflow_provider_fabric|Fabric\w*(Operator|Sensor|Trigger|Hook|Link|Error)")
LEVEL = re.compile(r"\b(WARNING|ERROR|CRITICAL)\b", re.IGNORECASE)


def test_no_log_has_a_warning_from_our_classes(played: dict[str, Played], airflow_stack: AirflowStack):
    """Neither what we log as one, nor what Airflow says of our classes. Tasks that are to fail may say why."""
    to_fail = {f"dag_id={dag_id}/*/task_id={task}" for dag_id, tasks in EXPECTED_STATES.items() for task in tasks}
    found: list[str] = []
    files = [path for dag_id in PROMISES for path in (airflow_stack.logs / f"dag_id={dag_id}").rglob("*.log*")]
    for path in files:
        if any(path.parent.match(f"*/{pattern}") for pattern in to_fail):
            continue
        found += [f"{path.parent.name}: {line}" for line in warnings_of_ours(path)]
    assert len(files) > 60
    assert not found, "\n".join(found)


def warnings_of_ours(path: Path) -> list[str]:
    """Return the lines of a log that warn, by us or about us."""
    lines = []
    for line in path.read_text(errors="replace").splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            warns = LEVEL.search(line[:200])
        else:
            warns = LEVEL.search(str(record.get("level"))) if isinstance(record, dict) else None
        if warns and OURS.search(line):
            lines.append(line[:500])
    return lines


@pytest.mark.parametrize(
    "line",
    [
        '{"level":"warning","logger":"airflow.task.operators.airflow_provider_fabric.sensors.job","event":"x"}',
        '{"level":"warning","event":"FabricItemJobSensor.execute cannot be called outside of the Task Runner!"}',
        "[2026-11-26T19:00:00.000+0000] {baseoperator.py:421} WARNING - FabricItemJobSensor.execute cannot be called",
        "[2026-11-26T19:00:00.000+0000] {job.py:42} WARNING - airflow.task.operators.airflow_provider_fabric.x: late",
    ],
)
def test_a_warning_would_be_found(tmp_path: Path, line: str):
    (tmp_path / "log").write_text(f"{line}\n{line.replace('warning', 'info').replace('WARNING', 'INFO')}\n")
    assert warnings_of_ours(tmp_path / "log") == [line]
