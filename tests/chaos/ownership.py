"""The ownership part of the chaos matrix: tasks that share an item, lost answers, clears and cancels; and its judge.

Every green task must have a completed run of its own, started with its own parameters. What is red by design says
``FabricJobMayBeRunning``. No run is started twice for one task, and nobody else's is cancelled.
"""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow_provider_fabric.emulator import FabricEmulator
from devtools.airflow.metadata_db import TaskInstance
from devtools.airflow.rest import as_a_person
from devtools.airflow.stack import AirflowStack

PIPELINE = "Daily load"
MODES = ("synchronous", "deferrable")
CASE_SECONDS = 900.0

SUBMIT = {"method": "POST", "path": "*/workspaces/{workspace}/items/*/jobs/*instances*", "count": 1}
CANCEL = {"method": "POST", "path": "*/workspaces/{workspace}/*/cancel"}
FAULTS: dict[str, dict[str, Any]] = {
    "503 before": {**SUBMIT, "action": "status", "status": 503, "phase": "before"},
    "503 after": {**SUBMIT, "action": "status", "status": 503, "phase": "after"},
    "dropped after": {**SUBMIT, "action": "drop", "phase": "after"},
    "timeout": {**SUBMIT, "action": "delay", "phase": "after", "delay_seconds": 40},
}


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
    :param accident: done once the DAG runs are triggered.
    :param may_be_red: whether tasks may end as ``FabricJobMayBeRunning``.
    :param runs_per_owner: runs each task starts at most: more than one after a failure or a clear.
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
    accident: Callable[[Play], None] | None = None
    may_be_red: bool = False
    runs_per_owner: int = 1

    @property
    def id(self) -> str:
        """Begins the names of its DAGs."""
        return "-".join(["own", *"".join(c if c.isalnum() else " " for c in self.name).lower().split(), self.mode[:4]])


@dataclass
class Play:
    """One case being played."""

    case: Case
    stage: Stage
    workspace_id: str
    item_id: str
    runs: list[tuple[str, str]] = field(default_factory=list)
    strangers: set[str] = field(default_factory=set)

    @property
    def dag_ids(self) -> list[str]:
        """Names of its DAGs."""
        return [f"{self.case.id}-{number}" for number in range(self.case.dags)]

    def tasks(self) -> list[tuple[str, TaskInstance]]:
        """Return the owner's name of each task instance, and where it stands."""
        found = []
        for dag_id, run_id in self.runs:
            for ti in self.stage.airflow.task_instances(dag_id, run_id):
                found.append((f"{dag_id}/{ti.map_index if self.case.mapped else run_id}", ti))
        return found

    def done(self) -> bool:
        """Whether all its DAG runs have ended."""
        airflow = self.stage.airflow
        return all(airflow.run_state(*run) in ("success", "failed") for run in self.runs)

    def wait(self, predicate: Callable[[], Any], what: str) -> None:
        """Wait until something holds."""
        self.stage.airflow.wait_until(predicate, CASE_SECONDS, f"{self.case.id}: {what}", 0.5)

    def jobs(self) -> list[dict[str, Any]]:
        """Return all runs of its item."""
        return [job for job in self.stage.emulator.control.jobs() if job["itemId"] == self.item_id]

    def complaints(self) -> list[str]:
        """Return what is wrong with the end."""
        jobs, owner_of = {job["id"]: job for job in self.jobs()}, self.stage.owners()
        wrong = [f"stuck: {run}" for run in self.runs if not self.done()]
        taken = Counter[str]()
        for owner, ti in self.tasks():
            wrong += self._complaints_about(owner, ti, jobs, owner_of, taken)
        wrong += [f"{count} green tasks share {id_}" for id_, count in taken.items() if count > 1]
        started = Counter(owner_of.get(id_, "nobody") for id_ in jobs if id_ not in self.strangers)
        wrong += [f"{owner} started {n} runs" for owner, n in started.items() if n > self.case.runs_per_owner]
        wrong += [f"cancelled a stranger's {id_}" for id_ in self.strangers if jobs[id_]["cancel_requests"]]
        return wrong

    def _complaints_about(
        self,
        owner: str,
        ti: TaskInstance,
        jobs: dict[str, dict[str, Any]],
        owner_of: dict[str, str],
        taken: Counter[str],
    ) -> list[str]:
        dag_id, run_id = next(
            run for run in self.runs if owner.startswith(run[0]) and (self.case.mapped or run[1] in owner)
        )
        if ti.state == "success":
            published = self.stage.airflow.xcoms(dag_id, run_id, "run", ti.map_index).get("job_instance_id")
            taken[str(published)] += 1
            job = jobs.get(str(published))
            if job is None or job["status"] != "Completed":
                return [f"{owner} is green without a completed run: {job}"]
            return (
                []
                if owner_of.get(job["id"]) == owner
                else [f"{owner} is green with the run of {owner_of.get(job['id'])}"]
            )
        log = self.stage.airflow.task_log(dag_id, run_id, "run", ti.try_number, ti.map_index)
        if ti.state == "failed" and self.case.may_be_red and "FabricJobMayBeRunning" in log:
            return []
        return [f"{owner} is {ti.state}:\n{log[-3000:]}"]


class Stage:
    """One emulator and one Airflow in which cases are played.

    :param cases: all of them.
    :param emulator: a running one.
    :param folder: the DAG folder.
    """

    def __init__(self, cases: Sequence[Case], emulator: FabricEmulator, folder: Path) -> None:
        self.emulator = emulator
        self.folder = folder
        self.plays = [self._prepare(case) for case in cases]
        self.airflow: AirflowStack
        shutil.copy(Path(__file__).parent / "dags" / "ownership.py", folder / "ownership.py")
        self._entries = {entry["dag_id"]: entry for play in self.plays for entry in self._dags(play)}
        self.write()

    def write(self, **changes: dict[str, Any]) -> None:
        """Write the DAGs' data.

        :param changes: by a DAG's name, with ``_`` for ``-``: what is different now.
        """
        for dag_id, entry in self._entries.items():
            entry.update(changes.get(dag_id.replace("-", "_"), {}))
        (self.folder / "ownership.json").write_text(json.dumps(list(self._entries.values())))
        (self.folder / "ownership.py").touch()

    def _prepare(self, case: Case) -> Play:
        control = self.emulator.control
        item = {"type": "DataPipeline", "displayName": PIPELINE}
        seeded = control.seed(workspaces=[{"displayName": case.id, "items": [item]}])["workspaces"][0]
        item_id = seeded["items"][0]["id"]
        for rule in case.rules:
            control.add_job_rule(item_id=item_id, **rule)
        for fault in case.faults:
            control.add_fault(**{**fault, "path": fault["path"].format(workspace=seeded["id"])})
        return Play(case, self, seeded["id"], item_id)

    @staticmethod
    def _dags(play: Play) -> Iterator[dict[str, Any]]:
        case = play.case
        for dag_id in play.dag_ids:
            operator = {
                "workspace": play.workspace_id,
                "pipeline": PIPELINE,
                "deferrable": case.mode == "deferrable",
                "check_interval": 1.0,
                **case.operator,
            }
            yield {"dag_id": dag_id, "operator": operator, "mapped": case.mapped, "retries": case.retries}

    def owners(self) -> dict[str, str]:
        """Return which task's parameters each run was started with, by the requests that the service got."""
        found = {}
        for entry in self.emulator.control.request_log():
            body = entry["body"] if isinstance(entry["body"], dict) else {}
            parameters = (body.get("executionData") or {}).get("parameters") or {}
            if entry["job_instance_id"] and "owner" in parameters:
                found[entry["job_instance_id"]] = parameters["owner"]
        return found

    def play(self) -> None:
        """Trigger all, let the accidents happen, and wait for the end."""
        for play in self.plays:
            for dag_id in play.dag_ids:
                play.runs += [(dag_id, self.airflow.trigger(dag_id, timeout=300)) for _ in range(play.case.runs)]
        for play in self.plays:
            if play.case.accident is not None:
                play.case.accident(play)
        for play in self.plays:
            play.wait(play.done, "the end")


# Accidents.


def clear_with_retries(retries: int) -> Callable[[Play], None]:
    """Return what clears a task that has succeeded, after its author changed ``retries``."""

    def accident(play: Play) -> None:
        play.wait(play.done, "the first end")
        time.sleep(1)
        play.stage.write(**{play.dag_ids[0].replace("-", "_"): {"retries": retries}})
        time.sleep(25)  # until Airflow has parsed it
        as_a_person(lambda: play.stage.airflow.clear(*play.runs[0]), done=lambda: False)
        play.wait(lambda: len(play.jobs()) > 1 or not play.done(), "the task runs again")
        time.sleep(3)

    return accident


def _waits(play: Play) -> bool:
    return all(ti.state in ("running", "deferred") for _, ti in play.tasks()) and bool(play.jobs())


def clear_while_it_runs(play: Play) -> None:
    """Clear a task whose run goes on."""
    play.wait(lambda: _waits(play), "the task waits")
    time.sleep(5)
    as_a_person(lambda: play.stage.airflow.clear(*play.runs[0]), done=lambda: False)
    time.sleep(3)


def _cases() -> Iterator[Case]:
    for mode in MODES:
        for fault, what in FAULTS.items():
            known: dict[str, Any] = {"mode": mode, "faults": (what,), "may_be_red": True}
            yield Case(f"three mapped tasks {fault}", mapped=3, **known)
            yield Case(f"two DAG runs {fault}", runs=2, **known)
            yield Case(f"two DAGs {fault}", dags=2, **known)
        for retries in (0, 2, 3):
            name = f"cleared after success with {retries} retries instead of 2"
            accident = clear_with_retries(retries)
            yield Case(name, mode, accident=accident, runs_per_owner=2)
        long = ({"duration_seconds": 5}, {"duration_seconds": 90, "cancel_seconds": 2, "count": 1})
        slow = ({"duration_seconds": 5}, {"duration_seconds": 3600, "cancel_seconds": 180, "count": 1})
        refused = {**CANCEL, "action": "status", "status": 403, "error_code": "InsufficientPrivileges", "count": None}
        throttled = {**CANCEL, "action": "status", "status": 429, "retry_after": 30, "count": 1}
        cleared: dict[str, Any] = {"mode": mode, "accident": clear_while_it_runs, "runs_per_owner": 2}
        yield Case("cleared cancel refused", rules=long, faults=(refused,), **cleared)
        yield Case("cleared cancel throttled", rules=long, faults=(throttled,), **cleared)
        yield Case("cleared cancel slow", rules=slow, **cleared)


CASES: tuple[Case, ...] = tuple(_cases())
