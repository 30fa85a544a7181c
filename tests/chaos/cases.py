"""The chaos matrix as data: what the task is, what goes wrong, and what must come of it.

Each case is one DAG of one task on an item of its own. Cases of a wave run at the same time in one Airflow; what
happens to a shared component (:mod:`.waves`) happens to all cases of its wave.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from tests.chaos import task_failures
from tests.chaos.runner import CaseRun
from tests.chaos.targets import PIPELINE, Target

MODES = ("synchronous", "deferrable")

LOOK_UP = {"method": "GET", "path": "*/workspaces/{workspace}/items*"}
SUBMIT = {"method": "POST", "path": "*/workspaces/{workspace}/items/*/jobs/*"}
ANYTHING = {"path": "*/workspaces/{workspace}/*"}
HELD_BACK = {"action": "delay", "phase": "after", "delay_seconds": 40}

LONG = 36_000.0
"""Seconds of a run that somebody has to cancel, or that ends when the wave's disturbance is over."""


@dataclass(frozen=True)
class Expected:
    """What must come of a case.

    :param started: runs the task started.
    :param cancelled: runs it asked to cancel.
    :param state: the task's last state.
    :param left_running: runs that go on although the task has ended.
    """

    started: int = 1
    cancelled: int = 0
    state: str = "success"
    left_running: int = 0


@dataclass(frozen=True)
class Case:
    """One row of the matrix.

    :param name: what goes wrong.
    :param mode: where the task waits.
    :param wave: cases of one wave run together; a wave named after a disturbance of a shared component suffers it.
    :param target: what the task does.
    :param operator: arguments of the operator, besides the target's, ``deferrable`` and ``check_interval``.
    :param task: ``retries`` (2) and ``execution_timeout`` (seconds).
    :param rules: job rules of the item; the last that matches and is not used up wins.
    :param faults: faults of the emulator; ``{workspace}`` is the case's.
    :param before: done before the task starts.
    :param accident: done while it runs.
    :param hold_at_end: the first try stops after the run's end, until it is killed.
    :param connection: ``shared``, ``own`` (an identity of its own) or ``gate`` (through a port that can be closed).
    :param expected: what must come of it.
    :param below_3_3: the same for Airflow without triggers' ``on_kill`` and task state.
    :param note: what a reader of the table has to know.
    """

    name: str
    mode: str
    wave: str = "each its own"
    target: Target = PIPELINE
    operator: dict[str, Any] = field(default_factory=dict)
    task: dict[str, Any] = field(default_factory=dict)
    rules: tuple[dict[str, Any], ...] = ({"duration_seconds": 10},)
    faults: tuple[dict[str, Any], ...] = ()
    before: Callable[[CaseRun], None] | None = None
    accident: Callable[[CaseRun], None] | None = None
    hold_at_end: bool = False
    connection: str = "shared"
    expected: Expected = Expected()
    below_3_3: Expected | None = None
    note: str = ""

    @property
    def id(self) -> str:
        """Name of its DAG."""
        words = "".join(c if c.isalnum() else " " for c in self.name.lower()).split()
        return "-".join([*words, self.mode])

    def expected_on(self, has_task_state: bool) -> Expected:
        """Return what must come of it on this Airflow."""
        return self.expected if has_task_state or self.below_3_3 is None else self.below_3_3


def first_long(cancel_seconds: float = 8) -> tuple[dict[str, Any], ...]:
    """Return rules: the first run has to be cancelled, which takes a while; the next ends soon."""
    long = {"duration_seconds": LONG, "cancel_seconds": cancel_seconds, "count": 1}
    return ({"duration_seconds": 5}, long)


def both(name: str, **more: Any) -> Iterator[Case]:
    """Return a case in both modes."""
    for mode in MODES:
        yield Case(name, mode, **more)


def marked(name: str, state: str, mark: Callable[[CaseRun], None], **more: Any) -> Iterator[Case]:
    """Return a case of a task that is marked while its run goes on, in both modes.

    :param state: what it is marked.
    """
    expected, goes_on = Expected(cancelled=1, state=state), Expected(state=state, left_running=1)
    for one in both(name, rules=({"duration_seconds": LONG},), accident=mark, expected=expected, **more):
        yield replace(
            one,
            below_3_3=goes_on if one.mode == "deferrable" else None,
            note="Airflow below 3.3 tells nobody that a deferred task was marked: the run goes on.",
        )


def _worker() -> Iterator[Case]:
    yield from both(
        "worker killed -9 before the submit",
        faults=({**LOOK_UP, "action": "delay", "delay_seconds": 40},),
        accident=task_failures.kill_worker_in_fault,
    )
    yield from both(
        "worker killed -9 after the submit, before the id is stored",
        faults=({**SUBMIT, **HELD_BACK},),
        rules=({"duration_seconds": 60},),
        accident=task_failures.kill_worker_in_fault,
    )
    yield from both(
        "the same, and the run is over before the retry",
        faults=({**SUBMIT, **HELD_BACK},),
        rules=({"duration_seconds": 1},),
        accident=task_failures.kill_worker_in_fault,
    )
    yield from both(
        "the same, and the run becomes visible late",
        faults=({**SUBMIT, **HELD_BACK},),
        rules=({"duration_seconds": 60, "visible_after_seconds": 25},),
        accident=task_failures.kill_task_process_in_fault,
    )
    yield from both(
        "the same, and somebody else starts a run of the item then",
        faults=({**SUBMIT, **HELD_BACK},),
        rules=({"duration_seconds": LONG},),
        accident=task_failures.kill_worker_in_fault_and_start_another,
        expected=Expected(state="failed", left_running=1),
        note="Nothing proves which run is ours: the task fails and names both, nothing is started or cancelled.",
    )
    yield from both(
        "worker killed -9 while waiting",
        rules=({"duration_seconds": 45},),
        accident=task_failures.kill_worker_once_published,
        note="Deferrable: between storing the id and deferring; a deferred task has no worker.",
    )
    yield from both(
        "worker killed -9 after the run ended", hold_at_end=True, accident=task_failures.kill_worker_held_at_end
    )


def _components() -> Iterator[Case]:
    for wave in (
        "triggerer killed -9",
        "triggerer stopped politely",
        "both triggerers restarted",
        "scheduler killed -9",
    ):
        yield from both(wave, wave=wave, rules=({"duration_seconds": LONG},))


def _people() -> Iterator[Case]:
    cleared = Expected(started=2, cancelled=1)
    yield from both("task cleared", rules=first_long(), accident=task_failures.clear, expected=cleared)
    yield from marked("task marked failed", "failed", task_failures.mark_failed)
    yield from marked("task marked success", "success", task_failures.mark_success)


def _time() -> Iterator[Case]:
    again = Expected(started=2, cancelled=1)
    yield from both("execution_timeout", rules=first_long(), task={"execution_timeout": 100}, expected=again)
    yield from both("our timeout", rules=first_long(), operator={"timeout": 12.0}, expected=again)
    yield from both(
        "our timeout, without cancelling",
        rules=first_long(),
        operator={"timeout": 12.0, "cancel_on_timeout": False},
        task={"retries": 0},
        expected=Expected(state="failed", left_running=1),
    )
    yield from both(
        "clock zones apart",
        operator={"timeout": 90.0},
        rules=({"duration_seconds": 20},),
        note="Every case runs so: workers at UTC+9, triggerers at UTC-8 and UTC+5:30, the service 95 s ahead.",
    )


def _service() -> Iterator[Case]:
    fails_once = ({"duration_seconds": 3}, {"duration_seconds": 3, "outcome": "Failed", "count": 1})
    yield from both("retry after a failed run", rules=fails_once, expected=Expected(started=2))
    yield from both(
        "service unreachable for 60 s",
        connection="gate",
        accident=task_failures.close_gate,
        rules=({"duration_seconds": 20},),
    )
    yield from both(
        "429 storm",
        connection="own",
        faults=({**ANYTHING, "status": 429, "retry_after": 1, "count": 12},),
    )
    yield from both("503 after acceptance", faults=({**SUBMIT, "status": 503, "phase": "after"},))
    yield from both("503 before acceptance", faults=({**SUBMIT, "status": 503},))
    yield from both("connection dropped after acceptance", faults=({**SUBMIT, "action": "drop", "phase": "after"},))
    yield from both(
        "token revoked while waiting", accident=task_failures.revoke_tokens, rules=({"duration_seconds": 20},)
    )
    yield from both(
        "Deduped, on_deduped=attach",
        before=task_failures.start_scheduled_run,
        accident=task_failures.end_scheduled_run,
        operator={"on_deduped": "attach"},
        rules=({"outcome": "Deduped", "duration_seconds": 1}, {"duration_seconds": LONG, "count": 1}),
        note="The started run is the one that Fabric deduplicated; the task takes the other's result.",
    )
    yield from both(
        "Deduped, on_deduped=fail",
        rules=({"duration_seconds": 3}, {"outcome": "Deduped", "duration_seconds": 1, "count": 1}),
        expected=Expected(started=2),
    )
    steps = [[0, "NotStarted"], [0.2, "Queued"], [0.5, "dehydrated"]]
    yield from both("unknown status", rules=({"duration_seconds": 10, "statuses": steps},))
    for how in ("404", "NotFound"):
        rule = {"duration_seconds": 25, "visible_after_seconds": 12, "invisible_as": how}
        yield from both(f"visible late, as {how}", rules=(rule,))


CASES: tuple[Case, ...] = (*_worker(), *_components(), *_people(), *_time(), *_service())


def case(name: str, mode: str, **changes: Any) -> Case:
    """Return one case, changed for a place with other timings."""
    return replace(next(one for one in CASES if (one.name, one.mode) == (name, mode)), **changes)
