"""The service's form of a definition: written, read from the service, and read from a caller."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_fabric.api.items.definitions import load_definition, read_definition
from airflow_provider_fabric.api.items.wire import from_wire, to_wire
from airflow_provider_fabric.exceptions import FabricInputError, FabricProtocolError


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


PIPELINE = b'{"properties": {}}'
ENCODED = base64.b64encode(PIPELINE).decode()


def given_form(payload: str = ENCODED, **more: Any) -> dict[str, Any]:
    return {"parts": [{"path": "pipeline-content.json", "payload": payload, "payloadType": "InlineBase64"}], **more}


@pytest.mark.parametrize(
    "definition",
    [
        given_form(),
        {"definition": given_form()},
        {"displayName": " My pipeline", "type": "DataPipeline", "definition": given_form()},
        given_form(f" {ENCODED}"),
        given_form(ENCODED[:10] + "\r\n" + ENCODED[10:]),
        given_form(ENCODED.rstrip("=")),
        {"parts": tuple(given_form()["parts"])},
    ],
)
def test_the_form_that_the_rest_api_has_is_read_as_such(definition: dict[str, Any]) -> None:
    assert read_definition(definition, "DataPipeline") == {"pipeline-content.json": PIPELINE}


def test_a_format_in_that_form_is_kept() -> None:
    part = {"path": "notebook-content.ipynb", "payload": base64.b64encode(b"{}").decode()}
    assert load_definition({"parts": [part], "format": "ipynb"}, "Notebook").format == "ipynb"
    assert load_definition({"parts": [part]}, "Notebook").format == "ipynb"
    assert load_definition({"parts": [part], "format": "x"}, "Notebook", format="y").format == "y"


@pytest.mark.parametrize(
    ("definition", "wrong"),
    [
        ({"parts": "text"}, "'parts' must be a list"),
        ({"parts": {}}, "'parts' must be a list"),
        ({"parts": []}, "empty"),
        ({"parts": [], "mashup.pq": "x"}, "'mashup.pq'"),
        ({"definition": given_form(), "mashup.pq": "x"}, "'mashup.pq'"),
        ({"parts": ["x"]}, "entry 0"),
        ({"parts": [{"path": "a"}]}, "entry 0"),
        ({"parts": [{"payload": "eA=="}]}, "entry 0"),
        ({"parts": given_form()["parts"] * 2}, "twice"),
        (given_form("<Your base64 encoded pipeline>"), "not standard base64"),
        (given_form("e-_="), "not standard base64"),
        (given_form(None), "not standard base64"),  # type: ignore[arg-type]
        ({"parts": [{"path": "../a", "payload": "eA=="}]}, "must be relative"),
        ({"parts": [{"path": "a", "payload": "eA==", "payloadType": "Url"}]}, "payloadType"),
    ],
)
def test_what_is_wrong_in_that_form_is_named_and_never_a_file_called_parts(definition: Any, wrong: str) -> None:
    with pytest.raises(FabricInputError, match=wrong):
        read_definition(definition, "Lakehouse")


def test_a_payload_is_never_quoted() -> None:
    with pytest.raises(FabricInputError) as caught:
        read_definition(given_form("s3cret!"), "DataPipeline")
    assert "s3cret" not in str(caught.value)


def test_parts_are_written_in_the_order_of_the_kind() -> None:
    wire = to_wire({"a.json": b"", "notebook-content.py": b"", ".platform": b""}, item_type="Notebook", format="x")
    assert [part["path"] for part in wire["parts"]] == [".platform", "notebook-content.py", "a.json"]
    assert list(wire) == ["format", "parts"]
    assert list(to_wire({"a": b""})) == ["parts"]
