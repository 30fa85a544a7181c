"""What a task may know of its own earlier attempts and of other tasks."""

from __future__ import annotations

from datetime import date, timedelta
from types import SimpleNamespace

import pytest

from airflow_provider_fabric import compat_tasks
from airflow_provider_fabric.compat_tasks import VariableStore, keeps_delivered, states_of_tasks, worth_asking
from tests.variables import Variables


def test_a_variable_exists_only_while_it_matters(variables: Variables) -> None:
    one, other = (
        VariableStore(SimpleNamespace(dag_id="d", task_id="t", run_id="r", map_index=index)) for index in (0, 1)
    )
    assert one.get("fabric_run") is None
    one.delete("fabric_run")
    one.set("fabric_run", {"since": 1.0})
    assert (one.get("fabric_run"), other.get("fabric_run")) == ({"since": 1.0}, None)
    one.delete("fabric_run")
    assert variables.values == {}
    assert not keeps_delivered(one)


@pytest.mark.skipif(compat_tasks.is_airflow_2(), reason="Airflow 2 is asked by its database")
def test_states_are_read_by_run_task_and_map_index() -> None:
    states = {"monday": {"run": "success", "load_2": "running", "load_2_1": None, "other": "failed"}}
    ti = SimpleNamespace(dag_id="dag", get_task_states=lambda **_: states)
    assert states_of_tasks({"ti": ti}, {"dag": ["run", "load"], "another": ["run"]}) == {
        ("dag", "monday", "run", -1): "success",
        ("dag", "monday", "load", 2): "running",
        ("another", "monday", "run", -1): "success",
    }
    assert states_of_tasks({"ti": SimpleNamespace(dag_id="dag")}, {"dag": ["run"]}) is None


class NamesakesOfMappedTasks:
    """What Airflow's API does: one name for instance 2 of ``load`` and for the task ``load_2``; the last one counts."""

    INSTANCES = (
        ("load", 1, "success"),
        ("load", 2, "running"),
        ("load_2", -1, "failed"),
        ("load_2_0", 0, "deferred"),
        ("load_2_0", 1, None),
        ("run", -1, "success"),
    )

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def get_task_states(self, dag_id: str, task_ids: list[str]) -> dict[str, dict[str, str | None]]:
        self.asked.append(task_ids)
        chosen = [(task, index, state) for task, index, state in self.INSTANCES if task in task_ids]
        return {"monday": {f"{t}_{index}" if index >= 0 else t: state for t, index, state in chosen}}


@pytest.mark.skipif(compat_tasks.is_airflow_2(), reason="Airflow 2 is asked by its database")
def test_a_task_that_is_called_like_an_instance_of_a_mapped_one_is_told_from_it() -> None:
    api = NamesakesOfMappedTasks()
    ti = SimpleNamespace(dag_id="dag", get_task_states=api.get_task_states)
    assert states_of_tasks({"ti": ti}, {"dag": ["run", "load", "load_2", "load_2_0"]}) == {
        ("dag", "monday", task, index): state for task, index, state in api.INSTANCES if state
    }
    api.asked.clear()
    states_of_tasks({"ti": ti}, {"dag": ["run", "load", "other_2"]})
    assert api.asked == [["run", "load", "other_2"]]  # one question where all names are clear


def test_of_dag_runs_that_have_ended_the_newest_and_the_nearest_are_asked() -> None:
    def name(day: int) -> str:
        return f"scheduled__{date(2024, 1, 1) + timedelta(days=day)}T00:00:00"

    states = {(dag, name(day), "run", -1): "success" for day in range(200) for dag in ("dag", "another")}
    states["dag", name(1), "run", -1] = "running"
    asked = {run for dag, run, _, _ in worth_asking(states, name(90))}
    ours, busy = {90}, {1}
    near, newest = {*range(74, 90), *range(91, 107)}, set(range(175, 200))
    assert asked == {name(day) for day in ours | busy | near | newest}
    asked = {run for dag, run, _, _ in worth_asking(states, "started by hand")}
    assert asked == {name(day) for day in busy | newest}
