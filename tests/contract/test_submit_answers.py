"""Answers to a submit that Microsoft's articles print and its OpenAPI files do not, through both drivers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_fabric.exceptions import FabricNotFoundError
from tests.contract.conftest import ask_asynchronously, ask_synchronously
from tests.contract.printed_service import Printed, PrintedService, printed_service
from tests.flow_driver import ITEM, JOB, OTHER_JOB, WORKSPACE

INSTANCES = f"/v1/workspaces/{WORKSPACE}/items/{ITEM}/jobs/instances"


@pytest.fixture(scope="module")
def shared_service() -> Iterator[PrintedService]:
    with printed_service() as service:
        yield service


@pytest.fixture
def service(shared_service: PrintedService, monkeypatch: pytest.MonkeyPatch) -> PrintedService:
    shared_service.heard.clear()
    monkeypatch.setenv("AIRFLOW_CONN_FABRIC_DEFAULT", shared_service.connection)
    return shared_service


@pytest.fixture(params=[ask_synchronously, ask_asynchronously], ids=["requests", "httpx"])
def ask(request: pytest.FixtureRequest) -> Any:
    return request.param


NO_RUNS = Printed(200, {"value": []}, (("Content-Type", "application/json"),))
LIST = f"GET {INSTANCES}"
"""What the item lists, before each submit."""


def submit(ask: Any, service: PrintedService, answer: Printed) -> str:
    service.script = [NO_RUNS, answer]
    submission = ask("run_item_job", workspace_id=WORKSPACE, item_id=ITEM, job_type="Execute")
    assert [line.partition(" ")[0] for line in service.lines] == ["GET", "POST"]
    return str(submission.job_instance_id)


@pytest.mark.parametrize("blank", [" ", "   ", "\t"])
def test_a_location_with_a_trailing_blank_names_the_run(ask: Any, service: PrintedService, blank: str) -> None:
    address = f"https://api.fabric.microsoft.com{INSTANCES}/{JOB}{blank}"
    assert submit(ask, service, Printed(202, headers=(("Location", address), ("Retry-after", "60 ")))) == JOB


@pytest.mark.parametrize("wrap", [lambda run: [run], lambda run: run], ids=["list", "object"])
def test_a_body_names_the_run(ask: Any, service: PrintedService, wrap: Any) -> None:
    run = {"id": OTHER_JOB, "itemId": ITEM, "jobType": "Refresh", "status": "Accepted", "jobInstanceId": JOB}
    assert submit(ask, service, Printed(202, wrap(run))) == JOB


def test_a_cancel_is_answered_with_such_a_location_too(ask: Any, service: PrintedService) -> None:
    service.script = [Printed(202, headers=(("Location", f"{INSTANCES}/{JOB} "), ("Retry-after", "60")))]
    assert ask("cancel_item_job_instance", workspace_id=WORKSPACE, item_id=ITEM, job_instance_id=JOB) is True


ACCEPTED = Printed(202, headers=(("Location", f"{INSTANCES}/{JOB}"), ("Retry-After", "60")))
OF_THE_ITEM = {"errorCode": "ItemNotFound", "message": "There is no such item."}


@pytest.mark.parametrize("unknown", [Printed(405), Printed(404), Printed(404, {"errorCode": "EntityNotFound"})])
def test_the_older_address_is_sent_where_the_newer_is_unknown(
    ask: Any, service: PrintedService, unknown: Printed
) -> None:
    service.script = [NO_RUNS, unknown, ACCEPTED]
    body = {"executionData": {"pipelineName": "p"}}
    submission = ask("run_item_job", workspace_id=WORKSPACE, item_id=ITEM, job_type="Refresh", body=body)
    assert submission.job_instance_id == JOB
    newer = INSTANCES.replace("/jobs/instances", "/jobs/Refresh/instances")
    assert service.lines == [LIST, f"POST {newer}", f"POST {INSTANCES}?jobType=Refresh"]
    assert [request["body"] for request in service.heard] == [None, body, body]


def test_no_second_submit_when_the_item_is_unknown(ask: Any, service: PrintedService) -> None:
    service.script = [NO_RUNS, Printed(404, OF_THE_ITEM)]
    with pytest.raises(FabricNotFoundError):
        ask("run_item_job", workspace_id=WORKSPACE, item_id=ITEM, job_type="Refresh")
    assert [line.partition(" ")[0] for line in service.lines] == ["GET", "POST"]


def test_the_older_address_can_be_chosen(ask: Any, service: PrintedService) -> None:
    service.script = [NO_RUNS, ACCEPTED]
    ask("run_item_job", workspace_id=WORKSPACE, item_id=ITEM, job_type="Publish", submit_form="query")
    assert service.lines == [LIST, f"POST {INSTANCES}?jobType=Publish"]
