"""Capacities through both drivers."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.emulator.state.capacities import CAPACITY_ID, CAPACITY_NAME
from airflow_provider_fabric.exceptions import FabricNameError
from tests.conformance.tour import Ask
from tests.contract.conftest import seed


def test_a_capacity_is_suspended_and_resumed(emulator: FabricEmulator, ask: Ask) -> None:
    emulator.control.configure(capacity_seconds=0)
    assert ask("get_capacity", capacity=CAPACITY_NAME).state == "Active"
    assert ask("suspend_capacity", capacity=CAPACITY_NAME).state == "Paused"
    assert [(c["id"], c["state"]) for c in ask("list_capacities")] == [(CAPACITY_ID, "Inactive")]
    assert ask("resume_capacity", capacity=CAPACITY_ID).state == "Active"


def test_capacities_come_in_pages(emulator: FabricEmulator, ask: Ask) -> None:
    emulator.control.configure(page_size=1)
    emulator.control.seed(capacities=[{"name": "second"}, {"name": "third"}])
    assert ask("get_capacity", capacity="third").name == "third"
    assert len(ask("list_capacities")) == 3


def test_active_runs_are_listed(emulator: FabricEmulator, ask: Ask) -> None:
    item = seed(emulator, "DataPipeline")
    emulator.control.add_job_rule(duration_seconds=60)
    run = emulator.control.start_job(item_id=item)
    found = ask("list_active_runs", workspaces=["Emulator workspace"])
    assert [(r.item.id, r.instance.id) for r in found] == [(item, run)]
    assert run in str(found[0])


UNKNOWN = "00000000-0000-4000-8000-00000000000f"


@pytest.mark.parametrize("method", ["get_capacity", "resume_capacity", "suspend_capacity"])
@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"capacity": "salescapacit"}, r"No capacity is named 'salescapacit'.*Did you mean 'salescapacity' or"),
        ({"capacity": UNKNOWN}, rf"No capacity has the id {UNKNOWN}.*salescapacity \("),
        (
            {"capacity": "salescapacit", "resource_group": "data"},
            r"There is no capacity /subs.*you mean 'salescapacity' or",
        ),
        (
            {"capacity": "zzz", "resource_group": "data"},
            r"no capacity /subs.*are 2 capacities: .*salescapacity \(resource group ",
        ),
    ],
)
def test_an_unknown_capacity_is_named_with_those_that_are_there(
    emulator: FabricEmulator, ask: Ask, method: str, more: dict[str, Any], message: str
) -> None:
    emulator.control.seed(capacities=[{"name": "salescapacity"}])
    if "resource_group" in more:  # the resource id is put together, and no list is read
        more = {**more, "subscription_id": ask("get_capacity", capacity="salescapacity").resource_id.split("/")[2]}
    with pytest.raises(FabricNameError, match=message):
        ask(method, **more)
    assert not [e for e in emulator.control.request_log() if e["method"] == "POST" and "/arm/" in e["path"]]
