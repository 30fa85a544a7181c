"""Without a stream nothing of it is imported or started; without its library, runs are polled and the log says why."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_fabric.api.connection.settings import FabricSettings
from airflow_provider_fabric.triggerer.clients import Client
from airflow_provider_fabric.triggerer.clocks import Clocks
from airflow_provider_fabric.triggerer.event_streams import EventStreams
from tests.unit.virtual_time import clock, run_virtually


def client_of(**settings: Any) -> Client:
    hook: Any = SimpleNamespace(acredential=lambda: None)
    return Client(hook, FabricSettings("c", **settings))


def test_a_triggerer_imports_no_client_of_event_hubs() -> None:
    code = (
        "import sys\n"
        "import airflow_provider_fabric.triggers.events, airflow_provider_fabric.triggers.job\n"
        "import airflow_provider_fabric.triggerer.shared, airflow_provider_fabric.hooks.fabric\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'azure', 'aiohttp'}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_connection_that_names_no_stream_starts_nothing() -> None:
    async def main() -> None:
        before = asyncio.all_tasks()
        assert EventStreams().hints_of(client_of(), Clocks(clock)) is None
        assert asyncio.all_tasks() == before

    run_virtually(main())


def test_a_missing_library_is_named_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "azure.eventhub", None)
    monkeypatch.delitem(sys.modules, "airflow_provider_fabric.triggerer.event_reader", raising=False)
    caplog.set_level(logging.ERROR)

    async def main() -> None:
        streams = EventStreams()
        hints = streams.hints_of(client_of(events_hub=("name.example", "hub")), Clocks(clock))
        assert hints is not None
        assert streams.hints_of(next(iter(streams._streams)), Clocks(clock)) is hints  # one reader for all
        await next(iter(streams._streams.values())).task
        assert not hints.coverage.is_open(0.0)
        await streams.aclose()

    asyncio.run(main())
    (record,) = [record for record in caplog.records if record.name.endswith("event_streams")]
    assert "pip install 'airflow-provider-fabric[events]'" in record.getMessage()
