"""Workers that die and tasks that are marked or cleared: REST calls, SQL endpoints, capacities, notebooks, as data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tests.chaos import task_failures
from tests.chaos.cases import Case, Expected, both, marked
from tests.chaos.targets import DEFINITION, NOTEBOOK, PUBLISH, SQL_ENDPOINT, SUSPEND, Target

DELAY_SECONDS = 15
HELD_BACK = {"method": "POST", "action": "delay", "phase": "after", "delay_seconds": DELAY_SECONDS}

OPERATION_SECONDS = 40.0
"""How long operations and changes of capacities take: long enough to be met."""

FAILED = Expected(state="failed")
KILLED = task_failures.kill_task_process_once_published
RECREATE = replace(SQL_ENDPOINT, arguments={"recreate_tables": True})


def _answer_lost(name: str, target: Target, path: str, **more: Any) -> Iterator[Case]:
    fault = {**HELD_BACK, "path": path}
    yield from both(
        f"{name}: worker killed -9 after the request, before its answer",
        target=target,
        faults=(fault,),
        accident=task_failures.kill_task_process_in_fault,
        **more,
    )


def _cases() -> Iterator[Case]:
    twice = Expected(started=2)
    note = "The next attempt fails: it may have been carried out, and is not sent again."
    publish, refresh = "*{workspace}*/staging/publish", "*{workspace}*/refreshMetadata"
    yield from _answer_lost("REST, replay_safe=False", PUBLISH, publish, expected=FAILED, note=note)
    yield from _answer_lost("REST, replay_safe=True", DEFINITION, "*{workspace}*/getDefinition", expected=twice)
    yield from _answer_lost("SQL endpoint", SQL_ENDPOINT, refresh, expected=twice, note="Refreshed twice is refreshed.")
    yield from _answer_lost("SQL endpoint, recreate_tables", RECREATE, refresh, expected=FAILED, note=note)
    yield from _answer_lost("capacity suspended", SUSPEND, "*/{capacity}/suspend")
    yield from _answer_lost("notebook", NOTEBOOK, "*{workspace}*/jobs/*", rules=({"duration_seconds": 40},))
    for name, target, after_a_kill in (
        ("REST, replay_safe=False", PUBLISH, Expected()),
        ("SQL endpoint", SQL_ENDPOINT, twice),
        ("SQL endpoint, recreate_tables", RECREATE, Expected()),
        ("capacity suspended", SUSPEND, Expected()),
    ):
        killed = f"{name}: worker killed -9 while waiting"
        yield Case(killed, "synchronous", target=target, accident=KILLED, expected=after_a_kill)
        yield from both(
            f"{name}: task marked failed", target=target, accident=task_failures.mark_failed, expected=FAILED
        )
    running = ({"duration_seconds": 40},)
    yield Case(
        "notebook: worker killed -9 while waiting", "synchronous", target=NOTEBOOK, rules=running, accident=KILLED
    )
    yield from marked("notebook: task marked failed", "failed", task_failures.mark_failed, target=NOTEBOOK)
    yield from both(
        "REST, replay_safe=False: task cleared",
        target=PUBLISH,
        accident=task_failures.clear,
        expected=twice,
        note="The operation goes on, so the new attempt waits for its end before it sends the request again.",
    )


CALL_CASES: tuple[Case, ...] = tuple(_cases())
