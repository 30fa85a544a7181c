"""The ownership part of the chaos matrix: tasks that share an item, lost answers, clears and cancels.

A case has one item, and one or more DAG runs whose tasks run it, each with parameters of its own: by these the
service's log tells who started what. :mod:`.ownership_judge` says what is wrong with the end.
"""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.emulator.control.client import EmulatorControl
from devtools.airflow.metadata_db import TaskInstance
from devtools.airflow.stack import AirflowStack

PIPELINE = "Daily load"
CASE_SECONDS = 1200.0
AT_ONCE = 10
"""Cases that run at the same time."""

DAGS = Path(__file__).parent / "dags"
DAGS_PER_FILE = 10
"""A file is parsed whole for each death of a task and each changed DAG: few in each keep Airflow quick."""


@dataclass(frozen=True)
class Case:
    """One case.

    :param name: what goes wrong.
    :param mode: where the tasks wait.
    :param mapped: mapped tasks in the DAG; 0 for one task that is not mapped.
    :param dags: DAGs on the one item.
    :param runs: DAG runs of each.
    :param faults: faults of the emulator.
    :param rules: job rules of the item.
    :param operator: further arguments of the operator.
    :param retries: of the task.
    :param clock: seconds by which the clock of the first try's process is ahead.
    :param hold_at_end: the first try stops after the run's end, until it is killed.
    :param before: done before the DAG runs are started.
    :param start: starts the DAG runs, if not one after the other by request.
    :param accident: done once the DAG runs are started.
    :param red: whether tasks end as ``FabricJobMayBeRunning``: ``never``, ``perhaps`` or ``always``.
    :param started: runs that each task starts, at least and at most.
    :param cancels: whether a task's own run may be cancelled.
    :param attaches: whether a green task may have another's run, because its author said so.
    :param says: words that the tasks' logs must have.
    :param group: its row in the table.
    """

    name: str
    mode: str
    mapped: int = 0
    dags: int = 1
    runs: int = 1
    faults: tuple[dict[str, Any], ...] = ()
    rules: tuple[dict[str, Any], ...] = ({"duration_seconds": 8},)
    operator: dict[str, Any] = field(default_factory=dict)
    retries: int = 2
    clock: int = 0
    hold_at_end: bool = False
    daily: bool = False
    before: Callable[[CaseRun], None] | None = None
    start: Callable[[CaseRun], None] | None = None
    accident: Callable[[CaseRun], None] | None = None
    red: str = "never"
    started: tuple[int, int] = (1, 1)
    cancels: bool = False
    attaches: bool = False
    says: tuple[str, ...] = ()
    group: str = ""

    @property
    def id(self) -> str:
        """Begins the names of its DAGs."""
        words = "".join(c if c.isalnum() else " " for c in self.name).lower().split()
        return "-".join(["own", *words, self.mode[:4]])


@dataclass(frozen=True)
class Owner:
    """One task instance: the owner of the runs that were started with its name.

    :param name: what the ``owner`` parameter of its runs is.
    """

    name: str
    dag_id: str
    run_id: str
    ti: TaskInstance


@dataclass
class CaseRun:
    """One case in a running Airflow."""

    case: Case
    harness: Harness
    workspace_id: str
    item_id: str
    fault_ids: list[str] = field(default_factory=list)
    dag_runs: list[tuple[str, str]] = field(default_factory=list)
    strangers: set[str] = field(default_factory=set)
    story: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def airflow(self) -> AirflowStack:
        """The Airflow."""
        return self.harness.airflow

    @property
    def control(self) -> EmulatorControl:
        """The emulator's control."""
        return self.harness.emulator.control

    @property
    def dag_ids(self) -> list[str]:
        """Names of its DAGs."""
        return [f"{self.case.id}-{number}" for number in range(self.case.dags)]

    @property
    def sign(self) -> Path:
        """The file by which the task says that its run is over."""
        return self.harness.folder / f"{self.case.id}.held"

    def owners(self) -> list[Owner]:
        """Return all its task instances."""
        found = []
        for dag_id, run_id in self.dag_runs:
            for ti in self.airflow.task_instances(dag_id, run_id):
                name = f"{dag_id}/{ti.map_index if self.case.mapped else run_id}"
                found.append(Owner(name, dag_id, run_id, ti))
        return found

    def task(self) -> TaskInstance:
        """Return where the first task stands."""
        return self.owners()[0].ti

    def jobs(self) -> list[dict[str, Any]]:
        """Return all runs of its item."""
        return [job for job in self.harness.jobs() if job["itemId"] == self.item_id]

    def own_jobs(self) -> list[dict[str, Any]]:
        """Return the runs of its item that tasks started."""
        return [job for job in self.jobs() if job["id"] not in self.strangers]

    def say(self, text: str) -> None:
        """Remember what happened, for whoever reads a failure."""
        self.story.append(f"{time.strftime('%H:%M:%S')} {text}")

    def wait(self, predicate: Callable[[], Any], what: str, timeout: float = CASE_SECONDS, every: float = 0.5) -> Any:
        """Wait until something holds."""
        return self.airflow.wait_until(predicate, timeout, f"{self.case.id}: {what}", every)

    def done(self) -> bool:
        """Whether all its DAG runs have ended."""
        return all(self.airflow.run_state(*run) in ("success", "failed") for run in self.dag_runs)

    def fault_hit(self) -> bool:
        """Whether one of its faults has hit."""
        return any(fault["id"] in self.fault_ids and fault["hits"] for fault in self.control.faults())

    def published(self) -> bool:
        """Whether the first task's run is in XCom."""
        return "job_instance_id" in self.airflow.xcoms(*self.dag_runs[0], "run")

    def waiting(self) -> bool:
        """Whether all its tasks wait for their runs."""
        return all(o.ti.state in ("running", "deferred") for o in self.owners()) and bool(self.own_jobs())

    def held(self) -> bool:
        """Whether the task has stopped after the run's end."""
        return self.sign.exists()

    def start_job(self, invoke_type: str = "Manual") -> str:
        """Start a run that is no task's, and return its id."""
        id_ = self.control.start_job(self.item_id, "Execute", invoke_type=invoke_type)
        self.strangers.add(id_)
        self.say(f"somebody else started {id_}")
        return id_

    def change(self, **values: Any) -> None:
        """Be the author of its first DAG: change it, and wait until Airflow knows."""
        before = self._versions()
        if self.harness.write(self.dag_ids[0], values):
            self.wait(lambda: self._versions() != before, "Airflow has the changed DAG")
            time.sleep(2)
            self.say(f"the DAG was changed: {values}")

    def _versions(self) -> set[str]:
        rows = self.airflow.db.rows(
            "SELECT dag_hash FROM serialized_dag WHERE dag_id = :dag_id", dag_id=self.dag_ids[0]
        )
        return {row["dag_hash"] for row in rows}

    def run(self) -> None:
        """Start its DAG runs, let the accident happen, and wait for the end."""
        case, started = self.case, time.time()
        try:
            if case.before is not None:
                case.before(self)
            (case.start or start_by_request)(self)
            if case.accident is not None:
                case.accident(self)
            self.wait(self.done, "the end")
        except Exception as error:  # noqa: BLE001 - one case's trouble must not end the others
            self.wrong.append(f"{type(error).__name__}: {error}")
        self.seconds = time.time() - started


def start_by_request(case_run: CaseRun) -> None:
    """Start the DAG runs as a person does."""
    for dag_id in case_run.dag_ids:
        for _ in range(case_run.case.runs):
            with case_run.harness.person:
                case_run.dag_runs.append((dag_id, case_run.airflow.trigger(dag_id, timeout=300)))


class Harness:
    """One emulator and one Airflow in which cases run.

    :param cases: all of them.
    :param emulator: a running one.
    :param folder: the DAG folder.
    """

    def __init__(self, cases: Sequence[Case], emulator: FabricEmulator, folder: Path) -> None:
        self.emulator = emulator
        self.folder = folder
        self.person = threading.Lock()
        """Held for each call of Airflow's REST API: one person sits at the UI."""
        self.airflow: AirflowStack
        self._lock = threading.Lock()
        self._jobs: tuple[float, list[dict[str, Any]]] = (0.0, [])
        self.case_runs = [self._prepare(case) for case in cases]
        entries = [entry for one in self.case_runs for entry in self._dags(one)]
        self._files = [entries[start : start + DAGS_PER_FILE] for start in range(0, len(entries), DAGS_PER_FILE)]
        shutil.copy(DAGS / "hold_at_end.py", folder)
        for number in range(len(self._files)):
            self._store(number)

    def write(self, dag_id: str, values: dict[str, Any]) -> bool:
        """Change a DAG's data; return whether it is different now."""
        places = (
            (n, i) for n, file in enumerate(self._files) for i, entry in enumerate(file) if entry["dag_id"] == dag_id
        )
        number, index = next(places)
        with self._lock:
            entry = self._files[number][index]
            changed = {**entry, **values, "operator": {**entry["operator"], **values.get("operator", {})}}
            if changed == entry:
                return False
            self._files[number][index] = changed
            self._store(number)
            return True

    def _store(self, number: int) -> None:
        """Write one DAG file: its data first."""
        name = f"ownership_{number:02}"
        new = self.folder / f"{name}.new"
        new.write_text(json.dumps(self._files[number]))
        new.replace(self.folder / f"{name}.json")
        shutil.copy(DAGS / "ownership.py", self.folder / f"{name}.py")

    def _prepare(self, case: Case) -> CaseRun:
        control = self.emulator.control
        item = {"type": "DataPipeline", "displayName": PIPELINE}
        seeded = control.seed(workspaces=[{"displayName": case.id, "items": [item]}])["workspaces"][0]
        item_id = seeded["items"][0]["id"]
        for rule in case.rules:
            control.add_job_rule(item_id=item_id, **rule)
        placed = [{**fault, "path": fault["path"].format(workspace=seeded["id"])} for fault in case.faults]
        return CaseRun(case, self, seeded["id"], item_id, [control.add_fault(**fault) for fault in placed])

    @staticmethod
    def _dags(case_run: CaseRun) -> Iterator[dict[str, Any]]:
        case = case_run.case
        operator = {
            "workspace": case_run.workspace_id,
            "pipeline": PIPELINE,
            "deferrable": case.mode == "deferrable",
            "check_interval": 1.0,
            **case.operator,
        }
        same = {"operator": operator, "mapped": case.mapped, "retries": case.retries, "clock": case.clock}
        same |= {"hold": str(case_run.sign) if case.hold_at_end else "", "daily": case.daily, "description": "first"}
        for dag_id in case_run.dag_ids:
            yield {"dag_id": dag_id, **same}

    def jobs(self) -> list[dict[str, Any]]:
        """Return all runs, as of half a second ago at most."""
        with self._lock:
            if time.monotonic() - self._jobs[0] > 0.5:
                self._jobs = (time.monotonic(), self.emulator.control.jobs())
            return self._jobs[1]

    def forget(self) -> None:
        """Read the runs anew next time."""
        with self._lock:
            self._jobs = (0.0, [])

    def run(self, judge: Callable[[CaseRun], None]) -> None:
        """Run all cases, some at a time.

        :param judge: called after each.
        """

        def one(case_run: CaseRun) -> None:
            case_run.run()
            judge(case_run)

        with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
            list(pool.map(one, self.case_runs))
