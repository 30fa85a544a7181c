"""Semantic models on shared (Pro) capacity: plain refreshes, which no documented header names."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.exceptions import (
    FabricApiError,
    FabricBadRequestError,
    FabricInputError,
    FabricJobFailed,
    FabricJobMayBeRunning,
    FabricJobTimeout,
)
from airflow_provider_fabric.hooks.fabric import FabricHook
from airflow_provider_fabric.lifecycle.timing import Timing
from airflow_provider_fabric.operators.job import FabricRunItemJobOperator
from airflow_provider_fabric.operators.semantic_model import FabricRefreshSemanticModelOperator
from tests.contract.operators.items import add_item
from tests.task_runner import TaskRunner

POST = {"method": "POST", "path": "*/refreshes"}


@pytest.fixture(autouse=True)
def model(tenant: FabricEmulator, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(FabricRunItemJobOperator, "_timing", Timing(visible_within=0.5))
    monkeypatch.setattr("airflow_provider_fabric.lifecycle.execution.settling_seconds", lambda: 0.1)
    tenant.control.seed(workspaces=[{"id": tenant.workspace_id, "capacityId": None}])
    return add_item(tenant, "SemanticModel", "Revenue")


def task(**arguments: Any) -> TaskRunner:
    given = {"workspace": "Emulator workspace", "semantic_model": "Revenue", "check_interval": 0.1, **arguments}
    return TaskRunner(lambda: FabricRefreshSemanticModelOperator(task_id="refresh", **given))


def sent(tenant: FabricEmulator) -> list[tuple[Any, int | None]]:
    log = tenant.control.request_log()
    return [(e["body"], e["status"]) for e in log if e["method"] == "POST" and e["path"].endswith("/refreshes")]


PLAIN = {"notifyOption": "NoNotification"}


@pytest.mark.parametrize("deferrable", [False, True])
def test_the_plain_refresh_is_found_by_itself(tenant: FabricEmulator, deferrable: bool) -> None:
    result = task(deferrable=deferrable).run()
    assert (result["status"], result["job_type"]) == ("Completed", "Refresh")
    assert sent(tenant) == [({"type": "Automatic"}, 400), (PLAIN, 202)]


@pytest.mark.parametrize("options", [None, {"notifyOption": "MailOnFailure"}])
def test_the_plain_refresh_on_request(tenant: FabricEmulator, options: dict[str, str] | None) -> None:
    assert task(enhanced=False, options=options).run()["status"] == "Completed"
    assert sent(tenant) == [(options or PLAIN, 202)]


def test_no_plain_refresh_where_an_enhanced_one_is_wanted(tenant: FabricEmulator) -> None:
    with pytest.raises(FabricBadRequestError):
        task(enhanced=True).run()
    assert [status for _, status in sent(tenant)] == [400]


def test_another_refusal_is_no_reason_for_a_plain_refresh(tenant: FabricEmulator) -> None:
    """On a capacity of its own the refusal is about the request, and the request is not changed."""
    tenant.control.reset()
    add_item(tenant, "SemanticModel", "Revenue")
    tenant.control.add_fault(**POST, status=400, error_code="BadRequest")
    with pytest.raises(FabricBadRequestError):
        task().run()
    assert len(sent(tenant)) == 1


def test_a_failed_plain_refresh_says_why(tenant: FabricEmulator) -> None:
    reason = {"errorCode": "ModelRefreshFailed_CredentialsNotSpecified", "errorDescription": "No credentials."}
    tenant.control.add_job_rule(item_type="SemanticModel", outcome="Failed", failure_reason=reason)
    with pytest.raises(FabricJobFailed, match="No credentials"):
        task().run()


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_refresh_that_no_header_names_is_found_in_the_history(tenant: FabricEmulator, deferrable: bool) -> None:
    tenant.control.add_job_rule(item_type="SemanticModel", omit_location=True, duration_seconds=1.0)
    run = task(deferrable=deferrable)
    result = run.run()
    assert result["status"] == "Completed"
    (listed,) = FabricHook().list_semantic_model_refreshes(tenant.workspace_id, result["item_id"])
    assert listed.id == result["job_instance_id"]
    assert [status for _, status in sent(tenant)] == [400, 202]


def test_an_answer_that_was_lost_is_resolved_by_the_history(tenant: FabricEmulator) -> None:
    tenant.control.add_job_rule(item_type="SemanticModel", duration_seconds=1.0)
    tenant.control.add_fault(**POST, action="drop", phase="after", count=1)
    assert task(enhanced=False).run()["status"] == "Completed"
    assert len(sent(tenant)) == 1


def test_another_kind_of_refresh_is_not_taken_for_ours(
    tenant: FabricEmulator, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody's enhanced refresh begins while the answer to our plain one is lost, which never arrived."""
    tenant.control.seed(workspaces=[{"id": tenant.workspace_id, "capacityId": model}])
    tenant.control.add_job_rule(item_type="SemanticModel", duration_seconds=5.0)
    tenant.control.add_fault(**POST, action="drop", phase="before", count=1)
    theirs: list[str] = []

    def begin(*_: Any) -> None:
        if not theirs:
            theirs.append(
                FabricHook().refresh_semantic_model(tenant.workspace_id, model, enhanced=True).job_instance_id
            )

    monkeypatch.setattr("airflow_provider_fabric.lifecycle.ownership.OwnershipSearch.watch", _after(begin))
    with pytest.raises(FabricJobMayBeRunning, match="may be going on"):
        task(enhanced=False).run()
    assert len(theirs) == 1


def _after(first: Any) -> Any:
    from airflow_provider_fabric.lifecycle.ownership import OwnershipSearch

    watch = OwnershipSearch.watch

    def both(self: Any) -> None:
        first()
        watch(self)

    return both


def test_a_retry_reconnects_to_a_plain_refresh(tenant: FabricEmulator) -> None:
    tenant.control.add_job_rule(item_type="SemanticModel", duration_seconds=1.0)
    first = task(wait_for_termination=False)
    started = first.run()["job_instance_id"]
    again = task()
    again.store, again.try_number = first.store, 1
    assert again.run()["job_instance_id"] == started
    assert [status for _, status in sent(tenant)] == [400, 202]


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_plain_refresh_cannot_be_cancelled_and_the_message_says_so(tenant: FabricEmulator, deferrable: bool) -> None:
    tenant.control.add_job_rule(item_type="SemanticModel", duration_seconds=60)
    with pytest.raises(FabricJobTimeout, match="Cancel refused: 400"):
        task(timeout=0.5, deferrable=deferrable).run()


def test_eight_a_day(tenant: FabricEmulator) -> None:
    tenant.control.add_job_rule(item_type="SemanticModel", duration_seconds=0)
    for _ in range(8):
        task(enhanced=False).run()
    with pytest.raises(FabricApiError, match="has 8 a day"):
        task(enhanced=False).run()


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ({"objects": [{"table": "Orders"}]}, "objects"),
        ({"refresh_type": "DataOnly"}, "refresh_type"),
        ({"refresh_type": "ClearValues"}, "refresh_type"),
        ({"options": {"commitMode": "transactional"}}, "options.commitMode"),
    ],
)
@pytest.mark.parametrize("enhanced", [None, False])
def test_what_a_plain_refresh_cannot_do_is_named(
    tenant: FabricEmulator, arguments: dict[str, Any], names: str, enhanced: bool | None
) -> None:
    with pytest.raises(FabricInputError, match=f"^{names}: "):
        task(enhanced=enhanced, **arguments).run()
    assert [status for _, status in sent(tenant)] == ([400] if enhanced is None else [])


@pytest.mark.parametrize("enhanced", [None, True])
def test_a_notification_belongs_to_a_plain_refresh(tenant: FabricEmulator, enhanced: bool | None) -> None:
    with pytest.raises(FabricInputError, match=r"options\.notifyOption"):
        task(enhanced=enhanced, options={"notifyOption": "MailOnFailure"}).run()
    assert sent(tenant) == []


@pytest.mark.parametrize("value", ["no", 5])
def test_enhanced_is_a_flag(value: Any) -> None:
    with pytest.raises(FabricInputError, match="enhanced"):
        task(enhanced=value).run()


@pytest.mark.parametrize("asynchronous", [False, True])
def test_the_hook(tenant: FabricEmulator, model: str, asynchronous: bool) -> None:
    async def ask() -> Any:
        hook = FabricHook()
        try:
            return await hook.arefresh_semantic_model(tenant.workspace_id, model)
        finally:
            await hook.aclose()

    hook = FabricHook()
    started = asyncio.run(ask()) if asynchronous else hook.refresh_semantic_model(tenant.workspace_id, model)
    found = hook.get_semantic_model_refresh(tenant.workspace_id, model, started.job_instance_id)
    assert found.id == started.job_instance_id
