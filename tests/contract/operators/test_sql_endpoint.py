"""Refreshing a lakehouse's SQL endpoint, as a task and by both drivers."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.exceptions import FabricInputError, FabricNameError, FabricOperationError
from airflow_provider_fabric.operators.lakehouse import FabricRefreshSqlEndpointOperator
from tests.task_runner import TaskRunner

BROKEN = {"errorCode": "AdalRetryException", "message": "Have the owner log in again."}


def lakehouse(tenant: FabricEmulator, *tables: dict[str, Any]) -> None:
    item = {"type": "Lakehouse", "displayName": "Sales", "tables": list(tables)}
    tenant.control.seed(workspaces=[{"id": tenant.workspace_id, "items": [item]}])


def task(**arguments: Any) -> TaskRunner:
    given = {"workspace": "Emulator workspace", "lakehouse": "Sales", **arguments}
    return TaskRunner(lambda: FabricRefreshSqlEndpointOperator(task_id="refresh", **given))


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("deferrable", [False, True])
def test_the_tables_are_returned(tenant: FabricEmulator, deferrable: bool, at_once: bool) -> None:
    tenant.control.configure(force_lro=not at_once, lro_seconds=0.1)
    lakehouse(tenant, {"name": "orders"}, {"name": "customers", "status": "NotRun"})
    run = task(deferrable=deferrable)
    tables = run.run()
    assert [(t["tableName"], t["status"]) for t in tables] == [("orders", "Success"), ("customers", "NotRun")]
    assert run.deferrals == int(deferrable and not at_once)


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize(
    "broken",
    [
        {"name": "orders", "error": BROKEN},
        {"name": "orders", "status": "Failure"},
        {"name": "orders", "status": "NotRun", "error": BROKEN},
        {"name": "orders", "status": "SomethingNew"},
    ],
)
def test_a_table_that_failed_fails_the_task_by_name(
    tenant: FabricEmulator, broken: dict[str, Any], deferrable: bool
) -> None:
    lakehouse(tenant, {"name": "customers"}, broken)
    wanted = "AdalRetryException" if "error" in broken else broken["status"]
    with pytest.raises(FabricOperationError, match=rf"1 of 2 tables.*'orders': {wanted}"):
        task(deferrable=deferrable).run()


def test_what_the_request_says(tenant: FabricEmulator) -> None:
    lakehouse(tenant)
    assert task(timeout=90, recreate_tables=True).run() == []
    sent = [e for e in tenant.control.request_log() if e["path"].endswith("/refreshMetadata")]
    assert sent[0]["body"] == {"timeout": {"value": 90.0, "timeUnit": "Seconds"}, "recreateTables": True}


def test_tables_are_not_made_anew_twice_when_an_answer_is_lost(tenant: FabricEmulator) -> None:
    lakehouse(tenant)
    tenant.control.add_fault(method="POST", path="*/refreshMetadata", action="drop", phase="after", count=1)
    with pytest.raises(Exception, match="may have been accepted"):
        task(recreate_tables=True).run()
    assert len([e for e in tenant.control.request_log() if e["path"].endswith("/refreshMetadata")]) == 1


def test_a_plain_refresh_is_repeated_when_an_answer_is_lost(tenant: FabricEmulator) -> None:
    lakehouse(tenant, {"name": "orders"})
    tenant.control.add_fault(method="POST", path="*/refreshMetadata", action="drop", phase="after", count=1)
    assert len(task().run()) == 1


@pytest.mark.parametrize(
    ("arguments", "error", "names"),
    [
        ({"lakehouse": "Sale"}, FabricNameError, "'Sale'"),
        ({"timeout": 0}, FabricInputError, "timeout"),
        ({"timeout": float("inf")}, FabricInputError, "timeout"),
        ({"timeout": "90"}, FabricInputError, "timeout"),
    ],
)
def test_bad_input(tenant: FabricEmulator, arguments: dict[str, Any], error: type[Exception], names: str) -> None:
    lakehouse(tenant)
    with pytest.raises(error, match=names):
        task(**arguments).run()
    assert not [e for e in tenant.control.request_log() if e["path"].endswith("/refreshMetadata")]


def test_recreate_tables_is_a_flag() -> None:
    with pytest.raises(FabricInputError, match="recreate_tables"):
        task(recreate_tables="yes").run()
