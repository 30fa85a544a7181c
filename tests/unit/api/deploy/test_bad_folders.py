"""What is wrong in a folder is one error that names the file, before the first request."""

# ruff: noqa: E501

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_fabric.api.deploy.flow import deploy_folder
from airflow_provider_fabric.exceptions import FabricInputError
from tests.flow_driver import WORKSPACE, drive

from .folders import logical_id, write_item, write_pipeline

RULE = "find_replace:\n  - find_value: dev\n    replace_value:\n      PROD: prod\n"


def nothing(root: Path) -> None:
    (root / "README.md").write_text("No item here.")


def twice(root: Path) -> None:
    write_pipeline(root, "A", 1)
    write_pipeline(root, "B", 1)


def circle(root: Path) -> None:
    write_pipeline(root, "A", 1, calls=logical_id(2))
    write_pipeline(root, "B", 2, calls=logical_id(3))
    write_pipeline(root, "C", 3, calls=logical_id(1))


def report_of(path: str) -> Callable[[Path], None]:
    def write(root: Path) -> None:
        reference = {"datasetReference": {"byPath": {"path": path}}}
        write_item(root, "R.Report", {"definition.pbir": reference, "report.json": {}}, 1)
        write_pipeline(root, "A", 2)

    return write


def one_item(name: str = "A.DataPipeline", **more: Any) -> Callable[[Path], None]:
    return lambda root: void(write_item(root, name, {"pipeline-content.json": {}}, **more))


def void(_: object) -> None:
    """Return nothing."""


def file(name: str, content: str, *, beside: str = "A") -> Callable[[Path], None]:
    def write(root: Path) -> None:
        write_pipeline(root, beside, 1, server="dev")
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)

    return write


def two_of_one_name(root: Path) -> None:
    write_item(root, "A.DataPipeline", {"pipeline-content.json": {}}, 1, metadata={"displayName": "Load"})
    write_item(root, "B.DataPipeline", {"pipeline-content.json": {}}, 2, metadata={"displayName": "load"})


def many(root: Path) -> None:
    for number in range(1001):
        write_pipeline(root, f"P{number}", number + 1)


KQL = {"queryset": {"dataSources": [{"clusterUri": "", "databaseItemId": logical_id(7)}]}}
CASES: dict[str, tuple[Callable[[Path], None], dict[str, Any], str]] = {
    "no item": (nothing, {}, "holds no item"),
    "an item itself": (lambda root: void(write_pipeline(root.parent, root.name)), {}, "is one item"),
    "one logical id twice": (twice, {}, r"'A.DataPipeline/.platform', 'B.DataPipeline/.platform'"),
    "a circle": (circle, {}, r"'[ABC].DataPipeline' → '[ABC].DataPipeline' → '[ABC].DataPipeline' → "),
    "a path to nothing": (report_of("../No.SemanticModel"), {}, r"R.Report/definition.pbir.*\.\./No.SemanticModel"),
    "a path out of the folder": (report_of("../../../x.SemanticModel"), {}, "is no item of the folder"),
    "a path to another kind": (report_of("../A.DataPipeline"), {}, "is no semantic model"),
    "an unknown kind": (one_item("A.Pipelyne"), {}, r"A.Pipelyne/.platform.*'Pipelyne'"),
    "no platform file": (file("B.DataPipeline/pipeline-content.json", "{}"), {}, "B.DataPipeline.*has no file"),
    "a platform that is no JSON": (file("A.DataPipeline/.platform", "{"), {}, r"A.DataPipeline/.platform.*JSON"),
    "a platform that is a list": (file("A.DataPipeline/.platform", "[]"), {}, r"A.DataPipeline/.platform"),
    "an empty logical id": (one_item(number=""), {}, r"A.DataPipeline/.platform.*logicalId"),
    "no logical id": (one_item(number=None), {}, r"A.DataPipeline/.platform.*logicalId"),
    "no name": (one_item(metadata={"displayName": " "}), {}, "displayName"),
    "a part that is no JSON": (file("A.DataPipeline/pipeline-content.json", "{"), {}, "A.DataPipeline.*not valid JSON"),
    "a part that is missing": (lambda root: void(write_item(root, "A.DataPipeline", {"x.json": {}})), {}, "A.DataPipel"),
    "a forbidden folder": (lambda root: void(write_pipeline(root, "50%/A")), {}, "50%/A.DataPipeline.*forbids"),
    "two of one name": (two_of_one_name, {}, "A.DataPipeline.*B.DataPipeline"),
    "1001 items": (many, {}, "holds 1001 items"),
    "nothing selected": (one_item(), {"exclude": ["*"]}, "leave none"),
    "items that fit nothing": (one_item(), {"items": ["B.DataPipeline"]}, r"items: 'B.DataPipeline'.*'A.DataPipeline'"),
    "items as text": (one_item(), {"items": "A.DataPipeline"}, "items must be a list"),
    "a misspelt kind": (one_item(), {"item_types": ["Datapipeline"]}, "Did you mean 'DataPipeline'"),
    "a misspelt replace key": (one_item(), {"replace": {"B.DataPipeline": {"a": "b"}}}, "'B.DataPipeline' names no item"),
    "a misspelt part": (one_item(), {"replace": {"A.DataPipeline/pipeline.json": {"a": "b"}}}, "names no item"),
    "a text that is nowhere": (one_item(), {"replace": {"dev-server": "prod"}}, "replace: 'dev-server'"),
    "a text that is not in that item": (one_item(), {"replace": {"A.DataPipeline": {"x": "y"}}}, r"replace\['A.Data"),
    "a value that is no text": (one_item(), {"replace": {"a": None}}, "must be text"),
    "JSON broken by a value": (one_item(), {"replace": {"{}": '{"'}}, "A.DataPipeline.*not valid JSON"),
    "no parameter file": (one_item(), {"parameter_file": "/nowhere.yml"}, "parameter_file: '/nowhere.yml' cannot"),
    "broken YAML": (file("parameter.yml", "find_replace: ["), {"environment": "PROD"}, "parameter.yml' is not valid YAML"),
    "an empty parameter file": (file("parameter.yml", ""), {"environment": "PROD"}, "parameter.yml' must hold"),
    "a misspelt section": (file("parameter.yml", "find_replce: []"), {"environment": "PROD"}, "mean 'find_replace'"),
    "a misspelt key": (
        file("parameter.yml", RULE.replace("find_value", "find_values")), {"environment": "PROD"}, "mean 'find_value'"
    ),
    "a misspelt environment": (file("parameter.yml", RULE), {"environment": "PRD"}, "'PRD' has no value.*'PROD'"),
    "a value that is a number": (file("parameter.yml", RULE.replace(": prod", ": 5")), {"environment": "PROD"}, "quotes"),
    "a pattern without a group": (
        file("parameter.yml", RULE + "    is_regex: true\n"), {"environment": "PROD"}, r"entry 1.*group"
    ),
    "an unknown variable": (
        file("parameter.yml", RULE.replace(": prod", ": $items.Lakehouse.L.color")), {"environment": "PROD"}, "color"
    ),
    "extend": (file("parameter.yml", "extend: [a.yml]"), {"environment": "PROD"}, "'extend', which is not understood"),
    "a wrong word for schedules": (one_item(), {"schedules": "off"}, "schedules must be one of"),
    "a wrong word for on_failure": (one_item(), {"on_failure": "ignore"}, "on_failure must be one of"),
    "a flag that is text": (one_item(), {"remove_orphans": "yes"}, "remove_orphans must be True or False"),
    "a negative maximum": (one_item(), {"max_removals": -1}, "max_removals must be"),
    "a kind that is never removed": (one_item(), {"removable_types": ["SQLEndpoint"]}, "removable_types"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_one_error_that_names_it_and_no_request(tmp_path: Path, name: str) -> None:
    write, options, words = CASES[name]
    root = tmp_path / "items.DataPipeline" if name == "an item itself" else tmp_path / "items"
    if name != "an item itself":
        root.mkdir()
    write(root) if name != "an item itself" else write_pipeline(tmp_path, "items")
    talk = drive(deploy_folder(WORKSPACE, root, **options), [])
    with pytest.raises(FabricInputError, match=words):
        talk.result()
    assert talk.requests == []


@pytest.mark.parametrize("folder", ["", " ", None, 5, "/nowhere/at/all"])
def test_no_folder(folder: Any) -> None:
    talk = drive(deploy_folder(WORKSPACE, folder), [])
    with pytest.raises(FabricInputError, match="folder"):
        talk.result()


def test_a_link_to_elsewhere(tmp_path: Path) -> None:
    write_pipeline(tmp_path / "other", "Secret", 2)
    write_pipeline(tmp_path / "items", "A", 1)
    (tmp_path / "items" / "Linked").symlink_to(tmp_path / "other")
    with pytest.raises(FabricInputError, match="'Linked' is a symbolic link"):
        drive(deploy_folder(WORKSPACE, tmp_path / "items"), []).result()


def test_a_cluster_of_a_database_that_is_nowhere(tmp_path: Path) -> None:
    write_item(tmp_path, "Q.KQLQueryset", {"RealTimeQueryset.json": KQL}, 1)
    from tests.flow_driver import page

    with pytest.raises(FabricInputError, match=r"Q.KQLQueryset.*neither in the folder nor in the workspace"):
        drive(deploy_folder(WORKSPACE, tmp_path), [page(), page()]).result()
