"""What a DAG file pays for importing an operator, in modules: seconds depend on the machine."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from benchmarks.imports import measure

MODULES = [f"airflow_provider_fabric.operators.{module}" for module in ("pipeline", "semantic_model")]


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.skipif(find_spec("airflow.sdk") is None, reason="measured on top of airflow.sdk, which Airflow 2 has not")
def test_an_operator_brings_few_modules_along_and_no_http_library(module: str) -> None:
    figures = measure(1, module)
    assert figures["heavy"] == []
    assert figures["modules"] <= 10, figures["names"]
