"""What a poller reports, through Airflow's Stats and in the log."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import time
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_fabric import compat
from airflow_provider_fabric.api.jobs.polling import JobPoll
from airflow_provider_fabric.api.models import JobRef
from airflow_provider_fabric.triggerer.call_budget import CallBudget
from airflow_provider_fabric.triggerer.poller import JobPoller
from tests.documented_metrics import documented_metrics
from tests.e2e.statsd import StatsdServer
from tests.unit.virtual_time import EPOCH, WORKSPACE, FakeFabric, clock, guid, refused, run_virtually


class Sink:
    """What a statsd server would have received."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, Any, dict[str, str]]] = []

    def gauge(self, name: str, value: float, *, tags: dict[str, str]) -> None:
        self.sent.append(("gauge", name, value, tags))

    def incr(self, name: str, count: int, *, tags: dict[str, str]) -> None:
        self.sent.append(("incr", name, count, tags))

    def timing(self, name: str, value: timedelta, *, tags: dict[str, str]) -> None:
        self.sent.append(("timing", name, value, tags))

    def values(self, name: str) -> list[Any]:
        return [value for _, sent, value, _ in self.sent if sent == f"fabric.{name}"]


def watch(runs: int, per_minute: float = 180, **fabric: Any) -> tuple[Sink, FakeFabric]:
    """Wait for runs of as many items for ten minutes."""
    sink, service = Sink(), FakeFabric(**fabric)

    async def main() -> None:
        poller = JobPoller(service.arun, CallBudget(per_minute, clock()), clock=clock, identity="0123abcd", stats=sink)

        async def one(number: int) -> None:
            service.start(number, number, 600)
            await poller.wait(JobPoll(JobRef(WORKSPACE, guid(number), guid(number)), clock(), 60.0, clock()))

        await asyncio.gather(*map(one, range(runs)))
        await asyncio.sleep(200)

    run_virtually(main())
    return sink, service


def test_a_quiet_poller_reports_and_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    sink, service = watch(10)
    assert sink.values("runs_waiting")[:3] == [10, 10, 10]
    assert sink.values("runs_waiting")[-1] == 0
    assert len(sink.values("runs_waiting")) <= 13, "nothing is reported while nothing waits"
    assert sum(sink.values("calls")) == len(service.calls)
    assert sum(sink.values("polls")) == len(service.calls)
    assert sink.values("refused") == []
    assert len(sink.values("detection_lag")) == 10
    assert all(timedelta(0) <= lag <= timedelta(seconds=66) for lag in sink.values("detection_lag"))
    assert {tags["identity"] for *_, tags in sink.sent} == {"0123abcd"}
    assert all(len(name) < 63 and tags["host"] for _, name, _, tags in sink.sent)
    assert [record for record in caplog.records if record.name.endswith(".metrics")] == []


def test_a_busy_poller_says_so_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    refusals = iter([refused(429, retry_after="30")])
    sink, _ = watch(200, per_minute=30, answer=lambda _: next(refusals, None) if clock() > EPOCH + 90 else None)
    lines = [record.getMessage() for record in caplog.records if record.name.endswith(".metrics")]
    assert len(lines) == pytest.approx(len(sink.values("runs_waiting")), abs=3)
    assert "200 runs and 0 sensors wait" in lines[0]
    assert sink.values("refused") == [1]
    assert max(sink.values("oldest_overdue")) > 60
    assert 0.7 < max(sink.values("budget_used")) <= 1.1
    assert min(sink.values("budget_share")) < 0.8


def test_the_documentation_names_every_metric_and_its_kind() -> None:
    refusals = iter([refused(429, retry_after="1")])
    sink, _ = watch(5, answer=lambda _: next(refusals, None))
    kinds = {"gauge": "g", "incr": "c", "timing": "ms"}
    assert {name: kinds[kind] for kind, name, _, _ in sink.sent} == documented_metrics()


def test_a_metrics_backend_that_fails_ends_no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("the socket is gone")

    for kind in ("gauge", "incr", "timing"):
        monkeypatch.setattr(Sink, kind, broken)
    watch(3)


def test_the_installed_airflow_takes_the_metrics() -> None:
    stats = compat.metrics_stats()
    stats.gauge("fabric.runs_waiting", 1, tags={"host": "here"})
    stats.incr("fabric.polls", 2, tags={"host": "here"})
    stats.timing("fabric.detection_lag", timedelta(seconds=1), tags={"host": "here"})


def test_a_process_that_airflow_set_up_nothing_for_reaches_the_statsd_server() -> None:
    """Airflow ≥ 3.2 has metrics twice, for core and SDK, and its triggerer sets up the core's; ours are the SDK's."""
    pytest.importorskip("statsd")
    settings = {"STATSD_ON": "True", "STATSD_HOST": "127.0.0.1", "STATSD_PREFIX": "airflow"}
    code = "from airflow_provider_fabric import compat; compat.metrics_stats().gauge('fabric.polls', 7, tags={})"
    with StatsdServer() as server:
        environment = {f"AIRFLOW__METRICS__{key}": value for key, value in settings.items()}
        environment |= {"AIRFLOW__METRICS__STATSD_PORT": str(server.port), "PYTHONPATH": os.pathsep.join(sys.path)}
        subprocess.run([sys.executable, "-W", "ignore", "-c", code], env={**os.environ, **environment}, check=True)
        deadline = time.monotonic() + 10
        while not server.received("airflow.fabric.") and time.monotonic() < deadline:
            time.sleep(0.05)
        assert server.received("airflow.fabric.") == {"airflow.fabric.polls": ("g", [7.0])}
