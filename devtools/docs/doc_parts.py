"""The parts of the documentation that are written from the code.

::

    python -m devtools.docs.doc_parts            say which files are stale; exit 1 if any is
    python -m devtools.docs.doc_parts --write    rewrite them

A part stands between ``<!-- part: name -->`` and ``<!-- end: name -->`` in README.md or docs/; :data:`PARTS` says how
each is made. A test compares them with the code.
"""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import json
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from airflow_provider_fabric import exceptions, remedies
from airflow_provider_fabric.emulator.__main__ import build_parser
from airflow_provider_fabric.emulator.control import seeding
from airflow_provider_fabric.emulator.state.config import Config
from airflow_provider_fabric.emulator.state.faults import Fault
from airflow_provider_fabric.emulator.state.job_rules import JobRule
from airflow_provider_fabric.hooks.connection_form import fields_table
from airflow_provider_fabric.hooks.fabric import FabricHook
from devtools.docs import argument_table, articles, features, permissions
from devtools.docs.public_api import public_names

REPOSITORY = Path(__file__).resolve().parents[2]
MARKED = re.compile(r"(<!-- part: (?P<name>[a-z-]+) -->\n).*?(<!-- end: (?P=name) -->)", re.DOTALL)
OPENING = re.compile(r"<!-- (?:part|end): ([a-z-]+) -->")


def documents() -> list[Path]:
    """Return the files that may hold parts."""
    return [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]


def operators_glance() -> str:
    """Return the operators and sensors, a row for each module."""
    rows: dict[str, list[str]] = {}
    for full_name, thing in public_names():
        module, _, name = full_name.removeprefix("airflow_provider_fabric.").rpartition(".")
        if module.startswith(("operators.", "sensors.")) and {"workspace", "capacity"} & set(
            inspect.signature(thing).parameters
        ):
            if thing.__subclasses__() and name not in BASES_OF_USE:
                continue
            rows.setdefault(module, []).append(f"`{name}`")
    lines = [f"| `{module}` | {', '.join(names)} |" for module, names in rows.items()]
    return "\n".join(["| `airflow_provider_fabric.…` | |", "| --- | --- |", *lines]) + "\n"


BASES_OF_USE = ("FabricRunItemJobOperator", "FabricJobInstanceSensor")
"""Classes that others derive from, and that DAGs use all the same."""


def markdown(text: str) -> str:
    """Return reST in one line of Markdown."""
    return re.sub(r":\w+:`[~.]?(?:[\w.]*\.)?(\w+)`", r"`\1`", " ".join(text.split())).replace("``", "`")


def remedies_table() -> str:
    """Return the error codes that have a remedy; those with the same one in one row."""
    same: dict[str, list[str]] = {}
    for code, text in sorted(remedies.REMEDIES.items()):
        same.setdefault(text, []).append(f"`{code}`")
    for status in (403, 429, 430):
        same.setdefault(remedies.remedy_for(None, status) or "", []).append(f"any other with HTTP {status}")
    rows = ["| Error code | What to do |", "| --- | --- |"]
    return "\n".join([*rows, *(f"| {', '.join(codes)} | {text} |" for text, codes in same.items())]) + "\n"


def error_tree() -> str:
    """Return the tree of errors, as the module draws it."""
    drawn = (exceptions.__doc__ or "").split("::\n\n")[1].split("\n\n")[0]
    return fenced("text", textwrap.dedent(drawn))


def emulator_help() -> str:
    """Return ``fabric-emulator --help``."""
    parser = build_parser()
    parser.formatter_class = _wide  # type: ignore[assignment]
    return fenced("text", re.sub(r"^usage: .*?\n\n", "", parser.format_help(), flags=re.DOTALL).rstrip())


def emulator_settings() -> str:
    """Return the settings of the emulator with their defaults."""
    described = parameters_of(Config)
    fields = ((name, json.dumps(value), described[name]) for name, value in Config().as_dict().items())
    return fenced("yaml", commented(fields))


def commented(fields: Iterable[tuple[str, str, str]], indent: str = "", first: str = "") -> str:
    """Return fields as YAML: what each means is a comment above it.

    :param fields: name, default as YAML (empty: none), meaning.
    :param indent: before every line.
    :param first: instead of it, before the first line: the ``- `` of a list.
    """
    lines: list[str] = []
    for name, default, meaning in fields:
        lines += textwrap.wrap(meaning, 110 - len(indent), initial_indent="# ", subsequent_indent="# ")
        lines.append(f"{name}: {default}".rstrip())
    drawn = [f"{indent}{line}" for line in lines]
    drawn[0] = f"{first or indent}{lines[0]}"
    return "\n".join(drawn)


def parameters_of(thing: object) -> dict[str, str]:
    """Return what a docstring says about each parameter."""
    found = re.findall(r":param (\w+): (.*?)(?=\n:\w+|\Z)", inspect.getdoc(thing) or "", re.DOTALL)
    return {name: markdown(text) for name, text in found}


def fields_of(thing: type, left_out: tuple[str, ...]) -> str:
    """Return the fields of a dataclass with their defaults, as its docstring explains them.

    :param left_out: fields that only the emulator sets.
    """
    described = parameters_of(thing)
    fields = [entry for entry in dataclasses.fields(thing) if entry.name not in left_out]
    shown = ((entry.name, json.dumps(entry.default), described[entry.name]) for entry in fields)
    return fenced("yaml", commented(shown))


def emulator_job_rules() -> str:
    """Return the fields of ``add_job_rule``."""
    return fields_of(JobRule, ("id", "uses", "given"))


def emulator_faults() -> str:
    """Return the fields of ``add_fault``."""
    return fields_of(Fault, ("id", "seen", "hits"))


def emulator_seeds() -> str:
    """Return the fields of ``seed``."""
    items = commented(_seed_fields(seeding.ITEM_FIELDS), "    ", "  - ")
    parts = ["workspaces:", commented(_seed_fields(seeding.WORKSPACE_FIELDS), "  ", "- "), items, "copies:"]
    parts.append(commented(_seed_fields(seeding.COPIES_FIELDS), "  "))
    for name, fields in (("capacities", seeding.CAPACITY_FIELDS), ("identities", seeding.IDENTITY_FIELDS)):
        parts += [f"{name}:", commented(_seed_fields(fields), "  ", "- ")]
    return fenced("yaml", "\n".join(parts))


def _seed_fields(fields: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    return ((name, "", text) for name, text in fields.items())


def supported_versions() -> str:
    """Return the Airflow and Python versions that have constraints, and so a place in ``make test-all``."""
    rows = ["| Apache Airflow | Python |", "| --- | --- |"]
    for file in sorted((REPOSITORY / "constraints").glob("airflow-*.txt")):
        found = re.match(r"# Apache Airflow (\S+) on Python (.*?)\. ", file.read_text())
        if found:
            rows.append(f"| {found[1]} | {found[2]} |")
    return "\n".join(rows) + "\n"


def example_dag() -> str:
    """Return the DAG of the README, which a test runs."""
    return fenced("python", (REPOSITORY / "docs" / "examples" / "dags" / "load_sales.py").read_text().rstrip())


def example_test() -> str:
    """Return the test of that DAG."""
    return fenced("python", (REPOSITORY / "docs" / "examples" / "test_load_sales.py").read_text().rstrip())


def public_api() -> str:
    """Return the frozen public API."""
    return fenced("text", (REPOSITORY / "tests" / "unit" / "public_api.txt").read_text().rstrip())


def reference() -> str:
    """Return what mkdocstrings is to show: every public name, by the module that defines it."""
    modules: dict[str, list[str]] = {}
    for full_name, thing in public_names():
        modules.setdefault(full_name.rpartition(".")[0], []).append(f"{thing.__module__}.{thing.__qualname__}")
    blocks = []
    for module, names in modules.items():
        shown = "\n\n".join(f"::: {name}" for name in names)
        blocks.append(f"## {module}\n\n{shown}\n")
    return "\n" + "\n".join(blocks) + "\n"


RETURNED = ("Workspace", "Item", "JobInstance", "Submission", "Operation")
"""What the hook's methods return, of ``airflow_provider_fabric.api.models``."""


def hook_methods() -> str:
    """Return what mkdocstrings is to show of the flows that the hook's methods are made of."""
    options = "    options:\n      show_root_toc_entry: false\n      show_signature_annotations: true\n"
    blocks = []
    for name, method in vars(FabricHook).items():
        flow = getattr(method, "__wrapped__", None)
        if not name.startswith("_") and f"a{name}" in vars(FabricHook) and flow is not None:
            shown = f"::: {flow.__module__}.{flow.__qualname__}\n{options}"
            blocks.append(f"## {name}\n\n{shown}")
    models = [f"::: airflow_provider_fabric.api.models.{name}\n" for name in RETURNED]
    return "\n" + "\n".join([*blocks, "## What they return\n", *models]) + "\n"


PARTS: Mapping[str, Callable[[], str]] = {
    "connection-table": fields_table,
    "operators-glance": operators_glance,
    "remedies-table": remedies_table,
    "error-tree": error_tree,
    "emulator-help": emulator_help,
    "argument-outcomes": argument_table.outcomes_table,
    "argument-kinds": argument_table.arguments_table,
    "emulator-settings": emulator_settings,
    "emulator-job-rules": emulator_job_rules,
    "emulator-faults": emulator_faults,
    "emulator-seeds": emulator_seeds,
    "supported-versions": supported_versions,
    "example-dag": example_dag,
    "example-test": example_test,
    "feature-table": features.table,
    "articles-operations": articles.operations_table,
    "articles-words": articles.words_table,
    "articles-statements": articles.statements_table,
    "permissions-table": permissions.table,
    "public-api": public_api,
    "reference": reference,
    "hook-methods": hook_methods,
}


def fenced(language: str, text: str) -> str:
    """Return a code block."""
    return f"```{language}\n{text}\n```\n"


def _wide(prog: str) -> argparse.HelpFormatter:
    """Return argparse's formatter, as wide on every terminal."""
    return argparse.RawDescriptionHelpFormatter(prog, width=100)


def renewed(text: str) -> str:
    """Return a document with its parts as they should be."""
    return MARKED.sub(lambda found: f"{found[1]}{PARTS[found['name']]()}{found[3]}", text)


def stale() -> Iterator[Path]:
    """Yield the documents whose parts are not as the code says."""
    for path in documents():
        text = path.read_text()
        if renewed(text) != text:
            yield path


def main(argv: Sequence[str] | None = None) -> int:
    """Compare or rewrite."""
    arguments = sys.argv[1:] if argv is None else argv
    found = list(stale())
    for path in found:
        if "--write" in arguments:
            path.write_text(renewed(path.read_text()))
        print(f"{'wrote' if '--write' in arguments else 'stale:'} {path.relative_to(REPOSITORY)}")
    return 1 if found and "--write" not in arguments else 0


if __name__ == "__main__":
    sys.exit(main())
