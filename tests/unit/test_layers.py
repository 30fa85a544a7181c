"""The direction of imports, one way only: whoever turns one round learns it here.

Imports are read from the source, those inside functions included; importing nothing, this sees every version's branch.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import airflow_provider_fabric
from devtools.syntax_tree import syntax_tree

PACKAGE = "airflow_provider_fabric"
ROOT = Path(airflow_provider_fabric.__file__).parent

#: From the bottom up. A unit is a module, or a folder with all that lies in it and is not named itself. A unit imports
#: only units above which it stands; of those on its own level, only itself.
LEVELS = (
    {"__init__", "exceptions", "remedies"},
    {"api.json_text", "api.plain_text", "api.status"},
    {"api.error_detail"},
    {"api.models"},
    {"api.connection"},
    {"api.http", "api.local_cache"},
    {"api.auth", "api.operations"},
    {"api.items"},
    {"api.deploy"},
    {"api.jobs"},
    {
        "api.capacities",
        "api.copy_jobs",
        "api.eventstreams",
        "api.onelake",
        "api.rest_call",
        "api.semantic_models",
        "api.sql_endpoints",
        "api.user_data_functions",
    },
    {"api.capacity_runs", "api.capacity_states", "api.refresh_requests", "api.rest"},
    {"arguments", "compat", "compat_tasks", "login"},
    {"hooks", "verbatim"},
    {"doctor", "events", "get_provider_info", "links", "lifecycle.state"},
    {"triggerer.call_budget", "triggerer.clocks", "triggerer.durations"},
    {"triggerer.coverage", "triggerer.turns"},
    {"triggerer.cancels", "triggerer.deadlines", "triggerer.pending"},
    {"triggerer.metrics"},
    {"triggerer.flow_calls", "triggerer.item_hints", "triggerer.spacing"},
    {"triggerer.hints", "triggerer.results"},
    {"triggerer.poller"},
    {"triggerer.clients", "triggerer.event_reader"},
    {"triggerer.event_streams"},
    {"triggerer.shared"},
    {"triggers"},
    {
        "lifecycle.backend",
        "lifecycle.cancel",
        "lifecycle.deduped",
        "lifecycle.errors",
        "lifecycle.final",
        "lifecycle.lineage",
        "lifecycle.not_retried",
        "lifecycle.options",
        "lifecycle.identity",
        "lifecycle.item_users",
        "lifecycle.task_record",
        "lifecycle.timing",
    },
    {"lifecycle.siblings", "lifecycle.single_call"},
    {"lifecycle.report", "lifecycle.request", "lifecycle.store"},
    {"lifecycle.old_run", "lifecycle.ownership"},
    {"lifecycle.unclear"},
    {"lifecycle.earlier_attempt"},
    {"lifecycle.operator", "lifecycle.start"},
    {"lifecycle.execution"},
    {"operators", "sensors"},
    {"alerts", "assets", "retry_policies"},
    {"__main__"},
)
OUTSIDE = {"emulator"}
"""Client and emulator must not share a typo."""

#: The same for the folders and modules inside a package, by its name.
INNER_LEVELS: dict[str, tuple[set[str], ...]] = {
    "emulator": (
        {"errors"},
        {"state"},
        {"http"},
        {"amqp", "arm", "entra", "fabric", "onelake"},
        {"control", "portal"},
        {"routes"},
        {"app"},
        {"server"},
        {"__init__", "__main__", "pytest_plugin"},
    ),
}

SOCKETS = {"requests", "httpx", "urllib3", "aiohttp", "http", "urllib.request"}
#: Modules that may name a library.
ALLOWED = {
    "requests": {"api/http/transport.py"},
    "urllib3": {"api/http/transport.py"},
    "httpx": {"api/http/transport.py", "api/http/client_options.py"},
    "msal": {"api/auth/sign_in.py"},
    "asgiref": {"compat.py"},
    "azure": {"triggerer/event_reader.py"},
    "urllib.request": {"api/http/client_options.py"},  # the environment's proxies
}


@dataclass(frozen=True)
class Import:
    """One imported module, and where."""

    path: str
    module: str
    types_only: bool = False

    def __str__(self) -> str:
        return f"{self.path} imports {self.module}"


def is_module(name: str) -> bool:
    path = ROOT.parent.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def imports_in(source: str, path: str) -> Iterator[Import]:
    tree = syntax_tree(source)
    guarded = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            full = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name.startswith(PACKAGE) and is_module(name) else str(node.module) for name in full]
        else:
            continue
        yield from (Import(path, name, id(node) in guarded) for name in names)


def all_imports() -> list[Import]:
    return [
        found
        for file in sorted(ROOT.rglob("*.py"))
        for found in imports_in(file.read_text(), file.relative_to(ROOT).as_posix())
    ]


IMPORTS = all_imports()
OURS = [found for found in IMPORTS if found.module.split(".")[0] == PACKAGE]


UNITS = {unit: level for level, units in enumerate(LEVELS) for unit in units}


def unit_of(name: str) -> str:
    """Return the unit of a path or a dotted name of ours: the longest one that is named in the table."""
    is_path = "/" in name or name.endswith(".py")
    parts = name.removesuffix(".py").removesuffix("/__init__").split("/") if is_path else name.split(".")[1:]
    if not parts:
        return "__init__"
    prefixes = [".".join(parts[:length]) for length in range(len(parts), 0, -1)]
    return next((prefix for prefix in prefixes if prefix in UNITS), parts[0])


def level_of(unit: str) -> int:
    if unit in UNITS:
        return UNITS[unit]
    if any(known.startswith(f"{unit}.") for known in UNITS):  # the folder itself, whose __init__ is empty
        return -1
    raise AssertionError(f"{unit} has no level yet: say in test_layers.py where it stands")


def uses(found: Import, library: str) -> bool:
    return found.module == library or found.module.startswith(f"{library}.")


def complaints(imports: list[Import]) -> list[str]:
    """Return the imports of ours that point back or sideways."""
    wrong = []
    for found in imports:
        importer, imported = unit_of(found.path), unit_of(found.module)
        if importer in OUTSIDE or imported in OUTSIDE:
            if importer != imported:
                wrong.append(str(found))
        elif importer != imported and level_of(importer) <= level_of(imported):
            wrong.append(str(found))
    return wrong


def inner_unit_of(name: str) -> tuple[str, str]:
    """Return the package right below ours and the module or folder inside it, for a path or a dotted name."""
    is_path = name.endswith(".py")
    parts = name.removesuffix(".py").split("/") if is_path else name.split(".")[1:]
    return (*parts, "__init__", "__init__")[:2]


def inner_level_of(package: str, unit: str) -> int:
    for level, units in enumerate(INNER_LEVELS[package]):
        if unit in units:
            return level
    raise AssertionError(f"{package}/{unit} has no level yet: say in test_layers.py where it stands")


def inner_complaints(package: str, imports: list[Import]) -> list[str]:
    """Return the imports inside a package that point back or sideways, those for types included."""
    wrong = []
    for found in imports:
        (home, importer), (target, imported) = inner_unit_of(found.path), inner_unit_of(found.module)
        is_inside = home == target == package and importer != imported
        if is_inside and inner_level_of(package, importer) <= inner_level_of(package, imported):
            wrong.append(str(found))
    return wrong


def circle_in(imports: list[Import]) -> str:
    """Return modules that import each other in a circle, as text; none is the empty one."""
    graph: dict[str, set[str]] = {}
    for found in imports:
        importer = f"{PACKAGE}/{found.path}".removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        graph.setdefault(importer, set()).add(found.module)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return " imports ".join(error.args[1][::-1])
    return ""


def test_the_reader_of_imports_sees_them_all() -> None:
    """Otherwise every test below could only pass."""
    source = (
        "from typing import TYPE_CHECKING\n"
        "import a.b, c\n"
        "if TYPE_CHECKING:\n    import t\n"
        "try:\n    from airflow.sdk import X\nexcept ImportError:\n    pass\n"
        f"def f():\n    from {PACKAGE}.api import jobs, nothing\n    from {PACKAGE} import __version__\n"
    )
    assert {(found.module, found.types_only) for found in imports_in(source, "x.py")} == {
        ("typing", False),
        ("a.b", False),
        ("c", False),
        ("t", True),
        ("airflow.sdk", False),
        (f"{PACKAGE}.api.jobs", False),
        (f"{PACKAGE}.api", False),
        (PACKAGE, False),
    }
    assert len(IMPORTS) > 500
    assert len({found.path for found in OURS}) > 50


@pytest.mark.parametrize(
    ("path", "module"),
    [
        ("api/jobs/instances.py", "hooks.fabric"),
        ("api/jobs/instances.py", "compat"),
        ("exceptions.py", "api.http.flow"),
        ("hooks/fabric.py", "triggers.job"),
        ("triggers/job.py", "operators.job"),
        ("operators/job.py", "sensors.job"),
        ("triggerer/poller.py", "triggerer.shared"),
        ("api/http/retry.py", "api.jobs.submit"),
        ("lifecycle/state.py", "lifecycle.store"),
        ("emulator/state/jobs.py", "exceptions"),
        ("hooks/fabric.py", "emulator"),
    ],
)
def test_an_import_that_points_back_is_complained_of(path: str, module: str) -> None:
    assert complaints([Import(path, f"{PACKAGE}.{module}")])


def test_imports_point_one_way() -> None:
    assert complaints(OURS) == []


@pytest.mark.parametrize(
    ("path", "module"),
    [
        ("emulator/errors.py", "emulator.state.ids"),
        ("emulator/state/items.py", "emulator.http.request"),
        ("emulator/http/pages.py", "emulator.fabric.items"),
        ("emulator/fabric/items.py", "emulator.entra.errors"),
        ("emulator/entra/errors.py", "emulator.control.routes"),
        ("emulator/portal/pages.py", "emulator.control.routes"),
        ("emulator/server.py", "emulator"),
    ],
)
def test_an_import_inside_a_package_that_points_back_is_complained_of(path: str, module: str) -> None:
    assert inner_complaints(path.split("/")[0], [Import(path, f"{PACKAGE}.{module}", types_only=True)])


@pytest.mark.parametrize("package", INNER_LEVELS)
def test_imports_inside_a_package_point_one_way(package: str) -> None:
    assert inner_complaints(package, OURS) == []
    units = {inner_unit_of(found.path)[1] for found in IMPORTS if found.path.startswith(f"{package}/")}
    assert units <= set().union(*INNER_LEVELS[package])


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Imports for type checkers count too."""
    assert circle_in(OURS) == ""


def test_a_circle_is_found() -> None:
    there, back = Import("a.py", f"{PACKAGE}.b"), Import("b.py", f"{PACKAGE}.a", types_only=True)
    assert circle_in([there, back])
    assert circle_in([there]) == ""


def test_the_state_of_the_emulator_knows_no_http() -> None:
    servers = ("starlette", "uvicorn", "http", "urllib", "requests", "httpx")
    state = [found for found in IMPORTS if found.path.startswith("emulator/state/")]
    assert len(state) > 50
    assert [str(found) for found in state if any(uses(found, library) for library in servers)] == []


@pytest.mark.parametrize("library", ALLOWED)
def test_a_library_is_named_only_where_it_belongs(library: str) -> None:
    users = {found.path for found in IMPORTS if uses(found, library) and unit_of(found.path) not in OUTSIDE}
    assert users == ALLOWED[library]


def test_nobody_else_opens_a_socket() -> None:
    assert [
        str(found)
        for found in IMPORTS
        if any(uses(found, library) for library in SOCKETS)
        and unit_of(found.path) not in OUTSIDE
        and found.path not in ALLOWED.get(found.module, ALLOWED.get(found.module.split(".")[0], set()))
    ] == []


def test_only_compat_and_the_triggers_know_airflow() -> None:
    strangers = [
        str(found)
        for found in IMPORTS
        if uses(found, "airflow")
        and found.path not in {"compat.py", "compat_tasks.py"}
        and not (unit_of(found.path) == "triggers" and found.module == "airflow.triggers.base")
    ]
    assert strangers == []


def test_what_airflow_reads_first_needs_no_airflow() -> None:
    """Airflow 3 asks for the provider's info while it reads its own configuration, that is, while it imports itself."""
    reached, ahead = set(), [f"{PACKAGE}.get_provider_info"]
    while ahead:
        module = ahead.pop()
        if module not in reached:
            reached.add(module)
            path = "/".join(module.split(".")[1:]) + ".py"
            ahead += [found.module for found in OURS if found.path == path and not found.types_only]
    assert f"{PACKAGE}.hooks.connection_form" in reached
    assert f"{PACKAGE}.compat" not in reached


FRESH = """
import importlib, json, sys
for name in ("airflow.sdk", "airflow.models.baseoperator", "airflow.sensors.base"):
    try:
        importlib.import_module(name)
        break
    except ImportError:
        continue
before = set(sys.modules)
import airflow_provider_fabric.operators.pipeline
print("MODULES", json.dumps(sorted(set(sys.modules) - before)))
"""


def test_a_dag_file_pays_for_nothing_but_the_operators() -> None:
    """Airflow parses DAG files again and again, so an import of msal, say, is paid every time."""
    run = subprocess.run([sys.executable, "-c", FRESH], capture_output=True, text=True, cwd=ROOT.parent, check=False)
    assert run.returncode == 0, run.stderr
    loaded = json.loads(next(line for line in run.stdout.splitlines() if line.startswith("MODULES")).split(" ", 1)[1])
    assert f"{PACKAGE}.operators.pipeline" in loaded
    assert {name.split(".")[0] for name in loaded} & {"msal", "requests", "httpx", "jwt", "starlette"} == set()
    assert [name for name in loaded if name.startswith((f"{PACKAGE}.emulator", f"{PACKAGE}.hooks"))] == []
    assert [name for name in loaded if name.startswith(f"{PACKAGE}.api.") and "transport" in name] == []
