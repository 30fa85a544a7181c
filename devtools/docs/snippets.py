"""The code blocks of the documentation, and the DAG file that runs each of them.

A block that makes a DAG becomes a file as it is, but for its schedule; one that only makes operators stands in a DAG of
its own; functions are called in tasks. What is not run says why. The DAGs' schedule is that of
:mod:`tests.e2e.every_kind`: scheduled, by hand, and by an asset.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from importlib.util import find_spec
from pathlib import Path

from devtools.docs.doc_parts import REPOSITORY, documents
from devtools.syntax_tree import syntax_tree

FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w+)?(?P<more>[^\n]*)\n(?P<text>.*?)^(?P=indent)```", re.M | re.S)
INCLUDED = re.compile(r'^--8<-- "(?P<path>[^"]+)"$', re.M)

NO_CODE = {
    "text": "shows what is printed, or a tree of files",
    "json": "a configuration",
    "yaml": "a configuration",
    "ini": "a configuration",
    "docker": "builds an image",
    "bash": "commands of a shell: tests/unit/test_docs.py checks that they exist",
    "py": "a program for an environment of its own, which imports nothing of ours",
}
"""Languages of blocks that no DAG can run, with the reason."""


@dataclass(frozen=True)
class Block:
    """One code block.

    :param path: of the page.
    :param language: as the page names it; empty for none.
    :param text: with the files that it includes.
    :param included: path of the file that it is, if it is one.
    """

    path: Path
    language: str
    text: str
    included: str = ""

    def __str__(self) -> str:
        return f"{self.path.relative_to(REPOSITORY)}:{self.text.strip().splitlines()[0][:40]}"


def blocks(*languages: str) -> Iterator[Block]:
    """Yield the blocks of these languages; of all for none."""
    for path in documents():
        for found in FENCE.finditer(path.read_text()):
            language = found["language"] or ""
            if language in languages or not languages:
                indent = found["indent"]
                text = re.sub(rf"^{indent}", "", found["text"], flags=re.M) if indent else found["text"]
                included = INCLUDED.search(text)
                whole = INCLUDED.sub(lambda match: (REPOSITORY / match["path"]).read_text(), text)
                yield Block(path, language, whole, included["path"] if included else "")


class Kind(Enum):
    """What a block is."""

    DAG = "makes DAGs"
    OPERATORS = "makes operators, and leaves the DAG to the reader"
    FUNCTIONS = "defines functions that use a hook"
    TEMPLATE = "a template for an argument"
    TESTS = "tests for pytest: tests/docs/test_testing_page.py and tests/unit/test_docs.py run them"
    NO_CODE = "no code of Airflow"


def kind_of(block: Block) -> Kind:
    """Return what a block is, by what is in it.

    :raises ValueError: it is nothing that we know.
    """
    if block.language in NO_CODE:
        return Kind.NO_CODE
    if block.language == "jinja":
        return Kind.TEMPLATE
    if block.language == "python":
        tree = syntax_tree(block.text)
        functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        if functions and all(name.startswith("test_") for name in functions):
            return Kind.TESTS
        called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and _is_name(node.func)}
        if "DAG" in called:
            return Kind.DAG
        if any(name.endswith(("Operator", "Sensor")) for name in called):
            return Kind.OPERATORS
        if functions:
            return Kind.FUNCTIONS
    raise ValueError(f"{block} ({block.language or 'no language'}): say in {__name__} what such a block is")


def _is_name(node: ast.expr) -> bool:
    return isinstance(node, ast.Name)


def reason_not_to_run(block: Block, arguments: Mapping[str, str]) -> str | None:
    """Return why a block is in no DAG; None for one that is.

    :param arguments: values for the arguments of functions, by their names.
    """
    kind = kind_of(block)
    if kind is Kind.NO_CODE:
        return NO_CODE[block.language]
    if kind is Kind.TESTS:
        return kind.value
    if block.language == "python" and (absent := sorted(_absent_modules(syntax_tree(block.text)))):
        return f"needs {', '.join(absent)}, not installed here"
    if kind is Kind.FUNCTIONS:
        wanted = {name for _, names in _functions(block) for name in names}
        if wanted - set(arguments):
            return f"takes what only the reader has: {', '.join(sorted(wanted - set(arguments)))}"
    return None


def _absent_modules(tree: ast.Module) -> Iterator[str]:
    """Yield the modules that a block needs and this environment lacks; what stands in a ``try`` has a substitute."""
    tried = {id(inner) for node in ast.walk(tree) if isinstance(node, ast.Try) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and id(node) not in tried and not _is_there(node.module):
            yield node.module


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # a package above it
        return False


def _functions(block: Block) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield the functions of a block and the names of their arguments."""
    for node in syntax_tree(block.text).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, [argument.arg for argument in node.args.args]


def dag_file(block: Block, name: str, arguments: Mapping[str, str]) -> str:
    """Return the DAG file that runs a block.

    :param name: begins the ids of its DAGs.
    :param arguments: values for the arguments of functions, by their names.
    """
    match kind_of(block):
        case Kind.DAG:
            return _with_schedule(block.text, name)
        case Kind.OPERATORS:
            return _in_a_dag(block.text, name)
        case Kind.TEMPLATE:
            return _in_a_dag(_TEMPLATE.format(template=block.text.strip()), name)
        case Kind.FUNCTIONS:
            calls = [
                f"as_task({function}, {', '.join(f'{key}={arguments[key]!r}' for key in names)})"
                for function, names in _functions(block)
            ]
            text = "\n".join(["from every_kind import DAG, as_task, in_order, of_every_kind", "", block.text])
            return f"{text}\n\n{_header(name)}    " + "\n    ".join([*calls, "in_order(dag)"]) + "\n"
        case kind:
            raise ValueError(f"{block}: {kind.value}")


_TEMPLATE = """\
from airflow_provider_fabric.operators.pipeline import FabricRunPipelineOperator

FabricRunPipelineOperator(task_id="run", workspace="Sales", pipeline="Report", parameters={{"loaded_by": "{template}"}})
"""


def _header(name: str) -> str:
    return f'with of_every_kind("{name}", DAG)("{name}") as dag:\n'


def _in_a_dag(text: str, name: str) -> str:
    """Put operators into a DAG."""
    head = f"from every_kind import DAG, in_order, of_every_kind\n\n{_header(name)}"
    return f"{head}{textwrap.indent(text, '    ')}    in_order(dag)\n"


def _with_schedule(text: str, name: str) -> str:
    """Let the DAGs of a file be of every kind: their class is wrapped where it is called."""
    tree = syntax_tree(text)
    lines = text.splitlines(keepends=True)
    places = [
        (node.func.lineno, node.func.col_offset)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "DAG"
    ]
    for line, column in sorted(places, reverse=True):
        was = lines[line - 1].encode()
        wrapped = was[:column] + f'of_every_kind("{name}", DAG)'.encode() + was[column + len("DAG") :]
        lines[line - 1] = wrapped.decode()
    first = next(node for node in tree.body if not _must_come_first(node))
    lines.insert(first.lineno - 1, "from every_kind import of_every_kind\n\n")
    return "".join(lines)


def _must_come_first(node: ast.stmt) -> bool:
    """Whether a statement is the module's docstring or a ``from __future__``."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"
