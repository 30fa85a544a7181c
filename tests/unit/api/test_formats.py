"""The table of kinds: format, order, JSON parts, and what a folder's names mean."""

from __future__ import annotations

import itertools

import pytest

from airflow_provider_fabric.api.items.formats import (
    KINDS,
    clashing_parts,
    format_of,
    has_definition,
    in_order,
    is_json_part,
    is_never_part,
    is_suspect,
    missing_parts,
)


@pytest.mark.parametrize(
    ("item_type", "paths", "expected"),
    [
        ("Notebook", [".platform", "notebook-content.py"], None),
        ("Notebook", [".platform", "notebook-content.ipynb"], "ipynb"),
        ("Notebook", ["artifact.content.ipynb"], "ipynb"),
        ("Notebook", ["notebook-content.py", "Resources/builtin/other.ipynb"], None),
        ("SparkJobDefinition", ["SparkJobDefinitionV1.json"], "SparkJobDefinitionV1"),
        ("SparkJobDefinition", ["SparkJobDefinitionV1.json", "Main/main.py"], "SparkJobDefinitionV2"),
        ("SparkJobDefinition", ["SparkJobDefinitionV1.json", "Libs/lib.py"], "SparkJobDefinitionV2"),
        ("SemanticModel", ["definition.pbism", "definition/model.tmdl"], None),
        ("SemanticModel", ["definition.pbism", "model.bim"], "TMSL"),
        ("Lakehouse", ["lakehouse.metadata.json"], "LakehouseDefinitionV1"),
        ("SQLDatabase", ["S.sqlproj", "dbo/Tables/T.sql"], "sqlproj"),
        ("SQLDatabase", ["sqldb.dacpac"], "dacpac"),
        ("Dataflow", ["mashup.pq", "queryMetadata.json"], None),
        ("Dataflow", ["dataflow-content.json"], None),
        ("DataPipeline", ["pipeline-content.json", ".schedules"], None),
        ("CopyJob", ["copyjob-content.json"], None),
        ("VariableLibrary", ["variables.json"], None),
        ("Eventstream", ["eventstream.json"], None),
        ("GraphModel", ["graphType.json"], "json"),
        ("A kind of next year", ["x.json"], None),
    ],
)
def test_the_format(item_type: str, paths: list[str], expected: str | None) -> None:
    assert format_of(item_type, paths) == expected


@pytest.mark.parametrize(
    ("item_type", "expected"),
    [
        (
            "Notebook",
            [
                ".platform",
                "notebook-content.py",
                ".schedules",
                "Resources/builtin/data.csv",
                "Resources/builtin/rows.json",
                "notebook-settings.json",
            ],
        ),
        ("Dataflow", [".platform", "mashup.pq", "queryMetadata.json", "another.mdf", "z.txt"]),
        ("DataPipeline", [".platform", "pipeline-content.json", ".schedules", "a.txt"]),
        ("SparkJobDefinition", [".platform", "SparkJobDefinitionV1.json", "Main/main.py", "Libs/a.py", "Libs/b.py"]),
        ("SemanticModel", [".platform", "definition.pbism", "definition/tables/T.tmdl", "diagramLayout.json"]),
        ("Report", [".platform", "definition.pbir", "report.json", "StaticResources/x.png"]),
        ("VariableLibrary", [".platform", "variables.json", "settings.json", "valueSets/a.json", "valueSets/b.json"]),
        ("UserDataFunction", [".platform", "definition.json", "function_app.py", ".resources/functions.json"]),
        ("A kind of next year", [".platform", "a", "b/c"]),
    ],
)
def test_the_order_of_parts(item_type: str, expected: list[str]) -> None:
    for mixed in itertools.islice(itertools.permutations(expected), 200):
        assert in_order(item_type, mixed) == expected
    assert in_order(item_type, reversed(expected)) == expected


@pytest.mark.parametrize(
    ("item_type", "path", "expected"),
    [
        ("Notebook", "notebook-content.ipynb", True),
        ("Notebook", "notebook-settings.json", True),
        ("Notebook", "Resources/builtin/rows.json", False),
        ("Notebook", "notebook-content.py", False),
        ("SemanticModel", "definition.pbism", True),
        ("SemanticModel", "model.bim", True),
        ("SemanticModel", "definition/model.tmdl", False),
        ("Report", "definition.pbir", True),
        ("Report", "definition/pages/pages.json", True),
        ("DataPipeline", ".schedules", True),
        ("ApacheAirflowJob", "dags/rows.json", False),
        ("Ontology", "EntityTypes/1/definition.json", True),
        ("Dataflow", "mashup.pq", False),
    ],
)
def test_which_parts_are_json(item_type: str, path: str, expected: bool) -> None:
    assert is_json_part(item_type, path) is expected


def test_kinds_without_a_definition() -> None:
    assert {kind for kind in KINDS if not has_definition(kind)} == {
        "Warehouse",
        "MLExperiment",
        "MLModel",
        "WarehouseSnapshot",
    }
    assert has_definition("A kind of next year")


@pytest.mark.parametrize(
    ("item_type", "paths", "complete"),
    [
        ("SemanticModel", ["model.bim"], False),
        ("SemanticModel", ["definition.pbism", "model.bim"], True),
        ("Report", ["report.json"], False),
        ("SparkJobDefinition", ["Main/main.py"], False),
        ("Notebook", ["notebook-content.sql"], True),
        ("Notebook", ["Resources/x.py", "notebook-settings.json"], False),
        ("Dataflow", ["mashup.pq"], False),
        ("A kind of next year", [], True),
    ],
)
def test_the_parts_that_must_be_there(item_type: str, paths: list[str], complete: bool) -> None:
    assert (missing_parts(item_type, paths) is None) is complete


def test_parts_that_exclude_each_other() -> None:
    assert clashing_parts("SemanticModel", ["definition.pbism", "model.bim", "definition/model.tmdl"])
    assert clashing_parts("Notebook", ["notebook-content.py", "notebook-content.ipynb"])
    assert clashing_parts("Notebook", ["notebook-content.ipynb", "notebook-settings.json"]) is None


def test_names_in_a_folder() -> None:
    never = [".pbi", ".children", ".ipynb_checkpoints", "__pycache__", ".git", ".gitignore", ".DS_Store", "Thumbs.db"]
    never += ["desktop.ini", ".idea", ".vscode", "x.py~", ".x.swp", "x.pyc", "..data", ".gitattributes", ".gitkeep"]
    assert [name for name in never if not is_never_part(name)] == []
    assert [
        name for name in (".env", ".env.prod", "prod.env", ".envrc", ".netrc", "id_rsa") if not is_suspect(name)
    ] == []
    parts = [".platform", ".schedules", ".resources", "pipeline-content.json", "env", "gitignore", "Setting"]
    assert [name for name in parts if is_never_part(name) or is_suspect(name)] == []
