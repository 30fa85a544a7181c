"""The metrics of the documentation's table, from a real triggerer, as StatsD receives them."""

from __future__ import annotations

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.triggerer.metrics import EVERY
from devtools.airflow.stack import AirflowStack
from tests.documented_metrics import OF_JOB_EVENTS, documented_metrics
from tests.e2e.statsd import StatsdServer

pytestmark = pytest.mark.e2e

DAG_ID = "metrics"
PREFIX = "airflow."
ONLY_IN_TROUBLE = {"fabric.refused"}
"""Not sent while there are none; ``tests/unit/triggerer/test_metrics.py`` has it."""


def test_a_statsd_server_receives_what_the_documentation_names(
    airflow_stack: AirflowStack, emulator: FabricEmulator, statsd: StatsdServer
) -> None:
    item = {"displayName": "Measured", "type": "DataPipeline"}
    emulator.control.seed(workspaces=[{"id": emulator.workspace_id, "items": [item]}])
    run_id = airflow_stack.trigger(DAG_ID)
    assert airflow_stack.wait_for_run(DAG_ID, run_id, timeout=120) == "success"

    wanted = {name: kind for name, kind in documented_metrics().items() if name not in ONLY_IN_TROUBLE}

    def all_there() -> bool:
        return {f"{PREFIX}{name}" for name in wanted} <= statsd.received(f"{PREFIX}fabric.").keys()

    # Reports come once a minute; those of the tests before this one are there already.
    airflow_stack.wait_until(all_there, EVERY + 30, f"{sorted(wanted)} at the StatsD server", every=0.5)
    received = statsd.received(f"{PREFIX}fabric.")
    assert {name: received[f"{PREFIX}{name}"][0] for name in wanted} == wanted
    known = documented_metrics() | documented_metrics(OF_JOB_EVENTS)
    assert received.keys() <= {f"{PREFIX}{name}" for name in known}
    assert all(value >= 0 for _, values in received.values() for value in values)
    for name in ("polls", "calls", "calls_per_minute"):
        assert max(received[f"{PREFIX}fabric.{name}"][1]) > 0
