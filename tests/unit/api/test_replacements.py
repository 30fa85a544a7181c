"""Values put into the texts of a definition."""

from __future__ import annotations

import logging
from collections import UserDict
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_fabric.api.items.preparation import prepare_definition
from airflow_provider_fabric.api.items.replacements import replace_texts
from airflow_provider_fabric.exceptions import FabricInputError


def test_texts_are_replaced_literally_in_every_text_part() -> None:
    parts = {"a.py": b"x = '(.*)' + '(.*)'\r\n", "b/c.json": b'"(.*)"', "d": b"none"}
    assert replace_texts(parts, {"(.*)": r"\1{{ds}}"}) == {
        "a.py": rb"x = '\1{{ds}}' + '\1{{ds}}'" + b"\r\n",
        "b/c.json": rb'"\1{{ds}}"',
        "d": b"none",
    }


@pytest.mark.parametrize("binary", [b"\xff(dev)", b"PK\0(dev)"])
def test_binary_parts_stay_as_they_are(binary: bytes) -> None:
    assert replace_texts({"a": b"(dev)", "b": binary}, {"(dev)": "prod"}) == {"a": b"prod", "b": binary}


def test_a_byte_order_mark_and_line_ends_stay() -> None:
    assert replace_texts({"a": b"\xef\xbb\xbfdev\r\ndev\r"}, {"dev": "é"})["a"] == "\ufeffé\r\né\r".encode()


def test_what_was_put_in_is_not_searched_again() -> None:
    assert replace_texts({"a": b"a b"}, {"a": "b", "b": "a"})["a"] == b"b a"


def test_of_two_texts_the_longer_is_replaced_and_both_were_found() -> None:
    assert replace_texts({"a": b"dev-ws"}, {"dev": "x", "dev-ws": "y"})["a"] == b"y"


def test_a_text_that_is_nowhere_is_an_error_that_names_it() -> None:
    with pytest.raises(FabricInputError, match="'dve' is in no text part"):
        replace_texts({"a": b"dev", "b": b"\xffdve"}, {"dev": "x", "dve": "y"})
    assert replace_texts({"a": b"dev"}, {"dev": "x", "dve": "y"}, missing="ignore") == {"a": b"x"}


def test_counts_are_logged_per_part_and_values_never(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        replace_texts({"a.py": b"@1@ @1@", "b.py": b"@1@"}, {"@1@": "s3cret"})
    assert [record.getMessage() for record in caplog.records] == [
        "Replaced '@1@' in part 'a.py': 2 times.",
        "Replaced '@1@' in part 'b.py': 1 times.",
    ]


@pytest.mark.parametrize(
    ("replace", "missing"),
    [
        ({"": "x"}, "fail"),
        ({5: "x"}, "fail"),
        ({"a": None}, "fail"),
        ({"a": True}, "fail"),
        ({"a": 1.5}, "fail"),
        ({"a": ["s3cret"]}, "fail"),
        (["a"], "fail"),
        ("a", "fail"),
        ({"a": "x"}, "warn"),
        ({}, None),
    ],
)
def test_bad_input_is_named_and_values_are_not_quoted(replace: Any, missing: Any) -> None:
    with pytest.raises(FabricInputError, match="replace") as caught:
        replace_texts({"a": b"a"}, replace, missing=missing)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("wrap", [dict, MappingProxyType, UserDict])
def test_any_mapping_will_do_and_whole_numbers_are_text(wrap: Any) -> None:
    assert replace_texts({"a": b"@"}, wrap({"@": 5}))["a"] == b"5"


def test_a_value_that_breaks_json_is_found_before_anything_is_sent() -> None:
    with pytest.raises(FabricInputError, match="is not valid JSON"):
        prepare_definition({"pipeline-content.json": '{"a": "@"}'}, "DataPipeline", replace={"@": 'x"y'})


def test_schedules_are_left_out_when_they_shall_be_left_alone() -> None:
    parts = {"pipeline-content.json": "{}", ".schedules": "{}"}
    assert list(prepare_definition(parts, "DataPipeline").parts) == ["pipeline-content.json", ".schedules"]
    assert list(prepare_definition(parts, "DataPipeline", schedules="leave").parts) == ["pipeline-content.json"]
    with pytest.raises(FabricInputError, match="schedules must be 'deploy' or 'leave'"):
        prepare_definition(parts, "DataPipeline", schedules="off")


def test_parts_of_a_kind_without_definition_are_named_as_unused(caplog: pytest.LogCaptureFixture) -> None:
    prepare_definition({".platform": "{}", "x.metadata.json": "{}"}, "MLExperiment")
    assert "'x.metadata.json'" in caplog.text


@given(st.text(), st.text(min_size=1), st.text())
def test_it_does_what_replacing_one_text_does(text: str, find: str, value: str) -> None:
    try:
        content, expected = text.encode(), text.replace(find, value).encode()
        find.encode()
        value.encode()
    except UnicodeEncodeError:
        return
    if "\0" in text:
        expected = content
    assert replace_texts({"a": content}, {find: value}, missing="ignore")["a"] == expected
