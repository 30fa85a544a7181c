"""Make an item be what a definition says, whoever else is at it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_fabric.api.http.flow import Request, Response
from airflow_provider_fabric.api.items import definitions
from airflow_provider_fabric.api.items.upsert import RESERVED_TRIES, upsert_item_definition
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
    return ok({"definition": definitions.to_wire({path: text.encode() for path, text in parts.items()})})


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
    assert body["definition"] == definitions.to_wire({"pipeline-content.json": PARTS["pipeline-content.json"].encode()})


@pytest.mark.parametrize(
    ("answers", "options", "outcome", "sent"),
    [
        ([SAME], {}, "unchanged", []),
        ([SAME], {"description": "d"}, "unchanged", []),
        ([SAME, ok(WIRE)], {"description": "other"}, "updated", [CHANGE]),
        ([SAME, ok(WIRE)], {"description": ""}, "updated", [CHANGE]),
        ([DIFFERENT, ok()], {}, "updated", [REPLACE]),
        ([DIFFERENT, ok(), ok(WIRE)], {"description": "other"}, "updated", [REPLACE, CHANGE]),
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
    talk = upserting([NOT_LISTED, *lost, LISTED, DIFFERENT, ok()])
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
    assert talk.paths.count(CREATE) == RESERVED_TRIES


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
    talk = upsert(True, [LISTED, SAME, ok()])
    assert talk.result()["outcome"] == "updated"
    assert talk.requests[-1].params == {"updateMetadata": "true"}


def test_a_name_in_the_platform_part_that_would_rename_the_item_is_refused() -> None:
    parts = {**PARTS, ".platform": '{"metadata": {"displayName": "Nightly load"}}'}
    flow = upsert_item_definition(WORKSPACE, "DataPipeline", "Daily load", parts, update_metadata=True)
    talk = drive(flow, [])
    assert isinstance(talk.error, FabricInputError)
    assert "Nightly load" in str(talk.error)
