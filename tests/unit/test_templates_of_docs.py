"""What the documentation and the examples write into templates can be rendered in every kind of DAG run.

In Airflow 3 a DAG run that an asset or a person has triggered has no logical date, so ``{{ ds }}`` fails there; and in
one that a person has triggered there is no asset's event.
"""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_fabric.compat import BaseOperator
from devtools.docs.snippets import Block
from tests.task_runner import template_values
from tests.unit.test_docs import PYTHON
from tests.unit.test_example_dags import FILES

try:
    from airflow.sdk import DAG
    from airflow.sdk.definitions._internal.contextmanager import DagContext
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.models.dag import DagContext

NOW = datetime(2026, 1, 31, 4, tzinfo=timezone.utc)
DATES = ("logical_date", "ds", "ds_nodash", "ts", "ts_nodash", "data_interval_start", "data_interval_end")


class Anything:
    """Stands for whatever a template reads besides dates: XComs, variables, events."""

    def __getattr__(self, name: str) -> Anything:
        if name.startswith("__") or name in ("unsafe_callable", "alters_data"):  # what Jinja's sandbox asks
            raise AttributeError(name)
        return self

    def __getitem__(self, key: object) -> Anything:
        return self

    def __call__(self, *_: object, **__: object) -> Anything:
        return self

    def __len__(self) -> int:
        return 1

    def values(self) -> list[Any]:
        return [[SimpleNamespace(extra={"payload": {"job_instance_id": "job"}}, timestamp=NOW)]]


def context(kind: str) -> dict[str, Any]:
    """Return what templates see in a DAG run of a kind."""
    run: dict[str, Any] = {"start_date": NOW, "run_id": "run", "conf": {}}
    if kind != "scheduled, Airflow 2":
        run["run_after"] = NOW
    values = {**template_values(), "dag_run": SimpleNamespace(**run), "params": Anything(), "expanded_ti_count": None}
    values |= dict.fromkeys(("ti", "task_instance", "var", "conn", "triggering_asset_events"), Anything())
    if kind == "by hand":
        values["triggering_asset_events"] = {}
    if kind in ("asset-triggered", "by hand"):
        values = {name: value for name, value in values.items() if name not in DATES}
    return values


@contextmanager
def made_dags() -> Iterator[list[Any]]:
    """Give a list that holds the DAGs of a module in the end, also those that it keeps no name of."""
    before, found = DagContext.current_autoregister_module_name, []
    DagContext.current_autoregister_module_name = __name__
    DagContext.autoregistered_dags.clear()
    try:
        yield found
    finally:
        found += [dag for dag, _ in DagContext.autoregistered_dags]
        DagContext.autoregistered_dags.clear()
        DagContext.current_autoregister_module_name = before


def operators(content: dict[str, Any]) -> Iterator[Any]:
    """Yield the operators that a module has made."""
    dags = [value for value in [*content.values(), *content.get("made", [])] if isinstance(value, DAG)]
    found = [task for dag in dags for task in dag.tasks] + list(content.values())
    yield from {id(value): value for value in found if isinstance(value, BaseOperator)}.values()


def check(content: dict[str, Any], kind: str) -> int:
    count = 0
    for operator in operators(content):
        if not operator.has_dag():
            operator.dag = DAG("of_the_test", schedule=None, start_date=NOW)
        if type(operator).__module__.startswith("airflow_provider_fabric."):
            operator.render_template_fields(context(kind), operator.get_template_env())
            count += 1
    return count


KINDS = ["scheduled", "asset-triggered", "by hand", "scheduled, Airflow 2"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_example(path: Path, kind: str):
    with made_dags() as made:
        content = runpy.run_path(str(path))
    check({**content, "made": made}, kind)


def test_operators_of_examples_are_found():
    assert check(runpy.run_path(str(next(path for path in FILES if path.stem == "fabric_daily_sales"))), KINDS[0]) > 10


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("block", [b for b in PYTHON if "Operator(" in b.text or "Sensor(" in b.text], ids=str)
def test_a_block_of_the_documentation(block: Block, kind: str):
    if "airflow.sdk" in block.text and find_spec("airflow.sdk") is None and "except ImportError" not in block.text:
        pytest.skip("for Airflow 3")
    content: dict[str, Any] = {"__name__": "documentation", "__file__": str(FILES[0])}
    with made_dags() as made, DAG("documentation", schedule=None, start_date=NOW):
        exec(compile(block.text, str(block.path), "exec"), content)
    check({**content, "made": made}, kind)


@pytest.mark.parametrize("template", ["{{ ds }}", "{{ ts }}", "{{ data_interval_start }}"])
def test_the_check_would_find_a_date_that_is_not_there(template: str):
    from jinja2 import UndefinedError

    from airflow_provider_fabric.operators.pipeline import FabricRunPipelineOperator

    operator = FabricRunPipelineOperator(task_id="run", workspace="w", pipeline="p", parameters={"day": template})
    with pytest.raises(UndefinedError):
        check({"run": operator}, "asset-triggered")
