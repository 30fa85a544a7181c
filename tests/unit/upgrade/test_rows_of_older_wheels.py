"""What the first 0.1.0 wheels left in Airflow's database is understood: deferred tasks, events and records of runs.

``rows_of_0_1_0.json`` was written by the code of commit 78bca4c. ``tests/e2e/test_upgrade.py`` upgrades a real Airflow.
"""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_fabric.lifecycle.state import FabricRun, Outcome, WaitEnd, read_event
from airflow_provider_fabric.lifecycle.store import RunStore

ROWS = json.loads(Path(__file__).with_name("rows_of_0_1_0.json").read_text())


@pytest.mark.parametrize(
    ("path", "arguments"), ROWS["triggers"], ids=[path.rpartition(".")[2] for path, _ in ROWS["triggers"]]
)
def test_a_trigger_is_made_of_its_row_and_polls_when_it_was_to(path: str, arguments: dict[str, Any]) -> None:
    module, _, name = path.rpartition(".")
    trigger = getattr(import_module(module), name)(**arguments)
    again, written = trigger.serialize()
    assert again == path
    poll = getattr(trigger, "poll", None)
    if poll is not None:
        assert poll.next_poll_at == 1763900060.0
        assert poll.deadline == 1763903600.0
    assert "next_look" not in json.dumps(written)
    assert getattr(import_module(module), name)(**written).serialize() == (again, written)


def test_a_task_goes_on_with_the_run_that_it_deferred_for() -> None:
    run = FabricRun.from_state(ROWS["next_kwargs"]["run"])
    assert (run.next_poll_at, run.deadline, run.ours) == (1763900060.0, 1763903600.0, True)


def test_an_event_that_fired_before_the_upgrade_ends_the_task() -> None:
    run, outcome = read_event(ROWS["event"])
    assert outcome.about(run).ending is WaitEnd.OVER
    assert outcome.job["status"] == "Completed"
    assert Outcome.from_state(ROWS["sensor_event"]).ending is WaitEnd.TIMEOUT


class Store:
    """Airflow's task state store, with one row."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state

    def get(self, key: str) -> dict[str, Any]:
        assert key == "fabric_run"
        return self.state


@pytest.mark.parametrize("state", ROWS["records"], ids=["submitting", "started", "nothing"])
def test_a_retry_after_the_upgrade_reads_the_record(state: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_fabric.lifecycle.task_record.task_store", lambda _: Store(state))
    ti = SimpleNamespace(max_tries=2, try_number=2)
    record = RunStore({"ti": ti, "task": SimpleNamespace(retries=2)}, enabled=True).load()
    if state.get("nothing"):
        assert record is None
        return
    assert record is not None
    assert not record.cleared
    assert record.since == 1763900000.0
    assert (record.run is not None) == ("run" in state)
    if record.run is None:  # nothing is known of what the item listed before: nothing can be proven by it
        assert record.window is not None
        assert not record.window.can_prove
