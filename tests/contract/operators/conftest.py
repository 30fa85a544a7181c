"""A tenant for tests of operators, sensors and triggers: an emulator, and the Airflow connection to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_fabric.emulator import FabricEmulator

LIMITLESS = {"job_scheduler": None, "platform": None, "operations": None}


@pytest.fixture(scope="session")
def shared_tenant() -> Iterator[FabricEmulator]:
    with FabricEmulator(job_seconds=0.2, cancel_seconds=0.1, retry_after_seconds=0, quotas=LIMITLESS) as emulator:
        yield emulator


@pytest.fixture
def tenant(shared_tenant: FabricEmulator, monkeypatch: pytest.MonkeyPatch) -> FabricEmulator:
    """An emulator that holds nothing but its own workspace; ``fabric_default`` leads there."""
    shared_tenant.control.reset()
    monkeypatch.setenv("AIRFLOW_CONN_FABRIC_DEFAULT", shared_tenant.connection_json)
    return shared_tenant


@pytest.fixture
def sales(tenant: FabricEmulator) -> str:
    """A workspace ``Sales`` with a lakehouse ``Bronze`` that holds one file; its id."""
    workspace = "55555555-5555-4555-8555-555555555555"
    item = {"type": "Lakehouse", "displayName": "Bronze", "files": {"Files/in/a.csv": "a,b\n1,2\n"}}
    tenant.control.seed(workspaces=[{"id": workspace, "displayName": "Sales", "items": [item]}])
    return workspace
