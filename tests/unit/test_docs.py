"""The documentation says what is so: generated parts, code blocks, commands, links."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from airflow_provider_fabric.api.connection.settings import FabricSettings
from airflow_provider_fabric.doctor import build_parser as doctor_parser
from airflow_provider_fabric.emulator.__main__ import build_parser
from airflow_provider_fabric.events import _parser as events_parser
from airflow_provider_fabric.login import _parser as login_parser
from devtools.demo.report import verdicts
from devtools.demo.request_judge import Judgement
from devtools.docs.doc_parts import MARKED, OPENING, PARTS, REPOSITORY, documents, renewed
from devtools.docs.features import FEATURES
from devtools.docs.snippets import FENCE, Block, blocks
from devtools.syntax_tree import syntax_tree

DOCUMENTS = documents()
PYTHON = list(blocks("python"))
BASH = list(blocks("bash", "sh"))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_the_generated_parts_are_as_the_code_says(path: Path) -> None:
    text = path.read_text()
    assert renewed(text) == text, f"{path.name} is stale: python -m devtools.docs.doc_parts --write"
    names = [name for name in OPENING.findall(text) if f"part: {name}" in text]
    assert set(names) == {found["name"] for found in MARKED.finditer(text)} <= set(PARTS)


def test_every_part_is_used() -> None:
    used = {found["name"] for path in DOCUMENTS for found in MARKED.finditer(path.read_text())}
    assert used == set(PARTS)


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_python_blocks_run(block: Block, monkeypatch: pytest.MonkeyPatch) -> None:
    """Operators are made, DAGs are parsed, functions are defined: with the arguments that the page shows."""
    if "airflow.sdk" in block.text and find_spec("airflow.sdk") is None and "except ImportError" not in block.text:
        pytest.skip("for Airflow 3")
    tree = syntax_tree(block.text)
    if any(isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dags") for node in tree.body):
        return  # the example test: tests/docs/test_testing_page.py runs it
    path = REPOSITORY / "example_dags" / "page.py"  # the example looks for its definitions beside itself
    exec(compile(tree, str(path), "exec"), {"__name__": "page", "__file__": str(path)})


def test_there_are_blocks() -> None:
    assert len(PYTHON) > 10
    assert len(BASH) > 5


def commands(block: Block) -> Iterator[list[str]]:
    for line in block.text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while words and "=" in words[0]:  # VARIABLE=value
            words = words[1:]
        if words:
            yield words


SHELL = {".", "export", "unset", "cd", "mkdir", "git", "python3", "pip", "cat"}


@pytest.mark.parametrize("block", BASH, ids=str)
def test_commands_exist(block: Block) -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (REPOSITORY / "Makefile").read_text(), re.M))
    for words in commands(block):
        match words:
            case ["make", *goals]:
                assert {goal for goal in goals if "=" not in goal} <= targets
            case ["fabric-emulator", *options]:
                build_parser().parse_args(options)
            case ["fabric-doctor", *options]:
                doctor_parser().parse_args(options)
            case ["fabric-events", *options]:
                events_parser().parse_intermixed_args(options)
            case ["fabric-login", *options]:
                login_parser().parse_args(options)
            case ["python", "-m", module, *_]:
                assert module == "pytest" or (REPOSITORY / f"{module.replace('.', '/')}.py").is_file()
            case ["airflow", group, *_]:
                assert group in {"db", "dags", "standalone", "providers", "connections", "triggerer"}
            case _:
                assert words[0] in SHELL, words


def test_connections_of_microsofts_clients_are_understood() -> None:
    """What docs/migrating.md promises."""
    plugin = FabricSettings.from_connection(
        "c",
        login="client",
        password="r",
        extra={"tenantId": "contoso.com", "scopes": "x offline_access", "auth_type": "refresh_token"},
    )
    assert (plugin.client_id, plugin.tenant_id, plugin.scope) == ("client", "contoso.com", "x")
    extra = {"tenantId": "contoso.com", "clientId": "client", "clientSecret": "s", "auth_type": "spn"}
    provider = FabricSettings.from_connection("c", login=None, password=None, extra=extra)
    assert (provider.client_id, provider.tenant_id, provider.auth_type.value) == (
        "client",
        "contoso.com",
        "client_secret",
    )


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_every_row_of_the_comparison_has_its_tests(feature) -> None:
    assert bool(feature.tests) == (feature.ours != "no")  # where we say no, there is nothing to show
    for test in feature.tests:
        path, _, function = test.partition("::")
        tree = syntax_tree((REPOSITORY / path).read_text())
        functions = ast.FunctionDef | ast.AsyncFunctionDef
        assert function in {node.name for node in ast.walk(tree) if isinstance(node, functions)}, test


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", FENCE.sub("", path.read_text())):
        if not re.match(r"[a-z]+:", target):
            assert (path.parent / target).exists(), f"{path.name} links {target}"


def test_tests_that_pages_name_are_there() -> None:
    for path in DOCUMENTS:
        for name in re.findall(r"`(tests/[\w/]+\.py)`", path.read_text()):
            assert (REPOSITORY / name).is_file(), f"{path.name} names {name}"


def test_no_document_names_a_package_host() -> None:
    forbidden = ["pypi" + ".org", "pythonhosted" + ".org", "/root" + "/", "/home" + "/"]
    wrong = [(path.name, word) for path in DOCUMENTS for word in forbidden if word in path.read_text()]
    assert wrong == []


README = (REPOSITORY / "README.md").read_text()


def test_the_readmes_demo_is_what_the_demo_prints() -> None:
    """Its rows are the example's tasks, its judgement is the demo's in form and good in content."""
    (shown,) = (block.text for block in blocks("text") if "The emulator's request log:" in block.text)
    source = (REPOSITORY / "example_dags" / "fabric_data_factory.py").read_text()
    tasks = set(re.findall(r'task_id="(\w+)"', source)) | set(re.findall(r"@task\n    def (\w+)", source))
    table = shown.split("\n\n")[1].splitlines()
    assert table[0].split() == ["task", "state", "tries", "deferred", "job", "instance", "id", "seconds", "run", "link"]
    assert {row.split()[0] for row in table[1:]} == tasks
    assert {row.split()[1] for row in table[1:]} == {"success"}
    said = [re.sub(r"\d+", "0", sentence) for _, sentence in verdicts(Judgement(), jobs=0, processes=9)]
    printed = [re.sub(r"\d+", "0", line.removeprefix("  ok  ")) for line in shown.splitlines() if line[:6] == "  ok  "]
    assert printed == said


def test_the_readme_names_the_two_commands() -> None:
    assert "make demo" in README
    assert "make test" in README
