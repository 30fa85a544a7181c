"""Definitions through operators whose templates Airflow renders, as text and natively: what is written arrives."""

from __future__ import annotations

import base64
import json
from collections import UserDict
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_fabric.emulator import FabricEmulator
from airflow_provider_fabric.exceptions import FabricInputError, FabricNameError
from airflow_provider_fabric.hooks.fabric import FabricHook
from airflow_provider_fabric.operators.item import FabricDeleteItemOperator, FabricUpsertItemDefinitionOperator
from tests.contract.operators.items import add_item
from tests.task_runner import TaskRunner

WORKSPACE = "Emulator workspace"
NAME = "Everyday"
M_CODE = [
    'Table.RenameColumns(Source, {{"Old", "New"}})',
    'Table.TransformColumnTypes(Source, {{"a", type text}})',
    'Table.TransformColumnTypes(Source, {{"id", Int64.Type}})',
    '#table({"id","amt"}, {{1, 2.5}})',
    'Table.Combine({#"Sales EU", #"Sales US"})',
    "section Section1;\n\n\n",
    "section Section1;\r\n",
    "2024",
]
CELL = 'print(f"{{literal}} {%s}" % "{% if %}")'
natively = pytest.mark.parametrize("native", [False, True], ids=["text", "native"])


def upsert(native: bool = False, values: dict[str, Any] | None = None, **arguments: Any) -> dict[str, str]:
    """Run the operator as Airflow runs it, its templates rendered."""
    given = {"workspace": WORKSPACE, "display_name": NAME, **arguments}
    runner = TaskRunner(
        lambda: FabricUpsertItemDefinitionOperator(task_id="deploy", **given), native=native, values=values or {}
    )
    result: dict[str, str] = runner.run()
    return result


@pytest.fixture(autouse=True)
def _stored_as_sent(tenant: FabricEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    tenant.control.configure(service_additions=False, force_lro=False)


def sent(tenant: FabricEmulator) -> dict[str, Any]:
    """Return the definition of the last create or update."""
    bodies = [entry["body"] for entry in tenant.control.request_log() if isinstance(entry["body"], dict)]
    found: dict[str, Any] = next(body["definition"] for body in reversed(bodies) if "definition" in body)
    return found


def held(result: dict[str, str], **options: Any) -> dict[str, bytes]:
    parts = FabricHook().get_item_definition(result["workspace_id"], result["item_id"], **options)
    return {path: content for path, content in parts.items() if path != ".platform"}


@natively
@pytest.mark.parametrize("code", M_CODE)
def test_m_code_arrives_as_written(tenant: FabricEmulator, code: str, native: bool) -> None:
    definition = {"mashup.pq": code, "queryMetadata.json": {}}
    result = upsert(native, item_type="Dataflow", definition=definition)
    assert held(result)["mashup.pq"] == code.encode()
    assert upsert(native, item_type="Dataflow", definition=definition)["outcome"] == "unchanged"


@natively
def test_a_python_cell_and_a_pipelines_text_arrive_as_written(tenant: FabricEmulator, native: bool) -> None:
    cell = upsert(native, item_type="Notebook", definition={"notebook-content.py": CELL})
    assert held(cell) == {"notebook-content.py": CELL.encode()}
    content = {"properties": {"activities": [], "description": "{# note #}kept {{ ds }}"}}
    pipeline = upsert(native, item_type="DataPipeline", definition={"pipeline-content.json": content})
    assert json.loads(held(pipeline)["pipeline-content.json"]) == content


@natively
@pytest.mark.parametrize("wrap", [MappingProxyType, UserDict])
def test_mappings_of_any_class_are_taken_and_not_rendered(tenant: FabricEmulator, wrap: Any, native: bool) -> None:
    definition = wrap({"mashup.pq": "{{ ds }}", "queryMetadata.json": wrap({"name": "{{ ds }}"})})
    result = upsert(native, item_type="Dataflow", definition=definition)
    assert held(result)["mashup.pq"] == b"{{ ds }}"
    assert json.loads(held(result)["queryMetadata.json"]) == {"name": "{{ ds }}"}


CONTENTS = st.one_of(
    st.binary(max_size=300),
    st.text(max_size=200).filter(lambda text: not any("\ud800" <= letter <= "\udfff" for letter in text)),
    st.lists(
        st.sampled_from(
            [
                "{{",
                "}}",
                "{%",
                "%}",
                "{#",
                "#}",
                "{",
                "%s",
                "#",
                "\r\n",
                "\r",
                "\n",
                "\ufeff",
                "\0",
                "🎉",
                "ds",
                " ",
                "\t",
            ]
        ),
        max_size=30,
    ).map("".join),
)


@natively
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=CONTENTS)
def test_any_content_arrives_byte_for_byte_by_operator_and_by_hook(
    tenant: FabricEmulator, native: bool, content: str | bytes
) -> None:
    tenant.control.reset()
    tenant.control.configure(service_additions=False, force_lro=False)
    definition = {"notebook-content.py": content, "Resources/builtin/data.bin": content}
    expected = content if isinstance(content, bytes) else content.encode()
    result = upsert(native, item_type="Notebook", definition=definition)
    assert held(result) == {"notebook-content.py": expected, "Resources/builtin/data.bin": expected}
    hook = FabricHook()
    by_hook = hook.upsert_item_definition(result["workspace_id"], "Notebook", "By hook", definition)
    assert held(by_hook) == held(result)
    hook.update_item_definition(result["workspace_id"], by_hook["item_id"], "Notebook", {"x.py": content})
    assert held(by_hook) == {"x.py": expected}


def test_five_megabytes_arrive(tenant: FabricEmulator) -> None:
    content = bytes(range(256)) * 20_480
    result = upsert(item_type="Notebook", definition={"notebook-content.py": "x", "Resources/big.bin": content})
    assert held(result)["Resources/big.bin"] == content


@natively
def test_a_path_given_as_text_is_a_template(tenant: FabricEmulator, tmp_path: Path, native: bool) -> None:
    folder = tmp_path / "20240105"
    folder.mkdir()
    (folder / "notebook-content.py").write_bytes(b"{{ ds }}\r\n")
    result = upsert(native, item_type="Notebook", definition=f"{tmp_path}/{{{{ ds_nodash }}}}")
    assert held(result) == {"notebook-content.py": b"{{ ds }}\r\n"}


@natively
def test_a_path_that_renders_to_digits_is_a_path(
    tenant: FabricEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, native: bool
) -> None:
    (tmp_path / "20240105").mkdir()
    (tmp_path / "20240105" / "notebook-content.py").write_text("x")
    monkeypatch.chdir(tmp_path)
    assert upsert(native, item_type="Notebook", definition="{{ ds_nodash }}")["outcome"] == "created"


@natively
def test_a_path_object_is_no_template(tenant: FabricEmulator, tmp_path: Path, native: bool) -> None:
    folder = tmp_path / "{{ ds }}"
    folder.mkdir()
    (folder / "notebook-content.py").write_text("x")
    assert upsert(native, item_type="Notebook", definition=folder)["outcome"] == "created"


def test_a_mapping_that_a_template_made_text_of_is_refused_and_not_quoted(tenant: FabricEmulator) -> None:
    values = {"parts": {"notebook-content.py": "s3cret"}}
    with pytest.raises(FabricInputError, match=r"task\.output") as caught:
        upsert(values=values, item_type="Notebook", definition="{{ parts }}")
    assert "s3cret" not in str(caught.value)


REPLACE = {
    "@ds@": "{{ ds }}",
    "@amount@": "{{ amount }}",
    "@list@": "{{ items }}",
    "(.*)": r"\1",
    "@literal@": "007",
}


@natively
def test_values_are_put_in_as_text(tenant: FabricEmulator, native: bool) -> None:
    """Native rendering would make 1.5 of 1.50."""
    code = "@ds@ @amount@ @list@ (.*) @literal@ {{ ds }}"
    values = {"amount": "1.50", "items": "[1]"}
    result = upsert(native, values, item_type="Notebook", definition={"notebook-content.py": code}, replace=REPLACE)
    assert held(result) == {"notebook-content.py": rb"2024-01-05 1.50 [1] \1 007 {{ ds }}"}


@natively
def test_a_value_that_is_none_is_refused(tenant: FabricEmulator, native: bool) -> None:
    with pytest.raises(FabricInputError, match="gives None"):
        upsert(
            native, {"x": None}, item_type="Notebook", definition={"notebook-content.py": "@"}, replace={"@": "{{ x }}"}
        )


def test_a_text_that_is_nowhere_stops_the_deploy_before_anything_is_sent(tenant: FabricEmulator) -> None:
    given = {"item_type": "Notebook", "definition": {"notebook-content.py": "x"}, "replace": {"@": "y"}}
    before = len(tenant.control.request_log())
    with pytest.raises(FabricInputError, match="'@' is in no text part"):
        upsert(**given)
    assert len(tenant.control.request_log()) == before
    assert upsert(**given, replace_missing="ignore")["outcome"] == "created"


FOLDERS = [
    ("Notebook", {"notebook-content.ipynb": b'{"cells": []}'}, "ipynb"),
    ("Notebook", {"notebook-content.py": b"x", "Resources/builtin/rows.json": b'{"a": 1}\n{"a": 2}\n'}, None),
    ("SparkJobDefinition", {"SparkJobDefinitionV1.json": b"{}", "Main/main.py": b"x"}, "SparkJobDefinitionV2"),
    ("SemanticModel", {"definition.pbism": b"{}", "model.bim": b"{}"}, "TMSL"),
]


@natively
@pytest.mark.parametrize(("item_type", "files", "expected"), FOLDERS)
def test_folders_of_every_form_are_deployed_with_their_format(
    tenant: FabricEmulator, tmp_path: Path, item_type: str, files: dict[str, bytes], expected: str | None, native: bool
) -> None:
    platform = {"metadata": {"type": item_type, "displayName": NAME}, "config": {"logicalId": "x"}}
    for path, content in {**files, ".platform": json.dumps(platform).encode(), ".pbi/cache.abf": b"data"}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    result = upsert(native, item_type=item_type, definition=str(tmp_path))
    definition = sent(tenant)
    assert definition.get("format") == expected
    assert [part["path"] for part in definition["parts"]] == [".platform", *files]
    assert held(result, format=expected) == files
    assert upsert(native, item_type=item_type, definition=str(tmp_path))["outcome"] == "unchanged"


def test_the_rest_apis_form_is_no_file_called_parts(tenant: FabricEmulator) -> None:
    part = {
        "path": "notebook-content.py",
        "payload": base64.b64encode(b"{{x}}").decode(),
        "payloadType": "InlineBase64",
    }
    for definition in ({"parts": [part]}, {"definition": {"parts": [part]}}):
        result = upsert(item_type="Notebook", definition=definition)
        assert held(result) == {"notebook-content.py": b"{{x}}"}


def delete(**arguments: Any) -> None:
    given = {"workspace": WORKSPACE, "item_type": "Notebook", **arguments}
    TaskRunner(lambda: FabricDeleteItemOperator(task_id="delete", **given)).run()


def test_deleting_what_is_not_there_is_an_error_unless_it_may_be_missing(tenant: FabricEmulator) -> None:
    with pytest.raises(FabricNameError):
        delete(item="Gone")
    delete(item="Gone", ignore_missing=True)
    delete(item="5b218778-e7a5-4d73-8187-f10824047715", ignore_missing=True)
    add_item(tenant, "Notebook", "There")
    delete(item="There", ignore_missing=True)
    assert FabricHook().list_items(tenant.workspace_id) == []
    with pytest.raises(FabricNameError):
        TaskRunner(
            lambda: FabricDeleteItemOperator(
                task_id="d", workspace="No such", item="x", item_type="Notebook", ignore_missing=True
            )
        ).run()


def test_a_delete_whose_answer_is_lost_after_it_was_done_succeeds(tenant: FabricEmulator) -> None:
    add_item(tenant, "Notebook", "There")
    tenant.control.add_fault(method="DELETE", path="*/items/*", status=503, phase="after", retry_after=0)
    delete(item="There")
    assert [e["status"] for e in tenant.control.request_log() if e["method"] == "DELETE"] == [503, 404]


def test_names_with_spaces_around_them_are_one_name(tenant: FabricEmulator) -> None:
    given = {"item_type": "Notebook", "definition": {"notebook-content.py": "x"}}
    first = upsert(**given, **{"display_name": " My dataflow"})
    again = upsert(**given, **{"display_name": "My dataflow "})
    assert (first["outcome"], again["outcome"]) == ("created", "unchanged")
    (item,) = FabricHook().list_items(tenant.workspace_id)
    assert item.display_name == "My dataflow"


def test_two_pipelines_of_one_name_in_two_folders(tenant: FabricEmulator) -> None:
    given = {"item_type": "DataPipeline", "display_name": "Ingest"}
    content = {"properties": {"activities": []}}
    other = {"properties": {"activities": [], "description": "other"}}
    one = upsert(**given, folder="Sales/Daily", definition={"pipeline-content.json": content})
    two = upsert(**given, folder="HR", definition={"pipeline-content.json": other})
    again = upsert(**given, folder="Sales/Daily", definition={"pipeline-content.json": content})
    assert [result["outcome"] for result in (one, two, again)] == ["created", "created", "unchanged"]
    assert one["item_id"] == again["item_id"] != two["item_id"]
    with pytest.raises(FabricNameError, match="folder="):
        upsert(**given, definition={"pipeline-content.json": content})
    with pytest.raises(FabricNameError, match="There is no folder"):
        upsert(**given, folder="IT", create_folder=False, definition={"pipeline-content.json": content})


def test_a_name_that_differs_only_in_case(tenant: FabricEmulator) -> None:
    add_item(tenant, "Notebook", "Nightly Load")
    with pytest.raises(FabricNameError, match=r"'Nightly Load'.* only in case"):
        upsert(item_type="Notebook", display_name="nightly load", definition={"notebook-content.py": "x"})
