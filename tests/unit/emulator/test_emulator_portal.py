"""The portal's routes: pages, files and state; who may see them, and what they never show or count."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from airflow_provider_fabric.emulator.app import EmulatorApp
from airflow_provider_fabric.emulator.portal.pages import FILES, FOLDER
from airflow_provider_fabric.links import PORTAL_WORDS, run_url

from .conftest import PIPELINE, Clock, DirectTransport, Service

SCRIPT = "<script>alert(1)</script>"
UNKNOWN = "00000000-0000-4000-8000-00000000dead"
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "connect-src": "'self'",
    "img-src": "data:",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}


def get_page(service: Service, path: str) -> httpx.Response:
    """Open an address as a browser does: without a token."""
    return service.http.request("GET", path, headers={"Authorization": ""})


def state(service: Service, *ids: str) -> Any:
    answer = get_page(service, "/".join(["/portal/state", *ids]))
    assert answer.status_code == 200, answer.text
    return answer.json()


def workspace_of(service: Service) -> str:
    return service.world.tenant.workspace_id


def run_of(service: Service, item_id: str, **options: Any) -> str:
    return service.run(item_id, **options).rpartition("/")[2]


def state_of_run(service: Service, item_id: str, run_id: str) -> Any:
    return state(service, workspace_of(service), item_id, run_id)


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/portal/portal.css", "text/css; charset=utf-8"),
        ("/portal/portal.js", "text/javascript; charset=utf-8"),
        ("/portal/state", "application/json; charset=utf-8"),
    ],
)
def test_every_part_has_its_type_and_a_strict_policy(service: Service, path: str, content_type: str) -> None:
    answer = get_page(service, path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, content_type)
    directives = [directive.split(maxsplit=1) for directive in answer.headers["content-security-policy"].split(";")]
    assert dict(directives) == POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"


def test_the_page_loads_nothing_from_elsewhere() -> None:
    for name in ("portal.html", *FILES):
        text = (FOLDER / name).read_text().replace("http://www.w3.org/2000/svg", "")  # a name, not an address
        assert "://" not in text, name
        for risky in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "style=", "onclick="):
            assert risky not in text, (name, risky)


def test_other_files_are_not_served(service: Service) -> None:
    for name in ("state.py", "..%2Fapp.py", "%2e%2e%2fapp.py", "portal.html"):
        assert get_page(service, f"/portal/{name}").status_code == 404, name


@pytest.mark.parametrize("item_type", [*PORTAL_WORDS, None, "SomethingNew"])
def test_the_link_of_a_task_leads_to_its_run(service: Service, item_type: str | None) -> None:
    item_id = service.create(name="An item")
    run_id = run_of(service, item_id)
    root = str(service.http.base_url)
    known = get_page(service, run_url(root, workspace_of(service), item_id, item_type, run_id))
    assert (known.status_code, known.headers["content-type"]) == (200, "text/html; charset=utf-8")
    for ids in [(UNKNOWN, item_id, run_id), (workspace_of(service), UNKNOWN, run_id),
                (workspace_of(service), item_id, UNKNOWN)]:  # fmt: skip
        unknown = get_page(service, run_url(root, ids[0], ids[1], item_type, ids[2]))
        assert (unknown.status_code, unknown.content) == (404, known.content)  # the page itself says so


def test_an_items_page(service: Service) -> None:
    item_id = service.create(name="An item")
    assert get_page(service, f"/groups/{workspace_of(service)}/items/{item_id}").status_code == 200
    assert get_page(service, f"/groups/{workspace_of(service)}/items/{UNKNOWN}").status_code == 404
    assert get_page(service, f"/groups/{UNKNOWN}/items/{item_id}").status_code == 404
    assert get_page(service, f"/portal/state/{workspace_of(service)}/{UNKNOWN}").status_code == 404
    assert get_page(service, f"/portal/state/{workspace_of(service)}/{item_id}/{UNKNOWN}").status_code == 404


def test_names_travel_as_json_and_never_into_the_page(service: Service) -> None:
    item_id = service.create("Notebook", SCRIPT)
    run_id = run_of(service, item_id, job_type="RunNotebook")
    for path in ("/", f"/groups/{workspace_of(service)}/items/{item_id}?jobInstanceId={run_id}"):
        assert b"alert" not in get_page(service, path).content
    (run,) = state(service)["runs"]
    assert run["name"] == SCRIPT
    assert state(service, workspace_of(service), item_id)["item"]["name"] == SCRIPT


def test_the_overview_shows_items_by_type_and_runs_newest_first(service: Service, clock: Clock) -> None:
    notebook, pipeline = service.create("Notebook", "N"), service.create("DataPipeline", "P")
    first = run_of(service, pipeline)
    clock.advance(10)
    second = run_of(service, notebook, job_type="RunNotebook")
    shown = state(service)
    (workspace,) = shown["workspaces"]
    assert (workspace["name"], workspace["total"]) == ("Emulator workspace", 2)
    assert [(item["type"], item["id"]) for item in workspace["items"]] == [
        ("DataPipeline", pipeline), ("Notebook", notebook)]  # fmt: skip
    assert [(run["id"], run["status"]) for run in shown["runs"]] == [(second, "NotStarted"), (first, "Completed")]
    assert (shown["now"], shown["started"]) == (clock.now, 2)


def test_the_overview_is_bounded(service: Service) -> None:
    service.control("POST", "seed", {"copies": {"type": "Notebook", "count": 300}})
    item_id = service.create("CopyJob")
    for _ in range(150):
        newest = run_of(service, item_id)
    shown = state(service)
    assert (shown["workspaces"][0]["total"], len(shown["workspaces"][0]["items"])) == (301, 200)
    assert (shown["started"], len(shown["runs"])) == (150, 100)
    assert newest in {run["id"] for run in shown["runs"]}


def test_the_overview_shows_the_tree_of_folders(service: Service) -> None:
    outer = service.post("/folders", {"displayName": "Sales"}).json()["id"]
    inner = service.post("/folders", {"displayName": "Daily", "parentFolderId": outer}).json()["id"]
    service.create("Notebook", folderId=inner)
    service.create()
    (workspace,) = state(service)["workspaces"]
    assert workspace["folders"] == ["Sales", "Sales/Daily"]
    assert [(item["folder"], item["type"]) for item in workspace["items"]] == [
        ("", "DataPipeline"),
        ("Sales/Daily", "Notebook"),
    ]


def test_a_run_from_start_to_end(service: Service, clock: Clock) -> None:
    item_id = service.create("DataPipeline", "Daily load", definition=PIPELINE)
    started = clock.now
    run_id = run_of(service, item_id)
    shown = state_of_run(service, item_id, run_id)
    run = shown["run"]
    assert (run["status"], run["endedAt"], run["steps"]) == ("NotStarted", None, [[started, "NotStarted"]])
    assert (run["jobType"], run["invokeType"]) == ("Execute", "Manual")
    assert run["by"] == f"application {service.world.tenant.client_id}"
    assert shown["parts"] == ["pipeline-content.json"]
    clock.advance(2)
    shown = state_of_run(service, item_id, run_id)
    assert shown["run"]["status"] == "InProgress"
    assert [(activity["name"], activity["status"]) for activity in shown["activities"]] == [
        ("Wait1", "Succeeded"), ("Copy1", "InProgress")]  # fmt: skip
    clock.advance(2)
    run = state_of_run(service, item_id, run_id)["run"]
    assert (run["status"], run["endedAt"], run["failure"]) == ("Completed", started + 3, None)
    assert [status for _, status in run["steps"]] == ["NotStarted", "InProgress", "Completed"]


@pytest.mark.parametrize(
    ("reason", "shown", "of_the_activity"),
    [
        (
            {"errorCode": "E", "message": "m", "requestId": "r"},
            {"code": "E", "message": "m", "details": '{\n  "requestId": "r"\n}'},
            "E: m",
        ),
        ({"errorCode": "E"}, {"code": "E", "message": "", "details": ""}, "E"),
        ("in words", {"code": "", "message": "in words", "details": ""}, "in words"),
        (None, None, ""),
    ],
)
def test_why_a_run_failed(service: Service, clock: Clock, reason: Any, shown: Any, of_the_activity: str) -> None:
    service.control("POST", "jobs", {"outcome": "Failed", "failure_reason": reason})
    item_id = service.create("DataPipeline", definition=PIPELINE)
    run_id = run_of(service, item_id)
    assert state_of_run(service, item_id, run_id)["run"]["failure"] is None
    clock.advance(60)
    answer = state_of_run(service, item_id, run_id)
    assert answer["run"]["failure"] == shown
    assert [(one["status"], one["error"]) for one in answer["activities"]] == [
        ("Succeeded", ""), ("Failed", of_the_activity)]  # fmt: skip


def test_an_activity_that_a_rule_spells_out(service: Service, clock: Clock) -> None:
    given = [{"activityName": "A", "status": "Failed", "error": "odd"}, {"error": None}]
    service.control("POST", "jobs", {"activities": given})
    item_id = service.create("DataPipeline")
    run_id = run_of(service, item_id)
    clock.advance(9)
    shown = state_of_run(service, item_id, run_id)["activities"]
    assert [(activity["name"], activity["error"]) for activity in shown] == [("A", "odd"), ("Activity", "")]


def test_who_started_a_run(service: Service) -> None:
    item_id = service.create("CopyJob")
    service.sign_in(service.world.tenant.user_id)
    by_user = run_of(service, item_id)
    by_schedule = service.control("POST", "jobs/start", {"item_id": item_id})["id"]
    assert state_of_run(service, item_id, by_user)["run"]["by"] == "user@emulator.example"
    assert state_of_run(service, item_id, by_schedule)["run"]["by"] == "fabric"


def test_a_run_outlives_its_item(service: Service, clock: Clock) -> None:
    item_id = service.create("CopyJob")
    run_id = run_of(service, item_id)
    clock.advance(60)
    assert service.call("DELETE", f"/items/{item_id}").status_code == 200
    run = state_of_run(service, item_id, run_id)["run"]
    assert (run["name"], run["type"], run["workspace"]) == (None, "CopyJob", "Emulator workspace")
    assert [entry["id"] for entry in state(service)["runs"]] == [run_id]


def test_a_cancelled_run(service: Service, clock: Clock) -> None:
    item_id = service.create("CopyJob")
    run_id = run_of(service, item_id)
    assert service.post(f"/items/{item_id}/jobs/instances/{run_id}/cancel").status_code == 202
    asked = clock.now
    clock.advance(5)
    run = state_of_run(service, item_id, run_id)["run"]
    assert (run["status"], run["cancelRequestedAt"]) == ("Cancelled", asked)


def test_refreshes_of_a_semantic_model_are_runs(service: Service, clock: Clock) -> None:
    service.sign_in(audience="https://analysis.windows.net/powerbi/api")
    model = service.create("SemanticModel", "Model")
    service.control("POST", "jobs", {"item_type": "SemanticModel", "outcome": "Failed", "failure_reason": "no source"})
    root = f"/v1.0/myorg/groups/{workspace_of(service)}/datasets/{model}/refreshes"
    run_id = service.http.post(root, json={"type": "Full"}).headers["requestid"]
    assert [run["id"] for run in state(service)["runs"]] == [run_id]
    assert state_of_run(service, model, run_id)["run"]["status"] == "InProgress"
    clock.advance(60)
    run = state_of_run(service, model, run_id)["run"]
    assert (run["status"], run["jobType"], run["endedAt"]) == ("Failed", "Refresh, Full", clock.now - 57)
    assert run["failure"]["message"] == "no source"
    assert [entry["id"] for entry in state(service, workspace_of(service), model)["runs"]] == [run_id]
    address = run_url(str(service.http.base_url), workspace_of(service), model, "SemanticModel", run_id)
    assert get_page(service, address).status_code == 200


def test_looking_counts_for_nothing(service: Service) -> None:
    item_id = service.create()
    run_id = run_of(service, item_id)
    service.control("POST", "faults", {"count": None, "action": "drop"})
    before = service.control("GET", "stats"), service.control("GET", "requests")
    for path in ("/", "/portal/portal.js", "/portal/state", f"/groups/{workspace_of(service)}/items/{item_id}"):
        assert get_page(service, path).status_code == 200
    assert state_of_run(service, item_id, run_id)["run"]["id"] == run_id
    assert (service.control("GET", "stats"), service.control("GET", "requests")) == before


def test_nothing_secret_is_shown(service: Service) -> None:
    tenant = service.world.tenant
    token = service.http.headers["authorization"].removeprefix("Bearer ")
    definition = {"parts": [{**PIPELINE["parts"][0]}]}
    item_id = service.create("DataPipeline", definition=definition)
    run_id = run_of(service, item_id, body={"executionData": {"parameters": {"password": "in-the-parameters"}}})
    pages = [state(service), state(service, workspace_of(service), item_id), state_of_run(service, item_id, run_id)]
    text = json.dumps(pages)
    for secret in (tenant.client_secret, token, "in-the-parameters", "waitTimeInSeconds"):
        assert secret not in text


def test_without_control_there_is_no_portal(service: Service) -> None:
    item_id = service.create()
    run_id = run_of(service, item_id)
    with httpx.Client(
        transport=DirectTransport(EmulatorApp(service.world, control=None)), base_url="https://fabric.test"
    ) as http:
        for path in (
            "/",
            "/portal/portal.js",
            "/portal/state",
            f"/portal/state/{workspace_of(service)}/{item_id}/{run_id}",
            run_url("", workspace_of(service), item_id, "DataPipeline", run_id),
            run_url("", workspace_of(service), item_id, "CopyJob", run_id),
        ):
            answer = http.get(path)
            assert (answer.status_code, answer.json()["errorCode"]) == (404, "EntityNotFound"), path
