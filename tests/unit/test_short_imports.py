"""Operators, sensors and triggers are importable from their packages, and that costs a DAG file nothing more."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks.imports import measure
from devtools.syntax_tree import syntax_tree

PACKAGES = ("operators", "sensors", "triggers")


def name_of(package: str) -> str:
    return f"airflow_provider_fabric.{package}"


def classes_in(package: str) -> dict[str, type]:
    """Return the public classes of a package's modules, by name."""
    found: dict[str, type] = {}
    for info in pkgutil.iter_modules(importlib.import_module(name_of(package)).__path__):
        module = importlib.import_module(f"{name_of(package)}.{info.name}")
        for name, member in inspect.getmembers(module, inspect.isclass):
            if name.startswith("Fabric") and member.__module__ == module.__name__:
                found[name] = member
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_every_class_is_importable_from_its_package(package: str) -> None:
    module = importlib.import_module(name_of(package))
    classes = classes_in(package)
    assert sorted(module.__all__) == sorted(classes), f"add the class to {package}/__init__.py"
    for name, kind in classes.items():
        assert getattr(module, name) is kind
        assert name in dir(module)


@pytest.mark.parametrize("package", PACKAGES)
def test_type_checkers_and_editors_see_the_same_names(package: str) -> None:
    source = Path(importlib.import_module(name_of(package)).__file__ or "").read_text(encoding="utf-8")
    guarded = [node for node in syntax_tree(source).body if isinstance(node, ast.If)]
    imported = {
        alias.name: statement.module
        for node in guarded
        for statement in ast.walk(node)
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
    assert imported == {name: kind.__module__ for name, kind in classes_in(package).items()}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_name_that_is_not_there_is_no_attribute(package: str) -> None:
    module = importlib.import_module(name_of(package))
    assert not hasattr(module, "FabricNothing")
    with pytest.raises(ImportError, match="FabricNothing"):
        exec(f"from {name_of(package)} import FabricNothing")


@pytest.mark.parametrize("package", PACKAGES)
def test_the_package_alone_loads_no_module_of_its_own(package: str) -> None:
    code = f"import sys, {name_of(package)}\nprint([n for n in sys.modules if n.startswith('{name_of(package)}.')])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert answer.stdout.strip() == "[]"


@pytest.mark.skipif(find_spec("airflow.sdk") is None, reason="measured on top of airflow.sdk, which Airflow 2 has not")
def test_the_short_import_costs_what_the_long_one_does() -> None:
    long = measure(1)
    short = measure(1, statement="from airflow_provider_fabric.operators import FabricRunPipelineOperator")
    assert short["names"] == long["names"]
    assert short["heavy"] == []
