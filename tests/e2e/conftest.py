"""One emulator and one real Airflow for all end-to-end tests of a session."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from devtools.airflow_stack import AirflowStack

REPOSITORY = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="session")
def emulator() -> Iterator[FabricEmulator]:
    """A tenant whose jobs take a second and whose answers ask for two seconds of patience."""
    with FabricEmulator(job_seconds=1, retry_after_seconds=2) as running:
        yield running


@pytest.fixture(scope="session")
def airflow_stack(emulator: FabricEmulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowStack]:
    """An Airflow with the example DAGs and the DAGs of these tests, connected to the emulator."""
    dags = tmp_path_factory.mktemp("dags")
    shutil.copytree(REPOSITORY / "example_dags", dags / "example_dags")
    shutil.copytree(REPOSITORY / "tests" / "e2e" / "dags", dags / "e2e")
    with AirflowStack(dags=dags, connections={"fabric_default": emulator.connection}) as stack:
        yield stack
