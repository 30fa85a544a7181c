"""What holds for every operator and sensor that the provider announces."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from typing import Any

import pytest

import airflow_provider_fabric
from airflow_provider_fabric.compat import BaseOperator
from airflow_provider_fabric.get_provider_info import get_provider_info
from airflow_provider_fabric.links import FabricRunLink
from airflow_provider_fabric.operators.item import ItemOperator
from airflow_provider_fabric.operators.job import FabricRunItemJobOperator
from airflow_provider_fabric.sensors.base import RunSensor

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG


def announced(*kinds: str) -> list[str]:
    return [module for kind in kinds for entry in get_provider_info()[kind] for module in entry["python-modules"]]


def classes() -> list[type[BaseOperator]]:
    found = []
    for name in announced("operators", "sensors"):
        module = importlib.import_module(name)
        members = [m for _, m in inspect.getmembers(module, inspect.isclass) if m.__module__ == name]
        public = [m for m in members if not m.__name__.startswith("_")]
        found += [m for m in public if issubclass(m, BaseOperator) and m is not ItemOperator]
    return found


ALL = classes()


def arguments(kind: type[BaseOperator]) -> dict[str, Any]:
    """Return a value for every argument that must be given."""
    signature = inspect.signature(kind.__init__)
    needed = [p.name for p in signature.parameters.values() if p.default is p.empty and p.kind is p.KEYWORD_ONLY]
    return {name: f"a {name}" for name in needed}


@pytest.mark.parametrize("package", ["hooks", "operators", "sensors", "triggers"])
def test_the_provider_announces_every_module_with_a_class(package: str):
    path = importlib.import_module(f"airflow_provider_fabric.{package}").__path__
    names = {f"airflow_provider_fabric.{package}.{info.name}" for info in pkgutil.iter_modules(path)}
    public = {
        name
        for name in names
        if any(
            member.__module__ == name and member.__name__.startswith("Fabric") and member is not RunSensor
            for _, member in inspect.getmembers(importlib.import_module(name), inspect.isclass)
        )
    }
    assert public == set(announced(package))


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
class TestEvery:
    def test_maps_dynamically_over_what_must_be_given(self, kind: type[BaseOperator]):
        given = arguments(kind)
        over = next(name for name in reversed(given) if name != "workspace")
        partial = {name: value for name, value in given.items() if name != over}
        with DAG("mapped", schedule=None):
            mapped = kind.partial(task_id="mapped", fabric_conn_id="other", **partial).expand(**{over: ["a", "b"]})
        one = mapped.unmap({over: "a"})
        assert (type(one), getattr(one, over), one.fabric_conn_id) == (kind, "a", "other")

    def test_templates_what_it_is_given(self, kind: type[BaseOperator]):
        operator = kind(task_id="run", **arguments(kind))
        assert {*arguments(kind), "fabric_conn_id"} <= set(kind.template_fields)
        for field in kind.template_fields:
            assert hasattr(operator, field), field

    def test_documents_its_arguments(self, kind: type[BaseOperator]):
        text = inspect.getdoc(kind) or ""
        own = [p.name for p in inspect.signature(kind.__init__).parameters.values() if p.kind is p.KEYWORD_ONLY]
        assert [name for name in own if f":param {name}:" not in text] == []

    def test_reads_no_connection_while_it_is_made(self, kind: type[BaseOperator]):
        operator = kind(task_id="run", fabric_conn_id="there is none", **arguments(kind))
        assert "hook" not in vars(operator)


WITH_A_RUN = [k for k in ALL if issubclass(k, FabricRunItemJobOperator | RunSensor)]


@pytest.mark.parametrize("kind", WITH_A_RUN, ids=lambda k: k.__name__)
def test_a_run_has_a_link(kind: type[BaseOperator]):
    assert any(isinstance(link, FabricRunLink) for link in kind.operator_extra_links)


def test_there_are_enough_of_them():
    assert len(ALL) >= 14
    assert airflow_provider_fabric.__version__
