"""Job events in a real triggerer: a run is found over by its event, long before it would have been polled."""

from __future__ import annotations

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from devtools.airflow.stack import AirflowStack
from tests.job_events import StreamOfPipelines

pytestmark = pytest.mark.e2e

pytest.importorskip("azure.eventhub")

DAG_ID = "job_events"
SECONDS = 12
"""How long the run takes: it is polled once after its submit, and then in ten minutes."""


def test_a_real_triggerer_hears_that_a_run_is_over(
    airflow_stack: AirflowStack, emulator: FabricEmulator, announced: StreamOfPipelines
) -> None:
    (item,) = announced.items
    emulator.control.add_job_rule(item_id=item, duration_seconds=SECONDS)
    run_id = airflow_stack.trigger(DAG_ID)
    assert airflow_stack.wait_for_run(DAG_ID, run_id, timeout=180) == "success"  # the next poll is in ten minutes
    polls = [
        e for e in emulator.control.request_log() if e["method"] == "GET" and f"{item}/jobs/instances" in e["path"]
    ]
    assert 1 <= len(polls) <= 6, "it was hints that were waited for"
