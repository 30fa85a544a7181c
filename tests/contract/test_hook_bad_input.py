"""Bad input, ours and the service's: each ends in the right typed error, and a token goes nowhere else."""

from __future__ import annotations

import asyncio
import inspect
import re
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_fabric.api.http.flow import Request
from airflow_provider_fabric.api.http.retry import Replay, send
from airflow_provider_fabric.emulator import EmulatorControl, FabricEmulator
from airflow_provider_fabric.exceptions import (
    FabricAmbiguousError,
    FabricBadRequestError,
    FabricError,
    FabricInputError,
    FabricNotFoundError,
    FabricPermissionError,
    FabricProtocolError,
    FabricUnauthorizedError,
)
from airflow_provider_fabric.hooks.fabric import FabricHook
from devtools.docs.rest_operations import DEFINITIONS
from tests.conformance.tour import ITEM_ID, Ask
from tests.contract.conftest import seed

PIPELINE = DEFINITIONS["DataPipeline"]
HTML = "<html>Please sign in to the proxy</html>"


@pytest.fixture
def elsewhere() -> Iterator[socket.socket]:
    """Another host, at which nobody may knock."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener
        with pytest.raises(BlockingIOError):
            listener.accept()


def requests_to(control: EmulatorControl) -> list[str]:
    return [f"{entry['method']} {entry['path']}" for entry in control.request_log() if entry["path"].startswith("/v1")]


# What we refuse ourselves: nothing is sent.

REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "a part is missing": (
        "create_item",
        {"display_name": "A", "item_type": "Dataflow", "definition": {"mashup.pq": "section Section1;"}},
    ),
    "a part is not JSON": (
        "update_item_definition",
        {"item_id": ITEM_ID, "item_type": "CopyJob", "definition": {"copyjob-content.json": "{"}},
    ),
    "a part leaves the definition": (
        "create_item",
        {"display_name": "A", "item_type": "DataPipeline", "definition": {"../pipeline-content.json": "{}"}},
    ),
    "there is no such folder": (
        "upsert_item_definition",
        {"display_name": "A", "item_type": "DataPipeline", "definition": "no/such.DataPipeline"},
    ),
    "definition and creation payload": (
        "create_item",
        {"display_name": "A", "item_type": "DataPipeline", "definition": PIPELINE, "creation_payload": {"a": 1}},
    ),
    "a blank name": ("create_item", {"display_name": " ", "item_type": "DataPipeline"}),
    "nothing to update": ("update_item", {"item_id": ITEM_ID}),
    "a kind without a collection": ("list_items", {"item_type": "Report", "typed": True}),
    "no entity to reset": ("reset_copy_job", {"copy_job_id": ITEM_ID, "entity_ids": []}),
    "an empty id": ("get_item", {"item_id": ""}),
    "an id of dots": ("get_item", {"item_id": ".."}),
    "a job type of dots": ("run_item_job", {"item_id": ITEM_ID, "job_type": ".."}),
    "nearly a GUID": ("resolve_item", {"item": "22222222-2222-4222-8222-22222222222"}),
    "a schedule without times": (
        "create_item_schedule",
        {"item_id": ITEM_ID, "job_type": "Execute", "enabled": True, "configuration": {"type": "Cron"}},
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_we_refuse_is_not_sent(emulator: FabricEmulator, ask: Ask, case: str) -> None:
    method, arguments = REFUSED[case]
    with pytest.raises(FabricInputError):
        ask(method, workspace_id=emulator.workspace_id, **arguments)
    assert requests_to(emulator.control) == []


# What the service refuses: its code and its request id arrive.


def test_an_unknown_kind_of_item(emulator: FabricEmulator, ask: Ask) -> None:
    with pytest.raises(FabricBadRequestError) as caught:
        ask("create_item", workspace_id=emulator.workspace_id, display_name="A", item_type="Pipelyne")
    assert (caught.value.status_code, caught.value.error_code) == (400, "InvalidItemType")
    assert caught.value.request_id


@pytest.mark.parametrize("item", ["../items", "a/b", "no-guid", "%2e%2e", "x?y=1#z"])
def test_an_id_that_is_none_stays_in_its_place(emulator: FabricEmulator, ask: Ask, item: str) -> None:
    with pytest.raises((FabricBadRequestError, FabricNotFoundError)):
        ask("get_item", workspace_id=emulator.workspace_id, item_id=item)
    (sent,) = emulator.control.request_log()[-1:]
    assert sent["path"].startswith(f"/v1/workspaces/{emulator.workspace_id}/items/")


def test_what_is_not_there(emulator: FabricEmulator, ask: Ask) -> None:
    with pytest.raises(FabricNotFoundError) as caught:
        ask("get_item", workspace_id=emulator.workspace_id, item_id=ITEM_ID)
    assert caught.value.error_code == "ItemNotFound"


def test_corrupt_base64_is_refused_by_the_service(emulator: FabricEmulator) -> None:
    part = {"path": "pipeline-content.json", "payload": "no base64!", "payloadType": "InlineBase64"}
    body = {"displayName": "A", "type": "DataPipeline", "definition": {"parts": [part]}}
    request = Request("POST", f"/v1/workspaces/{emulator.workspace_id}/items", "create an item", json=body)
    hook = FabricHook()
    with pytest.raises(FabricBadRequestError) as caught:
        hook.run(send(request, replay=Replay.IF_UNSENT))
    hook.close()
    assert caught.value.error_code == "CorruptedPayload"
    assert caught.value.more_details


@pytest.mark.parametrize(("status", "error"), [(403, FabricPermissionError), (401, FabricUnauthorizedError)])
def test_a_refusal_has_its_class(
    control: EmulatorControl, emulator: FabricEmulator, ask: Ask, status: int, error: type[FabricError]
) -> None:
    control.add_fault(path="*/items", status=status, count=None)
    with pytest.raises(error):
        ask("list_items", workspace_id=emulator.workspace_id)


FLAGS = sorted(
    (method, name)
    for method, call in vars(FabricHook).items()
    if inspect.isfunction(call) and not method.startswith("_")
    for name, parameter in inspect.signature(call).parameters.items()
    if parameter.annotation in ("bool", "bool | None") and name != "typed"
)
"""Method of the hook, or its awaited twin → a parameter that is a flag."""


def test_there_are_flags() -> None:
    assert {("delete_item", "hard_delete"), ("adelete_item", "hard_delete")} < set(FLAGS)
    assert {("request", "pages"), ("refresh_sql_endpoint", "recreate_tables")} < set(FLAGS)


@pytest.mark.parametrize("value", ["False", 0, [], 1.0])
@pytest.mark.parametrize(("method", "flag"), FLAGS)
def test_a_flag_is_true_or_false(emulator: FabricEmulator, method: str, flag: str, value: Any) -> None:
    hook = FabricHook()
    parameters = inspect.signature(vars(FabricHook)[method]).parameters.values()  # the flow's: without the hook
    needed = [p.name for p in parameters if p.default is p.empty and p.name != flag]
    emulator.control.reset()
    with pytest.raises(FabricInputError, match=f"^{flag} must be True or False, got {re.escape(repr(value))}"):
        _result_of(getattr(hook, method)(**dict.fromkeys(needed, ITEM_ID), **{flag: value}))
    hook.close()
    assert requests_to(emulator.control) == []


def _result_of(given: Any) -> Any:
    return asyncio.run(given) if inspect.isawaitable(given) else given  # type: ignore[arg-type]


# What the service should not answer.

READS = {
    "list_items": "*/items",
    "get_item": f"*/items/{ITEM_ID}",
    "get_item_definition": "*/getDefinition",
    "list_item_job_instances": "*/jobs/instances",
}


@pytest.mark.parametrize("method", READS)
@pytest.mark.parametrize(
    "fault",
    [
        {"action": "garbage"},
        {"status": 200, "body": HTML},
        {"status": 200, "body": '{"value": [{"id": "22222222-22'},
        {"status": 200, "body": "[1, 2"},
        {"status": 200, "body": [1, 2]},
        {"status": 200, "body": {"surprise": True}},
        {"status": 307, "body": "", "headers": {"Location": "https://example.org/"}},
    ],
    ids=["HTML", "HTML called JSON", "cut short", "a list cut short", "a list", "another object", "a redirect"],
)
def test_an_answer_that_is_none(
    control: EmulatorControl, emulator: FabricEmulator, ask: Ask, method: str, fault: dict[str, Any]
) -> None:
    item = {} if method == "list_items" else {"item_id": seed(emulator, "DataPipeline")}
    control.add_fault(path=READS[method], count=None, **fault)
    with pytest.raises(FabricProtocolError):
        ask(method, workspace_id=emulator.workspace_id, **item)


def test_corrupt_base64_from_the_service(control: EmulatorControl, emulator: FabricEmulator, ask: Ask) -> None:
    part = {"path": "pipeline-content.json", "payload": "no base64!", "payloadType": "InlineBase64"}
    control.add_fault(path="*/getDefinition", status=200, body={"definition": {"parts": [part]}})
    with pytest.raises(FabricProtocolError):
        ask("get_item_definition", workspace_id=emulator.workspace_id, item_id=seed(emulator, "DataPipeline"))


def test_a_create_with_202_and_no_operation(control: EmulatorControl, emulator: FabricEmulator, ask: Ask) -> None:
    control.add_fault(method="POST", path="*/items", status=202, body="")
    with pytest.raises(FabricProtocolError, match="named no operation"):
        ask("create_item", workspace_id=emulator.workspace_id, display_name="A", item_type="DataPipeline")


def test_a_create_whose_answer_is_lost(control: EmulatorControl, emulator: FabricEmulator, ask: Ask) -> None:
    control.add_fault(method="POST", path="*/items", action="drop", phase="after")
    with pytest.raises(FabricAmbiguousError):
        ask("create_item", workspace_id=emulator.workspace_id, display_name="A", item_type="DataPipeline")
    posts = [request for request in requests_to(control) if request.startswith("POST")]
    assert len(posts) == 1, "it was not sent twice"


def test_a_run_that_is_not_named_is_found(control: EmulatorControl, emulator: FabricEmulator, ask: Ask) -> None:
    control.add_job_rule(omit_location=True, duration_seconds=30)
    item = seed(emulator, "DataPipeline")
    one = {"workspace_id": emulator.workspace_id, "item_id": item, "job_type": "Execute"}
    submission = ask("run_item_job", **one, visible_within=1.0)
    assert submission.adopted
    assert [job["id"] for job in control.jobs()] == [submission.job_instance_id]


# A token goes nowhere else.


def test_a_link_to_the_next_page_elsewhere(
    control: EmulatorControl, emulator: FabricEmulator, ask: Ask, elsewhere: socket.socket
) -> None:
    link = f"https://127.0.0.1:{elsewhere.getsockname()[1]}/v1/workspaces?continuationToken=next"
    control.add_fault(path="/v1/workspaces", status=200, body={"value": [], "continuationUri": link})
    control.add_fault(path="/v1/workspaces", status=200, body={"value": []})
    assert ask("list_workspaces") == []
    assert requests_to(control) == ["GET /v1/workspaces"] * 2
    assert control.request_log()[-1]["query"] == "continuationToken=next"


def test_a_link_without_a_token(
    control: EmulatorControl, emulator: FabricEmulator, ask: Ask, elsewhere: socket.socket
) -> None:
    link = f"https://127.0.0.1:{elsewhere.getsockname()[1]}/v1/workspaces"
    control.add_fault(path="/v1/workspaces", status=200, body={"value": [], "continuationUri": link})
    with pytest.raises(FabricProtocolError):
        ask("list_workspaces")


def test_an_operation_elsewhere(
    control: EmulatorControl, emulator: FabricEmulator, ask: Ask, elsewhere: socket.socket
) -> None:
    root = f"https://127.0.0.1:{elsewhere.getsockname()[1]}"
    headers = {"Location": f"{root}/v1/operations/{ITEM_ID}", "x-ms-operation-id": ITEM_ID}
    control.add_fault(method="POST", path="*/items", status=202, body="", headers=headers, retry_after=0)
    with pytest.raises(FabricNotFoundError):
        ask("create_item", workspace_id=emulator.workspace_id, display_name="A", item_type="DataPipeline")
    assert requests_to(control)[-1] == f"GET /v1/operations/{ITEM_ID}", "asked of the configured host"


def test_a_redirect_elsewhere(
    control: EmulatorControl, emulator: FabricEmulator, ask: Ask, elsewhere: socket.socket
) -> None:
    place = f"https://127.0.0.1:{elsewhere.getsockname()[1]}/"
    control.add_fault(path="/v1/workspaces", status=302, body="", headers={"Location": place})
    with pytest.raises(FabricProtocolError, match="not followed"):
        ask("list_workspaces")
