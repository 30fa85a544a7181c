"""Which tasks of all DAGs run an item."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_fabric.exceptions import FabricInputError
from airflow_provider_fabric.lifecycle import item_users
from airflow_provider_fabric.lifecycle.item_users import FORGOTTEN_AFTER, RENEWED_AFTER, WRITES, ItemUsers
from tests.variables import Variables

KEY = "fabric_item:b3f53679-25cb-4dbc-85c9-76dc2a5c63cd"


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_users, "LONGEST_PAUSE", 0.0)


def users_of(dag_id: str, task_id: str = "run") -> ItemUsers:
    return ItemUsers("B3F53679-25CB-4DBC-85C9-76DC2A5C63CD", SimpleNamespace(dag_id=dag_id, task_id=task_id))


def days_ago(days: int) -> str:
    return (datetime.now(timezone.utc).date() - timedelta(days=days)).isoformat()


def test_each_task_that_joins_finds_the_others(variables: Variables) -> None:
    users_of("sales").join()
    users_of("sales", "again").join()
    assert users_of("stock").tasks() == {"sales": {"run", "again"}, "stock": {"run"}}
    assert list(variables.values) == [KEY]


def test_a_task_that_is_among_them_writes_nothing(variables: Variables, monkeypatch: pytest.MonkeyPatch) -> None:
    users_of("sales").join()
    monkeypatch.setattr(variables, "set", lambda *_, **__: pytest.fail("written again"))
    users = users_of("sales")
    users.join()
    users.confirm()


def test_entries_are_renewed_and_forgotten_in_time(variables: Variables) -> None:
    old, ancient = days_ago(RENEWED_AFTER.days + 1), days_ago(FORGOTTEN_AFTER.days + 1)
    variables.values[KEY] = json.dumps({"sales": {"run": old, "gone": ancient}, "gone": {"run": ancient}})
    users_of("sales").join()
    assert json.loads(variables.values[KEY]) == {"sales": {"run": days_ago(0)}}


class Overwritten(Variables):
    """Another task, which read the variable before we wrote, writes after us."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def set(self, key: str, value: Any, description: str, serialize_json: bool) -> None:
        super().set(key, value, description, serialize_json)
        if self.times:
            self.times -= 1
            super().set(key, {"other": {"run": days_ago(0)}}, description, serialize_json)


def test_an_entry_that_is_overwritten_is_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = Overwritten(WRITES - 2)
    monkeypatch.setattr("airflow_provider_fabric.compat_tasks._variables", lambda: variables)
    assert set(users_of("sales").join()) == {"sales", "other"}


def test_an_entry_that_is_overwritten_later_is_written_again(variables: Variables) -> None:
    users = users_of("sales")
    users.join()
    variables.values[KEY] = json.dumps({"other": {"run": days_ago(0)}})
    users.confirm()
    assert set(json.loads(variables.values[KEY])) == {"sales", "other"}


def test_a_variable_that_keeps_nothing_is_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_fabric.compat_tasks._variables", lambda: Overwritten(WRITES))
    with pytest.raises(FabricInputError, match="does not keep what is written to it"):
        users_of("sales").tasks()


@pytest.mark.parametrize("value", [7, "sales", ["sales"], {"sales": "run"}, {"sales": {"run": 7}}])
def test_a_variable_that_holds_something_else_is_left_as_it_is(variables: Variables, value: Any) -> None:
    variables.values[KEY] = json.dumps(value)
    with pytest.raises(FabricInputError, match=f"'{KEY}' does not say which tasks run the item"):
        users_of("sales").join()
    assert json.loads(variables.values[KEY]) == value
