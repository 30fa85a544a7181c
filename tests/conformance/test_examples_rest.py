"""(b) Documented examples of what has an operator or a recipe of its own: notebooks, SQL endpoints, any REST call.

Our side: the request that we build is the documented one, and every documented answer is read. The emulator's side: it
accepts the documented request, and answers as documented. Capacities are Azure Resource Manager's: the files do not
describe it (see gaps.py).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import pytest

from airflow_provider_fabric.api.http.flow import Flow, Request, Response
from airflow_provider_fabric.api.jobs.notebooks import get_notebook_run, own_body, run_notebook
from airflow_provider_fabric.api.rest import request
from airflow_provider_fabric.api.sql_endpoints import start_refresh, tables_of
from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.emulator.state.git import commit_hash
from airflow_provider_fabric.emulator.state.ids import derived_id
from tests.conformance.recorder import Recorder, recorded_emulator
from tests.conformance.specs import Example, specs_or_skip
from tests.conformance.tour import driver_for
from tests.flow_driver import FakeClock, drive

SPECS = specs_or_skip("the documented examples of notebooks, SQL endpoints and REST calls are not replayed")
ROOT = "/v1/workspaces/{workspaceId}"
NOTEBOOK = f"{ROOT}/notebooks/{{notebookId}}/jobs/execute/instances"
LAKEHOUSE = f"{ROOT}/lakehouses/{{lakehouseId}}/tables"
STAGING = f"{ROOT}/environments/{{environmentId}}/staging"
PIPELINES = "/v1/deploymentPipelines"
FILE = "notebook/swagger.json"

ANY_CALL = (
    f"GET {ROOT}/git/status",
    f"POST {ROOT}/git/updateFromGit",
    f"POST {ROOT}/git/commitToGit",
    f"GET {PIPELINES}",
    f"GET {PIPELINES}/{{deploymentPipelineId}}/stages",
    f"POST {PIPELINES}/{{deploymentPipelineId}}/deploy",
    f"POST {ROOT}/assignToCapacity",
    f"POST {STAGING}/publish",
    f"POST {STAGING}/cancelPublish",
    f"GET {LAKEHOUSE}",
    f"POST {LAKEHOUSE}/{{tableName}}/load",
)
OTHERS = (
    f"POST {NOTEBOOK}",
    f"GET {NOTEBOOK}/{{jobInstanceId}}",
    f"POST {ROOT}/sqlEndpoints/{{sqlEndpointId}}/refreshMetadata",
)

UNFOLLOWED = {f"POST {ROOT}/assignToCapacity", f"POST {ROOT}/unassignFromCapacity"}
"""Answered with 202, and documented without anything that tells their end: a caller has to say that it is enough."""


def examples(names: tuple[str, ...]) -> list[Any]:
    """Return the documented examples of some operations."""
    seen: dict[str, Any] = {}
    for operation in SPECS.operations:
        if operation.name not in names:
            continue
        for example in SPECS.examples(operation):
            id_ = f"{operation.file.split('/')[0]}/{example.name}"
            seen.setdefault(id_, pytest.param(example, id=id_))  # one operation is described twice
    return list(seen.values())


def place(example: Example) -> str:
    """Return the path of an example."""
    path = example.operation.template
    for name in example.operation.parameters("path"):
        path = path.replace(f"{{{name}}}", str(example.parameters[name]))
    return path


def answer(status: str, documented: Mapping[str, Any]) -> Response:
    """Return a documented answer."""
    headers = {name.lower(): str(value) for name, value in documented.get("headers", {}).items()}
    body = documented.get("body")
    if body is None:
        return Response(int(status), headers)
    return Response(int(status), {**headers, "content-type": "application/json"}, json.dumps(body).encode())


DONE = Response(200, {"content-type": "application/json"}, b'{"status": "Succeeded"}')
CHANGED = "44444444-4444-4444-8444-444444444444"
PAGES = {"value", "data"}


def test_everything_else_that_is_accepted_names_an_operation_or_a_run() -> None:
    without = set()
    for operation in SPECS.operations:
        accepted = operation.content["responses"].get("202")
        if accepted is not None and "x-ms-operation-id" not in {name.lower() for name in accepted.get("headers", {})}:
            without.add(operation.name)
    assert len(without) > len(UNFOLLOWED)  # the starts and cancels of jobs
    by_location = f"POST {ROOT}/items/{{itemId}}/identities/default/assign"  # beta; "the URL to the job instance"
    assert {name for name in without if "/jobs/" not in name} == {*UNFOLLOWED, by_location}


@pytest.mark.parametrize("example", examples(ANY_CALL))
def test_any_call_is_as_documented(example: Example) -> None:
    for status, documented in example.responses.items():
        body = documented.get("body")
        pages = isinstance(body, dict) and bool(PAGES & set(body))
        query = {name: value for name, value in example.query.items() if value}
        flow = request(
            example.operation.method,
            place(example),
            query=query,
            json=example.body,
            replay_safe=False if example.operation.method == "POST" else None,
            pages=pages,
            acceptance_is_enough=example.operation.name in UNFOLLOWED,
        )
        more = []
        if pages and "continuationToken" in body:
            more = [Response(200, {"content-type": "application/json"}, b'{"value": []}')]
        elif "x-ms-operation-id" in documented.get("headers", {}):
            more = [DONE]
        talk = drive(flow, [answer(status, documented), *more], FakeClock())
        sent = talk.requests[0]
        assert (sent.method, unquote(sent.path), dict(sent.params), sent.json) == (
            example.operation.method,
            place(example),
            query,
            example.body,
        )
        entries = next((body[name] for name in PAGES if name in body), None) if isinstance(body, dict) else None
        assert talk.result() == (entries if pages else body)
        if body is not None and "continuationToken" in body:
            assert talk.requests[1].params["continuationToken"] == unquote(body["continuationToken"])


@pytest.mark.parametrize("example", examples(OTHERS[:1]))
def test_a_notebook_is_run_as_documented(example: Example) -> None:
    body = example.body or {}
    data = dict(body.get("executionData", {}))
    ours = own_body(
        {entry["name"]: entry["value"] for entry in body.get("parameters", ())},
        compute=data.get("compute"),
        compute_configuration=data.get("computeConfiguration"),
    )
    assert (ours or None) == example.body
    ids = (example.parameters["workspaceId"], example.parameters["notebookId"])
    for status, documented in example.responses.items():
        talk = drive(run_notebook(*ids, ours), [answer(status, documented)], FakeClock())
        (sent,) = talk.requests
        assert (unquote(sent.path), dict(sent.params), sent.json) == (place(example), example.query, example.body)
        assert documented["headers"]["Location"].endswith(talk.result().job_instance_id)


@pytest.mark.parametrize("example", examples(OTHERS[1:2]))
def test_what_a_notebook_exits_with_is_read_as_documented(example: Example) -> None:
    ids = (example.parameters[name] for name in ("workspaceId", "notebookId", "jobInstanceId"))
    documented = example.responses["200"]
    talk = drive(get_notebook_run(*ids), [answer("200", documented)], FakeClock())
    (sent,) = talk.requests
    assert (unquote(sent.path), dict(sent.params)) == (place(example), example.query)
    properties = documented["body"]["properties"]
    info = properties["computeDetails"]["monitoringInfo"]
    found = talk.result()
    assert (found.exit_value, found.compute) == (properties["exitValue"], properties["compute"])
    assert (found.spark_ui_url, found.driver_log_url, found.snapshot_url) == (
        info.get("sparkUiUrl"),
        info.get("driverLogUrl"),
        info["executionSnapshotUrl"],
    )


@pytest.mark.parametrize("example", examples(OTHERS[2:]))
def test_a_sql_endpoint_is_refreshed_as_documented(example: Example) -> None:
    body = example.body or {}
    ids = (example.parameters["workspaceId"], example.parameters["sqlEndpointId"])
    limit = body.get("timeout")
    seconds = None if limit is None else limit["value"] * {"Seconds": 1, "Minutes": 60}[limit["timeUnit"]]
    for status, documented in example.responses.items():
        flow = start_refresh(*ids, timeout=seconds, recreate_tables=body.get("recreateTables", False))
        talk = drive(flow, [answer(status, documented)], FakeClock())
        (sent,) = talk.requests
        assert unquote(sent.path) == place(example)
        assert set(sent.json) <= {"timeout", "recreateTables"}
        assert (
            SPECS.errors(
                example.operation.parameters("body").popitem()[1]["schema"],
                example.operation.file,
                sent.json,
                request=True,
            )
            == []
        )
        tables, operation, _ = talk.result()
        if status == "200":
            assert tables == tables_of(documented["body"]) == documented["body"]["value"]
        else:
            assert operation == documented["headers"]["x-ms-operation-id"]


# The emulator's side.


@dataclass
class Stage:
    """An emulator in which what an example names is there."""

    emulator: FabricEmulator
    example: Example

    def seed(self, **more: Any) -> None:
        workspace = {"id": self.example.parameters["workspaceId"], "displayName": "Documented", **more}
        self.emulator.control.seed(workspaces=[workspace])

    def item(self, item_type: str, name: str, **more: Any) -> None:
        entry = {"id": self.example.parameters[name], "type": item_type, "displayName": "Documented item", **more}
        self.seed(items=[entry])


def lakehouse_with_files(stage: Stage) -> dict[str, str]:
    path = (stage.example.body or {}).get("relativePath", "Files/a.csv")
    stage.item("Lakehouse", "lakehouseId", files={path: "a"}, tables=[{"name": f"t{n}"} for n in range(20)])
    return {}


def environment(stage: Stage) -> dict[str, str]:
    stage.item("Environment", "environmentId")
    if stage.example.name == "PublishCancellation":
        stage.emulator.control.configure(lro_seconds=60, force_lro=False)
        driver_for(stage.emulator).run(
            request(
                "POST",
                f"{place(stage.example).removesuffix('cancelPublish')}publish",
                query={"beta": False},
                replay_safe=True,
            )
        )
    return {}


def with_git(stage: Stage) -> dict[str, str]:
    side = "remoteChange" if "update" in stage.example.name.lower() else "workspaceChange"
    change = {"itemType": "Notebook", "displayName": "A", side: "Added", "objectId": CHANGED}
    stage.seed(git={"remoteCommitHash": (stage.example.body or {}).get("remoteCommitHash", ""), "changes": [change]})
    body = stage.example.body or {}
    stands_for = {id_: CHANGED for entry in body.get("items", ()) for id_ in entry.values()}
    heads = {"remoteChange": commit_hash("workspace"), "workspaceChange": commit_hash("remote")}
    return {body["workspaceHead"]: heads[side], **stands_for} if "workspaceHead" in body else {}


def pipelines(stage: Stage) -> dict[str, str]:
    ask = driver_for(stage.emulator).run
    stages = [{"displayName": "A"}, {"displayName": "B"}]
    made = ask(request("POST", PIPELINES, json={"displayName": "P", "stages": stages}, replay_safe=True))
    names = {stage.example.parameters.get("deploymentPipelineId", ""): made["id"]}
    body = stage.example.body
    if body is None:
        return names
    workspace = ask(request("POST", "/workspaces", json={"displayName": "Target"}, replay_safe=True))["id"]
    items = [
        {"id": entry["sourceItemId"], "type": entry["itemType"], "displayName": entry["sourceItemId"]}
        for entry in body.get("items", ())
    ]
    stage.emulator.control.seed(workspaces=[{"id": stage.emulator.workspace_id, "items": items}])
    for entry, target in zip(made["stages"], (stage.emulator.workspace_id, workspace), strict=True):
        path = f"{PIPELINES}/{made['id']}/stages/{entry['id']}/assignWorkspace"
        ask(request("POST", path, json={"workspaceId": target}, replay_safe=True))
    return {**names, body["sourceStageId"]: made["stages"][0]["id"], body["targetStageId"]: made["stages"][1]["id"]}


def capacity(stage: Stage) -> dict[str, str]:
    stage.seed()
    stage.emulator.control.seed(capacities=[{"name": "documented", "id": stage.example.body["capacityId"]}])
    return {}


def sql_endpoint(stage: Stage) -> dict[str, str]:
    lakehouse = derived_id(stage.example.parameters["workspaceId"], "lakehouse")
    item = {"id": lakehouse, "type": "Lakehouse", "displayName": "Lake", "tables": [{"name": "orders"}]}
    stage.seed(items=[item])
    return {stage.example.parameters["sqlEndpointId"]: derived_id(lakehouse, "sql-endpoint")}


STAGES: Mapping[str, Callable[[Stage], dict[str, str]]] = {
    "/git/": with_git,
    PIPELINES: pipelines,
    "/assignToCapacity": capacity,
    "/staging/": environment,
    "/tables": lakehouse_with_files,
    "/refreshMetadata": sql_endpoint,
}


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[FabricEmulator, Recorder]]:
    with recorded_emulator(lro_seconds=0, retry_after_seconds=0) as pair:
        yield pair


@pytest.mark.parametrize("force_lro", [False, True], ids=["at-once", "with-202"])
@pytest.mark.parametrize("example", examples((*ANY_CALL, *OTHERS[2:])))
def test_the_emulator_takes_a_documented_request(
    running: tuple[FabricEmulator, Recorder], example: Example, force_lro: bool
) -> None:
    emulator, recorder = running
    emulator.control.reset()
    emulator.control.configure(force_lro=force_lro)
    stands_for = next(s for part, s in STAGES.items() if part in example.operation.template)(Stage(emulator, example))
    path, body = place(example), json.dumps(example.body)
    for documented, real in stands_for.items():
        if documented:
            path, body = path.replace(documented, real), body.replace(documented, real)
    recorder.take()
    query = {name: value for name, value in example.query.items() if value}
    driver_for(emulator).run(once(Request(example.operation.method, path, "", params=query, json=json.loads(body))))
    exchange = recorder.take()[-1]
    assert exchange.status < 300, exchange
    found = SPECS.check(example.operation, exchange)
    assert [text for text in found if text.startswith(("answer", "path"))] == []


def once(sent: Request) -> Flow[Response]:
    got = yield sent
    assert isinstance(got, Response), got
    return got


def test_every_operation_has_examples() -> None:
    met = {param.values[0].operation.name for param in examples((*ANY_CALL, *OTHERS))}
    assert met == {*ANY_CALL, *OTHERS}
