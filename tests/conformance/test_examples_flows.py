"""(b) Documented examples, our side: our flows build the documented request and read every documented answer."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

import pytest

from airflow_provider_fabric.api import capacities, copy_jobs, operations
from airflow_provider_fabric.api.http.flow import Flow, Request, Response
from airflow_provider_fabric.api.items import items
from airflow_provider_fabric.api.jobs import instances, listing, schedules
from airflow_provider_fabric.exceptions import FabricAmbiguousError
from tests.conformance.figures import FIGURES
from tests.conformance.our_examples import NOT_SENT, ROOT, OurExample, documented, our_examples
from tests.conformance.specs import specs_or_skip
from tests.flow_driver import FakeClock, Talk, drive

SPECS = specs_or_skip("the documented examples are not replayed against our flows")
EXAMPLES = list(our_examples(SPECS))
FIGURES.examples_parsed = {example.id: False for example in EXAMPLES}
CREATED = "5b218778-e7a5-4d73-8187-f10824047715"
NOTHING = ("/updateDefinition", "/resetCopyJob", "DELETE")
OPERATION_DONE = {"status": "Succeeded", "createdTimeUtc": "2024-01-01T00:00:00", "percentComplete": 100}


def parts(body: Any) -> dict[str, bytes] | None:
    """Return the documented definition as our flows take it and give it."""
    definition = body.get("definition") if isinstance(body, dict) else None
    return {part["path"]: base64.b64decode(part["payload"]) for part in definition["parts"]} if definition else None


def place(ours: OurExample, item: bool = True) -> dict[str, Any]:
    """Return workspace and item, in the dialect of the example."""
    typed = {"item_type": ours.item_type, "typed": ours.item_type is not None}
    found = {"workspace_id": ours.parameter("workspaceId")}
    return {**found, **({"item_id": ours.parameter("itemId")} if item else {}), **typed}


def job_place(ours: OurExample) -> dict[str, Any]:
    """Return workspace and item of a job call, which always goes through ``/items``."""
    return {"workspace_id": ours.parameter("workspaceId"), "item_id": ours.parameter("itemId")}


def list_items(ours: OurExample) -> Flow[Any]:
    item_type = ours.item_type or ours.example.query.get("type")
    return items.list_items(**{**place(ours, item=False), "item_type": item_type})


def create_item(ours: OurExample) -> Flow[Any]:
    body = ours.example.body
    return items.create_item(
        **{**place(ours, item=False), "item_type": ours.item_type or body["type"]},
        display_name=body["displayName"],
        description=body.get("description"),
        folder_id=body.get("folderId"),
        definition=parts(body),
        creation_payload=body.get("creationPayload"),
    )


def update_item(ours: OurExample) -> Flow[Any]:
    body = ours.example.body
    return items.update_item(**place(ours), display_name=body["displayName"], description=body["description"])


def delete_item(ours: OurExample) -> Flow[Any]:
    return items.delete_item(**place(ours), hard_delete=ours.example.query.get("hardDelete") == "true")


def update_definition(ours: OurExample) -> Flow[Any]:
    metadata = ours.example.query.get("updateMetadata") == "true"
    arguments = {**place(ours), "item_type": ours.item_type or "Report"}
    return items.update_item_definition(**arguments, definition=parts(ours.example.body), update_metadata=metadata)


def reset_copy_job(ours: OurExample) -> Flow[Any]:
    entities = ours.example.body.get("copyJobEntitiesToReset")
    ids = None if entities is None else [entity["copyJobEntityId"] for entity in entities]
    return copy_jobs.reset_copy_job(ours.parameter("workspaceId"), ours.parameter("itemId"), ids)


def run_job(ours: OurExample) -> Flow[Any]:
    return instances.run_item_job(**job_place(ours), job_type=str(ours.job_type), body=ours.example.body)


def schedule(ours: OurExample, flow: Callable[..., Flow[Any]], **more: str) -> Flow[Any]:
    body = ours.example.body
    content = {"enabled": body["enabled"], "configuration": body["configuration"]} if body else {}
    if body and "executionData" in body:
        content["execution_data"] = body["executionData"]
    return flow(**job_place(ours), job_type=str(ours.job_type), **more, **content)


def one_schedule(flow: Callable[..., Flow[Any]]) -> Callable[[OurExample], Flow[Any]]:
    return lambda ours: schedule(ours, flow, schedule_id=ours.parameter("scheduleId"))


def instance(flow: Callable[..., Flow[Any]]) -> Callable[[OurExample], Flow[Any]]:
    return lambda ours: flow(**job_place(ours), job_instance_id=ours.parameter("jobInstanceId"))


ITEM, JOBS = f"{ROOT}/*/{{itemId}}", f"{ROOT}/*/{{itemId}}/jobs"
SCHEDULES = f"{JOBS}/{{jobType}}/schedules"
FLOWS: Mapping[str, Callable[[OurExample], Flow[Any]]] = {
    "GET /v1/workspaces": lambda ours: items.list_workspaces(),
    "GET /v1/capacities": lambda ours: capacities.list_capacities(),
    "GET /v1/operations/{operationId}": lambda ours: operations.get_operation_state(ours.parameter("operationId")),
    "GET /v1/operations/{operationId}/result": lambda ours: operations.get_operation_result(
        ours.parameter("operationId")
    ),
    f"GET {ROOT}/*": list_items,
    f"POST {ROOT}/*": create_item,
    f"GET {ITEM}": lambda ours: items.get_item(**place(ours)),
    f"PATCH {ITEM}": update_item,
    f"DELETE {ITEM}": delete_item,
    f"POST {ITEM}/getDefinition": lambda ours: items.get_item_definition(**place(ours)),
    f"POST {ITEM}/updateDefinition": update_definition,
    f"POST {ITEM}/resetCopyJob": reset_copy_job,
    f"POST {JOBS}/{{jobType}}/instances": run_job,
    f"GET {JOBS}/{{jobType}}/instances": lambda ours: listing.list_item_job_instances(**job_place(ours)),
    f"GET {JOBS}/{{jobType}}/instances/{{jobInstanceId}}": instance(instances.get_item_job_instance),
    f"GET {JOBS}/instances": lambda ours: listing.list_item_job_instances(**job_place(ours)),
    f"GET {JOBS}/instances/{{jobInstanceId}}": instance(instances.get_item_job_instance),
    f"POST {JOBS}/instances/{{jobInstanceId}}/cancel": instance(instances.cancel_item_job_instance),
    f"GET {SCHEDULES}": lambda ours: schedule(ours, schedules.list_item_schedules),
    f"POST {SCHEDULES}": lambda ours: schedule(ours, schedules.create_item_schedule),
    f"GET {SCHEDULES}/{{scheduleId}}": one_schedule(schedules.get_item_schedule),
    f"PATCH {SCHEDULES}/{{scheduleId}}": one_schedule(schedules.update_item_schedule),
    f"DELETE {SCHEDULES}/{{scheduleId}}": one_schedule(schedules.delete_item_schedule),
}


def answers(ours: OurExample, status: str) -> list[Response]:
    """Return the documented answer, and what has to follow it until a flow ends."""
    answer = ours.example.responses[status]
    headers = {name.lower(): str(value) for name, value in answer.get("headers", {}).items()}
    body = answer.get("body")
    first = Response(int(status), headers, b"" if body is None else json.dumps(body).encode())
    if isinstance(body, dict) and body.get("continuationToken"):
        return [first, _ok({"value": []})]
    if status != "202" or "x-ms-operation-id" not in headers:
        return [first]
    direct = next(
        (documented(ours.example, other) for other in ("200", "201") if other in ours.example.responses), None
    )
    if direct is None:
        created = [{**ours.example.body, "id": CREATED}] if ours.kind == f"POST {ROOT}/*" else None
        return [first, _ok(OPERATION_DONE), *([_ok({"value": created})] if created else [])]
    return [first, _ok(OPERATION_DONE, location=f"{headers['location']}/result"), _ok(direct)]


def _ok(content: Any, **headers: str) -> Response:
    return Response(200, headers, json.dumps(content).encode())


@pytest.mark.parametrize("ours", EXAMPLES, ids=lambda ours: ours.id)
def test_a_documented_example(ours: OurExample) -> None:
    for status in ours.example.responses:
        talk = drive(FLOWS[ours.kind](ours), answers(ours, status), FakeClock())
        check_request(ours, talk.requests[0])
        check_pages(ours, status, talk)
        check_result(ours, talk)
    FIGURES.examples_parsed[ours.id] = True


def check_request(ours: OurExample, request: Request) -> None:
    """The request is the documented one, but for what we never send; job calls go through ``/items``."""
    path = ours.example.operation.template
    for name in ours.example.operation.parameters("path"):
        path = path.replace(f"{{{name}}}", str(ours.example.parameters[name]))
    sent = unquote(request.path)
    if "/jobs/" in path:
        path = path.replace(f"/{ours.collection}/", "/items/")
        if request.method == "GET" and "/schedules" not in path:
            path = path.replace(f"/{ours.job_type}/", "/")
    assert (request.method, sent.lower()) == (ours.example.operation.method, path.lower())
    left_out = set(ours.not_sent)
    wanted = {name: value for name, value in ours.example.query.items() if name not in left_out}
    assert dict(request.params) == wanted
    assert comparable(request.json, left_out) == comparable(ours.example.body, left_out)


def comparable(body: Any, left_out: set[str]) -> Any:
    """Return a request body without what we never send, and with the parts' contents in the place of their base64."""
    if not isinstance(body, dict):
        return body
    kept = {name: value for name, value in body.items() if name not in left_out}
    if "definition" in kept:
        kept["definition"] = parts(kept)
    return kept


def check_pages(ours: OurExample, status: str, talk: Talk[Any]) -> None:
    """The next page is asked for with the documented token."""
    body = documented(ours.example, status)
    if isinstance(body, dict) and body.get("continuationToken"):
        assert talk.requests[1].params["continuationToken"] == unquote(body["continuationToken"])


def check_result(ours: OurExample, talk: Talk[Any]) -> None:
    """The result says what the documented answer says."""
    bodies = [documented(ours.example, status) for status in ours.example.responses]
    body = next((body for body in bodies if body is not None), None)
    if isinstance(talk.error, FabricAmbiguousError):
        places = [answer.get("headers", {}).get("Location", "") for answer in ours.example.responses.values()]
        assert all(place.endswith(f"?jobType={ours.job_type}") for place in places), "it names no instance"
        return
    result = talk.result()
    if result is None:
        assert any(word in ours.kind for word in NOTHING), "one example documents a body that says nothing new"
    elif body is None:
        assert result is True or getattr(result, "job_instance_id", CREATED) in str(ours.example.responses) + CREATED
    elif "value" in body:
        assert [identity(entry) for entry in result] == [entry["id"] for entry in body["value"]]
    elif "definition" in body:
        assert result == parts(body)
    elif "percentComplete" in body:
        assert (result.status.value, result.percent_complete) == (body["status"], body["percentComplete"])
    else:
        assert identity(result) == body["id"]
        assert name_of(result) == (body.get("displayName") or body.get("status") or body.get("configuration"))


def identity(entry: Any) -> Any:
    return entry["id"] if isinstance(entry, dict) else entry.id


def name_of(entry: Any) -> Any:
    if isinstance(entry, dict):
        return entry.get("displayName") or entry.get("configuration")
    return getattr(entry, "display_name", None) or entry.status_text


def test_what_we_never_send_is_said_with_a_reason() -> None:
    met = {name for ours in EXAMPLES for name in ours.not_sent}
    assert met == set(NOT_SENT), "an entry that no example needs any more"
