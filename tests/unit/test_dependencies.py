"""What the package imports is what it says it needs, and nothing is needed that nobody imports."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import airflow_provider_fabric
from devtools.syntax_tree import syntax_tree

ROOT = Path(airflow_provider_fabric.__file__).parent

DISTRIBUTIONS = {"airflow": "apache-airflow", "azure": "azure-eventhub", "jwt": "pyjwt", "yaml": "pyyaml"}
"""Top-level module → distribution, where the names differ."""

WITH_ANOTHER = {
    "cryptography": "msal",
    "urllib3": "requests",
    "asgiref": "apache-airflow",
    "flask_appbuilder": "apache-airflow",
    "flask_babel": "apache-airflow",
    "wtforms": "apache-airflow",
    "openlineage": "apache-airflow",  # a provider of its own; without it, there is no lineage to report
    "attr": "apache-airflow",
    "markupsafe": "apache-airflow",
    "pytest": "pytest",  # whoever loads the plugin has it
}
"""Top-level module → what brings it."""

LOADED_BY_ANOTHER = {"httptools", "websockets", "aiohttp"}
"""Needed by uvicorn and Azure's client, which load them themselves."""


def imported() -> Iterator[tuple[str, str]]:
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(syntax_tree(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            for name in names:
                top = name.partition(".")[0]
                if top and top not in sys.stdlib_module_names and top != ROOT.name:
                    yield top, str(path.relative_to(ROOT))


def declared() -> tuple[set[str], set[str]]:
    """Return what every installation has, and what the extras add for those who run the emulator or read events."""
    text = (ROOT.parent / "pyproject.toml").read_text()
    always = re.search(r"^dependencies = \[(.*?)\]$", text, re.DOTALL | re.MULTILINE)
    extras = re.findall(r"^(?:emulator|events) = \[(.*)\]$", text, re.MULTILINE)
    assert always is not None
    assert len(extras) == 2

    def names(part: str) -> set[str]:
        return {name.lower() for name in re.findall(r'"([A-Za-z0-9_-]+)[^"]*"', part)}

    return names(always[1]), names(" ".join(extras))


def test_what_is_imported_is_declared() -> None:
    always, extras = declared()
    for module, path in imported():
        optional = path.startswith(("emulator/", "triggerer/event_reader.py"))
        known = always | extras | {"pytest"} if optional else always
        distribution = WITH_ANOTHER.get(module, DISTRIBUTIONS.get(module, module))
        assert distribution in known, f"{path} imports {module}: {distribution} is not declared"


def test_what_is_declared_is_imported() -> None:
    always, extras = declared()
    used = {DISTRIBUTIONS.get(module, module) for module, _ in imported()}
    assert (always | extras) - used == LOADED_BY_ANOTHER
