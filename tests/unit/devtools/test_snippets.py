"""Which code blocks of the documentation run, why others do not, and the DAG files that run them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from devtools.docs.doc_parts import REPOSITORY
from devtools.docs.snippets import Block, Kind, blocks, dag_file, kind_of, reason_not_to_run
from devtools.syntax_tree import syntax_tree

PAGE = REPOSITORY / "docs" / "index.md"
OPERATORS = """from x import FabricRunPipelineOperator

run = FabricRunPipelineOperator(task_id="run")
"""
DAGS = """\"\"\"What it is.\"\"\"

from __future__ import annotations

from airflow import DAG

COMMON = {"schedule": None}
with DAG("one", **COMMON), DAG(dag_id="two", schedule=[]) as two:
    pass
"""
FUNCTIONS = """def state(workspace: str) -> str:
    return workspace


async def later() -> None:
    return None
"""


def block(text: str, language: str = "python") -> Block:
    return Block(PAGE, language, text)


@pytest.mark.parametrize("found", list(blocks()), ids=str)
def test_every_block_is_of_a_kind(found: Block) -> None:
    assert kind_of(found) in Kind


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (block(OPERATORS), Kind.OPERATORS),
        (block(OPERATORS.replace("Operator", "Sensor")), Kind.OPERATORS),
        (block(DAGS), Kind.DAG),
        (block(FUNCTIONS), Kind.FUNCTIONS),
        (block("def test_it():\n    pass\n"), Kind.TESTS),
        (block("{{ ds }}", "jinja"), Kind.TEMPLATE),
        (block("make demo", "bash"), Kind.NO_CODE),
    ],
)
def test_kinds(found: Block, kind: Kind) -> None:
    assert kind_of(found) is kind


@pytest.mark.parametrize("found", [block("x = 1\n"), block("x", "sql"), block("x", "")], ids=["python", "sql", "none"])
def test_what_nobody_has_thought_of_is_an_error(found: Block) -> None:
    with pytest.raises(ValueError, match=r"say in devtools\.docs\.snippets what such a block is"):
        kind_of(found)


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (block(OPERATORS), "needs x, not installed here"),
        (block(FUNCTIONS), "takes what only the reader has: workspace"),
        (block("x", "ini"), "a configuration"),
        (block("def test_it():\n    pass\n"), Kind.TESTS.value),
        (
            block("try:\n    import x\nexcept ImportError:\n    x = None\n" + FUNCTIONS.replace("workspace: str", "")),
            "",
        ),
        (block(OPERATORS.replace("from x", "from airflow_provider_fabric.operators")), ""),
    ],
)
def test_reasons_not_to_run(found: Block, reason: str) -> None:
    assert (reason_not_to_run(found, {}) or "") == reason


def test_what_runs_is_most_of_it() -> None:
    """The rules must not excuse what they were not made for."""
    code = [one for one in blocks("python") if kind_of(one) is not Kind.TESTS]
    excused = [reason for one in code if (reason := reason_not_to_run(one, {"workspace": "", "day": ""}))]
    assert len(code) > 50
    assert [reason for reason in excused if not reason.startswith("needs airflow.sdk")] == [
        "takes what only the reader has: folder, python, script, workspace_id",
        "needs airflow.providers.microsoft.azure.hooks.data_lake, azure.storage.filedatalake, not installed here",
        "needs adlfs, not installed here",
    ]


def test_the_class_of_a_dag_is_wrapped_and_the_rest_stays() -> None:
    text = dag_file(block(DAGS), "page_1", {})
    assert text.replace('of_every_kind("page_1", DAG)', "DAG").replace(
        "from every_kind import of_every_kind\n\n", ""
    ) == (DAGS)
    assert text.count('of_every_kind("page_1", DAG)(') == 2
    tree = syntax_tree(text)
    assert ast.get_docstring(tree) == "What it is."
    compile(text, "page", "exec")  # ``from __future__`` still comes first


def test_operators_and_functions_get_a_dag() -> None:
    operators = dag_file(block(OPERATORS), "page_1", {})
    assert 'with of_every_kind("page_1", DAG)("page_1") as dag:\n    from x import' in operators
    functions = dag_file(block(FUNCTIONS), "page_2", {"workspace": "Sales"})
    assert "as_task(state, workspace='Sales')" in functions
    assert "as_task(later, )" in functions
    for text in (operators, functions):
        compile(text, "page", "exec")


def test_a_template_is_an_argument() -> None:
    text = dag_file(block("{{ ds }}\n", "jinja"), "page_1", {})
    assert 'parameters={"loaded_by": "{{ ds }}"}' in text


def test_a_file_that_a_page_shows_is_read(tmp_path: Path) -> None:
    included = [one for one in blocks("python") if one.included]
    assert {one.included for one in included} >= {"example_dags/fabric_events.py", "docs/examples/dags/load_sales.py"}
    for one in included:
        assert (REPOSITORY / one.included).read_text() in one.text
