"""Activity runs by times of any zone, as text and as datetimes, through both drivers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_fabric.emulator import EmulatorControl, FabricEmulator
from tests.conformance.tour import ITEM_ID, Ask
from tests.contract.conftest import seed

FORMS: dict[str, Callable[[datetime], Any]] = {
    "text with seven digits": lambda utc: utc.strftime("%Y-%m-%dT%H:%M:%S.%f") + "8Z",
    "text with an offset": lambda utc: utc.astimezone(ZoneInfo("Asia/Kathmandu")).isoformat(),
    "Berlin": lambda utc: utc.astimezone(ZoneInfo("Europe/Berlin")),
    "New York": lambda utc: utc.astimezone(ZoneInfo("America/New_York")),
    "UTC": lambda utc: utc,
    "naive": lambda utc: utc.replace(tzinfo=None),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_times_in_any_form_are_the_same_times(
    ask: Ask, emulator: FabricEmulator, control: EmulatorControl, form: Callable[[datetime], Any]
) -> None:
    seed(emulator, "DataPipeline")
    control.add_job_rule(activities=[{"activityName": "Copy1", "status": "Failed"}])
    job = control.start_job(ITEM_ID, "Execute")
    now = datetime.now(timezone.utc) + timedelta(microseconds=7)

    def runs(after: timedelta, before: timedelta, **more: Any) -> list[dict[str, Any]]:
        times = {"after": form(now + after), "before": form(now + before)}
        found = ask("query_activity_runs", workspace_id=emulator.workspace_id, job_instance_id=job, **times, **more)
        return list(found)

    minutes = timedelta(minutes=5)
    assert [run["activityName"] for run in runs(-minutes, minutes)] == ["Copy1"]
    assert runs(minutes, 2 * minutes) == []
    assert runs(-2 * minutes, -minutes) == []
    failed = {"operand": "Status", "operator": "Equals", "values": ["Failed"]}
    assert len(runs(-minutes, minutes, filters=[failed], order_by=[{"orderBy": "ActivityName", "order": "ASC"}])) == 1
    assert runs(-minutes, minutes, filters=[{**failed, "operator": "NotEquals"}]) == []
