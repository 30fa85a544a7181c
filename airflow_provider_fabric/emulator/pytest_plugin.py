"""Fixtures for tests of DAGs that use Fabric: an emulator, and an Airflow connection that leads to it.

pytest finds this by itself (entry point ``pytest11``). It costs a test run nothing until a fixture is asked for, and
needs the extra ``emulator`` only then.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from airflow_provider_fabric.emulator.server import FabricEmulator

CONNECTION_ID = "fabric_default"
QUICK: dict[str, Any] = {"retry_after_seconds": 0, "job_seconds": 0, "lro_seconds": 0, "cancel_seconds": 0}
"""Settings with which nothing takes any time."""


@pytest.fixture(scope="session")
def fabric_emulator_settings() -> dict[str, Any]:
    """Settings of the emulator; define a fixture of this name to have others.

    See :class:`~airflow_provider_fabric.emulator.state.config.Config`.
    """
    return {**QUICK, "quotas": {"job_scheduler": None, "platform": None, "operations": None}}


@pytest.fixture(scope="session")
def _fabric_emulator_of_the_session(fabric_emulator_settings: dict[str, Any]) -> Iterator[FabricEmulator]:
    try:
        from airflow_provider_fabric.emulator.server import FabricEmulator
    except ImportError as error:
        pytest.fail(f"{error}. Install the extra: pip install 'airflow-provider-fabric[emulator]'", pytrace=False)
    with FabricEmulator(**fabric_emulator_settings) as emulator:
        yield emulator


@pytest.fixture
def fabric_emulator(_fabric_emulator_of_the_session: FabricEmulator) -> FabricEmulator:
    """A Fabric tenant on this machine, as new: one workspace, ``Emulator workspace``, and no items.

    Put items in and read what happened with :attr:`FabricEmulator.control`.
    """
    emulator = _fabric_emulator_of_the_session
    emulator.control.reset()
    return emulator


@pytest.fixture
def fabric_connection(fabric_emulator: FabricEmulator, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make ``fabric_default`` lead to the emulator, and return that id."""
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONNECTION_ID.upper()}", fabric_emulator.connection_json)
    # A deferred wait begins when Airflow's supervisor has noticed that the task's process is gone; here is none.
    monkeypatch.setenv("AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL", "0")
    return CONNECTION_ID
