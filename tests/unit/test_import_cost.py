"""What a DAG file pays for importing an operator, in modules: seconds depend on the machine."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from benchmarks.imports import measure


@pytest.mark.skipif(find_spec("airflow.sdk") is None, reason="measured on top of airflow.sdk, which Airflow 2 has not")
def test_an_operator_brings_few_modules_along_and_no_http_library() -> None:
    figures = measure(1)
    assert figures["heavy"] == []
    assert figures["modules"] <= 25, figures["names"]
