"""Points in time, as users and Airflow write them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_fabric.exceptions import FabricInputError
from airflow_provider_fabric.sensors.timestamps import dag_run_start, to_epoch

NOON = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    "moment",
    [
        NOON,
        NOON.replace(tzinfo=None),
        NOON.astimezone(timezone(timedelta(hours=2))),
        "2026-01-31T12:00:00Z",
        "2026-01-31T12:00:00z",
        "2026-01-31 12:00:00+00:00",
        " 2026-01-31T12:00:00 ",
        "2026-01-31T14:00:00+02:00",
        NOON.isoformat(),
        str(NOON),
        "20260131T120000",
        "20260131T120000+0000",
        "20260131T140000+02",
        "2026-01-31T12:00",
        "2026-01-31T12",
        "2026-01-31T12:00:00.0000000Z",
        "2026-01-31T12:00:00,000",
        "2026-01-31 12:00:00 +00:00",
        "20260131T12Z",
    ],
)
def test_the_same_moment(moment: Any):
    assert to_epoch(moment, "since") == NOON.timestamp()


@pytest.mark.parametrize(
    "moment", ["yesterday", "", "2026-13-01", "2026-0131", "2026-01-31T25", 5, None, [], 1.5, True, "{{ ds }}"]
)
def test_what_is_no_moment(moment: Any):
    with pytest.raises(FabricInputError, match="since must be a"):
        to_epoch(moment, "since")


@pytest.mark.parametrize("day", ["2026-01-31", "20260131", 20260131])
def test_a_day_is_its_midnight_in_utc(day: Any):
    assert to_epoch(day, "since") == NOON.replace(hour=0).timestamp()


def test_fractions():
    assert to_epoch("2026-01-31T12:00:00.1234567Z", "since") == pytest.approx(NOON.timestamp() + 0.123456, abs=1e-6)
    assert to_epoch("2026-01-31T12:00:00.5", "since") == NOON.timestamp() + 0.5


def test_a_dag_run_is_about_its_data_interval_or_what_comes_nearest():
    later = NOON + timedelta(days=1)
    run = SimpleNamespace(start_date=later, run_after=None)
    assert dag_run_start({"data_interval_start": NOON, "logical_date": later, "dag_run": run}) == NOON.timestamp()
    assert dag_run_start({"data_interval_start": None, "logical_date": NOON, "dag_run": run}) == NOON.timestamp()
    assert dag_run_start({"dag_run": SimpleNamespace(start_date=later, run_after=NOON)}) == NOON.timestamp()
    assert dag_run_start({"dag_run": run}) == later.timestamp()
    assert dag_run_start({}) == pytest.approx(datetime.now(timezone.utc).timestamp(), abs=5)
