"""The parameters that a notebook declares: the assignments in its Python cell that is tagged *parameters*."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

CELL = re.compile(r"^# (?P<kind>[A-Z ]+) \*{20}\s*$", re.MULTILINE)
"""The line that begins a cell in a notebook's source format (``notebook-content.py``)."""

WORDS = {bool: "bool", int: "number", float: "number", str: "string"}


def declared_parameters(parts: Mapping[str, bytes]) -> list[dict[str, Any]] | None:
    """Return what a notebook declares: ``{name, type, isRequired, defaultValue}``.

    :param parts: part path → content.
    :returns: ``None`` if the definition does not tell: no Python, no such cell, or code that cannot be read.
    """
    cells = list(_cells(parts))
    if not cells:
        return None
    found: dict[str, dict[str, Any]] = {}
    for cell in cells:
        try:
            tree = ast.parse(cell)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
        for statement in tree.body:
            found.update({entry["name"]: entry for entry in _declarations(statement)})
    return list(found.values())


def _cells(parts: Mapping[str, bytes]) -> Iterator[str]:
    """Yield the code of the cells that are tagged as parameters."""
    for path, content in parts.items():
        text = content.decode("utf-8", "replace")
        if path.endswith(".ipynb"):
            yield from _tagged_cells(text)
        elif path == "notebook-content.py":
            marks = list(CELL.finditer(text))
            ends = [*(mark.start() for mark in marks[1:]), len(text)]
            for mark, end in zip(marks, ends, strict=False):
                if mark["kind"] == "PARAMETERS CELL":
                    yield text[mark.end() : end]


def _tagged_cells(text: str) -> Iterator[str]:
    try:
        content = json.loads(text)
        kernel = (content.get("metadata") or {}).get("kernel_info") or {}
        if kernel.get("name", "synapse_pyspark") not in ("synapse_pyspark", "jupyter", "python3", "python"):
            return
        for cell in content["cells"]:
            if cell.get("cell_type") == "code" and "parameters" in ((cell.get("metadata") or {}).get("tags") or ()):
                source = cell.get("source") or ""
                yield source if isinstance(source, str) else "".join(map(str, source))
    except (ValueError, AttributeError, KeyError, TypeError):
        return


def _declarations(statement: ast.stmt) -> Iterator[dict[str, Any]]:
    """Yield what one statement assigns: the type is that of the literal, or none."""
    if isinstance(statement, ast.Assign):
        targets, value = statement.targets, statement.value
    elif isinstance(statement, ast.AnnAssign):
        targets, value = [statement.target], statement.value  # type: ignore[assignment]
    else:
        return
    for target in targets:
        if isinstance(target, ast.Name):
            kind = WORDS.get(type(_literal(value)), "")
            yield {"name": target.id, "type": kind, "isRequired": value is None}


def _literal(node: ast.expr | None) -> Any:
    try:
        return None if node is None else ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
