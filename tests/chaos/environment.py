"""A real Airflow on PostgreSQL, with two triggerers and clock zones apart, in which cases run."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from devtools.airflow.servers import Postgres, Redis, postgres_folder, redis_program
from devtools.airflow.stack import AirflowStack
from tests.chaos import report
from tests.chaos.cases import Case
from tests.chaos.component_failures import CLOCK_ZONES, SERVICE_AHEAD, SETTINGS
from tests.chaos.runner import CaseRun, Disturbance, Harness

EMULATOR = {"job_seconds": 5, "retry_after_seconds": 6, "cancel_seconds": 2}


@contextmanager
def run_cases(
    cases: Sequence[Case],
    waves: Mapping[str, Disturbance | None],
    folder: Path,
    *,
    celery_workers: int = 0,
    docs: bool = True,
    section: str = "matrix",
    service: Mapping[str, Any] | None = None,
) -> Iterator[dict[str, CaseRun]]:
    """Run cases, wave by wave, print the table, and hand them out while Airflow still runs.

    :param celery_workers: how many; none means the ``LocalExecutor``.
    :param docs: write the table into the documentation, too.
    :param section: where.
    :param service: more settings of the emulator.
    """
    settings = {**EMULATOR, **(service or {})}
    executor = "CeleryExecutor" if celery_workers else "LocalExecutor"
    with ExitStack() as servers:
        installed = postgres_folder()
        if installed is None:
            pytest.skip("PostgreSQL is not installed (Debian, Ubuntu: apt-get install postgresql)")
        database = servers.enter_context(Postgres(installed))
        environment = SETTINGS | (_celery(servers, database) if celery_workers else {})
        emulator = servers.enter_context(FabricEmulator(clock=lambda: time.time() + SERVICE_AHEAD, **settings))
        emulator.control.configure(quotas={"job_scheduler": None, "platform": None})
        harness = Harness(cases, emulator, folder)
        servers.callback(harness.close)
        shared = emulator.connection
        shared["extra"]["job_calls_per_minute"] = 6000
        airflow = AirflowStack(
            dags=folder,
            connections={"fabric_default": shared, **harness.connections},
            env=environment,
            executor=executor,
            database=database.url,
            triggerers=2,
            celery_workers=celery_workers,
        )
        for component, zone in CLOCK_ZONES.items():
            airflow.component(component).env["TZ"] = zone
        started = time.monotonic()
        harness.airflow = servers.enter_context(airflow)
        for wave, disturb in waves.items():
            if case_runs := [case_run for case_run in harness.case_runs if case_run.case.wave == wave]:
                harness.play(case_runs, disturb)
        title = f"Airflow {airflow.dialect.version}" + (f", {executor}" if celery_workers else "")
        verdicts = [case_run.verdict() for case_run in harness.case_runs]
        table = report.matrix(title, verdicts, time.monotonic() - started, executor)
        print(f"\n{table}")
        if docs:
            report.record(title, verdicts, time.monotonic() - started, executor, section)
        yield {case_run.case.id: case_run for case_run in harness.case_runs}


def _celery(servers: ExitStack, database: Postgres) -> dict[str, str]:
    """Start Celery's broker and return Airflow's settings for it."""
    program = redis_program()
    if program is None:
        pytest.skip("Redis is not installed (Debian, Ubuntu: apt-get install redis-server)")
    broker = servers.enter_context(Redis(program))
    return {
        "AIRFLOW__CELERY__BROKER_URL": broker.url,
        "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{database.url}",
    }
