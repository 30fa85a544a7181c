"""What a task remembers of its run over its own death."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_fabric.api.models import JobRef
from airflow_provider_fabric.exceptions import FabricInputError
from airflow_provider_fabric.lifecycle.state import FabricRun
from airflow_provider_fabric.lifecycle.store import KEY, RunRecord, RunStore
from tests.flow_driver import ITEM, JOB, WORKSPACE

RUN = FabricRun(JobRef(WORKSPACE, ITEM, JOB), "Execute", None, "https://x", 100.0, 160.0, 60.0)


class Store(dict[str, Any]):
    """Airflow's ``task_state_store``: what it holds has been JSON in between."""

    def set(self, key: str, value: Any) -> None:
        self[key] = json.loads(json.dumps(value))


def memory(store: Store | None, *, max_tries: int = 2, enabled: bool = True) -> RunStore:
    return RunStore({"ti": SimpleNamespace(max_tries=max_tries), "task_state_store": store}, enabled)


def test_at_first_there_is_nothing_to_recall() -> None:
    assert memory(Store()).available
    assert memory(Store()).load() is None


def test_a_task_that_died_while_it_submitted() -> None:
    store = Store()
    memory(store).submitting(99.5)
    assert memory(store).load() == RunRecord(same_series=True, since=99.5)


@pytest.mark.parametrize("cancel_asked", [False, True])
def test_a_task_that_died_while_it_waited(cancel_asked: bool) -> None:
    store = Store()
    memory(store).submitting(99.5)
    memory(store).started(RUN, cancel_asked=cancel_asked)
    assert memory(store).load() == RunRecord(True, 100.0, RUN, cancel_asked)


def test_a_new_submit_forgets_the_run_before() -> None:
    store = Store()
    memory(store).started(RUN, cancel_asked=True)
    memory(store).submitting(200.0)
    assert memory(store).load() == RunRecord(same_series=True, since=200.0)


def test_a_cleared_task_knows_that_the_record_is_of_another_series() -> None:
    """Clearing raises ``max_tries``; a retry does not."""
    store = Store()
    memory(store, max_tries=2).started(RUN)
    record = memory(store, max_tries=3).load()
    assert record is not None
    assert (record.same_series, record.run) == (False, RUN)


@pytest.mark.parametrize(("store", "enabled"), [(None, True), (Store(), False)])
def test_without_a_store_or_when_turned_off_nothing_is_kept(store: Store | None, enabled: bool) -> None:
    off = memory(store, enabled=enabled)
    off.submitting(1.0)
    off.started(RUN)
    assert not off.available
    assert off.load() is None
    assert not store


@pytest.mark.parametrize(
    "record",
    [
        {"series": 2},
        {"since": None, "series": 2},
        {"since": "soon", "series": 2},
        {"since": 1.0, "run": {"job": {}}},
        {"since": 1.0, "run": "x"},
        {"since": 1.0, "run": {**RUN.to_state(), "check_interval": "x"}},
    ],
)
def test_a_record_that_cannot_be_read_starts_nothing(record: dict[str, Any]) -> None:
    store = Store({KEY: record})
    with pytest.raises(FabricInputError):
        memory(store).load()


@pytest.mark.parametrize("record", [None, "x", 5, []])
def test_what_is_no_record_is_none(record: Any) -> None:
    assert memory(Store({KEY: record})).load() is None


def test_no_secret_is_kept() -> None:
    store = Store()
    memory(store).started(RUN)
    assert set(store[KEY]) == {"since", "run", "cancel_asked", "series"}
    assert store[KEY]["run"] == RUN.to_state()
