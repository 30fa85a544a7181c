"""Moments, as users and Airflow write them."""

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
    ],
)
def test_the_same_moment(moment: Any):
    assert to_epoch(moment, "since") == NOON.timestamp()


@pytest.mark.parametrize("moment", ["yesterday", "", "2026-13-01", 5, None, [], "{{ ds }}"])
def test_what_is_no_moment(moment: Any):
    with pytest.raises(FabricInputError, match="since must be a"):
        to_epoch(moment, "since")


def test_a_dag_run_is_about_its_data_interval_or_what_comes_nearest():
    later = NOON + timedelta(days=1)
    run = SimpleNamespace(start_date=later, run_after=None)
    assert dag_run_start({"data_interval_start": NOON, "logical_date": later, "dag_run": run}) == NOON.timestamp()
    assert dag_run_start({"data_interval_start": None, "logical_date": NOON, "dag_run": run}) == NOON.timestamp()
    assert dag_run_start({"dag_run": SimpleNamespace(start_date=later, run_after=NOON)}) == NOON.timestamp()
    assert dag_run_start({"dag_run": run}) == later.timestamp()
    assert dag_run_start({}) == pytest.approx(datetime.now(timezone.utc).timestamp(), abs=5)
