"""Item definitions: read from a mapping, a folder or the service's form, and checked before anything is sent."""

from __future__ import annotations

import json
from collections import UserDict
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from airflow_provider_fabric.api.items.definitions import load_definition, platform_metadata, read_definition
from airflow_provider_fabric.exceptions import FabricInputError

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


def test_json_lines_among_a_notebooks_resources_are_no_broken_json() -> None:
    rows = '{"a": 1}\n{"a": 2}\n'
    assert read_definition({"notebook-content.py": "x", "Resources/builtin/rows.json": rows}, "Notebook")
    with pytest.raises(FabricInputError, match=r"notebook-settings\.json"):
        read_definition({"notebook-content.py": "x", "notebook-settings.json": rows}, "Notebook")


@pytest.mark.parametrize("path", ["definition.pbism", "model.bim"])
def test_json_parts_of_other_names_must_be_json(path: str) -> None:
    with pytest.raises(FabricInputError, match="is not valid JSON"):
        read_definition({"definition.pbism": "{}", "model.bim": "{}", path: "{"}, "SemanticModel")


def test_json_that_is_nested_too_deeply_is_refused_and_no_crash() -> None:
    with pytest.raises(FabricInputError, match="nested too deeply"):
        read_definition({"pipeline-content.json": "[" * 200_000}, "DataPipeline")


@pytest.mark.parametrize("wrap", [MappingProxyType, UserDict])
def test_any_mapping_will_do_at_any_depth(wrap: Any) -> None:
    inner = wrap({"properties": wrap({"activities": [wrap({"name": "a"})]})})
    parts = read_definition(wrap({"pipeline-content.json": inner}), "DataPipeline")
    assert json.loads(parts["pipeline-content.json"]) == {"properties": {"activities": [{"name": "a"}]}}


@pytest.mark.parametrize("content", [bytearray(b"x\xff"), memoryview(b"x\xff")])
def test_bytes_of_any_kind_arrive_as_they_are(content: Any) -> None:
    assert read_definition({"a": content}, "Lakehouse")["a"] == b"x\xff"


def test_a_part_that_a_task_never_gave_is_refused() -> None:
    """``null`` would be valid JSON."""
    with pytest.raises(FabricInputError, match=r"'pipeline-content\.json' is None"):
        read_definition({"pipeline-content.json": None}, "DataPipeline")


def test_text_that_utf_8_cannot_write_is_refused() -> None:
    with pytest.raises(FabricInputError, match=r"'mashup\.pq' cannot be written as UTF-8"):
        read_definition({"mashup.pq": "\ud800", "queryMetadata.json": {}}, "Dataflow")


@pytest.mark.parametrize("path", ["./x", "a//b", "a/", "a/./b"])
def test_a_part_path_has_no_empty_or_dotted_segments(path: str) -> None:
    with pytest.raises(FabricInputError, match="must be relative"):
        read_definition({path: "x"}, "Lakehouse")


def test_what_is_neither_mapping_nor_path_is_not_quoted() -> None:
    with pytest.raises(FabricInputError) as caught:
        read_definition(["s3cret"], "Lakehouse")  # type: ignore[arg-type]
    assert "s3cret" not in str(caught.value)


def test_another_kinds_folder_is_refused() -> None:
    platform = {"metadata": {"type": "Notebook", "displayName": "A"}}
    with pytest.raises(FabricInputError, match="of type 'Notebook', but item_type is 'DataPipeline'"):
        read_definition({".platform": platform, "pipeline-content.json": "{}"}, "DataPipeline")


def test_tmdl_and_tmsl_exclude_each_other() -> None:
    with pytest.raises(FabricInputError, match="not both"):
        read_definition({"definition.pbism": "{}", "model.bim": "{}", "definition/model.tmdl": "x"}, "SemanticModel")


def test_kinds_without_a_definition_need_no_part_besides_platform() -> None:
    platform = {".platform": {"metadata": {"type": "Warehouse", "displayName": "W"}}}
    assert list(read_definition(platform, "Warehouse")) == [".platform"]
    with pytest.raises(FabricInputError, match="empty"):
        read_definition({}, "Warehouse")


def test_parts_come_in_the_order_in_which_they_are_sent() -> None:
    parts = read_definition(
        {"z.json": "{}", "Resources/a.json": "x", "notebook-content.py": "x", "b.txt": "", ".platform": "{}"},
        "Notebook",
    )
    assert list(parts) == [".platform", "notebook-content.py", "b.txt", "Resources/a.json", "z.json"]


@pytest.mark.parametrize(
    ("given", "item_type", "parts", "sent"),
    [
        (None, "Notebook", {"notebook-content.ipynb": {}}, "ipynb"),
        (None, "Notebook", {"notebook-content.py": ""}, None),
        ("fabricGitSource", "Notebook", {"notebook-content.py": ""}, "fabricGitSource"),
        (None, "SemanticModel", {"definition.pbism": {}, "model.bim": {}}, "TMSL"),
        (None, "Dataflow", {"dataflow-content.json": {}}, None),
    ],
)
def test_the_format_is_the_callers_or_the_tables(given: Any, item_type: str, parts: Any, sent: str | None) -> None:
    loaded = load_definition(parts, item_type, format=given)
    assert loaded.format == sent
    assert loaded.to_wire().get("format", None) == sent
    assert ("format" in loaded.to_wire()) is (sent is not None)


def test_the_metadata_of_a_platform_part() -> None:
    assert platform_metadata({".platform": b'{"metadata": {"displayName": "A"}}'}) == {"displayName": "A"}
    for broken in (b"{}", b"[", b'{"metadata": 5}', b"[" * 200_000):
        assert platform_metadata({".platform": broken}) == {}
    assert platform_metadata({}) == {}
