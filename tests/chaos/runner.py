"""One emulator and one Airflow in which cases run; the emulator's log is the judge."""

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
from tests.chaos.targets import ITEM

if TYPE_CHECKING:
    from tests.chaos.cases import Case, Expected

WAVE_SECONDS = 1200.0
"""How long a wave may take before what has not ended counts as stuck."""

AT_ONCE = 10
"""Cases played at the same time: as many as two cores carry."""

CANCEL_SECONDS = 30.0
"""How long after the task's end a cancel may arrive."""


Disturbance = Callable[["AirflowStack", "Sequence[CaseRun]"], None]


@dataclass(frozen=True)
class Verdict:
    """What came of a case.

    :param started: runs the task started.
    :param cancelled: runs whose cancellation was asked for.
    :param state: the task's last state, or ``stuck``.
    :param left_running: runs that nobody waits for any more.
    :param seconds: from the trigger to the task's end.
    :param trouble: what kept the accident from happening.
    """

    case: Case
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
    return f"{verdict.case.id}: {seen}, {verdict.seconds:.0f} s {verdict.trouble}"


@dataclass
class CaseRun:
    """One case being played."""

    case: Case
    harness: Harness
    workspace_id: str
    item_id: str
    gate: Gate
    capacity: str = ""
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
        return self.harness.airflow

    @property
    def control(self) -> EmulatorControl:
        """The emulator's control."""
        return self.harness.emulator.control

    @property
    def dag_id(self) -> str:
        """Name of its DAG."""
        return self.harness.prefix + self.case.id

    @property
    def sign(self) -> Path:
        """The file by which the task says that its run is over."""
        return self.harness.folder / f"{self.dag_id}.held"

    def say(self, text: str) -> None:
        """Remember what happened, for whoever reads a failure."""
        self.story.append(f"{time.time() - self.started_at:6.1f} s {text}")

    def wait(self, predicate: Callable[[], Any], what: str, timeout: float = 900.0, every: float = 0.2) -> Any:
        """Wait until something holds."""
        return self.airflow.wait_until(predicate, timeout, f"{self.case.id}: {what}", every)

    def task(self) -> TaskInstance:
        """Return where the task stands."""
        return self.airflow.task(self.dag_id, self.run_id, "run")

    def jobs(self) -> list[dict[str, Any]]:
        """Return the runs of the item that are not somebody else's, or the calls that count."""
        if self.case.target.call:
            return self.calls()
        return [job for job in self.harness.jobs() if job["itemId"] == self.item_id and job["id"] not in self.strangers]

    def fault_hit(self) -> bool:
        """Whether the case's first fault has hit."""
        return any(fault["id"] in self.fault_ids and fault["hits"] for fault in self.control.faults())

    def calls(self) -> list[dict[str, Any]]:
        """Return the calls that the target counts and that were carried out, in the form of runs that are over."""
        sent = (e for e in self.control.request_log() if e["method"] == "POST" and e["status"] < 300)
        owned = (e for e in sent if self.workspace_id in e["path"] or f"/{self.capacity}/" in e["path"])
        ending = self.case.target.call
        return [{"cancel_requests": 0, "active": False} for e in owned if e["path"].endswith(ending)]

    def published(self) -> bool:
        """Whether the run's id is in XCom; of a call, whether it was carried out."""
        if self.case.target.call:
            return bool(self.calls())
        return "job_instance_id" in self.airflow.xcoms(self.dag_id, self.run_id, "run")

    def waiting(self) -> bool:
        """Whether the task waits for its run, in the place its mode says."""
        state = "running" if self.case.mode == "synchronous" else "deferred"
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
            if job["active"]:  # never a call
                self.control.force_job(job["id"], "Completed")

    def verdict(self) -> Verdict:
        """Say what came of it."""
        jobs = self.jobs()
        state = str(self.task().state) if self.run_id else "not started"
        return Verdict(
            case=self.case,
            expected=self.case.expected_on(self.harness.has_task_state),
            started=len(jobs),
            cancelled=sum(job["cancel_requests"] > 0 for job in jobs),
            state=state if self.ended_at is not None else f"stuck ({state})",
            left_running=sum(job["active"] for job in jobs),
            seconds=(self.ended_at or time.time()) - self.started_at,
            trouble=self.trouble,
        )


class Harness:
    """Where cases are played.

    :param cases: all that will be; their DAGs are written before Airflow starts, or while it runs.
    :param emulator: a running one.
    :param folder: the DAG folder.
    :param prefix: begins the names of the DAGs.
    :param check_interval: seconds between two looks at a run.
    """

    def __init__(
        self,
        cases: Sequence[Case],
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
        self.case_runs = [self._prepare(case) for case in cases]
        for name in ("chaos.py", "hold_at_end.py"):
            shutil.copy(Path(__file__).parent / "dags" / name, folder / name)
        (folder / "cases.json").write_text(json.dumps([self._dag(case_run) for case_run in self.case_runs]))

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

    def play(self, case_runs: Sequence[CaseRun], disturb: Disturbance | None = None) -> None:
        """Play cases at the same time, and return when all have ended or are stuck."""
        with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
            plays = [pool.submit(self._play, case_run) for case_run in case_runs]
            if disturb is not None:
                self._disturb(case_runs, disturb)
            for play in plays:
                play.result()

    def _disturb(self, case_runs: Sequence[CaseRun], disturb: Disturbance) -> None:
        try:
            disturb(self.airflow, case_runs)
        except Exception as error:  # noqa: BLE001 - one wave's trouble must not end the others
            for case_run in case_runs:
                case_run.trouble = f"{type(error).__name__}: {error}"
        finally:
            for case_run in case_runs:
                case_run.end_runs()

    def _play(self, case_run: CaseRun) -> None:
        try:
            if case_run.case.before is not None:
                case_run.case.before(case_run)
            case_run.started_at = time.time()
            with self.person:
                case_run.run_id = self.airflow.trigger(case_run.dag_id, timeout=240)
            if case_run.case.accident is not None:
                case_run.case.accident(case_run)
        except Exception as error:  # noqa: BLE001 - one case's trouble must not end the others
            case_run.trouble = f"{type(error).__name__}: {error}"
            case_run.end_runs()  # nothing will happen to it any more
        deadline = case_run.started_at + WAVE_SECONDS
        while time.time() < deadline and case_run.run_id:
            if case_run.over():
                case_run.ended_at = time.time()
                break
            time.sleep(0.5)
        self._let_cancels_arrive(case_run)
        verdict = case_run.verdict()
        print("good" if verdict.good else "BAD ", report_line(verdict), flush=True)

    def _let_cancels_arrive(self, case_run: CaseRun) -> None:
        deadline = time.time() + CANCEL_SECONDS
        while case_run.ended_at is not None and time.time() < deadline and not case_run.verdict().good:
            time.sleep(1)

    # -- preparing -------------------------------------------------------------------------------------------------

    def _prepare(self, case: Case) -> CaseRun:
        control = self.emulator.control
        target = case.target
        item = {"type": target.item_type, "displayName": ITEM, **target.seed}
        seeded = control.seed(workspaces=[{"displayName": self.prefix + case.id, "items": [item]}])["workspaces"][0]
        workspace_id, item_id = seeded["id"], seeded["items"][0]["id"]
        capacity = f"case{workspace_id.replace('-', '')[:12]}" if target.capacity else ""
        if capacity:
            control.seed(capacities=[{"name": capacity, "state": target.capacity}])
        for rule in case.rules:
            control.add_job_rule(item_id=item_id, **rule)
        case_run = CaseRun(case, self, workspace_id, item_id, Gate(self.emulator.port), capacity)
        for fault in case.faults:
            placed = {**fault, "path": fault["path"].format(workspace=workspace_id, capacity=capacity)}
            case_run.fault_ids.append(control.add_fault(**placed))
        if case.connection != "shared":
            self.connections[self._connection_id(case_run)] = self._own_connection(case_run)
        return case_run

    def _own_connection(self, case_run: CaseRun) -> dict[str, Any]:
        connection = self.emulator.connection
        if case_run.case.connection == "gate":
            case_run.gate.open()
            self.gates.append(case_run.gate)
            url = f"https://127.0.0.1:{case_run.gate.port}"
            return {**connection, "host": url, "extra": {**connection["extra"], "authority": url}}
        identity = {"kind": "app", "client_secret": "a secret of the chaos"}
        seeded = self.emulator.control.seed(identities=[identity])["identities"][0]
        return {**connection, "login": seeded["client_id"], "password": identity["client_secret"]}

    def _connection_id(self, case_run: CaseRun) -> str:
        if case_run.case.connection == "shared":
            return "fabric_default"
        return f"own_{self.prefix}{case_run.case.id}".replace("-", "_")

    def _dag(self, case_run: CaseRun) -> Mapping[str, Any]:
        case, target = case_run.case, case_run.case.target
        operator = {
            "deferrable": case.mode == "deferrable",
            "fabric_conn_id": self._connection_id(case_run),
            **({"workspace": case_run.workspace_id} if target.has_workspace else {}),
            **({target.item_argument: ITEM} if target.item_argument else {}),
            **({"check_interval": self.check_interval} if target.polls else {}),
            **target.arguments,
            **({"capacity": case_run.capacity} if case_run.capacity else {}),
            **case.operator,
        }
        hold = str(case_run.sign) if case.hold_at_end else ""
        return {
            "dag_id": case_run.dag_id,
            "class": target.operator,
            "operator": operator,
            "task": case.task,
            "hold": hold,
        }
