"""Write ``tests/EVIDENCE.md``: which tests stand behind the rows of the documentation's tables.

::

    python -m devtools.docs.evidence           # write it
    python -m devtools.docs.evidence --check   # exit 1 if it is stale

Users' pages name no tests; whoever doubts a row finds them here.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from devtools.docs import articles, features, rest_coverage
from devtools.docs.rest_operations import seed_operations

DOCUMENT = Path(__file__).resolve().parents[2] / "tests" / "EVIDENCE.md"

HEAD = """\
# Which tests show what the documentation says

Written by `python -m devtools.docs.evidence`; a test fails when it is stale. Paths are below `tests/`.
"""


def document() -> str:
    """Return the whole document."""
    return "\n".join([HEAD, *_comparison(), *_articles(), *_rest()]) + "\n"


def _comparison() -> Iterator[str]:
    yield from _table("docs/comparison.md", ((row.name, row.tests) for row in features.FEATURES))


def _articles() -> Iterator[str]:
    yield from _table("docs/articles.md, operations", ((f"`{row.name}`", row.tests) for row in articles.OPERATIONS))
    statements = ((f"{row.kind}: {row.what}", row.tests) for row in articles.STATEMENTS)
    yield from _table("docs/articles.md, what else they say", statements)


def _rest() -> Iterator[str]:
    tests = rest_coverage.tests_by_method()
    rows = []
    for operation in seed_operations():
        every = f"contract/{rest_coverage.EVERY_OPERATION}.py[{operation.id}]"
        named = (f"contract/{name.replace('::', '.py::')}" for name in tests.get(operation.calls[0].method, ()))
        rows.append((rest_coverage.title(operation), (every, *named)))
    yield from _table("docs/rest-coverage.md", rows)


def _table(title: str, rows: Iterable[tuple[str, Sequence[str]]]) -> Iterator[str]:
    yield f"## {title}\n\n| Row | Tests |\n| --- | --- |"
    for name, tests in rows:
        shown = (f"`{test.removeprefix('tests/')}`" for test in tests)
        yield f"| {name} | {'<br>'.join(shown)} |"
    yield ""


def main(argv: Sequence[str] | None = None) -> int:
    """Write the document, or compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the document is stale")
    wanted = document()
    if parser.parse_args(argv).check:
        return int(not DOCUMENT.exists() or DOCUMENT.read_text() != wanted)
    DOCUMENT.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
