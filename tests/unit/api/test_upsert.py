"""Create or update an item so that it matches a definition, even while others change the same item."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_fabric.api.http.flow import Request, Response
from airflow_provider_fabric.api.items.upsert import RESERVED_ATTEMPTS, upsert_item_definition
from airflow_provider_fabric.api.items.wire import to_wire
from airflow_provider_fabric.exceptions import (
    FabricAmbiguousError,
    FabricApiError,
    FabricBadRequestError,
    FabricInputError,
    FabricNameError,
    FabricOperationError,
)
from tests.flow_driver import ITEM, LOST, OPERATION, WORKSPACE, Answer, Talk, drive, ok, page, refusal

ITEMS = f"/v1/workspaces/{WORKSPACE}/items"
LIST, CREATE = f"GET {ITEMS}", f"POST {ITEMS}"
READ, REPLACE = f"POST {ITEMS}/{ITEM}/getDefinition", f"POST {ITEMS}/{ITEM}/updateDefinition"
CHANGE = f"PATCH {ITEMS}/{ITEM}"

PARTS = {"pipeline-content.json": '{"properties": {"activities": []}}'}
WIRE = {"id": ITEM, "workspaceId": WORKSPACE, "type": "DataPipeline", "displayName": "Daily load", "description": "d"}
LISTED, NOT_LISTED = page(WIRE), page({**WIRE, "id": "x", "displayName": "Other"})
CREATED = ok(WIRE, 201)
TAKEN = refusal(409, "ItemDisplayNameAlreadyInUse")
RESERVED_409 = refusal(409, "ItemDisplayNameNotAvailableYet", {"isRetriable": True})
RESERVED_400 = refusal(400, "ItemDisplayNameNotAvailableYet", {"isRetriable": True}, retry_after="25")
ACCEPTED = ok(status=202, x_ms_operation_id=OPERATION, retry_after="1")


def failed(code: str) -> Response:
    return ok({"status": "Failed", "error": {"errorCode": code}})


def held(**parts: str) -> Response:
    return ok({"definition": to_wire({path: text.encode() for path, text in parts.items()})})


SAME = held(**{"pipeline-content.json": '{"properties": {"activities": []}}', ".platform": "{}"})
DIFFERENT = held(**{"pipeline-content.json": '{"properties": {"activities": [1]}}', ".platform": "{}"})


def upserting(answers: list[Answer] | Callable[[Request], Answer], **options: Any) -> Talk[dict[str, str]]:
    return drive(upsert_item_definition(WORKSPACE, "DataPipeline", "Daily load", PARTS, **options), answers)


def test_an_item_that_is_not_there_is_created_with_its_definition() -> None:
    talk = upserting([NOT_LISTED, CREATED], description="new")
    assert talk.result() == {
        "item_id": ITEM,
        "workspace_id": WORKSPACE,
        "item_type": "DataPipeline",
        "display_name": "Daily load",
        "outcome": "created",
    }
    assert talk.paths == [LIST, CREATE]
    body = talk.requests[1].json
    assert (body["displayName"], body["description"]) == ("Daily load", "new")
    assert body["definition"] == to_wire({"pipeline-content.json": PARTS["pipeline-content.json"].encode()})


@pytest.mark.parametrize(
    ("answers", "options", "outcome", "sent"),
    [
        ([SAME], {}, "unchanged", []),
        ([SAME], {"description": "d"}, "unchanged", []),
        ([SAME, ok(WIRE)], {"description": "other"}, "updated", [CHANGE]),
        ([SAME, ok(WIRE)], {"description": ""}, "updated", [CHANGE]),
        ([DIFFERENT, ok(), SAME], {}, "updated", [REPLACE, READ]),
        ([DIFFERENT, ok(), SAME, ok(WIRE)], {"description": "other"}, "updated", [REPLACE, READ, CHANGE]),
    ],
)
def test_an_item_that_is_there_is_changed_only_where_it_differs(
    answers: list[Answer], options: dict[str, Any], outcome: str, sent: list[str]
) -> None:
    talk = upserting([LISTED, *answers], **options)
    assert talk.result()["outcome"] == outcome
    assert talk.paths == [LIST, READ, *sent]


def test_it_is_found_on_any_page_so_that_no_twin_is_created() -> None:
    talk = upserting([page({**WIRE, "id": "x", "displayName": "Other"}, token="t"), LISTED, SAME])
    assert talk.result()["outcome"] == "unchanged"
    assert CREATE not in talk.paths


def test_several_of_that_name_are_an_error_that_lists_them() -> None:
    talk = upserting([page(WIRE, {**WIRE, "id": "twin"})])
    with pytest.raises(FabricNameError, match=f"{ITEM}, twin"):
        talk.result()


LATE_TAKEN = [ACCEPTED, failed("ItemDisplayNameAlreadyInUse")]


@pytest.mark.parametrize("lost", [[TAKEN], [refusal(400, "ItemDisplayNameAlreadyInUse")], LATE_TAKEN])
def test_a_lost_race_to_create_goes_on_with_the_winners_item(lost: list[Answer]) -> None:
    talk = upserting([NOT_LISTED, *lost, LISTED, DIFFERENT, ok(), SAME])
    assert talk.result()["outcome"] == "updated"
    assert talk.paths.count(CREATE) == 1


def test_a_name_taken_by_what_we_cannot_see_is_an_error() -> None:
    talk = upserting([NOT_LISTED, TAKEN, NOT_LISTED])
    with pytest.raises(FabricNameError, match="'Daily load' is in use"):
        talk.result()


@pytest.mark.parametrize(
    ("reserved", "pause"),
    [([RESERVED_409], 10.0), ([RESERVED_400], 25.0), ([ACCEPTED, failed("ItemDisplayNameNotAvailableYet")], 10.0)],
)
def test_a_name_that_was_freed_a_moment_ago_is_waited_for(reserved: list[Answer], pause: float) -> None:
    talk = upserting([NOT_LISTED, *reserved, *reserved, CREATED])
    assert talk.result()["outcome"] == "created"
    assert talk.sleeps.count(pause) == 2
    assert talk.paths.count(CREATE) == 3


def test_a_name_that_never_becomes_free_is_the_services_error() -> None:
    talk = upserting(lambda request: NOT_LISTED if request.method == "GET" else RESERVED_409)
    assert isinstance(talk.error, FabricApiError)
    assert talk.error.error_code == "ItemDisplayNameNotAvailableYet"
    assert talk.paths.count(CREATE) == RESERVED_ATTEMPTS


@pytest.mark.parametrize("unclear", [refusal(503), LOST])
def test_a_create_without_clear_answer_is_looked_up_and_not_repeated(unclear: Answer) -> None:
    talk = upserting([NOT_LISTED, unclear, LISTED, LISTED, SAME])
    assert talk.result()["item_id"] == ITEM
    assert talk.paths.count(CREATE) == 1


@pytest.mark.parametrize("unclear", [refusal(503), LOST])
def test_a_create_without_clear_answer_and_without_item_is_ambiguous(unclear: Answer) -> None:
    talk = upserting([NOT_LISTED, unclear, NOT_LISTED])
    assert isinstance(talk.error, FabricAmbiguousError)
    assert talk.paths.count(CREATE) == 1


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        ([refusal(400, "CorruptedPayload")], FabricBadRequestError),
        ([ACCEPTED, failed("CorruptedPayload")], FabricOperationError),
    ],
)
def test_other_refusals_are_not_repeated(answers: list[Answer], kind: type[Exception]) -> None:
    assert type(upserting([NOT_LISTED, *answers]).error) is kind


@pytest.mark.parametrize(
    ("name", "definition", "options"),
    [
        ("  ", PARTS, {}),
        ("Daily load", {}, {}),
        ("Daily load", {"mashup.pq": "x"}, {}),
        ("Daily load", {"pipeline-content.json": "{"}, {}),
    ],
)
def test_bad_input_sends_nothing(name: str, definition: dict[str, str], options: dict[str, Any]) -> None:
    talk = drive(upsert_item_definition(WORKSPACE, "DataPipeline", name, definition, **options))
    assert isinstance(talk.error, FabricInputError)
    assert talk.requests == []


def test_metadata_is_sent_and_compared_only_when_asked_for() -> None:
    parts = {**PARTS, ".platform": '{"metadata": {"displayName": "Daily load", "description": "new"}}'}

    def upsert(metadata: bool, answers: list[Answer]) -> Talk[dict[str, str]]:
        flow = upsert_item_definition(WORKSPACE, "DataPipeline", "Daily load", parts, update_metadata=metadata)
        return drive(flow, answers)

    assert upsert(False, [LISTED, SAME]).result()["outcome"] == "unchanged"
    after = held(**parts)
    talk = upsert(True, [LISTED, SAME, ok(), after])
    assert talk.result()["outcome"] == "updated"
    assert talk.requests[-2].params == {"updateMetadata": "true"}


def test_a_name_in_the_platform_part_that_would_rename_the_item_is_refused() -> None:
    parts = {**PARTS, ".platform": '{"metadata": {"displayName": "Nightly load"}}'}
    flow = upsert_item_definition(WORKSPACE, "DataPipeline", "Daily load", parts, update_metadata=True)
    talk = drive(flow, [])
    assert isinstance(talk.error, FabricInputError)
    assert "Nightly load" in str(talk.error)


def test_metadata_without_the_platform_part_is_refused_before_anything_is_sent() -> None:
    talk = upserting([], update_metadata=True)
    assert isinstance(talk.error, FabricInputError)
    assert talk.requests == []


def dropping(request: Request) -> Answer:
    """A service that does not keep ``madeUp``."""
    if request.method == "GET":
        return LISTED
    return SAME if request.path.endswith("/getDefinition") else ok()


UNKNOWN_KEY = {"pipeline-content.json": '{"properties": {"activities": [], "madeUp": "s3cret"}}'}


def test_a_key_that_the_service_drops_is_named_at_every_run(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        caplog.clear()
        flow = upsert_item_definition(WORKSPACE, "DataPipeline", "Daily load", UNKNOWN_KEY)
        assert drive(flow, dropping).result()["outcome"] == "updated"
        (text,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
        assert "'pipeline-content.json': properties.madeUp is missing there" in text
        assert "s3cret" not in text


def test_a_definition_that_settles_needs_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    upserting([LISTED, DIFFERENT, ok(), SAME]).result()
    assert caplog.records == []


def test_a_replacement_that_cannot_be_read_back_has_succeeded_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    talk = upserting([LISTED, DIFFERENT, ok(), refusal(403, "InsufficientPrivileges")])
    assert talk.result()["outcome"] == "updated"
    assert "not read back" in caplog.text


def test_the_same_form_is_asked_for_as_is_sent() -> None:
    notebook = {"notebook-content.ipynb": '{"cells": []}'}
    listed = page({**WIRE, "type": "Notebook"})
    flow = upsert_item_definition(WORKSPACE, "Notebook", "Daily load", notebook)
    talk = drive(flow, [listed, held(**{"notebook-content.ipynb": "{}"}), ok(), held(**notebook)])
    assert talk.result()["outcome"] == "updated"
    assert [request.params for request in talk.requests[1:]] == [{"format": "ipynb"}, {}, {"format": "ipynb"}]
    assert talk.requests[2].json["definition"]["format"] == "ipynb"


@pytest.mark.parametrize("listed", ["Daily load", " Daily load "])
@pytest.mark.parametrize("given", ["Daily load", " Daily load", "Daily load\n"])
def test_spaces_around_a_name_do_not_count(given: str, listed: str) -> None:
    flow = upsert_item_definition(WORKSPACE, "DataPipeline", given, PARTS)
    talk = drive(flow, [page({**WIRE, "displayName": listed}), SAME])
    assert talk.result()["display_name"] == "Daily load"
    assert talk.result()["outcome"] == "unchanged"


def test_a_name_that_differs_only_in_case_is_an_error_that_says_so() -> None:
    flow = upsert_item_definition(WORKSPACE, "DataPipeline", "daily LOAD", PARTS)
    talk = drive(flow, [LISTED])
    assert isinstance(talk.error, FabricNameError)
    assert "named 'Daily load'" in str(talk.error)
    assert "only in case" in str(talk.error)


FOLDERS = f"/v1/workspaces/{WORKSPACE}/folders"
SALES, NIGHT = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
TREE = page({"id": SALES, "displayName": "Sales"}, {"id": NIGHT, "displayName": "Night", "parentFolderId": SALES})
TWINS = page({**WIRE, "id": "in sales", "folderId": SALES}, {**WIRE, "id": "in night", "folderId": NIGHT}, WIRE)


@pytest.mark.parametrize(
    ("folder", "calls", "found"),
    [
        ("Sales", [TREE], "in sales"),
        ("Sales/Night", [TREE], "in night"),
        (NIGHT, [], "in night"),
        ("/", [], ITEM),
    ],
)
def test_two_items_of_one_name_in_two_folders_are_two_items(folder: str, calls: list[Answer], found: str) -> None:
    talk = upserting([*calls, TWINS, SAME], folder=folder)
    assert talk.result()["item_id"] == found


def test_without_a_folder_two_of_one_name_are_an_error_that_says_how_to_choose() -> None:
    talk = upserting([TWINS])
    assert isinstance(talk.error, FabricNameError)
    assert f"in sales in folder {SALES}" in str(talk.error)
    assert "folder=" in str(talk.error)


def test_an_item_is_created_in_its_folder_though_another_has_its_name_elsewhere() -> None:
    talk = upserting([TREE, LISTED, CREATED], folder="Sales/Night")
    assert talk.result()["outcome"] == "created"
    assert talk.requests[-1].json["folderId"] == NIGHT


def test_a_folder_that_is_not_there_is_made_if_wanted() -> None:
    made = ok({"id": NIGHT, "displayName": "Night", "parentFolderId": SALES}, 201)
    tree = page({"id": SALES, "displayName": "Sales"})
    talk = upserting([tree, made, NOT_LISTED, CREATED], folder="Sales/Night")
    assert talk.paths == [f"GET {FOLDERS}", f"POST {FOLDERS}", LIST, CREATE]
    assert talk.requests[-1].json["folderId"] == NIGHT
    refused = upserting([tree], folder="Sales/Night", create_folder=False)
    assert isinstance(refused.error, FabricNameError)


WAREHOUSE = {
    ".platform": {
        "metadata": {
            "type": "Warehouse",
            "displayName": "Daily load",
            "description": "new",
            "creationPayload": {"defaultCollation": "Latin1_General_100_CI_AS_KS_WS_SC_UTF8"},
        }
    }
}


def test_a_kind_without_a_definition_is_created_from_its_platform_part() -> None:
    listed = page({**WIRE, "type": "Warehouse"})

    def upsert(answers: list[Answer], **options: Any) -> Talk[dict[str, str]]:
        return drive(upsert_item_definition(WORKSPACE, "Warehouse", "Daily load", WAREHOUSE, **options), answers)

    talk = upsert([NOT_LISTED, CREATED])
    assert talk.result()["outcome"] == "created"
    assert talk.requests[-1].json == {
        "displayName": "Daily load",
        "type": "Warehouse",
        "description": "new",
        "creationPayload": {"defaultCollation": "Latin1_General_100_CI_AS_KS_WS_SC_UTF8"},
    }
    assert upsert([listed]).result()["outcome"] == "unchanged"
    changed = upsert([listed, ok(WIRE)], update_metadata=True)
    assert (changed.result()["outcome"], changed.requests[-1].json) == ("updated", {"description": "new"})


OLDER = '{"editingSessionMashup": {"mashupDocument": "section S;\\r\\n", "fastCombine": true}}'


def test_a_dataflow_that_comes_back_in_the_newer_form_is_unchanged(caplog: pytest.LogCaptureFixture) -> None:
    flow = upsert_item_definition(WORKSPACE, "Dataflow", "Daily load", {"dataflow-content.json": OLDER})
    answers = [page({**WIRE, "type": "Dataflow"}), held(**{"mashup.pq": "section S;\n", "queryMetadata.json": "{}"})]
    assert drive(flow, answers).result()["outcome"] == "unchanged"
    (text,) = [record.getMessage() for record in caplog.records]
    assert "fastCombine" in text


def test_values_are_put_in_before_anything_is_compared() -> None:
    template = {"pipeline-content.json": '{"properties": {"activities": [@N@]}}'}
    flow = upsert_item_definition(WORKSPACE, "DataPipeline", "Daily load", template, replace={"@N@": ""})
    assert drive(flow, [LISTED, SAME]).result()["outcome"] == "unchanged"
    missing = drive(upsert_item_definition(WORKSPACE, "DataPipeline", "Daily load", PARTS, replace={"@N@": ""}), [])
    assert isinstance(missing.error, FabricInputError)
