"""Workspaces and items: what is sent, in both dialects, and what is refused before it is."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_fabric.api import copy_jobs
from airflow_provider_fabric.api.http.flow import Flow, Response
from airflow_provider_fabric.api.items import items
from airflow_provider_fabric.api.models import Item, Workspace
from airflow_provider_fabric.exceptions import (
    FabricAmbiguousError,
    FabricApiError,
    FabricInputError,
    FabricNotFoundError,
    FabricOperationError,
    FabricProtocolError,
)
from tests.flow_driver import HTML, ITEM, LOST, OPERATION, TRUNCATED, UNSENT, WORKSPACE, drive, ok, page, refusal

BASE = f"/v1/workspaces/{WORKSPACE}"
WIRE = {
    "id": ITEM,
    "workspaceId": WORKSPACE,
    "type": "DataPipeline",
    "displayName": "Daily load",
    "description": "d",
    "folderId": "f",
}
THE_ITEM = Item(ITEM, WORKSPACE, "DataPipeline", "Daily load", "d", "f")
PARTS = {"pipeline-content.json": {"properties": {"activities": []}}}


def wire_definition(**parts: bytes) -> dict[str, Any]:
    return {
        "definition": {
            "parts": [
                {"path": path, "payload": base64.b64encode(content).decode(), "payloadType": "InlineBase64"}
                for path, content in parts.items()
            ]
        }
    }


@pytest.mark.parametrize(
    ("flow", "expected"),
    [
        (lambda **d: items.get_item(WORKSPACE, ITEM, **d), "GET {}/" + ITEM),
        (lambda **d: items.update_item(WORKSPACE, ITEM, display_name="x", **d), "PATCH {}/" + ITEM),
        (lambda **d: items.delete_item(WORKSPACE, ITEM, **d), "DELETE {}/" + ITEM),
        (lambda **d: items.get_item_definition(WORKSPACE, ITEM, **d), "POST {}/" + ITEM + "/getDefinition"),
    ],
)
@pytest.mark.parametrize(
    ("dialect", "collection"),
    [
        ({}, "items"),
        ({"item_type": "CopyJob"}, "items"),
        ({"item_type": "CopyJob", "typed": True}, "copyJobs"),
        ({"item_type": "Dataflow", "typed": True}, "dataflows"),
        ({"item_type": "DataPipeline", "typed": True}, "dataPipelines"),
    ],
)
def test_both_dialects(flow: Callable[..., Flow[Any]], expected: str, dialect: dict[str, Any], collection: str) -> None:
    answer = ok({**WIRE, **wire_definition(**{"a": b"b"})})
    assert drive(flow(**dialect), [answer]).paths == [expected.format(f"{BASE}/{collection}")]


@pytest.mark.parametrize("item_type", [None, "Warehouse", "copyJobs"])
def test_a_kind_without_collection_cannot_be_typed(item_type: str | None) -> None:
    talk = drive(items.get_item(WORKSPACE, ITEM, item_type=item_type, typed=True))
    assert isinstance(talk.error, FabricInputError)
    assert "CopyJob" in str(talk.error)


@pytest.mark.parametrize("bad", ["", ".", ".."])
def test_an_id_that_leaves_its_place_sends_nothing(bad: str) -> None:
    for flow in (items.get_item(bad, ITEM), items.get_item(WORKSPACE, bad), items.delete_item(WORKSPACE, bad)):
        talk = drive(flow)
        assert isinstance(talk.error, FabricInputError)
        assert talk.requests == []


def test_an_id_with_slashes_stays_one_segment() -> None:
    talk = drive(items.delete_item(WORKSPACE, f"{ITEM}/../../../admin?x=#"), [ok()])
    assert talk.paths == [f"DELETE {BASE}/items/{ITEM}%2F..%2F..%2F..%2Fadmin%3Fx%3D%23"]


def test_workspaces_of_all_pages() -> None:
    entries = [{"id": "a", "displayName": "A"}, {"id": "b", "displayName": "B"}]
    talk = drive(items.list_workspaces(), [page(entries[0], token="t"), page(entries[1])])
    assert talk.result() == [Workspace("a", "A"), Workspace("b", "B")]
    assert talk.paths == ["GET /v1/workspaces"] * 2


@pytest.mark.parametrize(
    ("options", "path", "params"),
    [
        ({}, "items", {}),
        ({"item_type": "Dataflow"}, "items", {"type": "Dataflow"}),
        ({"item_type": "Dataflow", "typed": True}, "dataflows", {}),
    ],
)
def test_items_of_one_kind_or_of_all(options: dict[str, Any], path: str, params: dict[str, str]) -> None:
    talk = drive(items.list_items(WORKSPACE, **options), [page(WIRE)])
    assert talk.result() == [THE_ITEM]
    assert (talk.requests[0].path, talk.requests[0].params) == (f"{BASE}/{path}", params)


@pytest.mark.parametrize(
    ("options", "body"),
    [
        ({}, {"type": "DataPipeline"}),
        ({"typed": True}, {}),
        ({"description": ""}, {"type": "DataPipeline", "description": ""}),
        ({"folder_id": "f"}, {"type": "DataPipeline", "folderId": "f"}),
        ({"creation_payload": {"a": 1}}, {"type": "DataPipeline", "creationPayload": {"a": 1}}),
        (
            {"definition": {"pipeline-content.json": "{}"}},
            {"type": "DataPipeline", **wire_definition(**{"pipeline-content.json": b"{}"})},
        ),
    ],
)
def test_the_body_of_a_create(options: dict[str, Any], body: dict[str, Any]) -> None:
    talk = drive(items.create_item(WORKSPACE, "Daily load", "DataPipeline", **options), [ok(WIRE, 201)])
    assert talk.result() == THE_ITEM
    assert talk.requests[0].json == {"displayName": "Daily load", **body}


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"definition": PARTS, "creation_payload": {}}, "not both"),
        ({"definition": {}}, "empty"),
        ({"definition": {"other.json": {}}}, r"pipeline-content\.json"),
        ({"display_name": "  "}, "blank"),
    ],
)
def test_what_cannot_be_created_is_refused_before_anything_is_sent(options: dict[str, Any], match: str) -> None:
    arguments = {"display_name": "Daily load", "item_type": "DataPipeline", **options}
    talk = drive(items.create_item(WORKSPACE, **arguments))
    assert talk.requests == []
    with pytest.raises(FabricInputError, match=match):
        talk.result()


def accepted() -> Response:
    return ok(status=202, x_ms_operation_id=OPERATION, retry_after="1")


def succeeded(*, result: bool) -> Response:
    return ok({"status": "Succeeded"}, location=f"/v1/operations/{OPERATION}" + ("/result" if result else ""))


def test_a_create_that_takes_long() -> None:
    flow = items.create_item(WORKSPACE, "Daily load", "DataPipeline")
    talk = drive(flow, [accepted(), succeeded(result=True), ok(WIRE)])
    assert talk.result() == THE_ITEM
    assert talk.posts == 1


def test_a_create_that_took_long_and_names_no_item_is_looked_up() -> None:
    flow = items.create_item(WORKSPACE, "Daily load", "DataPipeline")
    talk = drive(flow, [accepted(), succeeded(result=False), page({**WIRE, "id": "x", "displayName": "y"}, WIRE)])
    assert talk.result() == THE_ITEM


@pytest.mark.parametrize("listed", [[], [WIRE, {**WIRE, "id": "x"}]])
def test_a_create_whose_item_cannot_be_told_is_an_error(listed: list[Any]) -> None:
    flow = items.create_item(WORKSPACE, "Daily load", "DataPipeline")
    talk = drive(flow, [ok(status=201), page(*listed)])
    with pytest.raises(FabricProtocolError, match=f"{len(listed)} are listed"):
        talk.result()


def test_of_two_of_one_name_the_one_in_the_folder_was_created() -> None:
    listed = page({**WIRE, "id": "x", "folderId": "other"}, {**WIRE, "folderId": "wanted"})
    flow = items.create_item(WORKSPACE, "Daily load", "DataPipeline", folder_id="wanted")
    assert drive(flow, [ok(status=201), listed]).result().id == ITEM


@pytest.mark.parametrize("name", [" Daily load", "Daily load\t", "\n Daily load "])
def test_names_are_sent_without_spaces_around_them(name: str) -> None:
    """Microsoft's page sends ``" My dataflow"`` and prints ``"My dataflow"`` back."""
    assert drive(items.create_item(WORKSPACE, name, "DataPipeline"), [ok(WIRE, 201)]).requests[0].json[
        "displayName"
    ] == ("Daily load")
    talk = drive(items.update_item(WORKSPACE, ITEM, display_name=name), [ok(WIRE)])
    assert talk.requests[0].json == {"displayName": "Daily load"}


@pytest.mark.parametrize("unclear", [refusal(503), refusal(408), LOST])
def test_a_delete_whose_answer_was_lost_and_whose_repeat_says_404_has_succeeded(unclear: Any) -> None:
    talk = drive(items.delete_item(WORKSPACE, ITEM), [unclear, refusal(404, "ItemNotFound")])
    assert talk.result() is None
    assert len(talk.requests) == 2


@pytest.mark.parametrize("before", [[], [UNSENT], [refusal(429)], [refusal(401)]])
def test_a_delete_of_what_surely_was_not_there_is_an_error(before: list[Any]) -> None:
    talk = drive(items.delete_item(WORKSPACE, ITEM), [*before, refusal(404, "ItemNotFound")])
    assert isinstance(talk.error, FabricNotFoundError)
    forgiving = items.delete_item(WORKSPACE, ITEM, ignore_missing=True)
    assert drive(forgiving, [*before, refusal(404, "ItemNotFound")]).result() is None


def test_a_workspace_that_is_not_there_says_nothing_of_the_item() -> None:
    answers = [LOST, refusal(404, "WorkspaceNotFound")]
    assert isinstance(drive(items.delete_item(WORKSPACE, ITEM), answers).error, FabricNotFoundError)
    forgiving = drive(items.delete_item(WORKSPACE, ITEM, ignore_missing=True), answers)
    assert isinstance(forgiving.error, FabricNotFoundError)


def test_other_refusals_of_a_delete_are_errors() -> None:
    talk = drive(
        items.delete_item(WORKSPACE, ITEM, ignore_missing=True), [LOST, refusal(403, "InsufficientPrivileges")]
    )
    assert isinstance(talk.error, FabricApiError)


@pytest.mark.parametrize(("format", "params"), [(None, {}), ("ipynb", {"format": "ipynb"})])
def test_a_definition_is_read_in_the_format_asked_for(format: str | None, params: dict[str, str]) -> None:
    held = ok({"definition": {"parts": []}})
    talk = drive(items.get_item_definition(WORKSPACE, ITEM, format=format), [held])
    assert talk.requests[0].params == params


@pytest.mark.parametrize(
    ("parts", "item_type", "format", "sent"),
    [
        ({"notebook-content.ipynb": {}}, "Notebook", None, "ipynb"),
        ({"notebook-content.py": ""}, "Notebook", None, None),
        ({"notebook-content.py": ""}, "Notebook", "fabricGitSource", "fabricGitSource"),
        ({"SparkJobDefinitionV1.json": {}, "Main/main.py": "x"}, "SparkJobDefinition", None, "SparkJobDefinitionV2"),
        ({"definition.pbism": {}, "model.bim": {}}, "SemanticModel", None, "TMSL"),
    ],
)
def test_the_format_is_sent(parts: Any, item_type: str, format: str | None, sent: str | None) -> None:
    create = items.create_item(WORKSPACE, "A", item_type, definition=parts, format=format)
    update = items.update_item_definition(WORKSPACE, ITEM, item_type, parts, format=format)
    for flow, answer in ((create, ok(WIRE, 201)), (update, ok())):
        assert drive(flow, [answer]).requests[0].json["definition"].get("format") == sent


def test_a_create_that_fails_later_says_so() -> None:
    failed = ok({"status": "Failed", "error": {"errorCode": "CorruptedPayload"}})
    talk = drive(items.create_item(WORKSPACE, "Daily load", "DataPipeline"), [accepted(), failed])
    assert isinstance(talk.error, FabricOperationError)
    assert "create DataPipeline 'Daily load'" in str(talk.error)


@pytest.mark.parametrize("answer", [refusal(503), LOST])
def test_a_create_without_clear_answer_is_not_repeated(answer: Any) -> None:
    talk = drive(items.create_item(WORKSPACE, "Daily load", "DataPipeline"), [answer])
    assert isinstance(talk.error, FabricAmbiguousError)
    assert talk.posts == 1


@pytest.mark.parametrize("answer", [HTML, TRUNCATED, ok({}), ok({"id": ""}), ok({"id": 5}), ok([])])
def test_what_is_no_item_is_refused(answer: Response) -> None:
    assert isinstance(drive(items.get_item(WORKSPACE, ITEM), [answer]).error, FabricProtocolError)


@pytest.mark.parametrize(
    ("changes", "body"),
    [
        ({"display_name": "New"}, {"displayName": "New"}),
        ({"description": ""}, {"description": ""}),
        ({"display_name": "New", "description": "d"}, {"displayName": "New", "description": "d"}),
    ],
)
def test_only_what_changes_is_sent(changes: dict[str, str], body: dict[str, str]) -> None:
    talk = drive(items.update_item(WORKSPACE, ITEM, **changes), [ok(WIRE)])
    assert talk.requests[0].json == body


def test_an_update_of_nothing_is_refused() -> None:
    assert isinstance(drive(items.update_item(WORKSPACE, ITEM)).error, FabricInputError)


@pytest.mark.parametrize("long", [False, True])
def test_a_definition_is_read_now_or_later(long: bool) -> None:
    answer = ok(wire_definition(**{"a.json": b"{}", ".platform": b"p"}))
    answers = [accepted(), succeeded(result=True), answer] if long else [answer]
    talk = drive(items.get_item_definition(WORKSPACE, ITEM), answers)
    assert talk.result() == {"a.json": b"{}", ".platform": b"p"}


def test_a_definition_that_is_not_there_is_an_error() -> None:
    talk = drive(items.get_item_definition(WORKSPACE, ITEM), [accepted(), succeeded(result=False)])
    assert isinstance(talk.error, FabricProtocolError)


@pytest.mark.parametrize(("metadata", "params"), [(False, {}), (True, {"updateMetadata": "true"})])
@pytest.mark.parametrize("long", [False, True])
def test_a_definition_is_replaced_now_or_later(metadata: bool, params: dict[str, str], long: bool) -> None:
    parts = {**PARTS, ".platform": "{}"}
    flow = items.update_item_definition(WORKSPACE, ITEM, "DataPipeline", parts, update_metadata=metadata)
    talk = drive(flow, [accepted(), succeeded(result=False)] if long else [ok()])
    assert talk.result() is None
    request = talk.requests[0]
    assert (request.path, request.params) == (f"{BASE}/items/{ITEM}/updateDefinition", params)
    assert [part["path"] for part in request.json["definition"]["parts"]] == [".platform", "pipeline-content.json"]


def test_metadata_without_the_part_that_holds_it_is_refused() -> None:
    talk = drive(items.update_item_definition(WORKSPACE, ITEM, "DataPipeline", PARTS, update_metadata=True))
    with pytest.raises(FabricInputError, match=r"\.platform"):
        talk.result()


@pytest.mark.parametrize(
    ("entities", "body"),
    [
        (None, {"resetAllCopyJobEntities": True}),
        (
            ["a", "b"],
            {
                "resetAllCopyJobEntities": False,
                "copyJobEntitiesToReset": [{"copyJobEntityId": "a"}, {"copyJobEntityId": "b"}],
            },
        ),
    ],
)
def test_a_reset_of_all_or_some(entities: list[str] | None, body: dict[str, Any]) -> None:
    talk = drive(copy_jobs.reset_copy_job(WORKSPACE, ITEM, entities), [ok()])
    assert talk.paths == [f"POST {BASE}/copyJobs/{ITEM}/resetCopyJob"]
    assert talk.requests[0].json == body


def test_a_reset_of_none_is_refused_and_not_taken_for_all() -> None:
    talk = drive(copy_jobs.reset_copy_job(WORKSPACE, ITEM, []))
    assert isinstance(talk.error, FabricInputError)
