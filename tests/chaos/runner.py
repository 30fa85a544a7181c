"""One emulator and one Airflow on which cells are played; the emulator's log is the judge."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.emulator.control.client import EmulatorControl
from devtools.airflow.metadata_db import TaskInstance
from devtools.airflow.stack import AirflowStack
from tests.chaos.proxy import Gate

if TYPE_CHECKING:
    from tests.chaos.cases import Cell, Expected

PIPELINE = "Daily load"
WAVE_SECONDS = 1200.0
"""How long a wave may take before what has not ended counts as stuck."""

AT_ONCE = 10
"""Cells played at the same time: as many as two cores carry."""

CANCEL_SECONDS = 30.0
"""How long after the task's end a cancel may arrive."""


@dataclass(frozen=True)
class Verdict:
    """What came of a cell.

    :param started: runs the task started.
    :param cancelled: runs whose cancellation was asked for.
    :param state: the task's last state, or ``stuck``.
    :param left_running: runs that nobody waits for any more.
    :param seconds: from the trigger to the task's end.
    :param trouble: what kept the accident from happening.
    """

    cell: Cell
    expected: Expected
    started: int
    cancelled: int
    state: str
    left_running: int
    seconds: float
    trouble: str = ""

    @property
    def good(self) -> bool:
        """Whether it is what was expected."""
        wanted = self.expected
        seen = (self.started, self.cancelled, self.state, self.left_running)
        return not self.trouble and seen == (wanted.started, wanted.cancelled, wanted.state, wanted.left_running)


def report_line(verdict: Verdict) -> str:
    """Return a verdict for whoever watches the run."""
    seen = f"{verdict.started} started, {verdict.cancelled} cancelled, {verdict.left_running} left, {verdict.state}"
    return f"{verdict.cell.id}: {seen}, {verdict.seconds:.0f} s {verdict.trouble}"


@dataclass
class Scene:
    """One cell being played."""

    cell: Cell
    stage: Stage
    workspace_id: str
    item_id: str
    gate: Gate
    started_at: float = 0.0
    ended_at: float | None = None
    run_id: str = ""
    fault_ids: list[str] = field(default_factory=list)
    strangers: set[str] = field(default_factory=set)
    trouble: str = ""
    story: list[str] = field(default_factory=list)

    @property
    def airflow(self) -> AirflowStack:
        """The Airflow."""
        return self.stage.airflow

    @property
    def control(self) -> EmulatorControl:
        """The emulator's control."""
        return self.stage.emulator.control

    @property
    def dag_id(self) -> str:
        """Name of its DAG."""
        return self.stage.prefix + self.cell.id

    @property
    def sign(self) -> Path:
        """The file by which the task says that its run is over."""
        return self.stage.folder / f"{self.dag_id}.held"

    def say(self, text: str) -> None:
        """Remember what happened, for whoever reads a failure."""
        self.story.append(f"{time.time() - self.started_at:6.1f} s {text}")

    def wait(self, predicate: Callable[[], Any], what: str, timeout: float = 900.0, every: float = 0.2) -> Any:
        """Wait until something holds."""
        return self.airflow.wait_until(predicate, timeout, f"{self.cell.id}: {what}", every)

    def task(self) -> TaskInstance:
        """Return where the task stands."""
        return self.airflow.task(self.dag_id, self.run_id, "run")

    def jobs(self) -> list[dict[str, Any]]:
        """Return the runs of the item that are not somebody else's."""
        return [job for job in self.stage.jobs() if job["itemId"] == self.item_id and job["id"] not in self.strangers]

    def fault_hit(self) -> bool:
        """Whether the cell's first fault has hit."""
        return any(fault["id"] in self.fault_ids and fault["hits"] for fault in self.control.faults())

    def published(self) -> bool:
        """Whether the run's id is in XCom."""
        return "job_instance_id" in self.airflow.xcoms(self.dag_id, self.run_id, "run")

    def waiting(self) -> bool:
        """Whether the task waits for its run, in the place its mode says."""
        state = "running" if self.cell.mode == "synchronous" else "deferred"
        return self.task().state == state and self.published()

    def held(self) -> bool:
        """Whether the task has stopped after the run's end."""
        return self.sign.exists()

    def over(self) -> bool:
        """Whether Airflow has ended the DAG run."""
        return self.airflow.run_state(self.dag_id, self.run_id) in ("success", "failed")

    def start_job(self, invoke_type: str) -> None:
        """Start a run that is not the task's."""
        self.strangers.add(self.control.start_job(self.item_id, "Execute", invoke_type=invoke_type))

    def tell(self) -> str:
        """Return all that is known, for whoever reads a failure."""
        texts = [report_line(self.verdict()), *self.story]
        for number in range(1, self.task().try_number + 1) if self.run_id else ():
            log = self.airflow.task_log(self.dag_id, self.run_id, "run", number)
            texts.append(f"--- try {number}\n{log[-4000:]}")
        return "\n".join(texts)

    def end_runs(self) -> None:
        """Let the item's runs complete now."""
        for job in self.jobs():
            if job["active"]:
                self.control.force_job(job["id"], "Completed")

    def verdict(self) -> Verdict:
        """Say what came of it."""
        jobs = self.jobs()
        state = str(self.task().state) if self.run_id else "not started"
        return Verdict(
            cell=self.cell,
            expected=self.cell.expected_on(self.stage.has_task_state),
            started=len(jobs),
            cancelled=sum(job["cancel_requests"] > 0 for job in jobs),
            state=state if self.ended_at is not None else f"stuck ({state})",
            left_running=sum(job["active"] for job in jobs),
            seconds=(self.ended_at or time.time()) - self.started_at,
            trouble=self.trouble,
        )


class Stage:
    """Where cells are played.

    :param cells: all that will be; their DAGs are written before Airflow starts, or while it runs.
    :param emulator: a running one.
    :param folder: the DAG folder.
    :param prefix: begins the names of the DAGs.
    :param check_interval: seconds between two looks at a run.
    """

    def __init__(
        self,
        cells: Sequence[Cell],
        emulator: FabricEmulator,
        folder: Path,
        *,
        prefix: str = "",
        check_interval: float = 1.0,
    ) -> None:
        self.emulator = emulator
        self.folder = folder
        self.prefix = prefix
        self.check_interval = check_interval
        self.gates: list[Gate] = []
        self.connections: dict[str, dict[str, Any]] = {}
        self._airflow: AirflowStack | None = None
        self._jobs: tuple[float, list[dict[str, Any]]] = (0.0, [])
        self._lock = threading.Lock()
        self.person = threading.Lock()
        """Held for each call of Airflow's REST API: one person sits at the UI."""
        self.scenes = [self._prepare(cell) for cell in cells]
        shutil.copy(Path(__file__).parent / "dags" / "chaos.py", folder / "chaos.py")
        (folder / "cells.json").write_text(json.dumps([self._dag(scene) for scene in self.scenes]))

    @property
    def airflow(self) -> AirflowStack:
        """The Airflow, once it runs."""
        assert self._airflow is not None
        return self._airflow

    @airflow.setter
    def airflow(self, airflow: AirflowStack) -> None:
        self._airflow = airflow

    @property
    def has_task_state(self) -> bool:
        """Whether this Airflow keeps task state and kills triggers (3.3 and later)."""
        return tuple(int(part) for part in self.airflow.dialect.version.split(".")[:2]) >= (3, 3)

    def jobs(self) -> list[dict[str, Any]]:
        """Return all runs, as of half a second ago at most."""
        with self._lock:
            if time.monotonic() - self._jobs[0] > 0.5:
                self._jobs = (time.monotonic(), self.emulator.control.jobs())
            return self._jobs[1]

    def close(self) -> None:
        """Close the gates."""
        for gate in self.gates:
            gate.close()

    # -- playing ---------------------------------------------------------------------------------------------------

    def play(
        self, scenes: Sequence[Scene], disturb: Callable[[AirflowStack, Sequence[Scene]], None] | None = None
    ) -> None:
        """Play cells at the same time, and return when all have ended or are stuck."""
        with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
            plays = [pool.submit(self._play, scene) for scene in scenes]
            if disturb is not None:
                self._disturb(scenes, disturb)
            for play in plays:
                play.result()

    def _disturb(self, scenes: Sequence[Scene], disturb: Callable[[AirflowStack, Sequence[Scene]], None]) -> None:
        try:
            disturb(self.airflow, scenes)
        except Exception as error:  # noqa: BLE001 - one wave's trouble must not end the others
            for scene in scenes:
                scene.trouble = f"{type(error).__name__}: {error}"
        finally:
            for scene in scenes:
                scene.end_runs()

    def _play(self, scene: Scene) -> None:
        try:
            if scene.cell.before is not None:
                scene.cell.before(scene)
            scene.started_at = time.time()
            with self.person:
                scene.run_id = self.airflow.trigger(scene.dag_id, timeout=240)
            if scene.cell.accident is not None:
                scene.cell.accident(scene)
        except Exception as error:  # noqa: BLE001 - one cell's trouble must not end the others
            scene.trouble = f"{type(error).__name__}: {error}"
            scene.end_runs()  # nothing will happen to it any more
        deadline = scene.started_at + WAVE_SECONDS
        while time.time() < deadline and scene.run_id:
            if scene.over():
                scene.ended_at = time.time()
                break
            time.sleep(0.5)
        self._let_cancels_arrive(scene)
        verdict = scene.verdict()
        print("good" if verdict.good else "BAD ", report_line(verdict), flush=True)

    def _let_cancels_arrive(self, scene: Scene) -> None:
        deadline = time.time() + CANCEL_SECONDS
        while scene.ended_at is not None and time.time() < deadline and not scene.verdict().good:
            time.sleep(1)

    # -- preparing -------------------------------------------------------------------------------------------------

    def _prepare(self, cell: Cell) -> Scene:
        control = self.emulator.control
        item = {"type": "DataPipeline", "displayName": PIPELINE}
        seeded = control.seed(workspaces=[{"displayName": self.prefix + cell.id, "items": [item]}])["workspaces"][0]
        workspace_id, item_id = seeded["id"], seeded["items"][0]["id"]
        for rule in cell.rules:
            control.add_job_rule(item_id=item_id, **rule)
        scene = Scene(cell, self, workspace_id, item_id, Gate(self.emulator.port))
        for fault in cell.faults:
            placed = {**fault, "path": fault["path"].format(workspace=workspace_id)}
            scene.fault_ids.append(control.add_fault(**placed))
        if cell.connection != "shared":
            self.connections[self._connection_id(scene)] = self._own_connection(scene)
        return scene

    def _own_connection(self, scene: Scene) -> dict[str, Any]:
        connection = self.emulator.connection
        if scene.cell.connection == "gate":
            scene.gate.open()
            self.gates.append(scene.gate)
            url = f"https://127.0.0.1:{scene.gate.port}"
            return {**connection, "host": url, "extra": {**connection["extra"], "authority": url}}
        identity = {"kind": "app", "client_secret": "a secret of the chaos"}
        seeded = self.emulator.control.seed(identities=[identity])["identities"][0]
        return {**connection, "login": seeded["client_id"], "password": identity["client_secret"]}

    def _connection_id(self, scene: Scene) -> str:
        if scene.cell.connection == "shared":
            return "fabric_default"
        return f"own_{self.prefix}{scene.cell.id}".replace("-", "_")

    def _dag(self, scene: Scene) -> Mapping[str, Any]:
        cell = scene.cell
        operator = {
            "workspace": scene.workspace_id,
            "pipeline": PIPELINE,
            "deferrable": cell.mode == "deferrable",
            "check_interval": self.check_interval,
            "fabric_conn_id": self._connection_id(scene),
            **cell.operator,
        }
        hold = str(scene.sign) if cell.hold_at_end else ""
        return {"dag_id": scene.dag_id, "operator": operator, "task": cell.task, "hold": hold}
