"""The SQL endpoint of a lakehouse through both drivers."""

from __future__ import annotations

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.exceptions import FabricOperationError
from tests.conformance.tour import Ask
from tests.contract.conftest import seed


@pytest.mark.parametrize("force_lro", [False, True])
def test_it_is_refreshed(emulator: FabricEmulator, ask: Ask, force_lro: bool) -> None:
    emulator.control.configure(force_lro=force_lro)
    one = {"workspace_id": emulator.workspace_id, "lakehouse_id": seed(emulator, "Lakehouse", tables=[{"name": "a"}])}
    assert ask("get_sql_endpoint", **one)
    assert [t["tableName"] for t in ask("refresh_sql_endpoint", **one, timeout=60)] == ["a"]


def test_a_table_that_failed(emulator: FabricEmulator, ask: Ask) -> None:
    broken = {"name": "a", "error": {"errorCode": "Broken", "message": "It is"}}
    one = {"workspace_id": emulator.workspace_id, "lakehouse_id": seed(emulator, "Lakehouse", tables=[broken])}
    with pytest.raises(FabricOperationError, match="'a': Broken: It is"):
        ask("refresh_sql_endpoint", **one)
