"""Items: names, definitions, paging, and both ways to address them."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from .conftest import PIPELINE, Service, definition, encode, error_of

COPY_JOB_OF_THE_SEED = {
    "parts": [
        {
            "path": "copyjob-content.json",
            "payload": "ewogICJwcm9wZXJ0aWVzIjogewogICAgImpvYk1vZGUiOiAiQmF0Y2giCiAgfSwKICAiYWN0aXZpdGllcyI6IFtdCn0=",
            "payloadType": "InlineBase64",
        },
        {"path": ".platform", "payload": "ZG90UGxhdGZvcm1CYXNlNjRTdHJpbmc=", "payloadType": "InlineBase64"},
    ]
}
DATAFLOW = definition(
    mashup__pq="section Section1;\nshared Query = 1;", queryMetadata__json={"formatVersion": "202502"}
)
DATAFLOW_OF_THE_SEED = definition(dataflow_content__json={"editingSessionMashup": {"mashupDocument": "section S;"}})


def parts_of(service: Service, item_id: str) -> dict[str, bytes]:
    answer = service.post(f"/items/{item_id}/getDefinition")
    assert answer.status_code == 200, answer.text
    parts = answer.json()["definition"]["parts"]
    assert {part["payloadType"] for part in parts} == {"InlineBase64"}
    return {part["path"]: base64.b64decode(part["payload"], validate=True) for part in parts}


@pytest.mark.parametrize(
    ("item_type", "collection", "given"),
    [
        ("Dataflow", "dataflows", DATAFLOW),
        ("Dataflow", "dataflows", DATAFLOW_OF_THE_SEED),
        ("DataPipeline", "dataPipelines", PIPELINE),
        ("CopyJob", "copyJobs", COPY_JOB_OF_THE_SEED),
        ("Notebook", "notebooks", definition(notebook_content__py="print(1)")),
        ("UserDataFunction", "userDataFunctions", None),
        ("Environment", "environments", None),
        ("SemanticModel", "semanticModels", None),
        ("ApacheAirflowJob", "apacheAirflowJobs", None),
    ],
)
def test_a_life_through_the_typed_collection(
    service: Service, item_type: str, collection: str, given: dict[str, Any] | None
) -> None:
    body = {"displayName": "One", "description": "d"} | ({"definition": given} if given else {})
    created = service.post(f"/{collection}", body)
    assert created.status_code == 201
    item = created.json()
    assert item == {
        "id": item["id"],
        "type": item_type,
        "displayName": "One",
        "description": "d",
        "workspaceId": service.world.tenant.workspace_id,
    }
    path = f"/{collection}/{item['id']}"
    typed = service.get(path).json()
    assert service.get(f"/{collection}").json()["value"] == [typed]
    typed.pop("properties", None)  # which only some kinds have, in their own collection
    assert typed == item == service.get(f"/items/{item['id']}").json()
    renamed = service.call("PATCH", path, {"displayName": "Two", "type": "pipeline"}).json()
    assert (renamed["displayName"], renamed["description"]) == ("Two", "d")
    if given:
        assert {part["path"] for part in given["parts"]} <= set(parts_of(service, item["id"]))
    deleted = service.call("DELETE", path)
    assert (deleted.status_code, deleted.content) == (200, b"")
    assert "json" not in deleted.headers["content-type"]
    assert error_of(service.get(path)) == (404, "ItemNotFound")


def test_the_type_pipeline_makes_a_data_pipeline(service: Service) -> None:
    created = service.post("/items", {"displayName": "My pipeline", "type": "pipeline", "definition": PIPELINE})
    assert (created.status_code, created.json()["type"]) == (201, "DataPipeline")


def test_collections_do_not_mix_types(service: Service) -> None:
    item_id = service.create("CopyJob")
    assert error_of(service.get(f"/dataflows/{item_id}")) == (404, "ItemNotFound")
    assert service.get("/dataflows").json()["value"] == []
    assert len(service.get("/items?type=CopyJob").json()["value"]) == 1


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"type": "DataPipeline"}, (400, "InvalidInput")),
        ({"displayName": " ", "type": "DataPipeline"}, (400, "InvalidInput")),
        ({"displayName": "x" * 257, "type": "DataPipeline"}, (400, "InvalidInput")),
        ({"displayName": 1, "type": "DataPipeline"}, (400, "InvalidInput")),
        ({"displayName": "a", "type": "DataPipeline", "description": "x" * 257}, (400, "InvalidInput")),
        ({"displayName": "a"}, (400, "InvalidItemType")),
        ({"displayName": "a", "type": "Spreadsheet"}, (400, "InvalidItemType")),
        ({"displayName": "a", "type": "SQLEndpoint"}, (400, "UnsupportedItemType")),
        ({"displayName": "a", "type": "DataPipeline", "folderId": "x"}, (400, "InvalidInput")),
        (
            {"displayName": "a", "type": "DataPipeline", "folderId": "00000000-0000-0000-0000-000000000000"},
            (404, "FolderNotFound"),
        ),
        (
            {"displayName": "a", "type": "DataPipeline", "definition": PIPELINE, "creationPayload": {}},
            (400, "InvalidInput"),
        ),
        ({"displayName": "a", "type": "Lakehouse", "creationPayload": 1}, (400, "InvalidInput")),
        ({"displayName": "a", "type": "Warehouse", "definition": PIPELINE}, (400, "OperationNotSupportedForItem")),
        ([], (400, "InvalidInput")),
    ],
)
def test_bad_items(service: Service, body: Any, expected: tuple[int, str]) -> None:
    assert error_of(service.post("/items", body)) == expected
    assert service.get("/items").json()["value"] == []


def part(path: str = "pipeline-content.json", payload: Any = None, kind: str = "InlineBase64") -> dict[str, Any]:
    return {"path": path, "payload": encode("{}") if payload is None else payload, "payloadType": kind}


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (None, "InvalidInput"),
        ({}, "InvalidInput"),
        ({"parts": []}, "InvalidInput"),
        ({"parts": ["x"]}, "InvalidInput"),
        ({"parts": [part()], "format": 1}, "InvalidInput"),
        ({"parts": [part(kind="VSIX")]}, "InvalidInput"),
        ({"parts": [part(path="")]}, "InvalidInput"),
        ({"parts": [part(path="../pipeline-content.json")]}, "InvalidInput"),
        ({"parts": [part(payload=1)]}, "InvalidInput"),
        ({"parts": [part(), part()]}, "InvalidInput"),
        ({"parts": [part(path="other.json")]}, "CorruptedPayload"),
        ({"parts": [part(payload="e30=e30=")]}, "CorruptedPayload"),
        ({"parts": [part(payload="e30..e30")]}, "CorruptedPayload"),
        ({"parts": [part(payload="e")]}, "CorruptedPayload"),
        ({"parts": [part(payload="e3\n0=")]}, "CorruptedPayload"),
        ({"parts": [part(payload="e30-_w==")]}, "CorruptedPayload"),
        ({"parts": [part(payload="ä")]}, "CorruptedPayload"),
        ({"parts": [part(payload=encode("{"))]}, "CorruptedPayload"),
        ({"parts": [part(payload=encode("[]"))]}, "CorruptedPayload"),
    ],
)
def test_bad_definitions(service: Service, given: Any, code: str) -> None:
    item_id = service.create()
    before = parts_of(service, item_id)
    answer = service.post(f"/items/{item_id}/updateDefinition", {"definition": given})
    assert error_of(answer) == (400, code)
    assert answer.json()["moreDetails"][0]["message"]
    assert parts_of(service, item_id) == before


def test_slips_of_the_documents_are_let_through(service: Service) -> None:
    item_id = service.create("Dataflow")
    given = definition(dataflow_content__json={})
    given["parts"][0]["payload"] = " " + given["parts"][0]["payload"].rstrip("=")
    body = {"displayName": " My dataflow", "type": "Dataflow", "definition": given}
    answer = service.post(f"/items/{item_id}/updateDefinition", body)
    assert (answer.status_code, answer.content) == (200, b"")


def test_a_definition_is_replaced_as_a_whole(service: Service) -> None:
    item_id = service.create("UserDataFunction", definition=definition(a__py="1", b__py="2"))
    service.post(f"/items/{item_id}/updateDefinition", {"definition": definition(b__py="3")})
    found = parts_of(service, item_id)
    assert (set(found), found["b.py"]) == ({"b.py", ".platform"}, b"3")


def test_the_service_adds_its_own_to_a_definition(service: Service) -> None:
    pipeline = parts_of(service, service.create(definition=PIPELINE, description="why"))
    content = json.loads(pipeline["pipeline-content.json"])
    assert content["properties"]["lastModifiedByObjectId"] == service.world.tenant.client_id
    assert content["properties"]["lastPublishTime"].endswith("Z")
    platform = json.loads(pipeline[".platform"])
    assert platform["metadata"] == {"type": "DataPipeline", "displayName": "An item", "description": "why"}
    assert platform["config"]["version"] == "2.0"
    dataflow = parts_of(service, service.create("Dataflow", definition=DATAFLOW))
    assert b";\r\nshared" in dataflow["mashup.pq"]
    service.control("POST", "config", {"service_additions": False})
    assert json.loads(parts_of(service, service.create(name="B", definition=PIPELINE))["pipeline-content.json"]) == (
        json.loads(base64.b64decode(PIPELINE["parts"][0]["payload"]))
    )


def test_an_authors_own_files_come_back_byte_for_byte(service: Service) -> None:
    notebook = definition(notebook_content__py="x", Resources_rows__json='{"a":1}')
    notebook["parts"][1]["path"] = "Resources/rows.json"
    assert parts_of(service, service.create("Notebook", definition=notebook))["Resources/rows.json"] == b'{"a":1}'


def test_keys_that_the_service_does_not_know_are_dropped_on_demand(service: Service) -> None:
    service.control("POST", "config", {"dropped_keys": ["madeUp"]})
    content = {"properties": {"activities": [{"name": "a", "madeUp": 1}], "madeUp": {}}}
    item_id = service.create(definition=definition(pipeline_content__json=content))
    held = json.loads(parts_of(service, item_id)["pipeline-content.json"])["properties"]
    assert (held["activities"], "madeUp" in held) == ([{"name": "a"}], False)


def test_the_older_form_of_a_dataflow_comes_back_in_two_parts_on_demand(service: Service) -> None:
    service.control("POST", "config", {"dataflow_content_converted": True})
    session = {"mashupDocument": "section S;\nshared Query = 1;\n", "documentLocale": "de-DE", "queriesMetadata": None}
    given = definition(dataflow_content__json={"editingSessionMashup": session})
    parts = parts_of(service, service.create("Dataflow", definition=given))
    assert set(parts) == {"mashup.pq", "queryMetadata.json", ".platform"}
    assert parts["mashup.pq"] == b"section S;\r\nshared Query = 1;\r\n"
    metadata = json.loads(parts["queryMetadata.json"])
    assert (metadata["documentLocale"], list(metadata["queriesMetadata"])) == ("de-DE", ["Query"])


def test_names_are_kept_without_the_spaces_around_them(service: Service) -> None:
    item_id = service.create(name=" My dataflow ")
    assert service.get(f"/items/{item_id}").json()["displayName"] == "My dataflow"
    answer = service.post("/items", {"displayName": "My dataflow  ", "type": "DataPipeline"})
    assert error_of(answer)[1] == "ItemDisplayNameAlreadyInUse"


def test_updating_a_lakehouse_shows_it(service: Service) -> None:
    item_id = service.create("Lakehouse")
    body = {"definition": definition(lakehouse__metadata__json={})}
    assert service.post(f"/lakehouses/{item_id}/updateDefinition", body).json()["id"] == item_id


def test_update_metadata_takes_the_platform_part_over(service: Service) -> None:
    item_id = service.create(definition=PIPELINE)
    platform = {"metadata": {"type": "DataPipeline", "displayName": "Renamed", "description": "new"}}
    given = {"parts": [*PIPELINE["parts"], part(".platform", encode(platform))]}
    service.post(f"/items/{item_id}/updateDefinition", {"definition": given})
    assert service.get(f"/items/{item_id}").json()["displayName"] == "An item"
    service.post(f"/items/{item_id}/updateDefinition?updateMetadata=true", {"definition": given})
    item = service.get(f"/items/{item_id}").json()
    assert (item["displayName"], item["description"]) == ("Renamed", "new")
    platform["metadata"]["type"] = "Notebook"
    given["parts"][-1]["payload"] = encode(platform)
    answer = service.post(f"/items/{item_id}/updateDefinition?updateMetadata=true", {"definition": given})
    assert error_of(answer) == (400, "InvalidInput")


def test_types_without_a_definition(service: Service) -> None:
    answer = service.post(f"/items/{service.create('Warehouse')}/getDefinition")
    assert error_of(answer) == (400, "OperationNotSupportedForItem")


def test_get_definition_ignores_a_body(service: Service) -> None:
    """fabric-cicd sends the JSON string ``"{}"`` with every call."""
    item_id = service.create()
    assert service.post(f"/items/{item_id}/getDefinition", "{}").status_code == 200


def test_names_are_unique_per_type_and_folder(service: Service) -> None:
    service.create(name="Daily")
    taken = service.post("/items", {"displayName": "daily", "type": "DataPipeline"})
    assert error_of(taken) == (400, "ItemDisplayNameAlreadyInUse")
    assert taken.json()["isRetriable"] is False
    service.create("CopyJob", "Daily")
    folder = service.post("/folders", {"displayName": "F"}).json()["id"]
    in_folder = service.create(name="Daily", folderId=folder)
    assert service.get(f"/items/{in_folder}").json()["folderId"] == folder
    service.control("POST", "config", {"name_conflict_status": 409})
    assert service.post("/items", {"displayName": "Daily", "type": "DataPipeline"}).status_code == 409
    service.control("POST", "config", {"duplicate_names_allowed": ["DataPipeline"]})
    service.create(name="Daily")


def test_renaming_follows_the_same_rules(service: Service) -> None:
    first, second = service.create(name="A"), service.create(name="B")
    answer = service.call("PATCH", f"/items/{second}", {"displayName": "A"})
    assert error_of(answer) == (400, "ItemDisplayNameAlreadyInUse")
    assert service.call("PATCH", f"/items/{first}", {"displayName": "a"}).status_code == 200
    assert error_of(service.call("PATCH", f"/items/{first}", {})) == (400, "InvalidRequest")
    service.call("PATCH", f"/items/{first}", {"displayName": "C"})
    service.create(name="A")


@pytest.mark.parametrize("status", [400, 409])
def test_a_deleted_name_is_reserved_for_a_while(service: Service, status: int) -> None:
    service.control("POST", "config", {"name_reservation_seconds": 30, "name_reservation_status": status})
    service.call("DELETE", f"/items/{service.create(name='Daily')}")
    answer = service.post("/items", {"displayName": "Daily", "type": "DataPipeline"})
    assert error_of(answer) == (status, "ItemDisplayNameNotAvailableYet")
    assert answer.json()["isRetriable"] is True
    service.clock.advance(30)
    service.create(name="Daily")


def test_pages_link_to_the_host_that_was_asked(service: Service) -> None:
    service.control("POST", "config", {"page_size": 2})
    names = [f"P{number}" for number in range(5)]
    for name in names:
        service.create(name=name)
    service.create("CopyJob", "C")
    seen, url = [], f"{service.root}/items?type=DataPipeline"
    while url:
        page = service.get(url, headers={"Host": "api.fabric.microsoft.com"}).json()
        seen += [item["displayName"] for item in page["value"]]
        url = page.get("continuationUri", "").replace("https://api.fabric.microsoft.com", "")
        assert ("continuationToken" in page) == bool(url)
    assert seen == names
    answer = service.get("/items?continuationToken=bm9uc2Vuc2U=")
    assert error_of(answer) == (400, "InvalidInput")


def test_a_page_token_alone_continues(service: Service) -> None:
    service.control("POST", "config", {"page_size": 1})
    service.create(name="A")
    service.create(name="B")
    token = service.get("/items").json()["continuationToken"]
    page = service.get("/items", params={"continuationToken": token}).json()
    assert [item["displayName"] for item in page["value"]] == ["B"]


def test_folders_nest_and_filter_items(service: Service) -> None:
    outer = service.post("/folders", {"displayName": "Outer"}).json()
    inner = service.post("/folders", {"displayName": "Inner", "parentFolderId": outer["id"]}).json()
    assert inner["parentFolderId"] == outer["id"]
    service.create(name="Top")
    service.create(name="In", folderId=inner["id"])

    def names(query: str) -> list[str]:
        return [item["displayName"] for item in service.get(f"/items?{query}").json()["value"]]

    assert names("") == ["Top", "In"]
    assert names("recursive=false") == ["Top"]
    assert names(f"rootFolderId={outer['id']}") == ["In"]
    assert names(f"rootFolderId={outer['id']}&recursive=false") == []
    assert len(service.get("/folders").json()["value"]) == 2
    assert len(service.get("/folders?recursive=false").json()["value"]) == 1
    assert error_of(service.post("/folders", {"displayName": "Outer"})) == (409, "FolderDisplayNameAlreadyInUse")
    assert error_of(service.post("/folders", {"displayName": ""})) == (400, "InvalidFolderDisplayName")
    assert error_of(service.call("DELETE", f"/folders/{outer['id']}")) == (400, "FolderNotEmpty")
    assert service.call("PATCH", f"/folders/{inner['id']}", {"displayName": "New"}).json()["displayName"] == "New"
    assert service.get(f"/folders/{inner['id']}").json()["displayName"] == "New"


def test_items_move_between_folders(service: Service) -> None:
    folder = service.post("/folders", {"displayName": "F"}).json()["id"]
    item_id = service.create(name="A", folderId="")
    (moved,) = service.post(f"/items/{item_id}/move", {"targetFolderId": folder}).json()["value"]
    assert moved["folderId"] == folder
    service.create(name="A")
    assert error_of(service.post(f"/items/{item_id}/move")) == (400, "ItemDisplayNameAlreadyInUse")


def test_items_have_no_connections(service: Service) -> None:
    assert service.get(f"/items/{service.create()}/connections").json() == {"value": []}


def test_workspaces(service: Service) -> None:
    created = service.post("/v1/workspaces", {"displayName": "Sales", "description": "d"})
    assert created.status_code == 201
    path = f"/v1/workspaces/{created.json()['id']}"
    assert service.get(path).json()["oneLakeEndpoints"]["dfsEndpoint"]
    assert [entry["displayName"] for entry in service.get("/v1/workspaces").json()["value"]] == [
        "Emulator workspace",
        "Sales",
    ]
    assert error_of(service.post("/v1/workspaces", {"displayName": "Sales"})) == (409, "WorkspaceNameAlreadyExists")
    assert service.call("PATCH", path, {"description": "e"}).json()["description"] == "e"
    assert service.get("/v1/capacities").json()["value"][0]["state"] == "Active"
    service.post(f"{path}/items", {"displayName": "a", "type": "Notebook"})
    assert service.call("DELETE", path).status_code == 200
    assert error_of(service.get(path)) == (404, "WorkspaceNotFound")


@pytest.mark.parametrize("workspace", ["nonsense", "a%2Fb", "..", "%2e%2e%2f%2e%2e"])
def test_ids_that_are_no_ids(service: Service, workspace: str) -> None:
    answer = service.get(f"/v1/workspaces/{workspace}/items")
    assert answer.status_code in (400, 404)
    assert answer.json()["errorCode"] in ("InvalidInput", "EntityNotFound")


def test_a_hidden_workspace(service: Service) -> None:
    other = service.control("POST", "seed", {"workspaces": [{"displayName": "Other"}]})["workspaces"][0]["id"]
    seeded = service.control("POST", "seed", {"identities": [{"workspaces": [other]}]})["identities"][0]
    service.sign_in(seeded["client_id"])
    assert [entry["id"] for entry in service.get("/v1/workspaces").json()["value"]] == [other]
    assert error_of(service.get("/items")) == (403, "InsufficientPrivileges")


def test_copy_jobs_reset(service: Service) -> None:
    path = f"/copyJobs/{service.create('CopyJob')}/resetCopyJob"
    entity = "b1b04262-1a57-412b-8b92-117832e4dad0"
    assert service.post(path, {"resetAllCopyJobEntities": True}).status_code == 200
    assert service.post(path, {"copyJobEntitiesToReset": [{"copyJobEntityId": entity}]}).status_code == 200
    for body in ({}, {"resetAllCopyJobEntities": 1}, {"copyJobEntitiesToReset": [{"copyJobEntityId": "x"}]}):
        assert error_of(service.post(path, body)) == (400, "InvalidInput")


MASHUP = '''section Section1;
shared manufacturer = "test ""value""" meta [IsParameterQuery = true, IsParameterQueryRequired = true, Type = type text,
  Description = "Who made it"];
shared isImported = true meta [IsParameterQuery = true, IsParameterQueryRequired = false, Type = type logical];
shared #"a quantity" = 12 meta [IsParameterQuery = true, Type = type number];
shared ratio = 1.5 meta [IsParameterQuery = true, Type = "Number"];
shared Query = let a = 1 in a;
'''


def test_parameters_of_a_dataflow(service: Service) -> None:
    service.control("POST", "config", {"page_size": 3})
    item_id = service.create("Dataflow", definition=definition(mashup__pq=MASHUP, queryMetadata__json={}))
    first = service.get(f"/dataflows/{item_id}/parameters").json()
    rest = service.get(first["continuationUri"]).json()
    assert "continuationToken" not in rest
    found = {entry["name"]: entry for entry in first["value"] + rest["value"]}
    assert found["manufacturer"] == {
        "name": "manufacturer",
        "isRequired": True,
        "description": "Who made it",
        "type": "String",
        "defaultValue": 'test "value"',
    }
    assert (found["isImported"]["type"], found["isImported"]["defaultValue"]) == ("Boolean", True)
    assert (found["a quantity"]["type"], found["a quantity"]["defaultValue"]) == ("Integer", 12)
    assert (found["ratio"]["type"], found["ratio"]["defaultValue"]) == ("Number", 1.5)
    assert len(found) == 4
    answer = service.get(f"/dataflows/{service.create('Dataflow', 'Plain')}/parameters")
    assert error_of(answer) == (400, "DataflowNotParametricError")


def test_a_dataflow_must_be_published_before_it_runs(service: Service) -> None:
    item_id = service.create("Dataflow", definition=DATAFLOW)

    def outcome(job_type: str, body: Any = None) -> tuple[str, Any]:
        url = service.run(item_id, job_type, body)
        service.clock.advance(3)
        job = service.get(url).json()
        return job["status"], (job["failureReason"] or {}).get("errorCode")

    assert outcome("Execute") == ("Failed", "DataflowNeverPublishedError")
    service.run(item_id, "ApplyChanges")
    assert outcome("Refresh") == ("Failed", "DataflowNeverPublishedError"), "publishing is not over yet"
    assert outcome("Execute", {"executionData": {"executeOption": "SkipApplyChanges"}}) == ("Completed", None)
    service.post(f"/items/{item_id}/updateDefinition", {"definition": DATAFLOW})
    assert outcome("Execute") == ("Completed", None), "the previous revision runs"
    item_id = service.create("Dataflow", "Another")
    assert outcome("Execute", {"executionData": {"executeOption": "ApplyChangesIfNeeded"}}) == ("Completed", None)
    assert outcome("Execute") == ("Completed", None)


def test_a_seeded_dataflow_is_published(service: Service) -> None:
    items = [{"type": "Dataflow", "displayName": "A"}, {"type": "Dataflow", "displayName": "B", "published": False}]
    seeded = service.control("POST", "seed", {"workspaces": [{"displayName": "W", "items": items}]})["workspaces"][0]
    ends = []
    for item in seeded["items"]:
        answer = service.post(f"/v1/workspaces/{seeded['id']}/items/{item['id']}/jobs/Execute/instances")
        service.clock.advance(3)
        ends.append(service.get(answer.headers["location"]).json()["status"])
    assert ends == ["Completed", "Failed"]
