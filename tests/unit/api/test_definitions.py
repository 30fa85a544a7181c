"""Item definitions: read, sent, read back, and compared by what they mean."""

from __future__ import annotations

import base64
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_fabric.api.items.definitions import (
    SERVICE_KEYS,
    from_wire,
    read_definition,
    same_definition,
    to_wire,
)
from airflow_provider_fabric.exceptions import FabricInputError, FabricProtocolError

PIPELINE = {"properties": {"activities": [{"name": "Copy", "type": "Copy"}]}}


def test_a_mapping_may_hold_text_bytes_and_values() -> None:
    parts = read_definition(
        {"a.txt": "ä", "b": b"\xff", "c.json": {"k": "ä"}, "d.json": [1], "e.json": "{}"}, "Lakehouse"
    )
    assert parts["a.txt"] == "ä".encode()
    assert parts["b"] == b"\xff"
    assert (json.loads(parts["c.json"]), json.loads(parts["d.json"])) == ({"k": "ä"}, [1])
    assert "ä".encode() in parts["c.json"]


def write(folder: Path, **files: str) -> Path:
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return folder


def test_a_folder_in_git_layout_is_read_whole(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "Daily load.DataPipeline",
        **{"pipeline-content.json": "{}", ".platform": '{"metadata": {}}', "sub/deep/x.txt": "x"},
    )
    expected = {".platform": b'{"metadata": {}}', "pipeline-content.json": b"{}", "sub/deep/x.txt": b"x"}
    assert read_definition(folder, "DataPipeline") == expected
    assert read_definition(str(folder), "DataPipeline") == expected


@pytest.mark.parametrize("definition", ["", "  ", None, 5, ["a"], b"", "no/such/folder", __file__])
def test_what_is_neither_a_mapping_nor_a_folder_is_refused(definition: Any) -> None:
    """An empty path would be the working directory: a template that rendered to nothing must not upload it."""
    with pytest.raises(FabricInputError, match="definition"):
        read_definition(definition, "Lakehouse")


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x", "a/../b", "..", 5, None])
def test_a_part_path_must_stay_inside(path: Any) -> None:
    with pytest.raises(FabricInputError, match="must be relative"):
        read_definition({path: "x"}, "Lakehouse")


@pytest.mark.parametrize("content", [{"a": float("nan")}, {"a": object()}, {1, 2}, {"a": b"x"}, float("inf")])
def test_a_part_without_json_form_is_refused(content: Any) -> None:
    with pytest.raises(FabricInputError, match=r"'a\.json' cannot be written"):
        read_definition({"a.json": content}, "Lakehouse")


@pytest.mark.parametrize("definition", [{}, {".platform": "{}"}])
def test_an_empty_definition_is_refused(definition: dict[str, str]) -> None:
    with pytest.raises(FabricInputError, match="empty"):
        read_definition(definition, "Lakehouse")


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FabricInputError, match="empty"):
        read_definition(tmp_path, "Lakehouse")


@pytest.mark.parametrize(
    ("item_type", "parts", "complete"),
    [
        ("DataPipeline", ["pipeline-content.json"], True),
        ("DataPipeline", ["pipeline-content.json", ".platform", "more.txt"], True),
        ("DataPipeline", ["Pipeline-Content.json"], False),
        ("CopyJob", ["copyjob-content.json"], True),
        ("CopyJob", ["pipeline-content.json"], False),
        ("Dataflow", ["mashup.pq", "queryMetadata.json"], True),
        ("Dataflow", ["dataflow-content.json"], True),
        ("Dataflow", ["mashup.pq"], False),
        ("Dataflow", ["queryMetadata.json"], False),
        ("Warehouse", ["anything.json"], True),
    ],
)
def test_the_parts_a_kind_needs(item_type: str, parts: list[str], complete: bool) -> None:
    definition = dict.fromkeys(parts, "{}")
    if complete:
        assert set(read_definition(definition, item_type)) == set(parts)
    else:
        with pytest.raises(FabricInputError, match=f"a {item_type} needs the part"):
            read_definition(definition, item_type)


@pytest.mark.parametrize("content", ["", "{", "{'a': 1}", b"\xff\xfe\xff"])
def test_a_json_part_must_be_json(content: str | bytes) -> None:
    with pytest.raises(FabricInputError, match=r"'pipeline-content\.json' is not valid JSON"):
        read_definition({"pipeline-content.json": content}, "DataPipeline")
    assert read_definition({"notes.txt": content}, "Lakehouse")


@given(st.dictionaries(st.text(min_size=1), st.binary(), max_size=4))
def test_parts_survive_the_wire(parts: dict[str, bytes]) -> None:
    wire = json.loads(json.dumps({"definition": to_wire(parts)}))
    assert from_wire(wire) == parts
    for part in wire["definition"]["parts"]:
        assert part["payloadType"] == "InlineBase64"
        assert base64.standard_b64decode(part["payload"]) == parts[part["path"]]
        assert not set(part["payload"]) & set("\r\n-_ ")


def part(payload: Any, path: Any = "a") -> dict[str, Any]:
    return {"definition": {"parts": [{"path": path, "payload": payload, "payloadType": "InlineBase64"}]}}


@pytest.mark.parametrize("payload", ["eA", "e*==", "eA=", "ä===", "e\nA==", "====", 5, None, ["eA=="], {}])
def test_corrupt_base64_from_the_service_is_its_fault(payload: Any) -> None:
    with pytest.raises(FabricProtocolError, match="not valid base64"):
        from_wire(part(payload))


@given(st.text())
def test_no_payload_breaks_the_reading(payload: str) -> None:
    try:
        from_wire(part(payload))
    except FabricProtocolError:
        return


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"definition": None},
        {"definition": []},
        {"definition": {}},
        {"definition": {"parts": None}},
        {"definition": {"parts": {}}},
    ],
)
def test_a_definition_without_parts_from_the_service_is_its_fault(content: dict[str, Any]) -> None:
    with pytest.raises(FabricProtocolError, match="has no parts"):
        from_wire(content)


@pytest.mark.parametrize("entry", [{}, {"path": "a"}, {"payload": "eA=="}, "text", None, 5])
def test_a_part_that_is_none_from_the_service_is_its_fault(entry: Any) -> None:
    with pytest.raises(FabricProtocolError):
        from_wire({"definition": {"parts": [entry]}})


def same(ours: Any, theirs: Any, path: str = "pipeline-content.json", **options: bool) -> bool:
    def as_bytes(content: Any) -> bytes:
        if isinstance(content, bytes):
            return content
        return content.encode() if isinstance(content, str) else json.dumps(content).encode()

    return same_definition({path: as_bytes(ours)}, {path: as_bytes(theirs)}, **options)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ('{"a": 1, "b": 2}', '{"b":2,"a":1}'),
        ('{"a": 1}', '\ufeff{\r\n  "a": 1\r\n}\r\n'),
        ({"a": "ä"}, b'{"a": "\\u00e4"}'),
        ({"a": 1}, {"a": 1, "lastModifiedByObjectId": "x", "lastPublishTime": "y", "$schema": "z"}),
        ({"p": {"a": 1}}, {"p": {"a": 1, "logicalId": "x"}}),
        ({"a": 1}, {"a": 1, "annotations": [], "description": "", "folder": None, "variables": {}}),
        ({"a": None}, {}),
        ({"a": 1}, {"a": 1.0}),
        ([{"a": 1}], [{"a": 1, "b": []}]),
    ],
)
def test_what_means_the_same(ours: Any, theirs: Any) -> None:
    assert same(ours, theirs)


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
        ("let\n  x = 1\nin x", "let\r\n  x = 1  \r\nin x\r\n", True),
        ("a\nb", "a\rb", True),
        ("\ufeffa", "a", True),
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


keys = st.sampled_from(["a", "b", "name", "type", "properties"])
scalars = st.booleans() | st.integers() | st.text(min_size=1) | st.floats(allow_nan=False, allow_infinity=False)
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, min_size=1, max_size=3) | st.dictionaries(keys, inner, min_size=1, max_size=4),
)


def as_the_service_writes(value: Any, chance: random.Random) -> Any:
    """Shuffle keys, and add what the service adds."""
    if isinstance(value, list):
        return [as_the_service_writes(entry, chance) for entry in value]
    if not isinstance(value, dict):
        return value
    pairs = [(key, as_the_service_writes(entry, chance)) for key, entry in value.items()]
    pairs += [(key, "added") for key in sorted(SERVICE_KEYS) if chance.random() < 0.3]
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


@given(documents, documents)
def test_the_comparison_looks_the_same_from_both_sides(one: Any, other: Any) -> None:
    assert same(one, other) is same(other, one)
    assert same(one, one)


def test_what_editors_and_git_leave_in_a_folder_is_no_part(tmp_path: Path) -> None:
    for name in ("pipeline-content.json", ".platform", ".schedules"):
        (tmp_path / name).write_text("{}")
    (tmp_path / ".DS_Store").write_bytes(b"\0")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text("ref")
    parts = read_definition(str(tmp_path), "DataPipeline")
    assert sorted(parts) == [".platform", ".schedules", "pipeline-content.json"]
