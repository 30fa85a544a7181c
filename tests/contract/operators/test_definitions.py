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
    other = {"notebook-content.sql": content}
    hook.update_item_definition(result["workspace_id"], by_hook["item_id"], "Notebook", other)
    assert held(by_hook) == {"notebook-content.sql": expected}


NEARLY_ALIKE = st.lists(
    st.sampled_from(["a", " ", "\t", "\n", "\r\n", "\ufeff", "\0", "A", "{{ ds }}"]), max_size=6
).map("".join)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=NEARLY_ALIKE, after=NEARLY_ALIKE)
def test_of_two_contents_the_second_is_held_unless_only_its_line_ends_differ(
    tenant: FabricEmulator, before: str, after: str
) -> None:
    tenant.control.reset()
    tenant.control.configure(service_additions=False, force_lro=False)
    upsert(item_type="Notebook", definition={"notebook-content.py": before})
    second = upsert(item_type="Notebook", definition={"notebook-content.py": after})
    if second["outcome"] == "unchanged":
        assert before.replace("\r\n", "\n") == after.replace("\r\n", "\n")
    else:
        assert held(second)["notebook-content.py"] == after.encode()
    assert upsert(item_type="Notebook", definition={"notebook-content.py": after})["outcome"] == "unchanged"


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


def pipeline(**properties: Any) -> dict[str, Any]:
    """Return a pipeline's definition."""
    return {"pipeline-content.json": {"properties": {"activities": [], **properties}}}


def mapped(columns: list[str]) -> dict[str, Any]:
    """Return a pipeline that copies columns."""
    mappings = [{"source": {"name": name}, "sink": {"name": name}} for name in columns]
    translator = {"type": "TabularTranslator", "mappings": mappings, "columnMappings": {name: name for name in columns}}
    return pipeline(activities=[{"name": "Copy", "type": "Copy", "typeProperties": {"translator": translator}}])


CHANGES = [
    (pipeline(parameters={"p": {"type": "string", "defaultValue": None}}), {"defaultValue": ""}),
    (pipeline(parameters={"p": {"type": "string", "defaultValue": ""}}), {"defaultValue": None}),
]


@pytest.mark.parametrize(("before", "change"), CHANGES)
def test_null_and_the_empty_text_are_two_defaults(
    tenant: FabricEmulator, before: dict[str, Any], change: dict[str, Any]
) -> None:
    tenant.control.configure(service_additions=True)
    after = pipeline(parameters={"p": {"type": "string", **change}})
    outcomes = [upsert(item_type="DataPipeline", definition=given)["outcome"] for given in (before, after, after)]
    assert outcomes == ["created", "updated", "unchanged"]


@pytest.mark.parametrize("column", ["lastModifiedTime", "logicalId", "lastPublishTime", "$schema"])
def test_removing_a_mapped_column_of_any_name_is_a_change(tenant: FabricEmulator, column: str) -> None:
    tenant.control.configure(service_additions=True)
    given = (mapped(["id", column]), mapped(["id"]), mapped(["id"]))
    outcomes = [upsert(item_type="DataPipeline", definition=definition)["outcome"] for definition in given]
    assert outcomes == ["created", "updated", "unchanged"]


def test_two_spaces_at_a_lines_end_inside_a_string_are_a_change(tenant: FabricEmulator) -> None:
    tenant.control.configure(service_additions=True)
    cells = [{"notebook-content.py": f'x = """a{blanks}\nb"""\n'} for blanks in ("", "  ", "  ")]
    outcomes = [upsert(item_type="Notebook", definition=cell)["outcome"] for cell in cells]
    assert outcomes == ["created", "updated", "unchanged"]


SCHEDULE = {
    "enabled": True,
    "configuration": {
        "type": "Cron",
        "startDateTime": "2024-04-28T00:00:00",
        "endDateTime": "2034-04-30T23:59:00",
        "localTimeZoneId": "UTC",
        "interval": 15,
    },
}


def test_schedules_that_only_the_service_has_are_left_alone(tenant: FabricEmulator) -> None:
    tenant.control.configure(service_additions=True)
    first = upsert(item_type="DataPipeline", definition=pipeline())
    hook = FabricHook()
    hook.create_item_schedule(first["workspace_id"], first["item_id"], "Execute", **SCHEDULE)
    assert ".schedules" in held(first)
    assert upsert(item_type="DataPipeline", definition=pipeline())["outcome"] == "unchanged"
    assert upsert(item_type="DataPipeline", definition=pipeline(description="x"))["outcome"] == "updated"
    assert len(hook.list_item_schedules(first["workspace_id"], first["item_id"], "Execute")) == 1


def test_schedules_are_deployed_or_left(tenant: FabricEmulator) -> None:
    def definition(interval: int) -> dict[str, Any]:
        entry = {"jobType": "Execute", **SCHEDULE, "configuration": {**SCHEDULE["configuration"], "interval": interval}}
        return {**pipeline(), ".schedules": {"schedules": [entry]}}

    def intervals(result: dict[str, str]) -> list[int]:
        found = FabricHook().list_item_schedules(result["workspace_id"], result["item_id"], "Execute")
        return [schedule["configuration"]["interval"] for schedule in found]

    left = upsert(item_type="DataPipeline", definition=definition(15), schedules="leave")
    assert (left["outcome"], intervals(left)) == ("created", [])
    deployed = upsert(item_type="DataPipeline", definition=definition(15))
    assert (deployed["outcome"], intervals(deployed)) == ("updated", [15])
    assert upsert(item_type="DataPipeline", definition=definition(15))["outcome"] == "unchanged"
    assert upsert(item_type="DataPipeline", definition=definition(30), schedules="leave")["outcome"] == "unchanged"
    changed = upsert(item_type="DataPipeline", definition=definition(30))
    assert (changed["outcome"], intervals(changed)) == ("updated", [30])


def test_a_key_that_the_service_drops_is_named_at_every_run(
    tenant: FabricEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    tenant.control.configure(dropped_keys=["madeUp"], service_additions=True)
    outcomes, warnings = [], []
    for _ in range(3):
        caplog.clear()
        outcomes.append(upsert(item_type="DataPipeline", definition=pipeline(madeUp={"by": "me"}))["outcome"])
        warnings.append([r.getMessage() for r in caplog.records if "did not keep" in r.getMessage()])
    assert outcomes == ["created", "updated", "updated"]
    assert [len(texts) for texts in warnings] == [0, 1, 1]
    assert "'pipeline-content.json': properties.madeUp is missing there" in warnings[2][0]


DATAFLOW = {
    "editingSessionMashup": {
        "mashupName": "",
        "mashupDocument": "section Section1;\r\nshared Query = let\n Source = #table({}, {{1}})\nin\n Source;\r\n",
        "queryGroups": [],
        "documentLocale": "en-US",
        "queriesMetadata": None,
        "allowNativeQueries": True,
    }
}


def test_a_dataflow_that_comes_back_in_two_parts_is_unchanged(
    tenant: FabricEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    tenant.control.configure(dataflow_content_converted=True, service_additions=True)
    given = {"item_type": "Dataflow", "definition": {"dataflow-content.json": DATAFLOW}}
    first = upsert(**given)
    assert set(held(first)) == {"mashup.pq", "queryMetadata.json"}
    assert upsert(**given)["outcome"] == "unchanged"
    assert [r.getMessage() for r in caplog.records if "allowNativeQueries" in r.getMessage()] != []
    session = {**DATAFLOW["editingSessionMashup"], "mashupDocument": "section Section1;"}
    other = {"dataflow-content.json": {"editingSessionMashup": session}}
    assert upsert(item_type="Dataflow", definition=other)["outcome"] == "updated"


def test_kinds_without_a_definition_are_created_from_their_platform_file(
    tenant: FabricEmulator, tmp_path: Path
) -> None:
    for kind, extra in (("Warehouse", None), ("MLExperiment", "mlexperiment.metadata.json")):
        folder = tmp_path / f"A.{kind}"
        folder.mkdir()
        platform = {"metadata": {"type": kind, "displayName": NAME, "description": "From Git"}}
        (folder / ".platform").write_text(json.dumps(platform))
        if extra:
            (folder / extra).write_text("{}")
        outcomes = [upsert(item_type=kind, definition=str(folder))["outcome"] for _ in range(2)]
        assert outcomes == ["created", "unchanged"]
    descriptions = {item.description for item in FabricHook().list_items(tenant.workspace_id)}
    assert descriptions == {"From Git"}
