"""One emulator and one real Airflow for all end-to-end tests of a session."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_fabric.compat_tasks import is_airflow_2
from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.hooks.fabric import FabricHook
from devtools.airflow.stack import AirflowStack
from tests.e2e.identities import connections
from tests.e2e.receivers import Receivers
from tests.e2e.statsd import StatsdServer
from tests.job_events import StreamOfPipelines

STATSD = {"AIRFLOW__METRICS__STATSD_ON": "True", "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1"}
"""Without the package ``statsd``, which is among the tools of the tests, no component of Airflow starts with this."""

REPOSITORY = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="session")
def emulator() -> Iterator[FabricEmulator]:
    """A tenant whose jobs take a second and whose answers ask for some patience: see ``compat.settling_seconds``."""
    with FabricEmulator(job_seconds=1, retry_after_seconds=4) as running:
        yield running


@pytest.fixture(scope="session")
def all_connections(emulator: FabricEmulator, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """A connection for every way to sign in."""
    return connections(emulator, tmp_path_factory.mktemp("identities"))


@pytest.fixture(scope="session")
def announced(emulator: FabricEmulator) -> StreamOfPipelines:
    """A pipeline whose runs are announced on an eventstream."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_FABRIC_DEFAULT", emulator.connection_json)
        with closing(FabricHook()) as hook:
            return StreamOfPipelines(emulator, hook, "Announced")


@pytest.fixture(scope="session")
def statsd() -> Iterator[StatsdServer]:
    """Where the Airflow of these tests sends its metrics."""
    with StatsdServer() as server:
        yield server


@pytest.fixture(scope="session")
def receivers() -> Iterator[Receivers]:
    """Where alerts arrive."""
    with Receivers() as running:
        yield running


@pytest.fixture(scope="session")
def airflow_stack(
    emulator: FabricEmulator,
    all_connections: dict[str, dict[str, Any]],
    statsd: StatsdServer,
    receivers: Receivers,
    announced: StreamOfPipelines,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[AirflowStack]:
    """An Airflow with the example DAGs and the DAGs of these tests, connected to the emulator, logging at DEBUG."""
    events = tmp_path_factory.mktemp("lineage") / "events.json"
    environment = {
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
        # A dead triggerer is noticed within seconds, not half a minute.
        "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
        "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "12",
        # No test changes a DAG file that has been read, and reading fifty again and again takes a third of a core.
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "300",
        "AIRFLOW__SCHEDULER__MIN_FILE_PROCESS_INTERVAL": "300",
        # OpenLineage tells of the DAG ``lineage`` only.
        "AIRFLOW__OPENLINEAGE__SELECTIVE_ENABLE": "True",
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps({"type": "file", "log_file_path": str(events), "append": True}),
        **(STATSD if find_spec("statsd") else {}),
        "AIRFLOW__METRICS__STATSD_PORT": str(statsd.port),
        "AZURE_POD_IDENTITY_AUTHORITY_HOST": emulator.url,  # where msal looks for the managed identity
    }
    if is_airflow_2():  # as in Airflow 3, where a record names its logger: whose warning it is
        environment["AIRFLOW__LOGGING__LOG_FORMAT"] = (
            "[%(asctime)s] {%(filename)s:%(lineno)d} %(levelname)s - %(name)s: %(message)s"
        )
    dags = tmp_path_factory.mktemp("dags")
    shutil.copytree(REPOSITORY / "example_dags", dags / "example_dags")
    shutil.copytree(REPOSITORY / "tests" / "e2e" / "dags", dags / "e2e")
    connected = {**all_connections, **receivers.connections(), "fabric_events": announced.connection()}
    with AirflowStack(dags=dags, connections=connected, env=environment) as stack:
        yield stack
