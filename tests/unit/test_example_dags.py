"""Every example can be read by Airflow, and by a person: it says what it shows and what it needs."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

FOLDER = Path(__file__).resolve().parents[2] / "example_dags"
FILES = sorted(FOLDER.glob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_can_be_read(path: Path):
    content = runpy.run_path(str(path))
    dags = [value for value in content.values() if isinstance(value, DAG)]
    assert "``fabric_default``" in content["__doc__"]
    assert dags or path.stem == "fabric_events", "every file holds a DAG"
    for dag in dags:
        assert dag.dag_id == path.stem
        assert dag.task_ids
        assert {"fabric", "example"} <= set(dag.tags)


def test_every_operator_and_sensor_is_shown():
    from tests.unit.operators.test_every_operator import ALL

    text = "".join(path.read_text() for path in FILES)
    assert [kind.__name__ for kind in ALL if kind.__name__ not in text] == []
