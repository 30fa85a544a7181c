"""docs/articles.md: every test it names is there, and no operation of the articles is left out."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from devtools.docs.articles import OPERATIONS, STATEMENTS, named_tests
from devtools.syntax_tree import syntax_tree
from tests.articles.reading import articles, steps

REPOSITORY = Path(__file__).resolve().parents[2]
LETTERS = {
    "data-pipeline-rest-api-2024-10": "P",
    "copy-job-rest-api-2025-06": "C",
    "dataflow-gen2-public-apis-2025-05": "D",
    "dataflow-gen2-rest-api-2024-11": "d",
}
at_hand = pytest.mark.skipif(not articles(), reason="FABRIC_ARTICLES_DIR does not name Microsoft's articles")


@cache
def functions_of(path: str) -> set[str]:
    tree = syntax_tree((REPOSITORY / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("test", sorted(set(named_tests())))
def test_a_named_test_is_there(test: str) -> None:
    path, _, function = test.partition("::")
    assert function.startswith("test_")
    assert function in functions_of(path)


@pytest.mark.parametrize("row", [*OPERATIONS, *STATEMENTS], ids=str)
def test_no_row_is_open(row: object) -> None:
    assert getattr(row, "tests", ())
    assert getattr(row, "ours", "")
    assert set(getattr(row, "articles", "?")) <= set(LETTERS.values())


@at_hand
def test_every_operation_of_every_article_is_named() -> None:
    printed: dict[str, set[str]] = {}
    for step in steps():
        if step.method:
            printed.setdefault(step.operation, set()).add(LETTERS[step.article])
    assert {row.name: set(row.articles) for row in OPERATIONS} == printed


@at_hand
def test_nothing_of_the_articles_is_copied() -> None:
    page = (REPOSITORY / "docs" / "articles.md").read_text(encoding="utf-8")
    lines = {line.strip() for text in articles().values() for line in text.splitlines() if len(line.strip()) > 60}
    assert [line for line in lines if line in page] == []


def test_the_connections_page_says_what_the_articles_leave_open() -> None:
    page = (REPOSITORY / "docs" / "connection.md").read_text(encoding="utf-8")
    assert "API keys: Fabric has none" in page
    assert "powerBIAccessToken" in page


@pytest.mark.parametrize("kind", ["sign-in", "header", "payload", "answer", "limitation", "use case"])
def test_every_kind_of_statement_is_there(kind: str) -> None:
    assert [s for s in STATEMENTS if s.kind == kind]
