"""Dataflows that the filtered list leaves out: found by name, by upsert and by sensors all the same."""

from __future__ import annotations

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.exceptions import FabricNameError
from airflow_provider_fabric.operators.dataflow import FabricRunDataflowRefreshOperator
from airflow_provider_fabric.operators.item import FabricUpsertItemDefinitionOperator
from airflow_provider_fabric.operators.pipeline import FabricRunPipelineOperator
from airflow_provider_fabric.sensors.job import FabricItemJobSensor
from tests.contract.operators.items import add_item
from tests.task_runner import TaskRunner

PARTS = {"mashup.pq": "section Section1;\nshared Query = 1;\n", "queryMetadata.json": {"formatVersion": "202502"}}


@pytest.fixture
def forgetful(tenant: FabricEmulator) -> FabricEmulator:
    """A tenant whose list filtered by type knows no dataflow."""
    tenant.control.configure(unlisted_when_filtered=["Dataflow"])
    return tenant


def lists(tenant: FabricEmulator) -> int:
    return sum(e["method"] == "GET" and e["path"].endswith("/items") for e in tenant.control.request_log())


def test_an_upsert_updates_it_instead_of_failing(forgetful: FabricEmulator) -> None:
    def upsert(query: str) -> str:
        parts = {**PARTS, "mashup.pq": query}
        task = TaskRunner(
            lambda: FabricUpsertItemDefinitionOperator(
                task_id="u",
                workspace="Emulator workspace",
                item_type="Dataflow",
                display_name="Customers",
                definition=parts,
            )
        )
        return str(task.run()["outcome"])

    assert upsert("section Section1;\nshared Query = 1;\n") == "created"
    assert upsert("section Section1;\nshared Query = 1;\n") == "unchanged"
    assert upsert("section Section1;\nshared Query = 2;\n") == "updated"


def test_a_name_and_a_sensor_find_it(forgetful: FabricEmulator) -> None:
    item = add_item(forgetful, "Dataflow", "Customers")
    add_item(forgetful, "DataPipeline", "Customers")  # of another kind
    refreshed = TaskRunner(
        lambda: FabricRunDataflowRefreshOperator(
            task_id="r", workspace="Emulator workspace", dataflow="Customers", apply_changes="skip", check_interval=0.1
        )
    ).run()
    assert (refreshed["item_id"], refreshed["status"]) == (item, "Completed")
    seen = TaskRunner(
        lambda: FabricItemJobSensor(
            task_id="s",
            workspace="Emulator workspace",
            item="Customers",
            item_type="Dataflow",
            since="2020-01-01T00:00:00Z",
            poke_interval=0.1,
        )
    ).run()
    assert seen is not None


def test_the_whole_list_is_read_only_where_it_helps(tenant: FabricEmulator) -> None:
    add_item(tenant, "Dataflow", "Customers")
    add_item(tenant, "DataPipeline", "Load")
    base = {"task_id": "r", "workspace": tenant.workspace_id, "check_interval": 0.1, "wait_for_termination": False}
    TaskRunner(lambda: FabricRunDataflowRefreshOperator(dataflow="Customers", **base)).run()
    TaskRunner(lambda: FabricRunPipelineOperator(pipeline="Load", **base)).run()
    assert lists(tenant) == 2
    with pytest.raises(FabricNameError, match="No DataPipeline is named 'Gone'"):
        TaskRunner(lambda: FabricRunPipelineOperator(pipeline="Gone", **base)).run()
    assert lists(tenant) == 3
    with pytest.raises(FabricNameError, match="No Dataflow is named 'Gone'"):
        TaskRunner(lambda: FabricRunDataflowRefreshOperator(dataflow="Gone", **base)).run()
    assert lists(tenant) == 5
