"""Write ``docs/rest-coverage.md``: seed operation → route → hook method, all read from the code.

::

    python -m devtools.docs.rest_coverage           # write it
    python -m devtools.docs.rest_coverage --check   # exit 1 if it is stale

A route is what the hook method's flow asks for when it is driven. The tests of each row are in ``tests/EVIDENCE.md``:
one is named there if its body names the method.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote

from airflow_provider_fabric.api.http.flow import Flow, Request, Response
from airflow_provider_fabric.hooks.fabric import FabricHook
from devtools.docs.rest_operations import Call, SeedOperation, seed_operations
from devtools.syntax_tree import syntax_tree

REPOSITORY = Path(__file__).resolve().parents[2]
DOCUMENT = REPOSITORY / "docs" / "rest-coverage.md"
TESTS = "tests/contract/test_hook_*.py"
EVERY_OPERATION = "test_hook_operations"

HEAD = """\
# REST coverage

Every operation of Microsoft's four articles on the REST APIs of dataflows, pipelines and copy jobs, the route it takes,
and the method of `FabricHook` that calls it. Each method has an awaited twin that starts with `a`. Every row is tested
against the emulator, and its requests and answers are held to Microsoft's OpenAPI files and their examples. `…` stands
for `/v1/workspaces/{workspaceId}`, *all* for dataflows, pipelines and copy jobs.

| Operation | Of | Route | Method |
| --- | --- | --- | --- |
"""


KINDS = {"dataflow", "pipeline", "copy job"}


def routes(call: Call) -> list[str]:
    """Return ``METHOD /template`` of the requests a call begins with."""
    flow: Flow[object] = getattr(FabricHook, call.method).__wrapped__(**call.arguments)
    wanted = [_request(next(flow))]
    if call.refused_first:
        refusal = Response(400, {}, b'{"errorCode": "InvalidJobType"}')
        wanted.append(_request(flow.send(refusal)))
    flow.close()
    return [_route(request) for request in wanted]


def _request(wish: object) -> Request:
    if not isinstance(wish, Request):
        raise TypeError(f"the flow begins with {wish!r}, not with a request")
    return wish


def _route(request: Request) -> str:
    shown = [f"{name}={{{name}}}" for name in request.params]
    return f"{request.method} {unquote(request.path)}" + (f"?{'&'.join(shown)}" if shown else "")


def routes_of(operation: SeedOperation) -> list[str]:
    """Return the routes of an operation in all its dialects, each once."""
    return list(dict.fromkeys(route for call in operation.calls for route in routes(call)))


def tests_by_method() -> dict[str, list[str]]:
    """Return the tests that name a hook method, by method, besides those that go through the whole table."""
    found: dict[str, list[str]] = {}
    for file in sorted(REPOSITORY.glob(TESTS)):
        for test in _tests(file) if file.stem != EVERY_OPERATION else ():
            for name in sorted({*_names(test)}):
                found.setdefault(name, []).append(f"{file.stem}::{test.name}")
    return found


def _tests(file: Path) -> Iterator[ast.FunctionDef]:
    for node in syntax_tree(file.read_text()).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node


def _names(test: ast.FunctionDef) -> Iterator[str]:
    for node in ast.walk(test):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and hasattr(FabricHook, node.value):
            yield node.value


def title(operation: SeedOperation) -> str:
    """Return what the document calls an operation."""
    return f"{operation.name}{f' ({operation.kind})' if operation.kind else ''}"


def document() -> str:
    """Return the whole document; what is the same for several kinds of item is one row."""
    together: dict[tuple[str, str], list[SeedOperation]] = {}
    for operation in seed_operations():
        together.setdefault((operation.name, operation.calls[0].method), []).append(operation)
    return HEAD + "".join(_row(*key, same) for key, same in together.items())


def _row(name: str, method: str, same: Sequence[SeedOperation]) -> str:
    kinds = [operation.kind for operation in same if operation.kind]
    of = "all" if set(kinds) == KINDS else ", ".join(kinds)
    found = dict.fromkeys(route for operation in same for route in routes_of(operation))
    shown = (route.replace(" /v1/workspaces/{workspaceId}/", " …/") for route in found)
    return f"| {name} | {of} | {'<br>'.join(f'`{route}`' for route in shown)} | `{method}` |\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Write the document, or compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the document is stale")
    wanted = document()
    if parser.parse_args(argv).check:
        return int(not DOCUMENT.exists() or DOCUMENT.read_text() != wanted)
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
