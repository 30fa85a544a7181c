"""A dataflow sent in the older form and given back in the newer one: same meaning, no second deploy."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_fabric.api.items.comparison import find_differences, same_definition
from airflow_provider_fabric.api.items.dataflow_forms import not_comparable

MASHUP = 'section Section1;\r\nshared Query = let\n Source = #table({"id"}, {{1}})\nin\n Source;\r\n'
SESSION = {
    "mashupName": "",
    "mashupDocument": MASHUP,
    "queryGroups": [],
    "documentLocale": "en-US",
    "queriesMetadata": None,
    "fastCombine": False,
    "allowNativeQueries": True,
    "hostProperties": {"DataflowRefreshOutputFileFormat": "Parquet"},
    "stagingDefinition": None,
}
METADATA = {
    "formatVersion": "202502",
    "computeEngineSettings": {},
    "name": "D",
    "queryGroups": [],
    "documentLocale": "en-US",
    "queriesMetadata": {"Query": {"queryId": "4f5f3e2c-e1c3-4abe-825e-c98ea699ac8f", "queryName": "Query"}},
}


def older(**changes: Any) -> dict[str, bytes]:
    return {"dataflow-content.json": json.dumps({"editingSessionMashup": {**SESSION, **changes}}).encode()}


def newer(mashup: str = MASHUP, **changes: Any) -> dict[str, bytes]:
    return {"mashup.pq": mashup.encode(), "queryMetadata.json": json.dumps({**METADATA, **changes}).encode()}


STAGED = '[StagingDefinition = [Kind = "FastCopy"]]\n' + MASHUP


@pytest.mark.parametrize("mashup", [MASHUP, MASHUP.replace("\r\n", "\n").replace("\n", "\r\n"), STAGED])
def test_the_same_mashup_in_the_other_form_is_no_change(mashup: str) -> None:
    assert same_definition(older(), {**newer(mashup), ".platform": b"{}"}, item_type="Dataflow")
    held = older(mashupDocument=mashup, queriesMetadata=METADATA["queriesMetadata"])
    assert same_definition(newer(mashup), held, item_type="Dataflow")


@pytest.mark.parametrize(
    ("ours", "theirs", "key"),
    [
        (older(mashupDocument=MASHUP + " "), newer(), "editingSessionMashup.mashupDocument"),
        (older(documentLocale="de-DE"), newer(), "editingSessionMashup.documentLocale"),
        (older(queriesMetadata={"Other": {}}), newer(), "editingSessionMashup.queriesMetadata"),
        (older(queriesMetadata={"Query": {"queryName": "Q"}}), newer(), "editingSessionMashup.queriesMetadata"),
        (older(queryGroups=[{"id": "g"}]), newer(), "editingSessionMashup.queryGroups"),
        (newer(STAGED), older(), ""),
        (newer(MASHUP.replace("{{1}}", "{{2}}")), older(), ""),
    ],
)
def test_another_meaning_is_a_change(ours: dict[str, bytes], theirs: dict[str, bytes], key: str) -> None:
    assert next(find_differences(ours, theirs, item_type="Dataflow")).key == key


def test_metadata_that_we_give_must_be_there() -> None:
    assert same_definition(older(queriesMetadata=METADATA["queriesMetadata"]), newer(), item_type="Dataflow")


def test_what_cannot_be_compared_is_named() -> None:
    assert not_comparable(older(), newer()) == ["allowNativeQueries", "hostProperties"]
    assert not_comparable(newer(), older()) == ["formatVersion", "name"]
    assert not_comparable(older(), older()) == []
    assert not_comparable({"dataflow-content.json": b"5"}, newer()) == []


def test_other_parts_still_count() -> None:
    assert not same_definition({**older(), "x.mdf": b"1"}, newer(), item_type="Dataflow")
    assert not same_definition(older(), {**newer(), "x.mdf": b"1"}, item_type="Dataflow")
    assert same_definition({**older(), "x.mdf": b"1"}, {**newer(), "x.mdf": b"1"}, item_type="Dataflow")


@pytest.mark.parametrize("content", [b"{}", b'{"editingSessionMashup": []}', b'{"editingSessionMashup": {}}', b"5"])
def test_a_form_that_cannot_be_read_is_a_difference(content: bytes) -> None:
    assert not same_definition({"dataflow-content.json": content}, newer(), item_type="Dataflow")


def test_the_same_form_on_both_sides_is_compared_part_by_part() -> None:
    assert same_definition(older(), older(), item_type="Dataflow")
    assert not same_definition(older(), older(fastCombine=True), item_type="Dataflow")


@pytest.mark.parametrize(
    ("ours", "theirs", "same"),
    [
        ({"Q": {"queryId": "1"}}, {"Q": {"queryId": "1", "loadEnabled": False}}, False),
        ({"Q": {"queryId": "1"}}, {"Q": {"queryId": "1", "loadEnabled": True, "isHidden": False}}, True),
        ({"Q": {"queryId": "1"}}, {"Q": {"queryId": "1", "isHidden": True}}, False),
        ({"Q": {"queryId": "1"}}, {"Q": {"queryId": "1", "queryName": "Q", "queryGroupId": None}}, True),
        ({"Q": {"queryId": "1"}}, {"Q": {"queryId": "1"}, "R": {"queryId": "2", "loadEnabled": False}}, False),
        (None, {"Q": {"queryId": "1", "loadEnabled": True}}, True),
        (None, {"Q": {"queryId": "1", "loadEnabled": False}}, False),
    ],
)
def test_a_setting_that_only_the_service_holds_is_a_change(ours: Any, theirs: Any, same: bool) -> None:
    """Leaving ``loadEnabled: false`` out of what is deployed switches the load on again."""
    given = older() if ours is None else older(queriesMetadata=ours)
    assert same_definition(given, newer(queriesMetadata=theirs), item_type="Dataflow") is same
