"""Whether the service holds what we would send: what differs, and what only looks different."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_fabric.api.items.comparison import Difference, find_differences, same_definition


def same(ours: Any, theirs: Any, path: str = "pipeline-content.json", **options: bool) -> bool:
    def as_bytes(content: Any) -> bytes:
        if isinstance(content, bytes):
            return content
        return content.encode() if isinstance(content, str) else json.dumps(content).encode()

    return same_definition({path: as_bytes(ours)}, {path: as_bytes(theirs)}, **options)


STAMPS = {"lastModifiedByObjectId": "x", "lastPublishTime": "y"}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ('{"a": 1, "b": 2}', '{"b":2,"a":1}'),
        ('{"a": 1}', '\ufeff{\r\n  "a": 1\r\n}\r\n'),
        ({"a": "ä"}, b'{"a": "\\u00e4"}'),
        ({"a": 1}, {"a": 1, "$schema": "z", **STAMPS}),
        ({"properties": {"a": 1}}, {"properties": {"a": 1, **STAMPS}}),
        ({"a": 1}, {"a": 1, "annotations": [], "description": "", "folder": None, "variables": {}}),
        ({"a": 1}, {"a": 1.0}),
        ([{"a": 1}], [{"a": 1, "b": []}]),
        ('{"a": NaN, "b": Infinity}', '{"b": Infinity, "a": NaN}'),
        ('{"a": 1e400}', '{ "a": 1e400 }'),
    ],
)
def test_what_means_the_same(ours: Any, theirs: Any) -> None:
    assert same(ours, theirs)


COLUMN = {"source": {"name": "a"}, "sink": {"name": "b"}}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"parameters": {"p": {"defaultValue": None}}}, {"parameters": {"p": {"defaultValue": ""}}}),
        ({"parameters": {"p": {"defaultValue": ""}}}, {"parameters": {"p": {"defaultValue": None}}}),
        ({"parameters": {"p": {"defaultValue": []}}}, {"parameters": {"p": {"defaultValue": {}}}}),
        ({"parameters": {"p": {"defaultValue": ""}}}, {"parameters": {"p": {}}}),
        ({"parameters": {"p": {"defaultValue": None}}}, {"parameters": {"p": {}}}),
        ({"columns": {"a": COLUMN}}, {"columns": {"a": COLUMN, "lastModifiedTime": COLUMN}}),
        ({"columns": {"a": "b"}}, {"columns": {"a": "b", "logicalId": "id"}}),
        ({"columns": {"a": "b"}}, {"columns": {"a": "b", "lastPublishTime": "when"}}),
        ({"columns": {"a": "b"}}, {"columns": {"a": "b", "$schema": "s"}}),
        ({"p": {"a": 1}}, {"p": {"a": 1, **STAMPS}}),
        ({"properties": {"a": 1, **STAMPS}}, {"properties": {"a": 1}}),
        ({"properties": {"lastPublishTime": "a"}}, {"properties": {"lastPublishTime": "b"}}),
        ({"code": "x = 'a  \nb'"}, {"code": "x = 'a\nb'"}),
        ({"code": "a\r\nb"}, {"code": "a\nb"}),
        ('{"a": 1e400}', '{"a": 1e401}'),
        ('{"a": 1, "a": 2}', '{"a": 2}'),
        ({"a": 12345678901234567890}, {"a": 12345678901234567891}),
    ],
)
def test_what_looks_alike_and_means_something_else(ours: Any, theirs: Any) -> None:
    assert not same(ours, theirs)


def test_the_services_own_keys_are_known_part_by_part() -> None:
    """A copy job's content has no publishing stamp: there such a key is somebody's own."""
    assert not same({"properties": {}}, {"properties": STAMPS}, "copyjob-content.json")


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {"a": "1"}),
        ({"a": 1}, {"a": True}),
        ({"a": 0}, {"a": False}),
        ({"a": 0}, {"a": None}),
        ({"a": False}, {}),
        ({"a": 1}, {"a": 1, "b": 1}),
        ({"a": 1, "b": 1}, {"a": 1}),
        ({"a": [1, 2]}, {"a": [2, 1]}),
        ({"a": [1]}, {"a": [1, None]}),
        ({"a": "x"}, {"a": "X"}),
        ({"a": "x "}, {"a": "x"}),
        ({"logicalId": "x"}, {"logicalId": "y"}),
        ({"a": {"b": 1}}, {"a": [{"b": 1}]}),
        ("{", "{}"),
    ],
)
def test_what_does_not(ours: Any, theirs: Any) -> None:
    assert not same(ours, theirs)


@pytest.mark.parametrize(
    ("ours", "theirs", "equal"),
    [
        ("let\n  x = 1\nin x\n", "let\r\n  x = 1\r\nin x\r\n", True),
        ("section Section1;", "section Section1;\n", False),
        ("section Section1;\n\n", "section Section1;\n", False),
        ('x = """a  \nb"""', 'x = """a\nb"""', False),
        ("a", "a ", False),
        ("a", " a", False),
        ("\na", "a", False),
        ("a\0\r\n", "a\0\n", False),
        ("a\nb", "a\rb", True),
        ("\ufeffa", "a", False),
        ("a\n b", "a\nb", False),
        ("a\n\nb", "a\nb", False),
        ("a\u2028b", "a\nb", False),
        ("a", "A", False),
        (b"\xff\x00", b"\xff\x00", True),
        (b"\xff\x00", b"\xff\x01", False),
        (b"\xff\r\n", b"\xff\n", False),
        (b"\xff", b"a", False),
    ],
)
def test_text_and_binary_parts(ours: Any, theirs: Any, equal: bool) -> None:
    assert same(ours, theirs, "mashup.pq") is equal
    assert same(theirs, ours, "mashup.pq") is equal


def test_the_parts_must_be_the_same_ones() -> None:
    assert not same_definition({"a": b"x"}, {})
    assert not same_definition({"a": b"x"}, {"a": b"x", "b": b""})
    assert not same_definition({"a": b"x", "b": b""}, {"a": b"x"})
    assert same_definition({"a": b"x", "b": b"y"}, {"b": b"y", "a": b"x"})


PLATFORM = {"$schema": "s", "metadata": {"type": "DataPipeline", "displayName": "A"}, "config": {"logicalId": "mine"}}


@pytest.mark.parametrize(
    ("theirs", "equal"),
    [
        ({**PLATFORM, "config": {"version": "2.0", "logicalId": "theirs"}}, True),
        ({**PLATFORM, "metadata": {**PLATFORM["metadata"], "description": ""}}, True),  # type: ignore[dict-item]
        ({**PLATFORM, "metadata": {**PLATFORM["metadata"], "displayName": "B"}}, False),  # type: ignore[dict-item]
        ({**PLATFORM, "metadata": {**PLATFORM["metadata"], "description": "x"}}, False),  # type: ignore[dict-item]
        ({}, False),
        ([], False),
        ("not JSON", False),
    ],
)
def test_the_platform_part_counts_by_its_metadata_and_only_when_asked_for(theirs: Any, equal: bool) -> None:
    """``logicalId`` is the service's own; were it compared, such a definition would never be unchanged."""
    assert same(PLATFORM, theirs, ".platform", metadata=True) is equal
    assert same(PLATFORM, theirs, ".platform", metadata=False)
    assert not same_definition({"a": b"", ".platform": b"{}"}, {"a": b""}, metadata=True)
    assert same_definition({"a": b"", ".platform": b"{}"}, {"a": b""}, metadata=False)
    assert same_definition({"a": b""}, {"a": b"", ".platform": b"{}"}, metadata=True)


def test_a_name_that_the_platform_part_does_not_give_is_no_difference() -> None:
    ours = {"metadata": {"description": "d"}}
    assert same(ours, {"metadata": {"type": "T", "displayName": "A", "description": "d"}}, ".platform", metadata=True)
    assert not same(ours, {"metadata": {"displayName": "A", "description": "e"}}, ".platform", metadata=True)


keys = st.sampled_from(["a", "b", "name", "type", "properties"])
scalars = st.booleans() | st.integers() | st.text(min_size=1) | st.floats(allow_nan=False, allow_infinity=False)
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, min_size=1, max_size=3) | st.dictionaries(keys, inner, min_size=1, max_size=4),
)


def as_the_service_writes(value: Any, chance: random.Random) -> Any:
    """Shuffle keys, and add the empty defaults that the service writes out."""
    if isinstance(value, list):
        return [as_the_service_writes(entry, chance) for entry in value]
    if not isinstance(value, dict):
        return value
    pairs = [(key, as_the_service_writes(entry, chance)) for key, entry in value.items()]
    pairs += [
        (key, empty) for key, empty in (("z1", []), ("z2", {}), ("z3", None), ("z4", "")) if chance.random() < 0.3
    ]
    chance.shuffle(pairs)
    return dict(pairs)


@given(documents, st.randoms(use_true_random=False), st.sampled_from([None, 2, 4]))
def test_what_the_service_does_to_a_document_is_no_change(
    document: Any, chance: random.Random, indent: int | None
) -> None:
    theirs = json.dumps(as_the_service_writes(document, chance), indent=indent).replace("\n", "\r\n")
    assert same(json.dumps(document), theirs)


def with_one_other_value(value: Any) -> Any:
    """Return the document with one scalar replaced."""
    if isinstance(value, dict):
        key = next(iter(value))
        return {**value, key: with_one_other_value(value[key])}
    if isinstance(value, list):
        return [with_one_other_value(value[0]), *value[1:]]
    return "another value" if value != "another value" else "yet another"


@given(documents, st.randoms(use_true_random=False))
def test_one_other_value_is_a_change_whatever_the_service_does(document: Any, chance: random.Random) -> None:
    theirs = as_the_service_writes(with_one_other_value(document), chance)
    assert not same({"properties": document}, {"properties": theirs})


@given(documents)
def test_a_document_is_the_same_as_itself(document: Any) -> None:
    assert same(document, document)


def test_schedules_that_only_the_service_has_are_no_difference() -> None:
    """Leaving the part out removes no schedule: it would differ for ever."""
    part, schedules = {"pipeline-content.json": b"{}"}, {".schedules": b'{"schedules": [{"enabled": true}]}'}
    assert same_definition(part, {**part, **schedules})
    assert not same_definition({**part, **schedules}, part)
    assert not same_definition({**part, **schedules}, {**part, ".schedules": b'{"schedules": [{"enabled": false}]}'})
    assert same_definition({**part, **schedules}, {**part, ".schedules": b'{"schedules":[{"enabled":true}]}'})


def test_a_differing_part_is_named_with_its_key_and_without_contents() -> None:
    ours = {"properties": {"activities": [{"name": "a", "secret": "s3cret"}], "x": 1}}
    theirs = {"properties": {"activities": [{"name": "b"}], "y": 2}}
    path = "pipeline-content.json"
    found = list(find_differences({path: json.dumps(ours).encode()}, {path: json.dumps(theirs).encode()}))
    assert found == [
        Difference(path, "properties.activities[0].name", "other"),
        Difference(path, "properties.activities[0].secret", "missing"),
        Difference(path, "properties.x", "missing"),
        Difference(path, "properties.y", "extra"),
    ]
    texts = [str(difference) for difference in found]
    assert texts[1] == "'pipeline-content.json': properties.activities[0].secret is missing there"
    assert "s3cret" not in " ".join(texts)


def test_parts_that_hold_what_their_author_likes_are_compared_as_text() -> None:
    """A notebook's resources may be named ``.json`` and hold JSON lines."""
    path = "Resources/builtin/rows.json"
    rows = b'{"a": 1}\n{"a": 2}\n'
    assert same_definition({path: rows}, {path: rows.replace(b"\n", b"\r\n")}, item_type="Notebook")
    assert not same_definition({path: b'{"a": 1}'}, {path: b'{"a":1}'}, item_type="Notebook")


@pytest.mark.parametrize("path", ["definition.pbism", "model.bim"])
def test_json_parts_of_other_names_are_compared_as_json(path: str) -> None:
    assert same_definition({path: b'{"a": 1, "b": 2}'}, {path: b'{"b":2,"a":1}'}, item_type="SemanticModel")


def test_deep_nesting_is_compared_as_text() -> None:
    deep = b"[" * 100_000 + b"\n" + b"]" * 100_000
    assert same_definition({"a.json": deep}, {"a.json": deep.replace(b"\n", b"\r\n")})
    assert not same_definition({"a.json": deep}, {"a.json": b"[" + deep + b"]"})
